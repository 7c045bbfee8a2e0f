//! Services beside the homeserver that it calls: they listen where it reaches them, remember what they were asked, are
//! well-behaved by default, and have any answer replaced in one line.

pub mod application_service;
pub mod captcha;
pub mod identity_server;
mod mailbox;
pub mod openid_provider;
pub(crate) mod push_gateway;
pub mod turn_server;
mod website;

use std::{
    collections::BTreeMap,
    fmt,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Instant,
};

use fixtures::catalogue::{Api, Catalogue, Direction, Operation};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::watch;

use super::remote::{Reply, door};
use crate::{
    cast::Homeserver,
    exchange::{Exchange, Request, Response},
    judge::{Aspect, Judge},
    scene::{Act, Scene},
    verdict::Stop,
};

pub use application_service::{ApplicationService, Puppet};
pub use identity_server::IdentityServer;
pub(crate) use mailbox::Relay;
pub use mailbox::{Mailbox, Telephone};
pub use push_gateway::PushGateway;
pub use website::Website;

/// What a neighbour was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The operation of the specification, where it is one.
    pub operation: Option<&'static Operation>,
    /// The path, percent-encoded, with its query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, where it is JSON.
    pub json: Value,
    /// When it came.
    pub when: Instant,
    body: String,
    parameters: BTreeMap<String, String>,
    exchange: Option<Arc<Exchange>>,
}

impl Asked {
    /// Whether this operation was asked for.
    pub fn is(&self, operation: &str) -> bool {
        self.operation.is_some_and(|asked| asked.id == operation)
    }

    /// Whether this text stands in it, in its path and query or in its body.
    pub fn mentions(&self, text: &str) -> bool {
        let target = percent_encoding::percent_decode_str(&self.target).decode_utf8_lossy();
        target.contains(text) || self.body.contains(text)
    }

    /// A field of a body that is a form.
    pub(super) fn form_field(&self, name: &str) -> Option<String> {
        let mut fields = url::form_urlencoded::parse(self.body.as_bytes());
        fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    }

    /// Whether it was answered with a success.
    pub(crate) fn was_taken(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.response.status.is_success())
    }

    /// A path or query parameter, decoded; empty where there is none.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

/// An answer that may take its time.
pub(crate) type Replying = BoxFuture<'static, Reply>;

/// What answers a request; nothing where the next one may.
type Answerer = Box<dyn Fn(&Asked) -> Option<Replying> + Send + Sync>;

/// A service that listens until its last owner is gone.
pub(crate) struct Neighbour {
    name: &'static str,
    api: Option<Api>,
    judge: Arc<Judge>,
    /// What was agreed last comes first.
    script: Mutex<Vec<Answerer>>,
    memory: Mutex<Vec<Asked>>,
    news: watch::Sender<usize>,
    door: Mutex<Option<door::Door>>,
    /// Held by the one test that has it fail, or by those during which it does not.
    failing: Arc<tokio::sync::RwLock<()>>,
    /// How many tests had it fail.
    turns: AtomicU64,
}

