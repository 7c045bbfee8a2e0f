//! How a homeserver is reached or started.

mod authority;
mod complement;
mod container;
mod engine;
mod federation;
mod file;
mod instance;
mod log;
mod names;
mod neighbours;
mod process;
mod running;
mod source;
mod values;
mod whereabouts;

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fixtures::catalogue::Api;
use tokio::sync::RwLock;
use url::Url;

use crate::{expectations::Expectations, judge::Judge, verdict::Stop, wire::Wire};

pub(crate) use authority::Authority;
pub use container::Container;
pub(crate) use engine::Place;
pub use federation::Federation;
use file::NamesSection;
pub use file::{Refusals, TargetFile};
pub use instance::Instance;
pub(crate) use names::Names;
pub use neighbours::Neighbours;
pub(crate) use neighbours::TurnPlace;
pub use process::Process;
pub use running::Running;
pub use source::Source;
pub use whereabouts::Whereabouts;

/// How accounts are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationMethod {
    /// Open registration with the `m.login.dummy` stage.
    Dummy,
    /// Registration with a token, by the `m.login.registration_token` stage.
    Token {
        /// The token.
        token: String,
    },
    /// An endpoint for administrators that takes a message authenticated by a shared secret.
    SharedSecret {
        /// The path of the endpoint.
        path: String,
        /// The secret.
        secret: String,
    },
}

/// A server, reached or started.
#[derive(Debug)]
pub struct Target {
    /// What the record calls it.
    pub name: String,
    /// Its version, where it can be known.
    pub version: Option<String>,
    /// Settings that matter to whoever reads the record.
    pub notes: Vec<String>,
    /// How accounts are made.
    pub registration: RegistrationMethod,
    /// The path by which administrators send server notices, where there is one.
    pub server_notices: Option<String>,
    /// What it is configured to refuse.
    pub refusals: Refusals,
    /// Features that it does not offer, each with a reason.
    pub missing: BTreeMap<String, String>,
    /// The outcomes that are known and explained.
    pub expectations: Expectations,
    /// Whether the accounts of the run outlive it.
    pub persistent: bool,
    /// PEM file of the authorities that it is verified with, beside those of the system.
    pub certificates: Option<PathBuf>,
    /// The server, and others of its kind where the run started several; they trust each other's certificates.
    pub instances: Vec<Instance>,
    /// How the run federates with it, where it can.
    federation: Option<Federation>,
    /// Where the neighbours listen that its configuration names.
    pub neighbours: Option<Neighbours>,
    /// Where it asks for delegation files, if it asks the run for names; nothing where the run may decide that.
    names: Option<NamesSection>,
    /// Where it finds those whom the run puts on stage.
    pub(crate) whereabouts: Whereabouts,
    /// Whoever must not be interrupted by a restart reads; a restart writes.
    pub(crate) uninterrupted: RwLock<()>,
    http: reqwest::Client,
}

/// Among whom a server is started.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The authority that all of them trust.
    pub(crate) authority: Arc<Authority>,
    /// The port by which others know the server, where that is not the one it listens on.
    pub(crate) known_port: Option<u16>,
    /// Where a container is put, and who is to be found from there, where that was settled before.
    pub(crate) place: Option<Place>,
}

impl Surroundings {
    /// An authority of its own for these.
    ///
    /// # Errors
    ///
    /// When no authority can be made, or a target file cannot be read.
    pub fn of(sources: &[Source]) -> Result<Self, TargetError> {
        let mut contained = false;
        for source in sources {
            contained |= source.is_contained()?;
        }
        let authority = if contained { Authority::for_images()? } else { Authority::new()? };
        Ok(Surroundings { authority: Arc::new(authority), known_port: None, place: None })
    }
}

/// Why a server could not be reached or started.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The caller's input is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The server did not come up or does not answer: exit code 3.
    #[error("{0}")]
    Unreachable(String),
}

impl Target {
    /// Reaches the server, or starts so many of its kind.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] where the source is wrong, [`TargetError::Unreachable`] where the server does not come up.
    pub async fn reach(
        source: &Source,
        count: NonZeroUsize,
        time_scale: f64,
    ) -> Result<Arc<Self>, TargetError> {
        Self::reach_in(source, count, time_scale, &Surroundings::of(std::slice::from_ref(source))?).await
    }

    /// The same, among others that trust the same authority.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] where the source is wrong, [`TargetError::Unreachable`] where the server does not come up.
    pub async fn reach_in(
        source: &Source,
        count: NonZeroUsize,
        time_scale: f64,
        surroundings: &Surroundings,
    ) -> Result<Arc<Self>, TargetError> {
        match (source, source.file()?) {
            (_, Some(file)) => file.reach(count, time_scale, surroundings).await,
            (Source::Url(url), None) if count.get() == 1 => Ok(Arc::new(Target {
                name: url.host_str().unwrap_or("unnamed").to_owned(),
                version: None,
                notes: Vec::new(),
                instances: vec![Instance::new(url.clone(), None, None)],
                federation: None,
                neighbours: None,
                names: None,
                whereabouts: Whereabouts::loopback(),
                registration: RegistrationMethod::Dummy,
                refusals: Refusals::default(),
                missing: BTreeMap::new(),
                expectations: Expectations::default(),
                server_notices: None,
                persistent: true,
                certificates: None,
                uninterrupted: RwLock::default(),
                http: http_client(None)?,
            })),
            _ => Err(TargetError::Usage(
                "a server that is already up is one; several need a target file".to_owned(),
            )),
        }
    }

