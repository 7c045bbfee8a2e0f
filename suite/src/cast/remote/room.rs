//! A room as a remote sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oracle::Receipt;
use protocol::{Object, RoomVersion, event, room_version::RoomIdFormat};
use serde_json::{Value, json};

use super::{
    draft::{Draft, Pdu, now_ms},
    held::Held,
    house::Identity,
};
use crate::verdict::Stop;

/// A room that a remote is in. Cheap to clone; all handles see the same events.
#[derive(Clone, Debug)]
pub struct Room {
    identity: Arc<Identity>,
    held: Arc<Mutex<Held>>,
    id: String,
    version: &'static RoomVersion,
    speaker: String,
}

impl Room {
    /// A room that a user of the remote creates, and that has no other event yet.
    pub(super) fn create(
        identity: &Arc<Identity>,
        version: &'static RoomVersion,
        creator: &str,
        extra: Value,
    ) -> Result<Self, Stop> {
        let mut content = json!({"room_version": version.id});
        if version.creator_in_content {
            content["creator"] = json!(creator);
        }
        if let (Some(content), Value::Object(extra)) = (content.as_object_mut(), extra) {
            content.extend(extra);
        }
        let id = format!("!determinant-{:016x}:{}", rand::random::<u64>(), identity.name);
        let mut room = Room {
            identity: identity.clone(),
            held: Arc::new(Mutex::new(Held::new(version))),
            id,
            version,
            speaker: creator.to_owned(),
        };
        let draft = room.state_event("m.room.create", "", content);
        let create = match version.room_id {
            RoomIdFormat::Domain => draft.build()?,
            RoomIdFormat::CreateEvent => draft.changed(|event| drop(event.remove("room_id"))).build()?,
        };
        if version.room_id == RoomIdFormat::CreateEvent {
            room.id = create.id().replacen('$', "!", 1);
        }
        room.keep(&create)?;
        Ok(room)
    }

    /// A room of which another server told: the user's own event, and the state and auth chain before it.
    pub(super) fn told(
        identity: &Arc<Identity>,
        id: &str,
        version: &'static RoomVersion,
        speaker: &str,
        event: &Pdu,
        state: &[Pdu],
        auth_chain: &[Pdu],
    ) -> Result<Self, Stop> {
        let mut held = Held::new(version);
        held.keep_told(event, state, auth_chain)?;
        Ok(Room {
            identity: identity.clone(),
            held: Arc::new(Mutex::new(held)),
            id: id.to_owned(),
            version,
            speaker: speaker.to_owned(),
        })
    }

    /// The same room for another remote that shares this one's view, through a user of its own.
    pub fn shared_with(&self, remote: &super::Remote, speaker: &str) -> Room {
        let room = Room { identity: remote.identity().clone(), speaker: speaker.to_owned(), ..self.clone() };
        remote.enter(&room);
        room
    }

    /// The room id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The room version.
    pub fn version(&self) -> &'static RoomVersion {
        self.version
    }

    /// The user who sends what is sent without naming another sender.
    pub fn speaker(&self) -> &str {
        &self.speaker
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A text message.
    pub fn message(&self, text: &str) -> Draft {
        self.event("m.room.message", json!({"msgtype": "m.text", "body": text}))
    }

    /// An event without a state key.
    pub fn event(&self, kind: &str, content: Value) -> Draft {
        Draft::new(self, kind, None, content)
    }

    /// A state event.
    pub fn state_event(&self, kind: &str, state_key: &str, content: Value) -> Draft {
        Draft::new(self, kind, Some(state_key), content)
    }

    /// A membership event; the user sends it, unless the test names another sender.
    pub fn member(&self, user: &str, membership: &str) -> Draft {
        let sender = match membership {
            "join" | "leave" | "knock" => user.to_owned(),
            _ => self.speaker.clone(),
        };
        self.state_event("m.room.member", user, json!({"membership": membership})).by(&sender)
    }

    /// Adds an event to the room without telling the server under test; it must be permitted.
    pub fn add(&self, draft: Draft) -> Result<Pdu, Stop> {
        let pdu = draft.build()?;
        self.keep(&pdu)?;
        Ok(pdu)
    }

    /// Keeps an event so that it can be asked for, whatever it is. Where it is permitted, later events refer to it.
    pub fn keep_any(&self, pdu: &Pdu) -> Option<Receipt> {
        self.held().keep(pdu)
    }

    /// Keeps an event so that it can be asked for; later events do not refer to it.
    pub fn keep_aside(&self, pdu: &Pdu) {
        self.held().keep_aside(pdu);
    }

    pub(super) fn keep(&self, pdu: &Pdu) -> Result<(), Stop> {
        match self.held().keep(pdu) {
            Some(Receipt::Accepted) => Ok(()),
            other => {
                let event = pdu.value();
                Err(Stop::Fault(format!("the room of the test does not take {event}: {other:?}")))
            }
        }
    }

    /// The event that stands in the current state, as the remote sees it.
    pub fn state(&self, kind: &str, state_key: &str) -> Option<Pdu> {
        self.held().state_event(kind, state_key)
    }

    /// The current state, as the remote sees it.
    pub fn current_state(&self) -> Result<Vec<Pdu>, Stop> {
        let held = self.held();
        let state = held.current_state()?;
        let event = |id: &String| Some(Pdu::new(id.clone(), held.get(id)?.clone()));
        Ok(state.values().filter_map(event).collect())
    }

    /// The events to which a new one would refer.
    pub fn extremities(&self) -> Vec<String> {
        self.held().extremities()
    }

    /// Reads an event of the room as another server sent it.
    pub(super) fn read(&self, json: Object) -> Result<Pdu, Stop> {
        let id = event::event_id(&json, self.version)
            .map_err(|error| Stop::Fault(format!("an event without an id: {error}")))?;
        Ok(Pdu::new(id, json))
    }

    /// What a new room needs beside its create event.
    pub(super) fn furnish(&self, join_rule: &str) -> Result<(), Stop> {
        let creator = self.speaker.clone();
        self.add(self.member(&creator, "join"))?;
        let mut levels = json!({"users": {}});
        if !self.version.privileged_creators {
            levels["users"][&creator] = json!(100);
        }
        self.add(self.state_event("m.room.power_levels", "", levels))?;
        self.add(self.state_event("m.room.join_rules", "", json!({"join_rule": join_rule})))?;
        let visibility = json!({"history_visibility": "shared"});
        self.add(self.state_event("m.room.history_visibility", "", visibility))?;
        Ok(())
    }

    /// The time now, in milliseconds since the epoch.
    pub fn now_ms() -> u64 {
        now_ms()
    }
}
