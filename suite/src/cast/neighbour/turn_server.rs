//! The TURN server of a run: coturn, where it is installed, with the secret that the target's configuration names.

mod message;

use std::{
    io::{Error, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::UdpSocket,
    process::{Child, Command},
    time::{Instant, timeout},
};

use self::message::{Attribute, Kind, Message, key};
use crate::{cast::Homeserver, target::TurnPlace, verdict::Stop};

/// The program that Debian's package `coturn` and others bring.
const PROGRAM: &str = "turnserver";
/// How long an answer is waited for before the question is put again (RFC 8489, section 6.2.1).
const RETRANSMISSION: Duration = Duration::from_millis(500);
/// What is relayed is UDP (RFC 8656, section 18.8).
const UDP: [u8; 4] = [17, 0, 0, 0];

/// A running coturn on loopback. Ends with its owner.
#[derive(Debug)]
pub(crate) struct TurnServer {
    address: SocketAddr,
    /// Until it is ended; and its folder, which goes with it.
    process: Mutex<Option<(Child, TempDir)>>,
}

/// What came of credentials.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// A relay for so many seconds.
    Granted {
        /// How long it stays without being refreshed.
        lifetime_s: u32,
    },
    /// A refusal.
    Refused {
        /// The code, such as 401.
        code: u16,
        /// Its words.
        reason: String,
    },
}

impl Homeserver {
    /// The TURN server of the run; the test does not apply where the target does not know it, or there is none to start.
    pub(crate) async fn turn_server(&self) -> Result<&TurnServer, Stop> {
        self.trial().neighbours.turn_server(self.patience()).await
    }
}

impl TurnServer {
    /// Starts coturn at its place, and waits until it answers.
    pub(crate) async fn start(place: &TurnPlace, patience: Duration) -> Result<Self, Stop> {
        let fault = |error: Error| Stop::Fault(format!("no TURN server: {error}"));
        let folder = tempfile::Builder::new().prefix("determinant-turn-").tempdir().map_err(fault)?;
        let configuration = folder.path().join("turnserver.conf");
        std::fs::write(&configuration, place.configuration(folder.path())).map_err(fault)?;
        place.release();
        let child = Command::new(PROGRAM)
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => Stop::NotApplicable(format!(
                    "no TURN server to try the credentials on: `{PROGRAM}` of coturn is not installed"
                )),
                _ => fault(error),
            })?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port()));
        let server = TurnServer { address, process: Mutex::new(Some((child, folder))) };
        let ready = Message::new(Kind::BINDING);
        server.socket().await.map_err(fault)?.ask(&ready, None, patience).await.map_err(fault)?;
        Ok(server)
    }

    /// Ends the process, whoever still holds on to the server.
    pub(crate) fn end(&self) {
        drop(self.process.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether a TURN URI (RFC 7065) names this server, by UDP.
    pub(crate) fn is_at(&self, uri: &str) -> bool {
        let port = self.address.port();
        let at = |host: &str| format!("turn:{host}:{port}");
        let (place, transport) = uri.split_once('?').unwrap_or((uri, "transport=udp"));
        [at("127.0.0.1"), at("localhost")].iter().any(|own| own == place) && transport == "transport=udp"
    }

    /// Asks for a relay with these credentials, and gives it back (RFC 8656, sections 7 and 8; long-term credentials as in
    /// RFC 8489, section 9.2).
    pub(crate) async fn allocate(
        &self,
        username: &str,
        password: &str,
        patience: Duration,
    ) -> Result<Allocation, Stop> {
        let fault = |error: Error| Stop::Fault(format!("the TURN server: {error}"));
        let socket = self.socket().await.map_err(fault)?;
        let request = Message::new(Kind::ALLOCATE).with(Attribute::REQUESTED_TRANSPORT, &UDP);
        let challenge = socket.ask(&request, None, patience).await.map_err(fault)?;
        let (Some(realm), Some(nonce)) =
            (challenge.attribute(Attribute::REALM), challenge.attribute(Attribute::NONCE))
        else {
            return Err(Stop::Fault("the TURN server has not asked for credentials".to_owned()));
        };
        let key = key(username, &String::from_utf8_lossy(realm), password);
        let authenticated = |kind: Kind| {
            Message::new(kind)
                .with(Attribute::USERNAME, username.as_bytes())
                .with(Attribute::REALM, realm)
                .with(Attribute::NONCE, nonce)
        };
        let request = authenticated(Kind::ALLOCATE).with(Attribute::REQUESTED_TRANSPORT, &UDP);
        let answer = socket.ask(&request, Some(&key), patience).await.map_err(fault)?;
        if let Some((code, reason)) = answer.error() {
            return Ok(Allocation::Refused { code, reason });
        }
        // Only who has the same password can have said so.
        let granted = answer.lifetime_s().filter(|_| answer.is_proved_by(&key) && answer.names_a_relay());
        let lifetime_s = granted.ok_or_else(|| {
            Stop::Fault("the TURN server has granted no relay, and refused none".to_owned())
        })?;
        let farewell = authenticated(Kind::REFRESH).with(Attribute::LIFETIME, &[0; 4]);
        socket.ask(&farewell, Some(&key), patience).await.map_err(fault)?;
        Ok(Allocation::Granted { lifetime_s })
    }

    async fn socket(&self) -> std::io::Result<Socket> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(self.address).await?;
        Ok(Socket(socket))
    }
}

/// A way to the server; each allocation has its own.
struct Socket(UdpSocket);

impl Socket {
    /// Puts a request until it is answered.
    async fn ask(
        &self,
        request: &Message,
        key: Option<&[u8]>,
        patience: Duration,
    ) -> std::io::Result<Message> {
        let (bytes, deadline) = (request.encode(key), Instant::now() + patience);
        while Instant::now() < deadline {
            // While nobody listens, loopback refuses; that is no reason to stop asking.
            if self.0.send(&bytes).await.is_ok()
                && let Ok(Ok(answer)) = timeout(RETRANSMISSION, self.answer_to(request)).await
            {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Error::new(ErrorKind::TimedOut, format!("no answer within {} s", patience.as_secs())))
    }

    async fn answer_to(&self, request: &Message) -> std::io::Result<Message> {
        let mut buffer = [0; 1500];
        loop {
            let length = self.0.recv(&mut buffer).await?;
            if let Some(answer) = Message::decode(&buffer[..length]).filter(|it| it.answers(request)) {
                return Ok(answer);
            }
        }
    }
}
