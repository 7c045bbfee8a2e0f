//! Which state events an event must name as its auth events (server-server-api/#auth-events-selection).

use protocol::{Object, RoomVersion};
use serde_json::Value;

/// The types and state keys of the auth events of an event. Those that the room's state lacks are left out.
pub fn auth_event_keys(
    version: &RoomVersion,
    event_type: &str,
    sender: &str,
    state_key: Option<&str>,
    content: &Object,
) -> Vec<(&'static str, String)> {
    if event_type == "m.room.create" {
        return Vec::new();
    }
    let mut keys = vec![("m.room.power_levels", String::new()), ("m.room.member", sender.to_owned())];
    if version.create_in_auth_events {
        keys.push(("m.room.create", String::new()));
    }
    if event_type == "m.room.member" {
        keys.extend(state_key.map(|target| ("m.room.member", target.to_owned())));
        keys.extend(keys_of_membership(version, content));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keys_of_membership(version: &RoomVersion, content: &Object) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    let membership = content.get("membership").and_then(Value::as_str).unwrap_or_default();
    if matches!(membership, "join" | "invite" | "knock") {
        keys.push(("m.room.join_rules", String::new()));
    }
    if membership == "invite" {
        let token =
            content.get("third_party_invite").and_then(|invite| invite.get("signed")?.get("token")?.as_str());
        keys.extend(token.map(|token| ("m.room.third_party_invite", token.to_owned())));
    }
    if membership == "join" && version.restricted {
        let authoriser = content.get("join_authorised_via_users_server").and_then(Value::as_str);
        keys.extend(authoriser.map(|authoriser| ("m.room.member", authoriser.to_owned())));
    }
    keys
}
