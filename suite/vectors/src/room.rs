//! Events with real ids, hashes and signatures, to ask questions about.

use std::collections::{BTreeMap, BTreeSet};

use oracle::{Event, Events, StateMap, select_auth_events};
use protocol::event::{hash_and_sign, reference_hash, sign};
use protocol::identifiers::server_name_of;
use protocol::keys::SigningKey;
use protocol::room_version::{EventIdFormat, References, RoomIdFormat};
use protocol::{Object, RoomVersion, base64, canonical_json};
use serde_json::{Value, json};

use crate::question::{Authorize, Key, Keys, Pool, Question, Resolve, Text};

/// Every event that was made for a room, whatever the rules say of it.
#[derive(Clone, Debug)]
pub struct Room {
    version: &'static RoomVersion,
    room_id: String,
    events: Events,
    texts: BTreeMap<String, Text>,
    names: BTreeMap<String, String>,
}

/// An event to be made. What is left as it is by default follows from the room.
#[derive(Clone, Debug, Default)]
pub struct Draft<'a> {
    /// What people call the event; in room versions 1 and 2 its id is made of it.
    pub name: &'a str,
    /// The `sender`.
    pub sender: &'a str,
    /// The `type`.
    pub event_type: &'a str,
    /// The `state_key`, if it is a state event.
    pub state_key: Option<&'a str>,
    /// The `content`.
    pub content: Value,
    /// The ids of the previous events.
    pub prev_events: Vec<String>,
    /// The ids of the auth events.
    pub auth_events: Vec<String>,
    /// The `depth`; without it, one more than the greatest among the previous events.
    pub depth: Option<i64>,
    /// The `origin_server_ts`, in milliseconds since the epoch.
    pub origin_server_ts: i64,
    /// Other properties at the top level, which replace those that would be there; `null` removes one.
    pub with: Object,
    /// Servers that sign; without any, the sender's and the one of `join_authorised_via_users_server`.
    pub signers: Vec<&'a str>,
}

impl Room {
    /// A room without events. Its id is `!room:` and the server's name, until room version 12 gives it that of its
    /// create event.
    pub fn new(version: &'static RoomVersion, server_name: &str) -> Self {
        Self {
            version,
            room_id: format!("!room:{server_name}"),
            events: Events::default(),
            texts: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }

    /// The room version.
    pub fn version(&self) -> &'static RoomVersion {
        self.version
    }

    /// The room id.
    pub fn room_id(&self) -> &str {
        &self.room_id
    }

    /// The events, with a note of those that [`Room::reject`] was told of.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// What people call an event.
    pub fn name(&self, event_id: &str) -> &str {
        self.names.get(event_id).map_or("", String::as_str)
    }

    /// All names by event id.
    pub fn names(&self) -> &BTreeMap<String, String> {
        &self.names
    }

    /// The JSON text of an event.
    pub fn text(&self, event_id: &str) -> Option<&Text> {
        self.texts.get(event_id)
    }

    /// Makes an event, hashed and signed, and gives its id. Since room version 12, the first create event without
    /// `room_id` names the room.
    ///
    /// # Panics
    /// When the draft has no canonical form or no usable sender: whoever writes drafts writes them well.
    pub fn make(&mut self, draft: Draft<'_>) -> String {
        let pdu = self.pdu(&draft);
        self.take(draft.name, pdu)
    }

    /// The auth events that an event should have in a state (server-server-api/#auth-events-selection).
    ///
    /// # Panics
    /// As [`Room::make`].
    pub fn auth_events_of(&self, draft: &Draft<'_>, state: &StateMap) -> Vec<String> {
        let event = Event::new(self.version, "$draft", self.pdu(draft)).expect("a draft can be read");
        select_auth_events(self.version, &event, state)
    }

    /// Notes that an event was rejected on receipt.
    pub fn reject(&mut self, event_id: &str) {
        self.events.reject(event_id);
    }

    /// Takes an event that was made elsewhere, and gives its id.
    ///
    /// # Panics
    /// When it has no id or lacks what every event has.
    pub fn take(&mut self, name: &str, pdu: Object) -> String {
        let id = Event::id_of(self.version, &pdu).expect("a draft has an id");
        let text =
            canonical_json::encode_object(&pdu, self.version.canonical_json).expect("a draft can be encoded");
        let event = Event::new(self.version, id.clone(), pdu).expect("a draft can be read");
        let names_room = event.event_type() == "m.room.create" && event.room_id().is_none();
        if names_room && self.version.room_id == RoomIdFormat::CreateEvent && self.texts.is_empty() {
            self.room_id = id.replacen('$', "!", 1);
        }
        self.events.insert(event);
        self.texts.insert(id.clone(), Text::Utf8(text));
        self.names.insert(id.clone(), name.to_owned());
        id
    }

    /// Asks whether an event is allowed by its auth events, or by a state.
    pub fn ask_authorize(&self, event_id: &str, state: Option<&StateMap>) -> Question {
        let mut needed: BTreeSet<String> = match state {
            Some(state) => state.values().cloned().collect(),
            None => self.events.get(event_id).into_iter().flat_map(Event::auth_events).cloned().collect(),
        };
        needed.extend(self.implied_create_event(event_id));
        needed.remove(event_id);
        Question::Authorize(Authorize {
            room_version: self.version.id.to_owned(),
            event_id: event_id.to_owned(),
            event: self.texts.get(event_id).cloned().unwrap_or_else(|| Text::from("")),
            rejected: self.rejected_among(&needed),
            events: self.pool(&needed),
            state: state.map(|state| state.values().cloned().collect()),
            keys: None,
        })
    }