    /// The way to the client-server API.
    pub fn client_wire(&self, answer_within: Duration, judge: Arc<Judge>) -> Result<Wire, Stop> {
        let instance = self.first()?;
        Ok(Wire::new(self.http.clone(), instance.client.clone(), Api::ClientServer, answer_within, judge))
    }

    /// How the run federates with the server. Where it cannot, federation does not apply.
    pub fn federation(&self) -> Result<&Federation, Stop> {
        if let Some(why) = self.missing.get("federation") {
            return Err(Stop::NotApplicable(format!("the server does not offer federation: {why}")));
        }
        self.federation.as_ref().ok_or_else(|| {
            let why = "the target has no federation address, and no authority that both sides trust";
            Stop::NotApplicable(format!("{why}: servers that a target file launches have both"))
        })
    }

    /// The names of the run, where the server asks for them.
    pub(crate) fn names(&self) -> Result<&Names, Stop> {
        let not = |why: String| Stop::NotApplicable(why);
        let section = self.names.as_ref().ok_or_else(|| {
            not("the server does not ask the run for names: its target file has no [names]".to_owned())
        })?;
        let names = self.neighbours.as_ref().map(Neighbours::names);
        let names =
            names.ok_or_else(|| not("only a server that the run launches asks it for names".to_owned()))?;
        match section.https_port {
            Some(port) if port != names.https_port() => Err(not(format!(
                "the server asks for delegation at port {port}, where the run may not listen"
            ))),
            _ => Ok(names),
        }
    }

    /// What the neighbours of the server need that it has to trust: ports, and certificates of the run's authority.
    pub(crate) fn neighbourhood(&self) -> Result<&Federation, Stop> {
        self.federation.as_ref().ok_or_else(|| {
            let why =
                "the server does not trust an authority of the run: one that a target file launches does";
            Stop::NotApplicable(why.to_owned())
        })
    }

    /// The way to the server-server API.
    pub fn federation_wire(&self, answer_within: Duration, judge: Arc<Judge>) -> Result<Wire, Stop> {
        let http = self.federation()?.http().clone();
        let address = self.first()?.certified_url();
        let address = address.ok_or_else(|| Stop::NotApplicable("no federation address".to_owned()))?;
        Ok(Wire::new(http, address, Api::ServerServer, answer_within, judge))
    }

    fn first(&self) -> Result<&Instance, Stop> {
        self.instances.first().ok_or_else(|| Stop::Fault(format!("no instance of {} was started", self.name)))
    }

    /// Stops the server and starts it again, as soon as nobody is there who must not be interrupted. What it has stored stays, what
    /// it has in memory goes.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] where the run did not start the server, [`TargetError::Unreachable`] where it does not come up again.
    pub(crate) async fn restart(&self) -> Result<(), TargetError> {
        let _nobody = self.uninterrupted.write().await;
        self.stop().await?;
        self.start().await
    }

    /// Stops the server, until [`Self::start`].
    pub(crate) async fn stop(&self) -> Result<(), TargetError> {
        self.change(Running::stop).await
    }

    /// Starts the server again.
    pub(crate) async fn start(&self) -> Result<(), TargetError> {
        self.change(Running::start).await
    }

    /// Has the server do nothing, as if its machine slept, until [`Self::go_on`].
    pub(crate) async fn pause(&self) -> Result<(), TargetError> {
        self.change(Running::pause).await
    }

    /// Has the server go on after a pause.
    pub(crate) async fn go_on(&self) -> Result<(), TargetError> {
        self.change(Running::go_on).await
    }

    /// Does something to the server, which nobody else sees in the meantime.
    async fn change(
        &self,
        what: impl AsyncFnOnce(&mut Running) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let instance = self.instances.first();
        let running = instance.and_then(|instance| Some((instance, instance.running().take()?)));
        let Some((instance, mut running)) = running else {
            return Err(TargetError::Usage(format!("{} was not started by this run", self.name)));
        };
        let done = what(&mut running).await;
        *instance.running() = Some(running);
        done
    }

    /// Ends every server that the run started, and waits until they have.
    pub fn end(&self) {
        for instance in &self.instances {
            drop(instance.running().take());
        }
    }

    /// The number of the server's process, where the run started it.
    pub fn process_id(&self) -> Option<u32> {
        self.with_running(|running| running.process_id()).flatten()
    }

    /// How far the log of the server is now.
    pub fn log_position(&self) -> u64 {
        self.with_running(|running| running.log().position()).unwrap_or_default()
    }

    /// The end of what the server logged since a position.
    pub fn log_since(&self, position: u64) -> String {
        self.with_running(|running| running.log().since(position)).unwrap_or_default()
    }

    /// How the server ended, if it has.
    pub fn ended(&self) -> Option<String> {
        self.with_running(Running::ended).flatten()
    }

    fn with_running<T>(&self, ask: impl FnOnce(&mut Running) -> T) -> Option<T> {
        self.first().ok()?.running().as_mut().map(ask)
    }

    /// Whether the server is on this machine.
    pub fn is_loopback(url: &Url) -> bool {
        match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

/// The program that runs, which is a server as well.
fn this_program() -> String {
    std::env::current_exe().unwrap_or_default().display().to_string()
}

/// One client for the whole run: connections are reused, and given up before a server is likely to close them.
fn http_client(authority: Option<&Path>) -> Result<reqwest::Client, TargetError> {
    let mut builder = reqwest::Client::builder();
    if let Some(file) = authority {
        let unusable =
            |why: String| TargetError::Usage(format!("the certificates in {}: {why}", file.display()));
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        for certificate in
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(4))
        .tcp_nodelay(true)
        .no_proxy()
        .build()
        .map_err(|error| {
            TargetError::Unreachable(format!("no HTTP client: {}", crate::wire::in_words(&error)))
        })
}
