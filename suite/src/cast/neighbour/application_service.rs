//! The application service of a run: `application-service-api/`. The target's configuration registers it, so there is
//! one, and tests share it: each has users, aliases and rooms of its own in the namespaces.

use std::{
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
};

use fixtures::catalogue::Api;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::{Asked, Neighbour};
use crate::{
    cast::{Call, Homeserver, remote::Reply},
    judge::Judge,
    path,
    verdict::Stop,
};

/// Its id in the registration.
pub const ID: &str = "determinant";
/// What it proves itself with, and what the homeserver does. Both end with the run, and are reached from this machine only.
pub(crate) const AS_TOKEN: &str = "determinant-as-token";
/// Another one, which has no URL: it asks, and is never asked.
pub const ID_WITHOUT_URL: &str = "determinant-without-url";
const AS_TOKEN_WITHOUT_URL: &str = "determinant-without-url-as-token";
const HS_TOKEN: &str = "determinant-hs-token";
/// The localpart of its own user, and how those of its namespaces begin.
const SENDER: &str = "determinant-bot";
const PREFIX: &str = "determinant-bridge-";
/// The network that it leads to.
pub const PROTOCOL: &str = "determinant";
/// Another one, which it knows at the older paths alone.
pub const OLD_PROTOCOL: &str = "determinant-old";
/// The older paths of third-party networks: `application-service-api/#legacy-routes`.
const OLD_NETWORKS: &str = "/_matrix/app/unstable/thirdparty";

/// The application service, as one test sees it.
#[derive(Clone, Debug)]
pub struct ApplicationService {
    hs: Homeserver,
    neighbour: Arc<Neighbour>,
    /// Nothing where it may fail at any time because of another test.
    turn: Option<Arc<Turn>>,
}

/// What a test was promised, as long as this is held.
#[derive(Debug)]
#[allow(dead_code, reason = "guards are only held")]
enum Turn {
    /// It alone may have transactions fail.
    MayFail(OwnedRwLockWriteGuard<()>),
    /// Nobody has transactions fail.
    DoesNotFail(OwnedRwLockReadGuard<()>),
}

/// A user of the application service.
#[derive(Clone, Debug)]
pub struct Puppet {
    service: ApplicationService,
    user_id: String,
}

impl Neighbour {
    /// Listens for a run.
    pub(crate) fn application_service(judge: Arc<Judge>, listener: TcpListener) -> Result<Arc<Self>, Stop> {
        Neighbour::open("application service", Some(Api::ApplicationService), judge, listener, None, answer)
    }
}

/// Whether a request bears the `hs_token` where it has to (application-service-api/#authorisation).
pub(super) fn proof(asked: &Asked) -> Result<(), String> {
    let expected = format!("Bearer {HS_TOKEN}");
    match asked.headers.get("authorization") {
        Some(value) if value.as_bytes() == expected.as_bytes() => Ok(()),
        Some(_) => Err("an Authorization header without the hs_token of the registration".to_owned()),
        None => Err("no Authorization header with the hs_token of the registration".to_owned()),
    }
}

/// What homeservers are given to know it by: application-service-api/#registration.
pub(crate) fn registration(url: &str) -> String {
    format!(
        r##"id: {ID}
url: "{url}"
as_token: {AS_TOKEN}
hs_token: {HS_TOKEN}
sender_localpart: {SENDER}
receive_ephemeral: true
rate_limited: false
protocols: [{PROTOCOL}, {OLD_PROTOCOL}]
namespaces:
  users:
    - exclusive: true
      regex: "@{PREFIX}.*"
  aliases:
    - exclusive: true
      regex: "#{PREFIX}.*"
  rooms: []
"##
    )
}

fn answer(asked: &Asked) -> Option<Reply> {
    if proof(asked).is_err() {
        return Some(Reply::error(403, "M_FORBIDDEN"));
    }
    let Some(operation) = asked.operation else { return at_older_path(asked) };
    match operation.id.as_str() {
        "sendTransaction" | "ping" => Some(Reply::json(json!({}))),
        "getProtocolMetadata" if asked.parameter("protocol") == PROTOCOL => Some(Reply::json(protocol())),
        _ => Some(Reply::error(404, "M_NOT_FOUND")),
    }
}