    /// Asks what states resolve to.
    pub fn ask_resolve(&self, state_sets: &[StateMap]) -> Question {
        let state_sets: Vec<BTreeSet<String>> =
            state_sets.iter().map(|state| state.values().cloned().collect()).collect();
        let needed = self.with_auth_chains(state_sets.iter().flatten().cloned());
        Question::Resolve(Resolve {
            room_version: self.version.id.to_owned(),
            rejected: self.rejected_among(&needed),
            events: self.pool(&needed),
            state_sets,
        })
    }

    /// Events with everything that they rest on.
    fn with_auth_chains(&self, ids: impl Iterator<Item = String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<String> = ids.collect();
        while let Some(id) = waiting.pop() {
            let Some(event) = self.events.get(&id) else { continue };
            if found.insert(id.clone()) {
                waiting.extend(event.auth_events().iter().cloned());
                waiting.extend(self.implied_create_event(&id));
            }
        }
        found
    }

    fn implied_create_event(&self, event_id: &str) -> Option<String> {
        self.events.get(event_id)?.implied_create_event(self.version)
    }

    fn pool(&self, ids: &BTreeSet<String>) -> Pool {
        Pool::Texts(ids.iter().filter_map(|id| Some((id.clone(), self.texts.get(id)?.clone()))).collect())
    }

    fn rejected_among(&self, ids: &BTreeSet<String>) -> BTreeSet<String> {
        ids.iter().filter(|id| self.events.is_rejected(id)).cloned().collect()
    }

    /// The event of a draft, hashed and signed.
    fn pdu(&self, draft: &Draft<'_>) -> Object {
        let version = self.version;
        let is_create = draft.event_type == "m.room.create";
        let mut pdu = Object::new();
        let mut set = |name: &str, value: Value| pdu.insert(name.to_owned(), value);
        set("type", json!(draft.event_type));
        set("sender", json!(draft.sender));
        set("content", draft.content.clone());
        set("depth", json!(draft.depth.unwrap_or_else(|| self.next_depth(&draft.prev_events))));
        set("origin_server_ts", json!(draft.origin_server_ts));
        set("prev_events", self.references(&draft.prev_events));
        set("auth_events", self.references(&draft.auth_events));
        if let Some(state_key) = draft.state_key {
            set("state_key", json!(state_key));
        }
        if !(is_create && version.room_id == RoomIdFormat::CreateEvent) {
            set("room_id", json!(self.room_id));
        }
        let sender_server = server_name_of(draft.sender).unwrap_or("nowhere.example");
        if version.event_id == EventIdFormat::Domain {
            set("event_id", json!(format!("${}:{sender_server}", draft.name)));
        }
        for (name, value) in &draft.with {
            pdu.remove(name);
            if !value.is_null() {
                pdu.insert(name.clone(), value.clone());
            }
        }
        let authoriser = draft.content["join_authorised_via_users_server"].as_str().and_then(server_name_of);
        let by_default = || BTreeSet::from_iter([sender_server].into_iter().chain(authoriser));
        let signers = match draft.signers.as_slice() {
            [] => by_default(),
            signers => signers.iter().copied().collect(),
        };
        let mut signers = signers.into_iter();
        if let Some(first) = signers.next() {
            hash_and_sign(&mut pdu, first, &server_key(first), version).expect("a draft can be encoded");
        }
        for server_name in signers {
            sign(&mut pdu, server_name, &server_key(server_name), version).expect("a draft can be encoded");
        }
        pdu
    }

    fn next_depth(&self, prev_events: &[String]) -> i64 {
        let depths = prev_events.iter().filter_map(|id| self.events.get(id)).map(Event::depth);
        depths.max().unwrap_or(0).saturating_add(1)
    }

    fn references(&self, ids: &[String]) -> Value {
        let reference = |id: &String| match self.version.references {
            References::Ids => json!(id),
            References::IdsAndHashes => json!([id, {"sha256": self.reference_hash(id)}]),
        };
        ids.iter().map(reference).collect()
    }

    fn reference_hash(&self, id: &str) -> String {
        let hash = self.events.get(id).and_then(|event| reference_hash(event.pdu(), self.version).ok());
        base64::encode(hash.unwrap_or_default())
    }
}

/// The id of every server's key.
pub const KEY_VERSION: &str = "1";

/// The key of a server, which follows from its name.
pub fn server_key(server_name: &str) -> SigningKey {
    let mut seed = [0_u8; protocol::keys::KEY_BYTES];
    for (index, byte) in server_name.bytes().enumerate() {
        seed[index % protocol::keys::KEY_BYTES] ^= byte;
    }
    SigningKey::from_seed(KEY_VERSION, &seed).expect("the version is well-formed")
}

/// The public keys of servers, as questions have them.
pub fn published_keys<'a>(server_names: impl IntoIterator<Item = &'a str>) -> Keys {
    let key_of = |server_name: &str| {
        let key = server_key(server_name);
        let published = Key { key: key.verify_key().to_base64(), valid_until_ts: None, expired_ts: None };
        BTreeMap::from([(key.id().as_str().to_owned(), published)])
    };
    server_names.into_iter().map(|name| (name.to_owned(), key_of(name))).collect()
}
