//! A small server with TLS that answers as it is told, the authority behind its certificate, and a name server.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

use hickory_resolver::proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, CNAME, SRV},
    },
};
use protocol::{
    keys::{SigningKey, VerifyKey},
    signatures,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc2822};

/// The authority of all certificates here, and the file of its own.
pub(super) fn authority() -> &'static (CertifiedIssuer<'static, KeyPair>, &'static str) {
    static AUTHORITY: OnceLock<(CertifiedIssuer<'static, KeyPair>, &str)> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(parameters, key).expect("an authority");
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/authority-of-the-doctor.pem");
        std::fs::write(file, issuer.pem()).expect("a file");
        (issuer, file)
    })
}

/// A certificate to be made.
#[derive(Debug)]
pub(super) struct Certificate {
    names: Vec<String>,
    until: Option<OffsetDateTime>,
    self_signed: bool,
}

impl Certificate {
    pub(super) fn of(names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Certificate { names, until: None, self_signed: false }
    }

    pub(super) fn until_days_from_now(self, days: i64) -> Self {
        Certificate { until: Some(OffsetDateTime::now_utc() + Duration::days(days)), ..self }
    }

    pub(super) fn self_signed(self) -> Self {
        Certificate { self_signed: true, ..self }
    }

    fn make(self) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(self.names).expect("names");
        // Two certificates of the same subject and issuer would be taken for one that signed itself.
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "house");
        if let Some(until) = self.until {
            parameters.not_after = until;
        }
        let certificate = match self.self_signed {
            true => parameters.self_signed(&key),
            false => parameters.signed_by(&key, &authority().0),
        };
        (certificate.expect("a certificate"), key)
    }

    /// Writes certificate and key into a folder.
    pub(super) fn write(self, folder: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.make();
        let (certificate_file, key_file) = (folder.join("server.crt"), folder.join("server.key"));
        std::fs::write(&certificate_file, certificate.pem()).expect("a file");
        std::fs::write(&key_file, key.serialize_pem()).expect("a file");
        (certificate_file, key_file)
    }

    fn config(self) -> ServerConfig {
        let (certificate, key) = self.make();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key")
    }
}

/// What a house answers.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("access-control-allow-origin", "*".to_owned()),
            ("access-control-allow-headers", "X-Requested-With, Content-Type, Authorization".to_owned()),
        ];
        Answer { status, headers, body: body.to_string() }.seconds_ahead(0)
    }

    /// A page of a proxy.
    pub(super) fn page(status: u16) -> Self {
        Answer::json(status, json!({})).with("content-type", "text/html").saying("<html>a proxy</html>")
    }

    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        let mut answer = self.without(name);
        answer.headers.push((name, value.to_owned()));
        answer
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    pub(super) fn saying(self, body: &str) -> Self {
        Answer { body: body.to_owned(), ..self }
    }

    pub(super) fn seconds_ahead(self, seconds: i64) -> Self {
        let date = OffsetDateTime::now_utc() + Duration::seconds(seconds);
        self.with("date", &date.format(&Rfc2822).expect("a date"))
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = self.body.len();
        format!(
            "HTTP/1.1 {} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{}",
            self.status, self.body
        )
        .into_bytes()
    }
}

/// A server that listens for as long as the test goes on.
pub(super) struct House {
    pub(super) port: u16,
}

impl House {
    /// Answers every request by its method and path.
    pub(super) fn open(
        certificate: Certificate,
        answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let (config, answer) = (Arc::new(certificate.config()), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, answer) = (config.clone(), answer.clone());
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).expect("a connection");
                    let mut stream = StreamOwned::new(connection, stream);
                    let Some((method, path)) = read_head(&mut stream) else { return };
                    let _ = stream.write_all(&answer(&method, &path).bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                });
            }
        });
        House { port }
    }
}

/// Method and path of a request without a body.
fn read_head(stream: &mut impl Read) -> Option<(String, String)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.split(' ').map(str::to_owned);
    Some((words.next()?, words.next()?))
}

/// A port on which nothing listens.
pub(super) fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    listener.local_addr().expect("its address").port()
}

fn signing_key() -> SigningKey {
    SigningKey::from_seed("house", &[7; 32]).expect("a key")
}

/// The keys of a server, valid for so many seconds, signed.
pub(super) fn keys(server_name: &str, seconds: i64) -> Value {
    let Value::Object(mut keys) = unsigned_keys_until(server_name, seconds) else {
        unreachable!("an object")
    };
    signatures::sign(&mut keys, server_name, &signing_key()).expect("a signature");
    Value::Object(keys)
}

/// The same without a signature.
pub(super) fn unsigned_keys(server_name: &str) -> Value {
    unsigned_keys_until(server_name, 24 * 60 * 60)
}

/// The same, changed after it was signed.
pub(super) fn spoilt_keys(server_name: &str) -> Value {
    let mut keys = keys(server_name, 24 * 60 * 60);
    keys["old_verify_keys"] = json!({"ed25519:old": {"expired_ts": 1, "key": verify_key().to_base64()}});
    keys
}

fn unsigned_keys_until(server_name: &str, seconds: i64) -> Value {
    let until = (OffsetDateTime::now_utc() + Duration::seconds(seconds)).unix_timestamp() * 1000;
    let key = verify_key().to_base64();
    json!({
        "server_name": server_name, "valid_until_ts": until, "old_verify_keys": {}, "signatures": {},
        "verify_keys": {signing_key().id().as_str(): {"key": key}},
    })
}

fn verify_key() -> VerifyKey {
    signing_key().verify_key()
}

/// What a name server knows: `house.test` and `machine.test` on loopback, and one service on `machine.test`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Zone {
    pub(super) service: &'static str,
    pub(super) port: u16,
    /// Whether `machine.test` is an alias.
    pub(super) alias: bool,
}

/// Answers questions about names for as long as the test goes on.
pub(super) fn serve_zone(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("its address");
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer) {
            let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
            let _ = socket.send_to(&reply(&question, zone), asker);
        }
    });
    address
}

fn reply(question: &Message, zone: Zone) -> Vec<u8> {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_available = true;
    for query in &question.queries {
        answer.add_query(query.clone());
        let name = query.name().to_utf8();
        let name = name.trim_end_matches('.');
        let host = |name: &str| Name::from_utf8(format!("{name}.")).expect("a name");
        let data = match query.query_type() {
            RecordType::A if ["house.test", "machine.test"].contains(&name) => {
                Some(RData::A(A(Ipv4Addr::LOCALHOST)))
            }
            RecordType::SRV if name == zone.service => {
                Some(RData::SRV(SRV::new(0, 0, zone.port, host("machine.test"))))
            }
            RecordType::CNAME if name == "machine.test" && zone.alias => {
                Some(RData::CNAME(CNAME(host("house.test"))))
            }
            _ => None,
        };
        match data {
            Some(data) => drop(answer.add_answer(Record::from_rdata(query.name().clone(), 60, data))),
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
    }
    answer.to_vec().expect("an answer")
}
