//! What a redaction leaves, of every type that has a rule and some that have none, in every room version.
//!
//! The lists are those of the published pages, one to a change; they are not the ones that are judged.

use serde_json::{Map, Value, json};
use vectors::file::VectorFile;
use vectors::question::OfEvent;
use vectors::{Answer, Question};

use super::{ALL, case, message, text};
use crate::published::publish;

#[test]
fn redaction() {
    let mut file = VectorFile::new("rooms/#redactions");
    for version in ALL {
        for scene in scenes(version) {
            let left = kept(version, &scene.event, scene.kept);
            let question =
                Question::Redact(OfEvent { room_version: version.to_owned(), event: text(&scene.event) });
            let answer = Answer { event: Some(text(&left)), ..Answer::default() };
            let mut vector =
                case(format!("redaction/v{version}/{}", scene.name), scene.says, question, answer);
            vector.specification = Some(format!("rooms/v{version}/#redactions"));
            file.push(vector);
        }
    }
    publish("redaction.json", &file);
}

struct Scene {
    name: &'static str,
    says: &'static str,
    event: Value,
    kept: Kept,
}

/// What is left of the content.
enum Kept {
    Nothing,
    Everything,
    Keys(&'static [&'static str]),
    Exactly(Value),
}

fn scenes(version: &str) -> Vec<Scene> {
    [of_no_rule(version), of_members(version), of_room(version)].into_iter().flatten().collect()
}

/// Types of which nothing is kept.
fn of_no_rule(version: &str) -> Vec<Scene> {
    let event = |event_type, state_key, content| event(version, event_type, state_key, content);
    let mut top_level = event("org.example.type", Some(""), json!({"body": "b"}));
    for (name, value) in [
        ("origin", json!("example.org")),
        ("membership", json!("join")),
        ("prev_state", json!([])),
        ("redacts", json!("$gone")),
        ("unsigned", json!({"age": 1})),
        ("user_id", json!("@alice:example.org")),
        ("age_ts", json!(1)),
        ("org.example.extra", json!({"a": [1]})),
    ] {
        top_level[name] = value;
    }
    vec![
        scene("top-level", "Only the listed properties stay at the top level.", top_level, Kept::Nothing),
        scene(
            "message",
            "A message loses its content.",
            event(
                "m.room.message",
                None,
                json!({"body": "b", "msgtype": "m.text", "m.relates_to": {"event_id": "$x"}}),
            ),
            Kept::Nothing,
        ),
        scene(
            "empty-content",
            "An empty content stays empty.",
            event("m.room.message", None, json!({})),
            Kept::Nothing,
        ),
        scene(
            "unknown-state",
            "State of an unknown type loses its content, whatever its properties are called.",
            event("org.example.type", Some(""), every_protected_name()),
            Kept::Nothing,
        ),
        scene(
            "topic",
            "A topic loses its content, whatever its properties are called.",
            event("m.room.topic", Some(""), every_protected_name()),
            Kept::Nothing,
        ),
        scene(
            "third-party-invite",
            "A third-party invite loses its keys.",
            event(
                "m.room.third_party_invite",
                Some("token"),
                json!({"display_name": "b", "public_key": "k", "public_keys": []}),
            ),
            Kept::Nothing,
        ),
        scene(
            "server-acl",
            "A server ACL loses its lists.",
            event(
                "m.room.server_acl",
                Some(""),
                json!({"allow": ["*"], "deny": [], "allow_ip_literals": false}),
            ),
            Kept::Nothing,
        ),
    ]
}

fn of_members(version: &str) -> Vec<Scene> {
    let member = |content| event(version, "m.room.member", Some("@bob:example.org"), content);
    let since = |first, kept, before| since(version, first, kept, before);
    let signed =
        json!({"mxid": "@bob:example.org", "token": "t", "signatures": {"id.example": {"ed25519:0": "s"}}});
    let third_party = json!({"membership": "invite", "third_party_invite": {"display_name": "b", "signed": signed}, "reason": "r"});
    let only_signed = json!({"membership": "invite", "third_party_invite": {"signed": signed}});
    vec![
        scene(
            "member/profile",
            "A member keeps the membership alone.",
            member(
                json!({"membership": "join", "displayname": "b", "avatar_url": "mxc://example.org/b", "reason": "r", "is_direct": true}),
            ),
            Kept::Keys(&["membership"]),
        ),
        scene(
            "member/authorised-join",
            "A restricted join keeps its authoriser since room version 9.",
            member(
                json!({"membership": "join", "join_authorised_via_users_server": "@alice:example.org", "displayname": "b"}),
            ),
            since(
                9,
                Kept::Keys(&["membership", "join_authorised_via_users_server"]),
                Kept::Keys(&["membership"]),
            ),
        ),
        scene(
            "member/third-party-invite",
            "The invite of a third party keeps what was signed since room version 11.",
            member(third_party),
            since(11, Kept::Exactly(only_signed), Kept::Keys(&["membership"])),
        ),
    ]
}

