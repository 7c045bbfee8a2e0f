//! What stands behind a remote's door: its key, its rooms, the script of its answers, and the memory of what it was asked.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use fixtures::catalogue::{Api, Auth, Catalogue, Direction};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use protocol::keys::SigningKey;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    door::Visit,
    keys::ServerKeys,
    question::{Asked, Occurrence, Question},
    reply::{Delivery, Reply},
    room::Room,
};
use crate::{
    exchange::{Exchange, Request, Response},
    judge::{Aspect, Judge},
    scene::{Act, Scene},
};

/// The name and the key of a server.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) key: SigningKey,
}

/// How a question is answered, where that is not as usual.
type Rule = Arc<dyn Fn(&Asked, &dyn Fn() -> Reply) -> Reply + Send + Sync>;

/// What a remote is and has.
pub(super) struct House {
    pub(super) identity: Arc<Identity>,
    /// The keys of the server under test, where it is known which one that is.
    pub(super) peer: Option<Arc<ServerKeys>>,
    pub(super) belongings: Mutex<Belongings>,
    scene: Arc<Scene>,
    judge: Arc<Judge>,
    /// By question; by none, whatever is no operation of the specification.
    script: Mutex<BTreeMap<Option<Question>, Rule>>,
    memory: Mutex<Vec<Occurrence>>,
    news: watch::Sender<usize>,
}

/// What a remote can be asked about.
#[derive(Debug, Default)]
pub(super) struct Belongings {
    /// Rooms by id.
    pub(super) rooms: BTreeMap<String, Room>,
    /// Room ids by alias.
    pub(super) aliases: BTreeMap<String, String>,
    /// The rooms of the public directory.
    pub(super) published: Vec<String>,
    /// Media by id: their type and their bytes.
    pub(super) media: BTreeMap<String, (String, Bytes)>,
    /// The key that it signs events with as a policy server, where it is one.
    pub(super) policy_key: Option<SigningKey>,
}

impl fmt::Debug for House {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("House").field("name", &self.identity.name).finish_non_exhaustive()
    }
}

impl House {
    pub(super) fn new(
        identity: Identity,
        peer: Option<Arc<ServerKeys>>,
        scene: Arc<Scene>,
        judge: Arc<Judge>,
    ) -> Arc<Self> {
        Arc::new(House {
            identity: Arc::new(identity),
            peer,
            belongings: Mutex::default(),
            scene,
            judge,
            script: Mutex::default(),
            memory: Mutex::default(),
            news: watch::Sender::new(0),
        })
    }

    pub(super) fn belongings(&self) -> MutexGuard<'_, Belongings> {
        self.belongings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn room(&self, id: &str) -> Option<Room> {
        self.belongings().rooms.get(id).cloned()
    }

    pub(super) fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// Replaces the answer to a question; `None` makes it the usual one again.
    pub(super) fn direct(&self, question: Option<Question>, rule: Option<Rule>) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        match rule {
            Some(rule) => drop(script.insert(question, rule)),
            None => drop(script.remove(&question)),
        }
    }

    /// What it was asked so far.
    pub(super) fn memory(&self) -> Vec<Occurrence> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells when it is asked something.
    pub(super) fn news(&self) -> watch::Receiver<usize> {
        self.news.subscribe()
    }

    /// Answers a request, and remembers it.
    pub(super) fn answer(&self, visit: Visit) -> Reply {
        let started = Instant::now();
        let json = serde_json::from_slice(&visit.body).ok();
        let asked = Asked::read(&visit, json.clone().unwrap_or_default());
        let signature = self.signature(&asked, visit.method.as_str(), json.as_ref());
        let mut findings = Vec::new();
        if let Some(events) = super::evidence::of(self, &asked) {
            findings.push((Aspect::Events, events));
        }
        let reply = match &signature {
            Some(Err(_)) => Reply::error(401, "M_UNAUTHORIZED"),
            _ => self.scripted(&asked),
        };
        findings.extend(signature.map(|finding| (Aspect::Signature, finding)));
        self.remember(asked, visit, &reply, started, findings);
        reply
    }

    fn scripted(&self, asked: &Asked) -> Reply {
        let rule = self.script.lock().unwrap_or_else(PoisonError::into_inner).get(&asked.question).cloned();
        let usual = || super::usual::answer(self, asked);
        match rule {
            Some(rule) => rule(asked, &usual),
            None => usual(),
        }
    }

    /// Whether the server under test signed the request, where the operation wants that
    /// (`server-server-api/#request-authentication`).
    fn signature(&self, asked: &Asked, method: &str, content: Option<&Value>) -> Option<Result<(), String>> {
        let route = Catalogue::v1_19().route(Api::ServerServer, method, &asked.target)?;
        if route.operation.auth != Auth::SignedRequest {
            return None;
        }
        let header = asked.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        Some(match header {
            None => Err("no Authorization header".to_owned()),
            Some(header) => match &self.peer {
                Some(peer) => peer.verify(header, method, &asked.target, &self.identity.name, content),
                None => Ok(()),
            },
        })
    }

    fn remember(
        &self,
        asked: Asked,
        visit: Visit,
        reply: &Reply,
        started: Instant,
        findings: Vec<(Aspect, Result<(), String>)>,
    ) {
        let operation = Catalogue::v1_19()
            .route(Api::ServerServer, visit.method.as_str(), &visit.target)
            .map(|route| route.operation);
        let exchange = Arc::new(Exchange {
            direction: Direction::Outbound,
            operation,
            request: Request {
                method: visit.method,
                target: visit.target,
                headers: visit.headers,
                body: Some(visit.body).filter(|body| !body.is_empty()),
            },
            response: response(reply),
            duration: started.elapsed(),
            note: Some(note(&self.identity.name, reply.delivery)),
        });
        self.judge.see_request(&exchange, findings);
        self.scene.push(Act::Exchanged(exchange.clone()));
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.push(Occurrence { asked, exchange });
        self.news.send_replace(memory.len());
    }
}

fn note(name: &str, delivery: Delivery) -> String {
    let how = match delivery {
        Delivery::Whole => "",
        Delivery::Half => "; the answer broke off in the middle",
        Delivery::Endless => "; the answer did not end",
        Delivery::Nothing => "; the connection was closed without this answer",
    };
    format!("asked by the server of the remote homeserver {name}{how}")
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
