//! A room of many members whose history forks.

use std::collections::HashMap;

use protocol::RoomVersion;
use rooms::authorize::auth_event_keys;
use rooms::event::Pdu;
use rooms::state::{StateLookup, StateMap};
use serde_json::{Value, json};

const CREATOR: &str = "@creator:example.org";
const MODERATOR: &str = "@moderator:example.org";

pub(crate) struct Room {
    pub(crate) version: &'static RoomVersion,
    pub(crate) events: HashMap<String, Pdu>,
}

impl Room {
    /// A public room that so many events have made, nearly all of them joins.
    pub(crate) fn new(version: &'static RoomVersion, events: usize) -> (Self, StateMap) {
        let mut room = Self { version, events: HashMap::new() };
        let mut state = StateMap::default();
        let create = json!({"room_version": version.id, "creator": CREATOR});
        room.send(&mut state, CREATOR, "m.room.create", "", create);
        room.send(&mut state, CREATOR, "m.room.member", CREATOR, json!({"membership": "join"}));
        room.set_levels(&mut state, 50);
        room.send(&mut state, CREATOR, "m.room.join_rules", "", json!({"join_rule": "public"}));
        room.send(&mut state, MODERATOR, "m.room.member", MODERATOR, json!({"membership": "join"}));
        for user_id in (room.events.len()..events).map(user_id) {
            room.send(&mut state, &user_id, "m.room.member", &user_id, json!({"membership": "join"}));
        }
        (room, state)
    }

    /// Forks on each of which the levels change and so many members either are banned or change their names.
    pub(crate) fn fork(&mut self, trunk: &StateMap, forks: usize, changes: usize) -> Vec<StateMap> {
        let users: Vec<String> = trunk
            .of_type("m.room.member")
            .filter_map(Pdu::state_key)
            .filter(|user_id| user_id.starts_with("@user"))
            .step_by((trunk.len() / changes).max(1))
            .take(changes)
            .map(str::to_owned)
            .collect();
        (0..forks).map(|fork| self.one_fork(trunk.clone(), fork, &users)).collect()
    }

    fn one_fork(&mut self, mut state: StateMap, fork: usize, users: &[String]) -> StateMap {
        self.set_levels(&mut state, 40 - fork);
        for user_id in users {
            if fork.is_multiple_of(2) {
                let content = json!({"membership": "ban"});
                self.send(&mut state, MODERATOR, "m.room.member", user_id, content);
            } else {
                let content = json!({"membership": "join", "displayname": fork.to_string()});
                self.send(&mut state, user_id, "m.room.member", user_id, content);
            }
        }
        state
    }

    fn set_levels(&mut self, state: &mut StateMap, kick: usize) {
        let mut content = json!({"users": {MODERATOR: 50}, "kick": kick});
        if !self.version.privileged_creators {
            content["users"][CREATOR] = json!(100);
        }
        self.send(state, CREATOR, "m.room.power_levels", "", content);
    }

    fn send(
        &mut self,
        state: &mut StateMap,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) {
        let keys =
            auth_event_keys(self.version, event_type, sender, Some(state_key), content.as_object().unwrap());
        let auth_events: Vec<Value> = keys
            .iter()
            .filter_map(|(event_type, state_key)| state.find(event_type, state_key))
            .map(|event| json!(event.event_id()))
            .collect();
        let room_id = if self.version.privileged_creators { "!0" } else { "!room:example.org" };
        let number = self.events.len();
        let object = json!({
            "type": event_type, "state_key": state_key, "sender": sender, "room_id": room_id,
            "content": content, "origin_server_ts": number, "depth": number, "prev_events": [],
            "auth_events": auth_events,
        });
        let mut object = object.as_object().unwrap().clone();
        if self.version.privileged_creators && event_type == "m.room.create" {
            object.remove("room_id");
        }
        let event = Pdu::with_id(format!("${number}"), object, self.version).unwrap();
        state.insert(&event);
        self.events.insert(event.event_id().to_owned(), event);
    }
}

fn user_id(number: usize) -> String {
    format!("@user-{number}:example.org")
}
