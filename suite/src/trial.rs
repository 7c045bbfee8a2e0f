//! One server on trial: what all tests of a run share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fixtures::catalogue::Release;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    cast::{Homeserver, neighbourhood::Neighbourhood, remote::ServerKeys},
    judge::Judge,
    registration::Registrar,
    registry::Test,
    scene::Scene,
    stage::Stage,
    target::Target,
    verdict::Stop,
    wire::Wire,
};

/// What all tests of a run share.
#[derive(Debug)]
pub struct Trial {
    /// The server, reached or started.
    pub target: Arc<Target>,
    /// The domain of its user ids.
    pub server_name: String,
    /// The way to its client-server API.
    pub client: Arc<Wire>,
    /// The way to its server-server API, where there is one.
    pub federation: Result<Arc<Wire>, Stop>,
    /// Its signing keys, asked for once.
    pub server_keys: OnceCell<Result<Arc<ServerKeys>, Stop>>,
    /// The neighbours that the server's configuration names.
    pub(crate) neighbours: Arc<Neighbourhood>,
    /// Sees every exchange.
    pub judge: Arc<Judge>,
    /// Makes accounts.
    pub registrar: Registrar,
    /// The set that all contracts of the run share.
    pub stage: Stage,
    /// The releases that the server advertises, as it wrote them.
    pub advertised: Vec<String>,
    /// The release whose requirements are put.
    pub judged: Release,
    /// How that release was chosen.
    pub chosen_by: &'static str,
    /// The room versions that the server offers.
    pub room_versions: Vec<String>,
    /// The room version of rooms created without naming one.
    pub default_room_version: String,
    /// How long a test waits for something to be observed.
    pub patience: Duration,
    counter: AtomicU64,
}

/// What the caller decides about a trial.
#[derive(Clone, Debug)]
pub struct TrialSettings {
    /// Judges this release, whatever the server advertises.
    pub release: Option<Release>,
    /// Multiplies every time limit.
    pub time_scale: f64,
}

/// How long a test waits for something to be observed, at time scale 1.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one request may take, at time scale 1; longer than any long poll that the suite asks for.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

impl Trial {
    /// Ends every process that the run started.
    pub(crate) fn end(&self) {
        self.target.end();
        self.neighbours.end();
    }

    /// Meets the server: which releases and room versions it offers, and whether accounts can be made.
    pub async fn begin(target: Arc<Target>, settings: &TrialSettings) -> Result<Arc<Self>, Stop> {
        let judge = Arc::new(Judge::default());
        let neighbours = Arc::new(Neighbourhood::open(&target, &judge));
        Self::among(neighbours, target, judge, settings).await
    }

    /// Another trial of the same server, which knows nothing of what this one has seen and built. The neighbours remain, with
    /// the judge that they have.
    pub(crate) async fn begin_again(&self, settings: &TrialSettings) -> Result<Arc<Self>, Stop> {
        Self::among(self.neighbours.clone(), self.target.clone(), Arc::default(), settings).await
    }

    async fn among(
        neighbours: Arc<Neighbourhood>,
        target: Arc<Target>,
        judge: Arc<Judge>,
        settings: &TrialSettings,
    ) -> Result<Arc<Self>, Stop> {
        let answer_within = ANSWER_WITHIN.mul_f64(settings.time_scale);
        let client = Arc::new(target.client_wire(answer_within, judge.clone())?);
        let federation = target.federation_wire(answer_within, judge.clone()).map(Arc::new);
        let advertised = advertised_releases(&client).await?;
        let judged = settings.release.map_or_else(|| judged_release(&advertised), Ok)?;
        let mut trial = Trial {
            server_name: String::new(),
            registrar: Registrar::new(&target),
            client,
            federation,
            server_keys: OnceCell::new(),
            neighbours,
            judge,
            target,
            stage: Stage::default(),
            advertised,
            judged,
            chosen_by: match settings.release {
                Some(_) => "--spec",
                None => "the newest release that the server advertises and the catalogue holds",
            },
            room_versions: Vec::new(),
            default_room_version: String::new(),
            patience: PATIENCE.mul_f64(settings.time_scale),
            counter: AtomicU64::new(0),
        };
        trial.meet(answer_within).await?;
        Ok(Arc::new(trial))
    }