/// The other types that have a rule.
fn of_room(version: &str) -> Vec<Scene> {
    let state = |event_type, content| event(version, event_type, Some(""), content);
    let since = |first, kept, before| since(version, first, kept, before);
    let mut redaction = event(
        version,
        "m.room.redaction",
        None,
        json!({"redacts": "$gone", "reason": "spam", "org.example": 1}),
    );
    redaction["redacts"] = json!("$gone");
    vec![
        scene(
            "create",
            "A create event keeps its creator, and everything since room version 11.",
            state(
                "m.room.create",
                json!({"creator": "@alice:example.org", "room_version": version, "m.federate": false, "type": "m.space", "predecessor": {"room_id": "!old:example.org"}, "org.example": {"a": 1}}),
            ),
            since(11, Kept::Everything, Kept::Keys(&["creator"])),
        ),
        scene(
            "join-rules",
            "Join rules keep the rule, and its conditions since room version 8.",
            state(
                "m.room.join_rules",
                json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!other:example.org"}], "org.example": 1}),
            ),
            since(8, Kept::Keys(&["join_rule", "allow"]), Kept::Keys(&["join_rule"])),
        ),
        scene(
            "power-levels",
            "Power levels lose those of notifications, and before room version 11 the one of invites.",
            state("m.room.power_levels", power_levels()),
            since(11, Kept::Keys(&POWER_LEVELS_V11), Kept::Keys(&POWER_LEVELS)),
        ),
        scene(
            "aliases",
            "Aliases stay until room version 5.",
            event(
                version,
                "m.room.aliases",
                Some("example.org"),
                json!({"aliases": ["#a:example.org"], "org.example": 1}),
            ),
            since(6, Kept::Nothing, Kept::Keys(&["aliases"])),
        ),
        scene(
            "history-visibility",
            "The history visibility stays.",
            state("m.room.history_visibility", json!({"history_visibility": "joined", "org.example": 1})),
            Kept::Keys(&["history_visibility"]),
        ),
        scene(
            "redaction",
            "A redaction keeps what it redacts since room version 11, in its content.",
            redaction,
            since(11, Kept::Keys(&["redacts"]), Kept::Nothing),
        ),
    ]
}

fn scene(name: &'static str, says: &'static str, event: Value, kept: Kept) -> Scene {
    Scene { name, says, event, kept }
}

/// What is kept since a room version, and what before.
fn since(version: &str, first: u32, kept: Kept, before: Kept) -> Kept {
    let version: u32 = version.parse().expect("room versions are numbers");
    if version >= first { kept } else { before }
}

fn event(version: &str, event_type: &str, state_key: Option<&str>, content: Value) -> Value {
    let mut event = message(version);
    event["type"] = json!(event_type);
    event["content"] = content;
    if let Some(state_key) = state_key {
        event["state_key"] = json!(state_key);
    }
    if version == "12" && event_type == "m.room.create" {
        event.as_object_mut().map(|event| event.remove("room_id"));
    }
    event
}

/// rooms/v1/#redactions to rooms/v10/#redactions.
const TOP_LEVEL: [&str; 15] = [
    "event_id",
    "type",
    "room_id",
    "sender",
    "state_key",
    "content",
    "hashes",
    "signatures",
    "depth",
    "prev_events",
    "prev_state",
    "auth_events",
    "origin",
    "origin_server_ts",
    "membership",
];

/// rooms/v11/#redactions.
const TOP_LEVEL_V11: [&str; 12] = [
    "event_id",
    "type",
    "room_id",
    "sender",
    "state_key",
    "content",
    "hashes",
    "signatures",
    "depth",
    "prev_events",
    "auth_events",
    "origin_server_ts",
];

/// rooms/v1/#redactions to rooms/v10/#redactions.
const POWER_LEVELS: [&str; 8] =
    ["ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"];

/// rooms/v11/#redactions.
const POWER_LEVELS_V11: [&str; 9] = [
    "ban",
    "events",
    "events_default",
    "invite",
    "kick",
    "redact",
    "state_default",
    "users",
    "users_default",
];

fn power_levels() -> Value {
    json!({
        "ban": 50, "events": {"m.room.name": 100}, "events_default": 0, "invite": 50, "kick": 50, "redact": 50,
        "state_default": 50, "users": {"@alice:example.org": 100}, "users_default": 0,
        "notifications": {"room": 50}, "org.example": 1,
    })
}

fn every_protected_name() -> Value {
    let mut content = power_levels();
    for name in [
        "membership",
        "creator",
        "join_rule",
        "history_visibility",
        "redacts",
        "join_authorised_via_users_server",
    ] {
        content[name] = json!("x");
    }
    content["allow"] = json!([]);
    content["aliases"] = json!([]);
    content["third_party_invite"] = json!({"signed": {}});
    content
}

fn kept(version: &str, event: &Value, content: Kept) -> Value {
    let top_level: &[&str] = if matches!(version, "11" | "12") { &TOP_LEVEL_V11 } else { &TOP_LEVEL };
    let mut left = only(event, top_level);
    left.insert(
        "content".to_owned(),
        match content {
            Kept::Nothing => json!({}),
            Kept::Everything => event["content"].clone(),
            Kept::Keys(names) => Value::Object(only(&event["content"], names)),
            Kept::Exactly(content) => content,
        },
    );
    Value::Object(left)
}

fn only(object: &Value, names: &[&str]) -> Map<String, Value> {
    let members = object.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
