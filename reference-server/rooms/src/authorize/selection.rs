//! Which state events an event must name as its auth events (server-server-api/#auth-events-selection).

use protocol::{Object, RoomVersion};
use serde_json::Value;

use crate::mistakes::{Mistake, mistaken};

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
    if version.create_in_auth_events || mistaken(Mistake::CreateAlwaysSelected) {
        keys.push(("m.room.create", String::new()));
    }
    if event_type == "m.room.member" {
        let target = state_key.filter(|_| !mistaken(Mistake::TargetNotSelected));
        keys.extend(target.map(|target| ("m.room.member", target.to_owned())));
        keys.extend(keys_of_membership(version, content));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keys_of_membership(version: &RoomVersion, content: &Object) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    let membership = content.get("membership").and_then(Value::as_str).unwrap_or_default();
    let needs_join_rules = match membership {
        "join" => true,
        "invite" => !mistaken(Mistake::InviteSelectsNoJoinRules),
        "knock" => !mistaken(Mistake::KnockSelectsNoJoinRules),
        _ => false,
    };
    if needs_join_rules {
        keys.push(("m.room.join_rules", String::new()));
    }
    if membership == "invite" && !mistaken(Mistake::ThirdPartyInviteNotSelected) {
        let token =
            content.get("third_party_invite").and_then(|invite| invite.get("signed")?.get("token")?.as_str());
        keys.extend(token.map(|token| ("m.room.third_party_invite", token.to_owned())));
    }
    if membership == "join" && version.restricted && !mistaken(Mistake::AuthoriserNotSelected) {
        let authoriser = content.get("join_authorised_via_users_server").and_then(Value::as_str);
        keys.extend(authoriser.map(|authoriser| ("m.room.member", authoriser.to_owned())));
    }
    keys
}
