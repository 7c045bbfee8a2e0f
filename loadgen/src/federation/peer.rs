//! One scripted server: its name, its key, and what it signs.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use protocol::{
    Object, RoomVersion, canonical_json::Form, event, keys::SigningKey, request::Request as Signed,
    room_version::References, signatures,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::outbox::Outbox;
use crate::{connection::Lane, connection::Problem, request};

/// How long its key counts: a day, in milliseconds.
const VALID_FOR_MS: u64 = 24 * 60 * 60 * 1000;

/// A scripted server.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its place among the peers.
    pub(crate) number: u32,
    name: String,
    destination: String,
    key: SigningKey,
    /// Where its transactions go.
    pub(crate) outbox: Mutex<Outbox>,
}

/// What a server answers that was asked for an event to join or to leave with.
#[derive(Debug, Deserialize)]
pub(crate) struct Proposal {
    event: Object,
    #[serde(default)]
    room_version: String,
}

/// An event with its id.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) json: Object,
}

impl Peer {
    pub(super) fn new(number: u32, port: u16, destination: &str, lane: Lane) -> Result<Self, Problem> {
        let key = SigningKey::generate("load").map_err(|error| Problem::Unconnected(error.to_string()))?;
        Ok(Peer {
            number,
            name: format!("localhost:{port}"),
            destination: destination.to_owned(),
            key,
            outbox: Mutex::new(Outbox::new(lane)),
        })
    }

    /// Its server name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// One of its users.
    pub(crate) fn user(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name)
    }

    /// The document in which it publishes its key: `server-server-api/#publishing-keys`.
    pub(super) fn keys(&self) -> Value {
        let mut document = Object::new();
        document.insert("server_name".to_owned(), json!(self.name));
        document.insert("valid_until_ts".to_owned(), json!(now_ms() + VALID_FOR_MS));
        let key = json!({self.key.id().as_str(): {"key": self.key.verify_key().to_base64()}});
        document.insert("verify_keys".to_owned(), key);
        document.insert("old_verify_keys".to_owned(), json!({}));
        // Names, a key and a time: there is nothing in it that has no canonical form.
        let _ = signatures::sign_as(Form::Lenient, &mut document, &self.name, &self.key);
        Value::Object(document)
    }

    /// A signed request to the server that is burdened.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, Problem> {
        let signed = Signed {
            method: method.as_str(),
            uri: path,
            origin: &self.name,
            destination: Some(&self.destination),
            content,
        };
        let header = signed.sign(&self.key).map_err(|error| unsignable(&error))?.to_string();
        let header = HeaderValue::from_str(&header).map_err(|error| Problem::Malformed(error.to_string()))?;
        let kind = content.map(|_| "application/json");
        let body = content.map(Value::to_string).unwrap_or_default();
        Ok(request::build(method, path, Some(&header), kind, body.into()))
    }

    /// Asks for an event with which one of its users joins or leaves.
    pub(crate) fn proposal(
        &self,
        endpoint: &str,
        room: &str,
        user: &str,
    ) -> Result<Request<Full<Bytes>>, Problem> {
        let mut path = format!("/_matrix/federation/v1/{endpoint}/{room}/{}", request::segment(user));
        if endpoint == "make_join" {
            let versions: Vec<String> =
                RoomVersion::ALL.iter().map(|version| format!("ver={}", version.id)).collect();
            path = format!("{path}?{}", versions.join("&"));
        }
        self.request(Method::GET, &path, None)
    }

    /// Hands in an event that was proposed, completed and signed.
    pub(crate) fn handing_in(
        &self,
        endpoint: &str,
        room: &str,
        event: &Event,
    ) -> Result<Request<Full<Bytes>>, Problem> {
        let path = format!("/_matrix/federation/v2/{endpoint}/{room}/{}", request::segment(&event.id));
        self.request(Method::PUT, &path, Some(&Value::Object(event.json.clone())))
    }

    /// Completes a proposed event and signs it: `server-server-api/#joining-rooms`.
    pub(crate) fn complete(&self, proposal: Proposal) -> Result<(Event, &'static RoomVersion), Problem> {
        let version = version(&proposal.room_version)?;
        let mut event = proposal.event;
        event.insert("origin".to_owned(), json!(self.name));
        event.insert("origin_server_ts".to_owned(), json!(now_ms()));
        Ok((self.sign(event, version)?, version))
    }

    /// Hashes and signs an event.
    pub(crate) fn sign(&self, mut event: Object, version: &RoomVersion) -> Result<Event, Problem> {
        event::hash_and_sign(&mut event, &self.name, &self.key, version)
            .map_err(|error| unsignable(&error))?;
        let id = event::event_id(&event, version).map_err(|error| Problem::Malformed(error.to_string()))?;
        Ok(Event { id, json: event })
    }
}

/// The version of a room that peers can be in: its events refer to others by ids alone.
fn version(id: &str) -> Result<&'static RoomVersion, Problem> {
    let known = RoomVersion::find(id).filter(|version| version.references == References::Ids);
    known
        .ok_or_else(|| Problem::Malformed(format!("rooms of version {id:?} are not spoken; 3 and newer are")))
}

fn unsignable(error: &protocol::canonical_json::Error) -> Problem {
    Problem::Malformed(format!("what cannot be signed: {error}"))
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