fn at_older_path(asked: &Asked) -> Option<Reply> {
    let is_network =
        asked.target.starts_with(OLD_NETWORKS) && asked.mentions(&format!("/protocol/{OLD_PROTOCOL}"));
    is_network.then(|| Reply::json(protocol()))
}

/// What it says of its network.
pub fn protocol() -> Value {
    json!({
        "user_fields": ["nickname"],
        "location_fields": ["channel"],
        "icon": "mxc://example.org/icon",
        "field_types": {
            "nickname": {"regexp": "[^\\s#]+", "placeholder": "nickname"},
            "channel": {"regexp": "#[^\\s]+", "placeholder": "#channel"},
        },
        "instances": [{
            "desc": "A network of the suite", "network_id": PROTOCOL, "fields": {},
        }],
    })
}

impl Homeserver {
    /// The application service; the test does not apply where the target has none registered.
    pub fn application_service(&self) -> Result<ApplicationService, Stop> {
        let neighbour = self.trial().neighbours.application_service()?;
        Ok(ApplicationService { hs: self.clone(), neighbour, turn: None })
    }
}

impl Homeserver {
    /// A request of the application service that has no URL; the test does not apply where the target has none registered.
    pub async fn application_service_without_url(
        &self,
        method: Method,
        target: impl Into<String>,
    ) -> Result<Call, Stop> {
        self.application_service()?;
        let call = |method, target| self.request(method, target).token(AS_TOKEN_WITHOUT_URL);
        let whoami = call(Method::GET, "/_matrix/client/v3/account/whoami".to_owned()).answer().await?;
        if whoami.status() == 401 {
            return Err(Stop::NotApplicable("no application service without a URL is registered".to_owned()));
        }
        Ok(call(method, target.into()))
    }
}

impl ApplicationService {
    /// Its own user.
    pub fn sender(&self) -> String {
        format!("@{SENDER}:{}", self.hs.name())
    }

    /// A localpart of its namespaces that nobody has, for a user or an alias.
    pub fn unused_localpart(&self) -> String {
        format!("{PREFIX}{:x}-{}", rand::random::<u32>(), self.hs.unique())
    }

    /// A user id of its namespace that nobody has.
    pub fn unused_user_id(&self) -> String {
        format!("@{}:{}", self.unused_localpart(), self.hs.name())
    }

    /// An alias of its namespace that nobody has.
    pub fn unused_alias(&self) -> String {
        format!("#{}:{}", self.unused_localpart(), self.hs.name())
    }

    /// A request with its token, as its own user.
    pub fn request(&self, method: Method, target: impl Into<String>) -> Call {
        self.hs.request(method, target).token(AS_TOKEN)
    }

    /// GET as its own user.
    pub fn get(&self, target: impl Into<String>) -> Call {
        self.request(Method::GET, target)
    }

    /// POST as its own user.
    pub fn post(&self, target: impl Into<String>, body: Value) -> Call {
        self.request(Method::POST, target).json(&body)
    }

    /// PUT as its own user.
    pub fn put(&self, target: impl Into<String>, body: Value) -> Call {
        self.request(Method::PUT, target).json(&body)
    }

    /// Registers a user, without a session.
    pub fn register(&self, localpart: &str) -> Call {
        let body =
            json!({"type": "m.login.application_service", "username": localpart, "inhibit_login": true});
        self.post("/_matrix/client/v3/register", body)
    }

    /// A new user of its namespace.
    pub async fn puppet(&self) -> Result<Puppet, Stop> {
        let user_id = self.register(&self.unused_localpart()).await?.must_have_text("/user_id")?;
        Ok(Puppet { service: self.clone(), user_id })
    }

    /// The application service as one that may have transactions fail. It is given to one test at a time, and the patience of
    /// the others begins anew afterwards: servers leave a service alone for ever longer that fails again and again, and
    /// failures of several tests would add up to more than anybody waits for.
    pub async fn that_may_fail(&self) -> Self {
        let turn = self.neighbour.failing.clone().write_owned().await;
        self.neighbour.turns.fetch_add(1, Ordering::SeqCst);
        Self { turn: Some(Arc::new(Turn::MayFail(turn))), ..self.clone() }
    }

    /// The application service as one that no test has fail meanwhile. What passes by, such as a receipt, a server need not
    /// keep for one that does.
    pub async fn that_does_not_fail(&self) -> Self {
        let turn = self.neighbour.failing.clone().read_owned().await;
        Self { turn: Some(Arc::new(Turn::DoesNotFail(turn))), ..self.clone() }
    }