impl fmt::Debug for Neighbour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Neighbour").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Neighbour {
    /// Opens a listener, with TLS where there is a certificate. Questions that nothing else answers, `usual` does.
    pub(crate) fn open(
        name: &'static str,
        api: Option<Api>,
        judge: Arc<Judge>,
        listener: TcpListener,
        config: Option<ServerConfig>,
        usual: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, Stop> {
        let neighbour = Arc::new(Neighbour {
            name,
            api,
            judge,
            script: Mutex::new(vec![at_once(usual)]),
            memory: Mutex::default(),
            news: watch::Sender::new(0),
            door: Mutex::default(),
            failing: Arc::default(),
            turns: AtomicU64::default(),
        });
        let answering = Arc::downgrade(&neighbour);
        let answer = move |visit| {
            let neighbour = answering.upgrade();
            async move {
                match neighbour {
                    Some(neighbour) => neighbour.answer(visit).await,
                    None => Reply::nothing(),
                }
            }
        };
        let fault = |error: std::io::Error| Stop::Fault(format!("no {name}: {error}"));
        let door = door::Door::open(listener, config, answer).map_err(fault)?;
        *neighbour.door.lock().unwrap_or_else(PoisonError::into_inner) = Some(door);
        Ok(neighbour)
    }

    /// Replaces answers: what `answerer` answers is no longer answered as usual.
    pub(crate) fn answers(&self, answerer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).push(at_once(answerer));
    }

    /// The same, with answers that take their time.
    pub(crate) fn answers_later(
        &self,
        answerer: impl Fn(&Asked) -> Option<Replying> + Send + Sync + 'static,
    ) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(answerer));
    }

    /// Waits until it was asked something of which `find` makes something; `what` completes "a request that shows …".
    pub(crate) async fn sees<T>(
        &self,
        hs: &Homeserver,
        what: &str,
        find: impl Fn(&Asked) -> Option<T>,
    ) -> Result<T, Stop> {
        let deadline = tokio::time::Instant::now() + hs.patience();
        let mut news = self.news.subscribe();
        let mut passed = 0;
        loop {
            let memory = self.memory();
            for asked in &memory[passed..] {
                if let Some(found) = find(asked) {
                    notice(hs.scene(), asked);
                    return Ok(found);
                }
            }
            passed = memory.len();
            if tokio::time::timeout_at(deadline, news.wait_for(|count| *count > passed)).await.is_err() {
                let within = hs.patience().as_secs();
                let expected = format!("within {within} s, a request to the {} that shows {what}", self.name);
                return Err(Stop::unmet(expected, format!("none of the {passed} that came")));
            }
        }
    }

    /// What it was asked so far.
    pub(crate) fn memory(&self) -> Vec<Asked> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn answer(&self, visit: door::Visit) -> Reply {
        let started = Instant::now();
        let mut asked = self.read(&visit);
        let replying = {
            let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
            script.iter().rev().find_map(|answerer| answerer(&asked))
        };
        let reply = match replying {
            Some(replying) => replying.await,
            None => Reply::error(404, "M_UNRECOGNIZED"),
        };
        let exchange = Arc::new(Exchange {
            direction: Direction::Outbound,
            operation: asked.operation,
            request: Request {
                method: visit.method,
                target: visit.target,
                headers: visit.headers,
                body: Some(visit.body).filter(|body| !body.is_empty()),
            },
            response: response(&reply),
            duration: started.elapsed(),
            note: Some(format!("asked by the server of the {}", self.name)),
        });
        self.judge.see_request(&exchange, self.proof(&asked).into_iter().collect());
        asked.exchange = Some(exchange);
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.push(asked);
        self.news.send_replace(memory.len());
        reply
    }

    /// Whether the server has shown who it is, where the operation wants that.
    fn proof(&self, asked: &Asked) -> Option<(Aspect, Result<(), String>)> {
        asked.operation?;
        match self.api {
            Some(Api::ApplicationService) => Some((Aspect::Token, application_service::proof(asked))),
            Some(Api::Identity) => Some((Aspect::Token, identity_server::proof(asked))),
            _ => None,
        }
    }

    fn read(&self, visit: &door::Visit) -> Asked {
        let (path, query) = visit.target.split_once('?').unwrap_or((&visit.target, ""));
        let route = self.api.and_then(|api| Catalogue::v1_19().route(api, visit.method.as_str(), path));
        let mut parameters: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if let Some(route) = &route {
            parameters.extend(route.path_parameters.clone());
        }
        Asked {
            operation: route.map(|route| route.operation),
            target: visit.target.clone(),
            headers: visit.headers.clone(),
            json: serde_json::from_slice(&visit.body).unwrap_or_default(),
            when: Instant::now(),
            body: String::from_utf8_lossy(&visit.body).into_owned(),
            parameters,
            exchange: None,
        }
    }
}

impl Homeserver {
    /// A neighbour with a certificate of the run's authority, and its port. The test does not apply where the server
    /// does not trust that.
    fn trusted_neighbour(
        &self,
        name: &'static str,
        api: Api,
        usual: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Result<(Arc<Neighbour>, u16), Stop> {
        let federation = self.target().neighbourhood()?;
        let fault = |what: String| Stop::Fault(format!("no {name}: {what}"));
        let listener = federation.listener().map_err(|error| fault(error.to_string()))?;
        let port = listener.local_addr().map_err(|error| fault(error.to_string()))?.port();
        let names = vec![self.target().whereabouts.name().to_owned()];
        let config = federation.authority().server_config(names).map_err(|error| fault(error.to_string()))?;
        let judge = self.trial().judge.clone();
        let neighbour = Neighbour::open(name, Some(api), judge, listener, Some(config), usual)?;
        Ok((neighbour, port))
    }
}

fn at_once(answerer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Answerer {
    Box::new(move |asked| Some(Box::pin(std::future::ready(answerer(asked)?))))
}

/// The test that has waited for a request has it on its scene.
fn notice(scene: &Scene, asked: &Asked) {
    if let Some(exchange) = &asked.exchange {
        scene.push(Act::Exchanged(exchange.clone()));
        scene.push(Act::Content(exchange.clone()));
    }
}

fn response(reply: &Reply) -> Response {
    let pair = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    Response {
        status: StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK),
        headers: reply.headers.iter().filter_map(pair).collect::<HeaderMap>(),
        body: reply.body.clone(),
        json: serde_json::from_slice(&reply.body).ok(),
    }
}
