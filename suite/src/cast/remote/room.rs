//! A room as a remote sees it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

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
        if version.room_id == RoomIdFormat::CreateEvent {
            // The id is the hash of this event: two rooms made alike in one millisecond would be one.
            content["org.determinant.room"] = json!(id);
        }
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

    /// What an event names as its auth events, and what the oracle selects for it from the state before it.
    pub fn auth_events_of(&self, event: &Value) -> Result<(BTreeSet<String>, BTreeSet<String>), Stop> {
        let object = event.as_object().cloned().unwrap_or_default();
        let pdu = self.read(object)?;
        let held = self.held();
        let read = held.read(pdu.id(), pdu.json().clone())?;
        let state = held.state_before(&read)?;
        let selected = oracle::select_auth_events(held.version(), &read, &state);
        let named = event["auth_events"].as_array().into_iter().flatten();
        let id = |entry: &Value| entry.as_str().or_else(|| entry.get(0)?.as_str()).map(str::to_owned);
        Ok((named.filter_map(id).collect(), selected.into_iter().collect()))
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

    /// An event that the remote holds.
    pub fn pdu(&self, id: &str) -> Option<Pdu> {
        Some(Pdu::new(id.to_owned(), self.held().get(id)?.clone()))
    }

    /// The ids of the state before an event that the remote holds, and those of the auth chain of that state.
    pub fn state_and_auth_chain_before(&self, pdu: &Pdu) -> Result<(Vec<String>, BTreeSet<String>), Stop> {
        let held = self.held();
        let state = held.state_ids_before(pdu.id());
        let state = state.ok_or_else(|| Stop::Fault(format!("the remote does not hold {}", pdu.id())))?;
        let chain = held.auth_chain(&state);
        Ok((state, chain))
    }

    /// The ids of all auth events of all events that the remote holds, whether it holds them or not.
    pub fn auth_events_of_all(&self) -> BTreeSet<String> {
        self.held().all_auth_events()
    }

    /// The ids of the auth chain of an event that the remote holds.
    pub fn auth_chain_of(&self, pdu: &Pdu) -> BTreeSet<String> {
        self.held().auth_chain([&pdu.id().to_owned()])
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

#[cfg(test)]
mod tests {
    use protocol::{
        event::{Counts, Integrity, check_format, verify},
        keys::{KeyRing, SigningKey},
    };

    use super::*;

    fn room(version: &'static RoomVersion) -> (Room, KeyRing) {
        let key = SigningKey::generate("remote").expect("a key");
        let mut ring = KeyRing::default();
        ring.trust("localhost:1", key.id().clone(), key.verify_key());
        let identity = Arc::new(Identity { name: "localhost:1".to_owned(), key });
        let room = Room::create(&identity, version, "@charlie:localhost:1", json!({})).expect("a room");
        room.furnish("public").expect("what a room needs");
        (room, ring)
    }

    fn ids(pdus: &[&Pdu]) -> Vec<String> {
        pdus.iter().map(|pdu| pdu.id().to_owned()).collect()
    }

    #[test]
    fn rooms_of_every_version_hold_events_that_verify() {
        for version in RoomVersion::ALL {
            let (room, ring) = room(version);
            room.add(room.message("said")).expect("a message");
            for (id, event) in room.held().all() {
                check_format(event, version, Counts::Limited)
                    .unwrap_or_else(|error| panic!("{} {id}: {error}", version.id));
                let integrity = verify(event, version, &ring);
                assert_eq!(integrity, Ok(Integrity::Intact), "{} {id}", version.id);
            }
        }
    }

    #[test]
    fn tampering_leaves_the_id_and_spoils_the_hash() {
        for version in RoomVersion::ALL {
            let (room, ring) = room(version);
            let spoil = |event: &mut Object| event["content"]["body"] = json!("false");
            let pdu = room.message("true").build().expect("an event");
            let spoilt = pdu.clone().tampered(spoil);
            assert_eq!(spoilt.id(), room.read(spoilt.json().clone()).expect("an event").id());
            assert_eq!(verify(spoilt.json(), version, &ring), Ok(Integrity::OnlyRedacted));
        }
    }

    #[test]
    fn what_nobody_permits_is_kept_and_not_referred_to() {
        let (room, _) = room(&protocol::room_version::V11);
        let before = room.extremities();
        let intrusion = room.message("let me in").by("@mallory:localhost:1").build().expect("an event");
        assert!(matches!(room.keep_any(&intrusion), Some(Receipt::Rejected { .. })));
        assert_eq!(room.extremities(), before);
        assert_eq!(room.pdu(intrusion.id()), Some(intrusion));
    }

    #[test]
    fn history_is_given_as_far_as_was_asked_for() {
        let (room, _) = room(&protocol::room_version::V12);
        let said: Vec<Pdu> =
            (0..4).map(|number| room.add(room.message(&number.to_string())).expect("a message")).collect();
        let held = room.held();
        let (first, last) = (ids(&[&said[0]]), ids(&[&said[3]]));
        assert_eq!(held.between(&first, &last, 10), ids(&[&said[1], &said[2]]));
        assert_eq!(held.between(&first, &last, 1), ids(&[&said[2]]));
        assert_eq!(held.backwards(&last, 2), ids(&[&said[3], &said[2]]));
    }

    #[test]
    fn branches_meet_in_the_next_event() {
        let (room, _) = room(&protocol::room_version::V12);
        let fork = room.add(room.message("fork")).expect("a message");
        let left = room.add(room.message("left").after(&[&fork])).expect("a message");
        let right = room.add(room.message("right").after(&[&fork])).expect("a message");
        let merge = room.add(room.message("merge")).expect("a message");
        let previous = merge.json()["prev_events"].to_string();
        assert!(previous.contains(left.id()) && previous.contains(right.id()), "{previous}");
    }
}
