//! One member of the cast by itself: a service that homeservers call, for whoever wants to point a server at it by hand.
//!
//! What it answers is what the tests take for granted, and what it says of requests is what the [`judge`](crate::judge)
//! says in a run, as far as that can be told from one request alone.

use std::{
    net::{SocketAddr, TcpListener},
    str::FromStr,
    sync::Arc,
};

use fixtures::catalogue::Api;
use protocol::keys::SigningKey;
use rustls::ServerConfig;
use serde_json::json;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::{
    RunError,
    cast::{
        neighbour::{Neighbour, application_service, identity_server, push_gateway},
        remote::PolicyStand,
    },
    judge::{Judge, Observer, Sighting},
    target::Authority,
    verdict::Stop,
};

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
    _stage: Stage,
}

/// What listens.
#[derive(Debug)]
enum Stage {
    Neighbour { _it: Arc<Neighbour> },
    PolicyServer { _it: PolicyStand },
}

impl StandIn {
    /// Listens on an address. `refused` is what a policy server refuses to sign. Needs a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`RunError::Usage`] where the address cannot be had, [`RunError::Fault`] where no certificate can be made.
    pub fn open(part: Part, listen: SocketAddr, refused: &str) -> Result<Self, RunError> {
        let taken = |error: std::io::Error| {
            RunError::Usage(format!("cannot listen on {listen}: {error}; choose another address, or port 0"))
        };
        let listener = TcpListener::bind(listen).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (told, requests) = mpsc::unbounded_channel();
        let judge = Arc::new(Judge::observed(Observer::new(told)));
        let (stage, configuration, certificate) = match part {
            Part::ApplicationService => {
                let stage = Neighbour::application_service(judge, listener).map(Stage::neighbour);
                let registration = application_service::registration(&format!("http://{address}"));
                (stage.map_err(fault)?, registration, None)
            }
            Part::Identity => {
                let (certificate, config) = certified()?;
                (identity_server(judge, listener, config)?, identity(address.port()), Some(certificate))
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
                let stand = PolicyStand::open(judge, listener, config, refused.to_owned()).map_err(fault)?;
                let configuration = policy(&stand, refused);
                (Stage::PolicyServer { _it: stand }, configuration, Some(certificate))
            }
        };
        Ok(StandIn { address, configuration, certificate, requests, _stage: stage })
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

fn identity_server(
    judge: Arc<Judge>,
    listener: TcpListener,
    config: ServerConfig,
) -> Result<Stage, RunError> {
    let key = SigningKey::generate("0").map_err(|error| RunError::Fault(format!("no key: {error}")))?;
    let key = key.verify_key().to_base64();
    let usual = move |asked: &_| identity_server::answer(asked, &key);
    let stage = Neighbour::open("identity server", Some(Api::Identity), judge, listener, Some(config), usual);
    stage.map(Stage::neighbour).map_err(fault)
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