    /// Answers any request, at whatever path, with what `answerer` makes of it, where it makes something.
    pub fn answers_any(&self, answerer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) {
        self.neighbour.answers(answerer);
    }

    /// Answers an operation with what `answerer` makes of the question, where it makes something.
    pub fn answers(
        &self,
        operation: &'static str,
        answerer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) {
        self.neighbour.answers(move |asked| if asked.is(operation) { answerer(asked) } else { None });
    }

    /// Waits for a request of any kind, at whatever path; `what` completes "a request that shows …".
    pub async fn is_asked(&self, what: &str, is_it: impl Fn(&Asked) -> bool) -> Result<Asked, Stop> {
        self.finds(what, |asked| is_it(asked).then(|| asked.clone())).await
    }

    /// Everything like this that it was asked so far, in the order in which it was.
    pub fn asked(&self, like: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.neighbour.memory().into_iter().filter(like).collect()
    }

    /// Waits for a request of this operation of which `find` makes something.
    pub async fn sees<T>(&self, operation: &str, find: impl Fn(&Asked) -> Option<T>) -> Result<T, Stop> {
        self.finds(operation, |asked| if asked.is(operation) { find(asked) } else { None }).await
    }

    /// Waits until it was told of an event, and has taken it; gives the event.
    pub async fn sees_event(&self, event_id: &str) -> Result<Value, Stop> {
        let event = |asked: &Asked| {
            let mut events = asked.json["events"].as_array().filter(|_| asked.was_taken())?.iter();
            events.find(|event| event["event_id"] == event_id).cloned()
        };
        self.finds(event_id, event).await
    }

    /// Waits for a request of which `find` makes something; once more, where another test has had the service fail meanwhile.
    async fn finds<T>(&self, what: &str, find: impl Fn(&Asked) -> Option<T>) -> Result<T, Stop> {
        let Neighbour { failing, turns, .. } = &*self.neighbour;
        loop {
            let turns_before = turns.load(Ordering::SeqCst);
            let found = self.neighbour.sees(&self.hs, what, &find).await;
            let is_calm = failing.try_read().is_ok() && turns.load(Ordering::SeqCst) == turns_before;
            if found.is_ok() || is_calm || self.turn.is_some() {
                return found;
            }
            drop(failing.read().await);
        }
    }

    /// All that has passed in a room and was told.
    pub fn ephemeral_of(&self, room: &str) -> Vec<Value> {
        let told = |asked: Asked| asked.json["ephemeral"].as_array().cloned().unwrap_or_default();
        let events = self.neighbour.memory().into_iter().flat_map(told);
        events.filter(|event| event["room_id"] == room).collect()
    }

    /// Every transaction that had something of a room in it: the transaction id, and the ids of all its events.
    pub fn transactions_of(&self, room: &str) -> Vec<(String, Vec<String>)> {
        let of_room = |asked: &Asked| {
            let events = asked.json["events"].as_array().filter(|_| asked.is("sendTransaction"))?;
            let ids =
                events.iter().filter_map(|event| event["event_id"].as_str()).map(str::to_owned).collect();
            let mut rooms = events.iter().map(|event| event["room_id"].as_str());
            rooms.any(|found| found == Some(room)).then(|| (asked.parameter("txnId").to_owned(), ids))
        };
        self.neighbour.memory().iter().filter_map(of_room).collect()
    }
}

impl Puppet {
    /// The user id.
    pub fn id(&self) -> &str {
        &self.user_id
    }

    /// A request with the service's token, as this user.
    pub fn request(&self, method: Method, target: impl Into<String>) -> Call {
        self.service.request(method, target).query("user_id", &self.user_id)
    }

    /// GET as this user.
    pub fn get(&self, target: impl Into<String>) -> Call {
        self.request(Method::GET, target)
    }

    /// POST as this user.
    pub fn post(&self, target: impl Into<String>, body: Value) -> Call {
        self.request(Method::POST, target).json(&body)
    }

    /// PUT as this user.
    pub fn put(&self, target: impl Into<String>, body: Value) -> Call {
        self.request(Method::PUT, target).json(&body)
    }

    /// Joins a room.
    pub fn join(&self, room: &str) -> Call {
        self.post(path!("/_matrix/client/v3/rooms/{}/join", room), json!({}))
    }
}
