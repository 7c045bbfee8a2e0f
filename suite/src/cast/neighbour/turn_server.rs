//! The TURN server of a run: coturn, where it is installed, with the secret that the target's configuration names.

use std::{
    io::{Error, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};
use turn::Allocation;

use crate::{
    cast::{Homeserver, neighbourhood::of_the_run},
    target::{Target, TurnPlace},
    verdict::Stop,
};

/// The program that Debian's package `coturn` and others bring.
const PROGRAM: &str = "turnserver";

/// A running coturn on loopback. Ends with its owner.
#[derive(Debug)]
pub struct TurnServer {
    address: SocketAddr,
    /// Until it is ended; and its folder, which goes with it.
    process: Mutex<Option<(Child, TempDir)>>,
}

impl Homeserver {
    /// The TURN server of the run; the test does not apply where the target does not know it, or there is none to start.
    pub(crate) async fn turn_server(&self) -> Result<&TurnServer, Stop> {
        self.trial().neighbours.turn_server(self.patience()).await
    }
}

impl TurnServer {
    /// Starts the coturn that a target was told of, and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`] where the target does not know one, or coturn is not installed; [`Stop::Fault`] where it does not
    /// start.
    pub async fn beside(target: &Target, patience: Duration) -> Result<Self, Stop> {
        Self::start(of_the_run(target, "turn")?.turn(), patience).await
    }

    async fn start(place: &TurnPlace, patience: Duration) -> Result<Self, Stop> {
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
        turn::ready(address, patience).await.map_err(fault)?;
        Ok(server)
    }

    /// Ends the process, whoever still holds on to the server.
    pub(crate) fn end(&self) {
        drop(self.process.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether a TURN URI (RFC 7065) names this server, by UDP.
    pub(crate) fn is_at(&self, uri: &str) -> bool {
        let here = |host: &str| ["127.0.0.1", "localhost"].contains(&host);
        turn::udp_place(uri).is_some_and(|(host, port)| here(host) && port == self.address.port())
    }

    /// Asks for a relay with these credentials, and gives it back.
    pub(crate) async fn allocate(
        &self,
        username: &str,
        password: &str,
        patience: Duration,
    ) -> Result<Allocation, Stop> {
        let allocated = turn::allocate(self.address, username, password, patience).await;
        allocated.map_err(|error| Stop::Fault(format!("the TURN server: {error}")))
    }
}
