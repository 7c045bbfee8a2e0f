//! One member of the cast by itself: a service that homeservers call, for whoever wants to point a server at it by hand.
//!
//! What it answers is what the tests take for granted, and what it says of requests is what the [`judge`](crate::judge)
//! says in a run, as far as that can be told from one request alone.

use std::{
    net::{SocketAddr, TcpListener},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use fixtures::catalogue::Api;
use protocol::keys::SigningKey;
use rustls::ServerConfig;
use serde_json::json;
use tokio::sync::{
    mpsc::{self, UnboundedReceiver},
    watch,
};
use url::Url;

use crate::{
    RunError,
    cast::{
        neighbour::{
            Neighbour, application_service,
            identity_server::{self, AskHomeserver, Service},
            push_gateway,
        },
        remote::PolicyStand,
    },
    judge::{Judge, Observer, Sighting},
    target::Authority,
    verdict::Stop,
};

pub use crate::cast::neighbour::identity_server::Letter;

/// How long a homeserver may take to answer an identity server.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An identity server: `identity-service-api/`.
    Identity,
    /// A push gateway: `push-gateway-api/`.
    Push,
    /// An application service: `application-service-api/`.
    ApplicationService,
    /// A policy server: `server-server-api/#policy-servers`.
    Policy,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "identity" => Ok(Part::Identity),
            "push" => Ok(Part::Push),
            "appservice" => Ok(Part::ApplicationService),
            "policy" => Ok(Part::Policy),
            _ => Err("expected identity, push, appservice or policy".to_owned()),
        }
    }
}

/// A service that listens for as long as this lives.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    configuration: String,
    certificate: Option<String>,
    requests: UnboundedReceiver<Sighting>,
    /// What an identity server has written to people.
    letters: Option<watch::Receiver<Vec<Letter>>>,
    letters_told: usize,
    _stage: Stage,
}

/// What the service does where it has a choice.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// A policy server refuses to sign messages that contain this.
    pub refused: String,
    /// The server-server API of the homeserver that an identity server asks whose an OpenID token is, and tells of bindings.
    pub homeserver: Option<Url>,
}

/// What listens.
#[derive(Debug)]
enum Stage {
    Neighbour { _it: Arc<Neighbour> },
    PolicyServer { _it: PolicyStand },
}

impl StandIn {
    /// Listens on an address. Needs a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] where the address cannot be had, [`RunError::Fault`] where no certificate can be made.
    pub fn open(part: Part, listen: SocketAddr, manner: &Manner) -> Result<Self, RunError> {
        let taken = |error: std::io::Error| {
            RunError::Usage(format!("cannot listen on {listen}: {error}; choose another address, or port 0"))
        };
        let listener = TcpListener::bind(listen).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (told, requests) = mpsc::unbounded_channel();
        let judge = Arc::new(Judge::observed(Observer::new(told)));
        let mut letters = None;
        let (stage, configuration, certificate) = match part {
            Part::ApplicationService => {
                let stage = Neighbour::application_service(judge, listener).map(Stage::neighbour);
                let registration = application_service::registration(&format!("http://{address}"));
                (stage.map_err(fault)?, registration, None)
            }
            Part::Identity => {
                let (certificate, config) = certified()?;
                let service = identity_service(address.port(), manner.homeserver.as_ref())?;
                letters = Some(service.letters());
                let stage = Neighbour::open(
                    "identity server",
                    Some(Api::Identity),
                    judge,
                    listener,
                    Some(config),
                    |_| None,
                );
                let stage = stage.map_err(fault)?;
                stage.answers_later(move |asked| service.answer(asked));
                (Stage::neighbour(stage), identity(address.port()), Some(certificate))
            }
            Part::Push => {
                let (certificate, config) = certified()?;
                let api = Some(Api::PushGateway);
                let usual = push_gateway::answer;
                let stage = Neighbour::open("push gateway", api, judge, listener, Some(config), usual);
                (stage.map(Stage::neighbour).map_err(fault)?, pusher(address.port()), Some(certificate))
            }
            Part::Policy => {
                let (certificate, config) = certified()?;
                let stand =
                    PolicyStand::open(judge, listener, config, manner.refused.clone()).map_err(fault)?;
                let configuration = policy(&stand, &manner.refused);
                (Stage::PolicyServer { _it: stand }, configuration, Some(certificate))
            }
        };
        Ok(StandIn { address, configuration, certificate, requests, letters, letters_told: 0, _stage: stage })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the server has to be told, in the form in which it takes it.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// The certificate of the authority that the server has to trust, where it listens with TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Waits for the next request.
    pub async fn request(&mut self) -> Option<Sighting> {
        self.requests.recv().await
    }

    /// What an identity server has written to people since this was last asked.
    pub fn letters(&mut self) -> Vec<Letter> {
        let letters = self.letters.as_ref().map(|letters| letters.borrow()[self.letters_told..].to_vec());
        let letters = letters.unwrap_or_default();
        self.letters_told += letters.len();
        letters
    }
}

impl Stage {
    fn neighbour(it: Arc<Neighbour>) -> Self {
        Stage::Neighbour { _it: it }
    }
}

/// The certificate of a new authority, and what a listener with one of its certificates shows.
fn certified() -> Result<(String, ServerConfig), RunError> {
    let authority = Authority::new()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    Ok((authority.pem(), authority.server_config(names)?))
}

fn identity_service(port: u16, homeserver: Option<&Url>) -> Result<Arc<Service>, RunError> {
    let key = SigningKey::generate("0").map_err(|error| RunError::Fault(format!("no key: {error}")))?;
    let homeserver = homeserver.map(asking).transpose()?;
    Ok(Service::new(format!("localhost:{port}"), key, homeserver))
}

/// How a homeserver is asked whose server-server API is here.
fn asking(homeserver: &Url) -> Result<AskHomeserver, RunError> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let client = client.map_err(|error| RunError::Fault(format!("no HTTP client: {error}")))?;
    let base = homeserver.as_str().trim_end_matches('/').to_owned();
    Ok(Box::new(move |method, target, body| {
        let mut request = client.request(method, format!("{base}{target}"));
        if let Some(body) = &body {
            request = request.json(body);
        }
        Box::pin(async move { request.send().await.ok()?.error_for_status().ok()?.json().await.ok() })
    }))
}

/// Clients name the identity server in what they ask of the homeserver.
fn identity(port: u16) -> String {
    let fields =
        json!({"id_server": format!("localhost:{port}"), "id_access_token": identity_server::ACCESS_TOKEN});
    format!(
        "In POST /_matrix/client/v3/rooms/{{roomId}}/invite, with medium and address, and in POST /_matrix/client/v3/account/3pid/bind:\n\n\
         {fields:#}\n"
    )
}

/// Clients name the push gateway when they set a pusher.
fn pusher(port: u16) -> String {
    let body = json!({
        "kind": "http", "app_id": "org.determinant.stand-in", "pushkey": "stand-in", "app_display_name": "Stand-in",
        "device_display_name": "Stand-in", "lang": "en",
        "data": {"url": format!("https://localhost:{port}/_matrix/push/v1/notify")},
    });
    format!("POST /_matrix/client/v3/pushers/set:\n\n{body:#}\n")
}

/// Rooms name their policy server.
fn policy(stand: &PolicyStand, refused: &str) -> String {
    format!(
        "Join {} over federation. Its state says whose signature its events need; messages with {refused:?} in them get \
         none:\n\nm.room.policy {:#}\n",
        stand.alias(),
        stand.policy()
    )
}

fn fault(stop: Stop) -> RunError {
    RunError::Fault(stop.to_string())
}