    /// Registers a first account, so that a server on which that is impossible is told of once, and asks what the
    /// server can do.
    async fn meet(&mut self, within: Duration) -> Result<(), Stop> {
        let scene = Scene::new(within);
        let prober = self.registrar.probe(&self.client, &scene, &self.target).await?;
        self.server_name = prober
            .user_id
            .split_once(':')
            .map(|(_, domain)| domain.to_owned())
            .ok_or_else(|| Stop::Fault(format!("registration gave the user id {:?}", prober.user_id)))?;
        let call = crate::cast::Call::new(
            self.client.clone(),
            scene,
            http::Method::GET,
            "/_matrix/client/v3/capabilities".to_owned(),
        );
        let capabilities = call.token(&prober.access_token).answer().await?;
        let versions = capabilities.at("/capabilities/m.room_versions");
        // client-server-api/#mroom_versions-capability: without the capability, clients assume version 1.
        self.default_room_version = versions["default"].as_str().unwrap_or("1").to_owned();
        self.room_versions = match versions["available"].as_object() {
            Some(available) => available.keys().cloned().collect(),
            None => vec!["1".to_owned()],
        };
        Ok(())
    }

    /// Whether the requirement is put to this server at all: it holds in the judged release, and the target does not
    /// declare its feature as missing.
    pub fn gate(&self, test: &Test) -> Result<(), Stop> {
        let release = |text: &str| {
            text.parse::<Release>().map_err(|error| Stop::Fault(format!("{}: {error}", test.id())))
        };
        if let Some(since) = test.since
            && self.judged < release(since)?
        {
            return Err(Stop::NotApplicable(format!("required since {since}; {} is judged", self.judged)));
        }
        if let Some(until) = test.until
            && self.judged > release(until)?
        {
            return Err(Stop::NotApplicable(format!("required until {until}; {} is judged", self.judged)));
        }
        match test.needs.and_then(|feature| Some((feature, self.target.missing.get(feature)?))) {
            Some((feature, why)) => {
                Err(Stop::NotApplicable(format!("the server does not offer {feature}: {why}")))
            }
            None => Ok(()),
        }
    }

    /// The server, as a test with this scene sees it.
    pub fn homeserver(self: &Arc<Self>, scene: Arc<Scene>) -> Homeserver {
        Homeserver::new(self.clone(), scene)
    }

    /// A number that no other caller of this run gets.
    pub fn unique(&self) -> String {
        self.counter.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

async fn advertised_releases(client: &Arc<Wire>) -> Result<Vec<String>, Stop> {
    let scene = Scene::new(ANSWER_WITHIN);
    let request = crate::exchange::Request {
        method: http::Method::GET,
        target: "/_matrix/client/versions".to_owned(),
        headers: http::HeaderMap::new(),
        body: None,
    };
    let exchange = client.send(&scene, request).await?;
    let json = exchange.response.json.as_ref().ok_or_else(|| {
        Stop::Fault(format!(
            "{}_matrix/client/versions answered {} without JSON: is this a Matrix homeserver?",
            client.base(),
            exchange.response.status
        ))
    })?;
    let versions = json.get("versions").and_then(Value::as_array).ok_or_else(|| {
        Stop::Fault(format!(
            "{}_matrix/client/versions answered {} without a list of versions: is this a Matrix homeserver?",
            client.base(),
            exchange.response.status
        ))
    })?;
    Ok(versions.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The newest release that both the server and the catalogue know.
fn judged_release(advertised: &[String]) -> Result<Release, Stop> {
    let newest = &fixtures::catalogue::Catalogue::v1_19().release;
    let known = advertised.iter().filter_map(|version| version.parse::<Release>().ok());
    known.filter(|release| release <= newest).max().ok_or_else(|| {
        Stop::Fault(format!(
            "the server advertises none of the releases up to {newest} in /_matrix/client/versions: {}; \
             name one with --spec",
            advertised.join(", ")
        ))
    })
}
