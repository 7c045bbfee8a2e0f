//! Servers of other kinds, on loopback: what the homeserver asks, and where it sends mail.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Serves over plain HTTP; answers the URL without a path.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Serves over TLS, with a certificate that is written to `ca.pem`; answers host and port.
pub(crate) async fn serve_tls(folder: &Path, router: Router) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = format!("localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move { axum::serve(Tls { listener, acceptor }, router).await });
    name
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A mail relay that keeps what it is given.
pub(crate) struct Relay {
    pub(crate) url: String,
    mails: mpsc::UnboundedReceiver<String>,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (keep, mails) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take_mails(stream, keep.clone()));
            }
        });
        Self { url, mails }
    }

    /// The next mail, with its header, without the line breaks that quoted-printable adds.
    pub(crate) async fn next(&mut self) -> String {
        let mail = tokio::time::timeout(Duration::from_secs(10), self.mails.recv()).await.unwrap().unwrap();
        mail.replace("=\r\n", "").replace("=3D", "=")
    }

    /// Whether a mail has come that nobody has looked at.
    pub(crate) fn has_more(&mut self) -> bool {
        self.mails.try_recv().is_ok()
    }
}

/// As much of RFC 5321 as a client needs that has one mail to send after another.
async fn take_mails(stream: TcpStream, keep: mpsc::UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 relay\r\n").await.unwrap();
    let (mut line, mut mail) = (String::new(), None::<String>);
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let answer = match &mut mail {
            Some(_) if line == ".\r\n" => {
                let _ = keep.send(mail.take().unwrap_or_default());
                "250 kept\r\n"
            }
            Some(text) => {
                text.push_str(&line);
                ""
            }
            None if line.starts_with("DATA") => {
                mail = Some(String::new());
                "354 go on\r\n"
            }
            None if line.starts_with("QUIT") => return,
            None => "250 well\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        line.clear();
    }
}
