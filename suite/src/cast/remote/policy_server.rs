//! A policy server: `server-server-api/#policy-servers`. It signs every event of a room that it holds, unless a test says
//! otherwise.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use protocol::{RoomVersion, event, keys::SigningKey};
use rustls::ServerConfig;
use serde_json::{Value, json};

use super::{
    door::Door,
    draft::Draft,
    house::{House, Identity},
    question::{Asked, Question},
    reply::Reply,
    room::Room,
};
use crate::{
    cast::{Remote, User},
    judge::Judge,
    scene::Scene,
    verdict::{Stop, Verdict},
};

/// A remote homeserver that is the policy server of rooms.
#[derive(Clone, Debug)]
pub struct PolicyServer {
    remote: Remote,
    key: SigningKey,
}

impl Remote {
    /// This server as a policy server, with a key for that alone.
    pub fn policy_server(&self) -> Result<PolicyServer, Stop> {
        let key = policy_key()?;
        self.house.belongings().policy_key = Some(key.clone());
        Ok(PolicyServer { remote: self.clone(), key })
    }
}

impl PolicyServer {
    /// What `m.room.policy` says in a room that uses it: `client-server-api/#mroompolicy`.
    pub fn policy(&self) -> Value {
        policy(self.remote.name(), &self.key)
    }

    /// Makes a room use it, and waits until the user's server knows.
    pub async fn govern(&self, room: &Room, user: &User) -> Verdict {
        let policy = self.remote.send(room.state_event("m.room.policy", "", self.policy())).await?;
        user.sees_event(room.id(), policy.id()).await.map(drop)
    }

    /// Signs with another key from now on than rooms say.
    pub fn signs_with_another_key(&self) -> Verdict {
        self.remote.house.belongings().policy_key = Some(policy_key()?);
        Ok(())
    }

    /// Answers this from now on, whatever it is asked to sign.
    pub fn answers(&self, reply: Reply) {
        self.remote.answers(Question::Policy, reply);
    }

    /// The draft with this policy server's signature, which is kept beside those of the remote itself.
    pub fn signed(&self, draft: Draft) -> Draft {
        let (version, name, key) = (draft.room().version(), self.remote.name().to_owned(), self.key.clone());
        draft.tampered(move |event| {
            let own = event["signatures"][&name].clone();
            let _ = event::sign(event, &name, &key, version);
            if let (Some(both), Value::Object(own)) = (event["signatures"][&name].as_object_mut(), own) {
                both.extend(own);
            }
        })
    }

    /// How often it was asked to sign an event like this.
    pub fn times_asked(&self, like: impl Fn(&Value) -> bool) -> usize {
        self.remote.asked(Question::Policy).iter().filter(|asked| like(&asked.json)).count()
    }
}

/// `server-server-api/#post_matrixpolicyv1sign`: its signature, where it is a policy server and holds the room.
pub(super) fn answer(house: &House, asked: &Asked) -> Reply {
    let room = asked.json["room_id"].as_str().and_then(|id| house.room(id));
    let key = house.belongings().policy_key.clone();
    match (key, room) {
        (None, _) => Reply::error(404, "M_UNRECOGNIZED"),
        (Some(_), None) => Reply::error(404, "M_NOT_FOUND"),
        (Some(key), Some(room)) => signature(&asked.json, &house.identity.name, &key, room.version()),
    }
}

fn signature(event: &Value, name: &str, key: &SigningKey, version: &'static RoomVersion) -> Reply {
    let mut event = event.as_object().cloned().unwrap_or_default();
    event.remove("signatures");
    match event::sign(&mut event, name, key, version) {
        Ok(()) => Reply::json(event["signatures"].clone()),
        Err(_) => Reply::error(400, "M_BAD_JSON"),
    }
}

fn policy(name: &str, key: &SigningKey) -> Value {
    json!({"via": name, "public_keys": {"ed25519": key.verify_key().to_base64()}})
}

/// The id of the key is always the same: `server-server-api/#validating-policy-server-signatures`.
fn policy_key() -> Result<SigningKey, Stop> {
    SigningKey::generate("policy_server").map_err(|error| Stop::Fault(error.to_string()))
}

/// A policy server by itself, with one room that uses it and that anybody may join.
#[derive(Debug)]
pub(crate) struct PolicyStand {
    alias: String,
    policy: Value,
    _door: Door,
}

impl PolicyStand {
    /// Listens; refuses to sign messages that contain `refused`.
    pub(crate) fn open(
        judge: Arc<Judge>,
        listener: TcpListener,
        config: ServerConfig,
        refused: String,
    ) -> Result<Self, Stop> {
        let fault = |error: io::Error| Stop::Fault(format!("no policy server: {error}"));
        let port = listener.local_addr().map_err(fault)?.port();
        let key = SigningKey::generate("remote").map_err(|error| Stop::Fault(error.to_string()))?;
        let name = format!("localhost:{port}");
        // Nothing here waits for anything, so that the scene needs no time.
        let house = House::new(Identity { name: name.clone(), key }, None, Scene::new(Duration::ZERO), judge);
        let policy_key = policy_key()?;
        let policy = policy(&name, &policy_key);
        let room =
            Room::create(&house.identity, RoomVersion::DEFAULT, &format!("@policy:{name}"), json!({}))?;
        room.furnish("public")?;
        room.add(room.state_event("m.room.policy", "", policy.clone()))?;
        let alias = format!("#policed:{name}");
        {
            let mut belongings = house.belongings();
            belongings.policy_key = Some(policy_key);
            belongings.aliases.insert(alias.clone(), room.id().to_owned());
            belongings.rooms.insert(room.id().to_owned(), room);
        }
        house.direct(
            Some(Question::Policy),
            Some(Arc::new(move |asked, usual| match asked.json["content"]["body"].as_str() {
                Some(body) if body.contains(&refused) => Reply::error(403, "M_FORBIDDEN"),
                _ => usual(),
            })),
        );
        let answer = move |visit| std::future::ready(house.answer(visit));
        let door = Door::open(listener, Some(config), answer).map_err(fault)?;
        Ok(PolicyStand { alias, policy, _door: door })
    }

    /// The alias of the room.
    pub(crate) fn alias(&self) -> &str {
        &self.alias
    }

    /// What `m.room.policy` says there.
    pub(crate) fn policy(&self) -> &Value {
        &self.policy
    }
}
