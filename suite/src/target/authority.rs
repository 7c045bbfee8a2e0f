//! The certificate authority of one run: every server that the run starts gets a certificate from it.

use std::{path::Path, sync::Arc};

use pem::{EncodeConfig, LineEnding, Pem};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ED25519,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::TargetError;

/// A certificate authority that lives as long as the run.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes the authority's own key and certificate.
    pub(crate) fn new() -> Result<Self, TargetError> {
        Self::with(KeyPair::generate().map_err(failed)?)
    }

    /// One whose own key is given away: images that are kept for Complement sign with it, and some of them know no other key
    /// than RSA. It takes longer to make.
    pub(super) fn for_images() -> Result<Self, TargetError> {
        Self::with(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(failed)?)
    }

    fn with(key: KeyPair) -> Result<Self, TargetError> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(DnType::CommonName, "Determinant, certificate authority of one run");
        Ok(Authority { issuer: CertifiedIssuer::self_signed(parameters, key).map_err(failed)? })
    }

    /// `ca.crt`, `server.crt` and `server.key` for a server of these names.
    pub(super) fn files(&self, names: Vec<String>) -> Result<[(&'static str, String); 3], TargetError> {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = CertificateParams::new(names)
            .and_then(|parameters| parameters.signed_by(&key, &self.issuer))
            .map_err(failed)?;
        Ok([
            ("ca.crt", self.issuer.pem()),
            ("server.crt", certificate.pem()),
            ("server.key", key.serialize_pem()),
        ])
    }

    /// Writes them for a server on `localhost`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), TargetError> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        for (name, text) in self.files(names.to_vec())? {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| {
                TargetError::Unreachable(format!("cannot write {}: {error}", path.display()))
            })?;
        }
        Ok(())
    }

    /// The authority's own key, of an authority for images: as PKCS #1, which is what Complement hands out.
    pub(super) fn key_pem(&self) -> String {
        // PKCS #8 (RFC 5208) puts version, algorithm and the head of an octet string before it, which have one length for every
        // RSA key of 2048 bits and more.
        const HEAD_BYTES: usize = 26;
        let key = self.issuer.key().serialize_der().split_off(HEAD_BYTES);
        let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
        pem::encode_config(&Pem::new("RSA PRIVATE KEY", key), lines)
    }

    /// The authority's certificate.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a listener within this process shows: an Ed25519 certificate for these names, made in microseconds.
    pub(crate) fn server_config(&self, names: Vec<String>) -> Result<ServerConfig, TargetError> {
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
        let certificate = CertificateParams::new(names)
            .and_then(|parameters| parameters.signed_by(&key, &self.issuer))
            .map_err(failed)?;
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let chain = vec![certificate.der().clone()];
                config.with_no_client_auth().with_single_cert(chain, secret)
            })
            .map_err(|error| TargetError::Unreachable(format!("no TLS for a listener of the run: {error}")))
    }
}

fn failed(error: rcgen::Error) -> TargetError {
    TargetError::Unreachable(format!("no certificate for the run: {error}"))
}
