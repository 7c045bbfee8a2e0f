//! The TLS listener of the federation API.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::StartError;
use crate::config::Federation;

/// Connections whose handshake is done. Handshakes run beside each other, so that a peer that stops
/// in the middle of one stops nobody else.
pub(super) struct Listener {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener {
    /// Reads the certificate and begins to accept; ends when it is dropped.
    pub(super) fn start(listener: TcpListener, settings: &Federation) -> Result<Self, StartError> {
        let acceptor = TlsAcceptor::from(Arc::new(tls_config(settings)?));
        let address = listener.local_addr()?;
        let (hand_over, accepted) = mpsc::channel(64);
        tokio::spawn(accept(listener, acceptor, hand_over));
        Ok(Self { accepted, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(connection) => connection,
            // The accepting task ends only after this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    hand_over: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = hand_over.closed() => return,
        };
        let Ok((stream, peer)) = connection else { continue };
        let (acceptor, hand_over) = (acceptor.clone(), hand_over.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match acceptor.accept(stream).await {
                Ok(stream) => drop(hand_over.send((stream, peer)).await),
                Err(error) => tracing::debug!("handshake with {peer} failed: {error}"),
            }
        });
    }
}

fn tls_config(settings: &Federation) -> Result<ServerConfig, StartError> {
    let wrong = |path: &Path, reason: &dyn std::fmt::Display| StartError::Certificate {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&settings.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(&settings.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|error| wrong(&settings.key, &error))?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| wrong(&settings.certificate, &error))
}
