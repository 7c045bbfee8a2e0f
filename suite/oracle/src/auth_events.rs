//! Which events give the sender permission to send one (server-server-api/#auth-events-selection).

use protocol::RoomVersion;
use serde_json::Value;

use super::event::{Event, StateMap};

/// An entry of an event's `auth_events`, looked up.
#[derive(Clone, Copy, Debug)]
pub struct AuthEvent<'a> {
    /// The event.
    pub event: &'a Event,
    /// Whether it was rejected when it was received.
    pub rejected: bool,
}

/// The `(event_type, state_key)` pairs that an event's `auth_events` may have, in the order of the text.
pub fn auth_event_keys(version: &RoomVersion, event: &Event) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    let mut add = |event_type: &str, state_key: &str| {
        let key = (event_type.to_owned(), state_key.to_owned());
        // The sender may be the target too.
        if !keys.contains(&key) {
            keys.push(key);
        }
    };
    if event.event_type() == "m.room.create" {
        return keys;
    }
    if version.create_in_auth_events {
        add("m.room.create", "");
    }
    add("m.room.power_levels", "");
    add("m.room.member", event.sender());
    if event.event_type() == "m.room.member" {
        let membership = event.content_string("membership");
        if let Some(target) = event.state_key() {
            add("m.room.member", target);
        }
        // `knock` counts in every room version: the text has no condition here.
        if let Some("join" | "invite" | "knock") = membership {
            add("m.room.join_rules", "");
        }
        if let (Some("invite"), Some(token)) = (membership, third_party_token(event)) {
            add("m.room.third_party_invite", token);
        }
        let authoriser = event.content_string("join_authorised_via_users_server");
        if let (Some("join"), Some(authoriser), true) = (membership, authoriser, version.restricted) {
            add("m.room.member", authoriser);
        }
    }
    keys
}

/// The `auth_events` that an event should have, given the state before it.
pub fn select_auth_events(version: &RoomVersion, event: &Event, state: &StateMap) -> Vec<String> {
    auth_event_keys(version, event).iter().filter_map(|key| state.get(key).cloned()).collect()
}

/// `content.third_party_invite.signed.token`.
fn third_party_token(event: &Event) -> Option<&str> {
    event.content("third_party_invite")?.get("signed")?.get("token").and_then(Value::as_str)
}
