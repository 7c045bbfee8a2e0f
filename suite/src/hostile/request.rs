//! What a peer may send, for every operation of the server-server API: well-formed, before anything is done to it.

use http::Method;
use serde_json::{Value, json};

use crate::{
    cast::{
        Homeserver, User, encoded,
        remote::{Remote, Room},
    },
    verdict::Stop,
};

/// Where the requests are about: a room of the remote that a user of the server has joined, and one of the server that a user of
/// the remote has.
pub(super) struct Ground {
    pub(super) remote: Remote,
    pub(super) alice: User,
    pub(super) abroad: Room,
    pub(super) here: Room,
    last_abroad: String,
    last_here: String,
}

/// A request as a peer may send it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The name of its operation.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// The segments of its path.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
}

impl Ground {
    pub(super) async fn prepare(hs: &Homeserver) -> Result<Self, Stop> {
        let [alice] = hs.users().await?;
        let remote = hs.remote().await?;
        let abroad = remote.room_with(&alice).await?;
        let room = alice.create_room(json!({"preset": "public_chat"})).await?;
        let last_here = alice.say(&room, "hello").await?;
        let here = remote.joins(&room, "mallory").await?;
        let last_abroad = remote.send(abroad.message("hello")).await?.id().to_owned();
        Ok(Ground { remote, alice, abroad, here, last_abroad, last_here })
    }

    /// How many kinds of requests there are.
    pub(super) const KINDS: usize = 36;

