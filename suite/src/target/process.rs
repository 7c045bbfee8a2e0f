//! A server that the run starts itself: its folder, ports, certificate, log and end.

use std::{
    collections::BTreeMap,
    fs::File,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use url::Url;

use super::{Neighbours, TargetError, Whereabouts, authority::Authority, file::StopSignal, log::Log};

/// How long a process may take to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long one look at a process that begins or ends rests before the next.
const PAUSE: Duration = Duration::from_millis(10);

/// A server that runs, or was stopped. Ends with its owner.
#[derive(Debug)]
pub struct Process {
    child: Child,
    launch: Launch,
    /// What answers when it is ready, and who asks.
    ready: Url,
    http: reqwest::Client,
    log: Log,
    // Removed when the process has ended.
    folder: TempDir,
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

impl Process {
    /// Stops it, as the target file says, and waits until it has ended; kills it where it does not end.
    pub(super) async fn stop(&mut self) {
        let deadline = self.ask_to_end();
        while self.ended().is_none() && Instant::now() < deadline {
            tokio::time::sleep(PAUSE).await;
        }
        self.kill();
    }

    /// Starts it again, in its folder and on its ports, and waits until it answers.
    pub(super) async fn start(&mut self) -> Result<(), TargetError> {
        self.child = self.launch.spawn(self.folder.path(), self.log.go_on()?)?;
        self.await_ready().await
    }

    /// Sends a signal to it, which has to be there.
    pub(super) fn must_take(&self, signal: Signal) -> Result<(), TargetError> {
        let taken = self.takes(signal);
        taken
            .then_some(())
            .ok_or_else(|| TargetError::Unreachable(format!("{} is gone", self.launch.program)))
    }

    fn takes(&self, signal: Signal) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Asks it to end. Gives until when it may take.
    fn ask_to_end(&mut self) -> Instant {
        let asked = self.ended().is_none()
            && self.takes(match self.launch.stop {
                StopSignal::Terminate => Signal::TERM,
                StopSignal::Interrupt => Signal::INT,
            })
            // One that is paused hears of it only when it goes on.
            && self.takes(Signal::CONT);
        Instant::now() + if asked { END_WITHIN } else { Duration::ZERO }
    }

    /// Ends it where it has not ended.
    fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    async fn await_ready(&mut self) -> Result<(), TargetError> {
        let within = Duration::from_millis(self.launch.ready_within_ms);
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                let what = format!("{} ended before it was ready ({status})", self.launch.program);
                return Err(self.log.stillborn(&what));
            }
            let asked = self.http.get(self.ready.clone()).timeout(Duration::from_secs(2)).send().await;
            if asked.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            // Polling: nothing tells a stranger's process ready but its answer.
            tokio::time::sleep(PAUSE).await;
        }
        Err(self.log.stillborn(&format!("{} did not answer within {} ms", self.ready, within.as_millis())))
    }
}

impl Drop for Process {
    /// Asks the process to end, and kills it where it does not.
    fn drop(&mut self) {
        let deadline = self.ask_to_end();
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        self.kill();
    }
}

impl Launch {
    /// Starts the process, in a folder, with this file for what it writes.
    fn spawn(&self, folder: &Path, output: File) -> Result<Child, TargetError> {
        let errors = output.try_clone().map_err(|error| {
            TargetError::Unreachable(format!("no second way to the log of a server: {error}"))
        })?;
        Command::new(&self.program)
            .args(&self.arguments)
            .envs(&self.environment)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| TargetError::Usage(format!("cannot start {}: {error}", self.program)))
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
        let path = launch.ready_path.trim_start_matches('/');
        let ready = self.client_url()?.join(path);
        let ready = ready.map_err(|error| TargetError::Usage(format!("ready path {path:?}: {error}")))?;
        let (log, output) = Log::begin(self.folder.path())?;
        let child = launch.spawn(self.folder.path(), output)?;
        let http = http.clone();
        let mut process = Process { child, launch, ready, http, log, folder: self.folder };
        process.await_ready().await?;
        Ok((process, self.neighbours))
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
