//! A server that the run starts itself: its folder, ports, certificate, log and end.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use url::Url;

use super::{Neighbours, TargetError, Whereabouts, authority::Authority, file::StopSignal, log::Log};

/// How long a process may take to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A running server. Ends with its owner.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stop: StopSignal,
    log: Log,
    // Removed when the process has ended.
    _folder: TempDir,
}

/// What a process is started with.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) stop: StopSignal,
    pub(super) ready_path: String,
    pub(super) ready_within_ms: u64,
}

/// Folder, ports and certificate of a server that has not been started.
#[derive(Debug)]
pub(super) struct Ground {
    folder: TempDir,
    client_port: u16,
    federation_port: u16,
    /// The port that others know, where that is not the one it listens on.
    known_port: Option<u16>,
    neighbours: Neighbours,
}

impl Process {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Drop for Process {
    /// Asks the process to end, and kills it where it does not.
    fn drop(&mut self) {
        if self.ended().is_none() {
            let signal = match self.stop {
                StopSignal::Terminate => Signal::TERM,
                StopSignal::Interrupt => Signal::INT,
            };
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let asked = pid.is_some_and(|pid| kill_process(pid, signal).is_ok());
            let deadline = Instant::now() + END_WITHIN;
            while asked && self.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ground {
    /// Makes an empty folder, finds two free ports, and has the authority sign a certificate.
    pub(super) fn prepare(authority: &Authority, known_port: Option<u16>) -> Result<Self, TargetError> {
        let failed = |error| TargetError::Unreachable(format!("no ground for a server: {error}"));
        let folder = tempfile::Builder::new().prefix("determinant-").tempdir().map_err(failed)?;
        authority.write(folder.path())?;
        let (client, federation) = (free_port().map_err(failed)?, free_port().map_err(failed)?);
        Ok(Ground {
            folder,
            client_port: port(&client)?,
            federation_port: port(&federation)?,
            known_port,
            neighbours: Neighbours::prepare(Whereabouts::loopback())?,
        })
    }

    /// The variables that templates and arguments may use.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let own = [
            ("server_name", format!("localhost:{}", self.known_port.unwrap_or(self.federation_port))),
            ("listen_address", "127.0.0.1".to_owned()),
            ("client_port", self.client_port.to_string()),
            ("client_url", format!("http://localhost:{}", self.client_port)),
            ("federation_port", self.federation_port.to_string()),
            ("data_dir", self.folder.path().display().to_string()),
            ("determinant", super::this_program()),
            ("ca_file", file("ca.crt")),
            ("cert_file", file("server.crt")),
            ("key_file", file("server.key")),
        ];
        own.into_iter().chain(self.neighbours.variables()).collect()
    }

    /// Where the client-server API will be.
    pub(super) fn client_url(&self) -> Result<Url, TargetError> {
        Url::parse(&format!("http://127.0.0.1:{}/", self.client_port))
            .map_err(|error| TargetError::Unreachable(error.to_string()))
    }

    /// Where the server-server API will be.
    pub(super) fn federation_url(&self) -> Result<Url, TargetError> {
        Url::parse(&format!("https://localhost:{}/", self.federation_port))
            .map_err(|error| TargetError::Unreachable(error.to_string()))
    }

    /// Starts the process and waits until it answers.
    pub(super) async fn start(
        self,
        launch: Launch,
        http: &reqwest::Client,
    ) -> Result<(Process, Neighbours), TargetError> {
        let url = self.client_url()?;
        let (log, output) = Log::begin(self.folder.path())?;
        let errors = output.try_clone().map_err(|error| {
            TargetError::Unreachable(format!("no second way to the log of a server: {error}"))
        })?;
        let child = Command::new(&launch.program)
            .args(&launch.arguments)
            .envs(&launch.environment)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| TargetError::Usage(format!("cannot start {}: {error}", launch.program)))?;
        let mut process = Process { child, stop: launch.stop, log, _folder: self.folder };
        process.await_ready(&launch, &url, http).await?;
        Ok((process, self.neighbours))
    }
}

impl Process {
    async fn await_ready(
        &mut self,
        launch: &Launch,
        url: &Url,
        http: &reqwest::Client,
    ) -> Result<(), TargetError> {
        let path = launch.ready_path.trim_start_matches('/');
        let ready =
            url.join(path).map_err(|error| TargetError::Usage(format!("ready path {path:?}: {error}")))?;
        let deadline = Instant::now() + Duration::from_millis(launch.ready_within_ms);
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                let what = format!("{} ended before it was ready ({status})", launch.program);
                return Err(self.log.stillborn(&what));
            }
            let asked = http.get(ready.clone()).timeout(Duration::from_secs(2)).send().await;
            if asked.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            // Polling: nothing tells a stranger's process ready but its answer.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(self.log.stillborn(&format!("{ready} did not answer within {} ms", launch.ready_within_ms)))
    }
}

/// A port that nobody listens on, kept until the listener is dropped.
pub(super) fn free_port() -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0))
}

pub(super) fn port(listener: &TcpListener) -> Result<u16, TargetError> {
    let address = listener.local_addr().map_err(|error| TargetError::Unreachable(error.to_string()))?;
    Ok(address.port())
}