    /// The request of that number, made anew, so that events in it are new.
    pub(super) fn request(&self, number: usize) -> Result<Request, Stop> {
        let (alice, server) = (self.alice.id(), self.alice.homeserver().name());
        let mallory = self.remote.user("mallory");
        let stranger = self.remote.user("stranger");
        let (room, event) = (self.here.id(), self.last_here.as_str());
        let get = |operation, path: &[&str], query: &[(&str, &str)]| Request::get(operation, path, query);
        let with = |operation, method, path: &[&str], body| Request::with(operation, method, path, body);
        let txn = format!("{:016x}", rand::random::<u64>());
        let edu = |kind: &str, content: Value| json!({"pdus": [], "edus": [{"edu_type": kind, "content": content}]});
        let send = |body: Value| {
            let mut body = body;
            body["origin"] = json!(self.remote.name());
            body["origin_server_ts"] = json!(Room::now_ms());
            Request::with("sendTransaction", Method::PUT, &["federation", "v1", "send", &txn], body)
        };
        let handshake = |operation: &'static str, release: &str, path: &str, membership: &str| {
            let event = self.here.member(&stranger, membership).build()?;
            Ok::<_, Stop>(Request::with(
                operation,
                Method::PUT,
                &["federation", release, path, room, event.id()],
                event.value(),
            ))
        };
        Ok(match number % Self::KINDS {
            0..=3 => send(json!({"pdus": [self.abroad.message("news").build()?.value()], "edus": []})),
            4 => send(
                json!({"pdus": [self.abroad.state_event("m.room.topic", "", json!({"topic": "news"})).build()?.value()]}),
            ),
            5 => send(json!({"pdus": [self.here.message("news").by(&mallory).build()?.value()]})),
            6 => send(
                json!({"pdus": [self.abroad.state_event("m.room.power_levels", "", json!({"users": {(self.abroad.speaker()): 100, (alice): 50}})).build()?.value()]}),
            ),
            7 => send(edu("m.typing", json!({"room_id": room, "user_id": mallory, "typing": true}))),
            8 => send(edu(
                "m.receipt",
                json!({(room): {"m.read": {(&mallory): {"event_ids": [event], "data": {"ts": 1}}}}}),
            )),
            9 => send(edu(
                "m.presence",
                json!({"push": [{"user_id": mallory, "presence": "online", "last_active_ago": 1}]}),
            )),
            10 => send(edu(
                "m.direct_to_device",
                json!({"sender": mallory, "type": "m.dummy", "message_id": txn, "messages": {(alice): {"*": {}}}}),
            )),
            11 => send(edu(
                "m.device_list_update",
                json!({"user_id": mallory, "device_id": "D", "stream_id": 1, "prev_id": [], "device_display_name": "d"}),
            )),
            12 => send(edu(
                "m.signing_key_update",
                json!({"user_id": mallory, "master_key": {"user_id": mallory, "usage": ["master"], "keys": {"ed25519:a": "a"}}}),
            )),
            13 => get(
                "makeJoin",
                &["federation", "v1", "make_join", room, &stranger],
                &[("ver", "11"), ("ver", "12")],
            ),
            14 => get("makeKnock", &["federation", "v1", "make_knock", room, &stranger], &[("ver", "11")]),
            15 => get("makeLeave", &["federation", "v1", "make_leave", room, &mallory], &[]),
            16 => handshake("sendJoinV2", "v2", "send_join", "join")?,
            17 => handshake("sendJoinV1", "v1", "send_join", "join")?,
            18 => handshake("sendKnock", "v1", "send_knock", "knock")?,
            19 => handshake("sendLeaveV2", "v2", "send_leave", "leave")?,
            20 => {
                let (invite, body) = self.remote.invitation(&self.abroad, &self.alice)?;
                with(
                    "sendInviteV2",
                    Method::PUT,
                    &["federation", "v2", "invite", self.abroad.id(), invite.id()],
                    body,
                )
            }
            21 => get("getEvent", &["federation", "v1", "event", event], &[]),
            22 => get("getRoomState", &["federation", "v1", "state", room], &[("event_id", event)]),
            23 => get("getRoomStateIds", &["federation", "v1", "state_ids", room], &[("event_id", event)]),
            24 => get("getEventAuth", &["federation", "v1", "event_auth", room, event], &[]),
            25 => {
                get("backfillRoom", &["federation", "v1", "backfill", room], &[("v", event), ("limit", "10")])
            }
            26 => with(
                "getMissingPreviousEvents",
                Method::POST,
                &["federation", "v1", "get_missing_events", room],
                json!({"latest_events": [event], "earliest_events": [], "limit": 10, "min_depth": 0}),
            ),
            27 => get(
                "getTimestampToEvent",
                &["federation", "v1", "timestamp_to_event", room],
                &[("ts", "0"), ("dir", "f")],
            ),
            28 => get(
                "getSpaceHierarchy",
                &["federation", "v1", "hierarchy", room],
                &[("suggested_only", "false")],
            ),
            29 => with(
                "queryPublicRooms",
                Method::POST,
                &["federation", "v1", "publicRooms"],
                json!({"limit": 10, "filter": {"generic_search_term": "x"}}),
            ),
            30 => get(
                "queryProfile",
                &["federation", "v1", "query", "profile"],
                &[("user_id", alice), ("field", "displayname")],
            ),
            31 => get(
                "queryRoomDirectory",
                &["federation", "v1", "query", "directory"],
                &[("room_alias", &format!("#none:{server}"))],
            ),
            32 => with(
                "queryUserEncryptionKeys",
                Method::POST,
                &["federation", "v1", "user", "keys", "query"],
                json!({"device_keys": {(alice): []}}),
            ),
            33 => with(
                "claimUserEncryptionKeys",
                Method::POST,
                &["federation", "v1", "user", "keys", "claim"],
                json!({"one_time_keys": {(alice): {"D": "signed_curve25519"}}}),
            ),
            34 => with(
                "bulkQueryServerKeys",
                Method::POST,
                &["key", "v2", "query"],
                json!({"server_keys": {(self.remote.name()): {"ed25519:remote": {"minimum_valid_until_ts": 1}}}}),
            ),
            _ => with(
                "exchangeThirdPartyInvite",
                Method::PUT,
                &["federation", "v1", "exchange_third_party_invite", room],
                self.third_party(&stranger),
            ),
        })
    }

    fn third_party(&self, target: &str) -> Value {
        json!({
            "type": "m.room.member", "room_id": self.here.id(), "sender": self.alice.id(), "state_key": target,
            "content": {"membership": "invite", "third_party_invite": {"display_name": "x", "signed": {"mxid": target, "token": "t", "signatures": {"id.example": {"ed25519:0": "a"}}}}},
        })
    }

    /// An id of something that is there: a room, an event, a user, or a server.
    pub(super) fn id(&self, number: usize) -> String {
        let ids = [
            self.here.id(),
            self.abroad.id(),
            &self.last_here,
            &self.last_abroad,
            self.alice.id(),
            self.alice.homeserver().name(),
            self.remote.name(),
            self.abroad.speaker(),
        ];
        ids[number % ids.len()].to_owned()
    }
}

impl Request {
    fn get(operation: &'static str, path: &[&str], query: &[(&str, &str)]) -> Self {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { query, body: None, ..Self::with(operation, Method::GET, path, Value::Null) }
    }

    fn with(operation: &'static str, method: Method, path: &[&str], body: Value) -> Self {
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        Request { operation, method, path, query: Vec::new(), body: Some(body) }
    }

    /// Path and query, percent-encoded.
    pub(super) fn target(&self) -> String {
        let path: String = self.path.iter().map(|segment| format!("/{}", encoded(segment))).collect();
        let pairs = self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        format!("/_matrix{path}{separator}{query}")
    }
}
