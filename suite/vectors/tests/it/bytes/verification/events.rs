//! What a change does: to what is signed, to what is only hashed, and to what is neither.

use super::*;

pub(super) fn vectors() -> Vec<Vector> {
    [untouched(), damaged(), changed_by_type(), redacted(), unsigned()].into_iter().flatten().collect()
}

fn untouched() -> Vec<Vector> {
    let whole = super::super::ALL.into_iter().map(|version| {
        let says = "An event as its sender's server signed it is valid and intact.";
        vector(version, "untouched", says, &signed_message(version), home_keys(), Intact)
    });
    let mut with_fraction = message("5");
    with_fraction["content"] = json!({"a": 1.5, "b": 9_007_199_254_740_993_u64});
    let says = "A content that is not in the strict form is signed like any other before room version 6.";
    let fraction = vector("5", "lenient", says, &signed("5", with_fraction, &[HOME]), home_keys(), Intact);
    whole.chain([fraction]).collect()
}

/// Changes of a message.
fn damaged() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "6", "11", "12"] {
        let changed = |property: &str, value: Value| {
            let mut event = signed_message(version);
            event[property] = value;
            event
        };
        let cases = [
            (
                "content",
                "A message's content is hashed, not signed.",
                changed("content", json!({"body": "bye"})),
                OnlyRedacted,
            ),
            ("depth", "The depth is signed.", changed("depth", json!(6)), Invalid),
            ("time", "The time is signed.", changed("origin_server_ts", json!(1_000_001)), Invalid),
            ("type", "The type is signed.", changed("type", json!("m.room.encrypted")), Invalid),
            (
                "state-key",
                "Whether there is a state key is signed.",
                changed("state_key", json!("")),
                Invalid,
            ),
            ("prev-events", "The previous events are signed.", changed("prev_events", json!([])), Invalid),
            (
                "hashes",
                "The hash is signed.",
                changed("hashes", json!({"sha256": super::super::HASH})),
                Invalid,
            ),
            ("more-hashes", "Whether there are other hashes is signed.", with_another_hash(version), Invalid),
            (
                "extra",
                "Another property is hashed, not signed.",
                changed("org.example", json!(1)),
                OnlyRedacted,
            ),
        ];
        let cases = cases.iter().map(|(name, says, event, verdict)| {
            vector(version, &format!("changed/{name}"), says, event, home_keys(), *verdict)
        });
        vectors.extend(cases);
    }
    vectors
}

fn with_another_hash(version: &str) -> Value {
    let mut event = signed_message(version);
    event["hashes"]["sha512"] = json!("x");
    event
}

/// Changes of what a redaction keeps in some room versions and not in others.
fn changed_by_type() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let state = |version, event_type: &str, state_key: &str, content: Value| {
        let mut event = message(version);
        event["type"] = json!(event_type);
        event["state_key"] = json!(state_key);
        event["content"] = content;
        if version == "12" && event_type == "m.room.create" {
            event.as_object_mut().map(|event| event.remove("room_id"));
        }
        event
    };
    let cases = [
        (
            "m.room.create",
            "",
            json!({"creator": "@alice:example.org", "m.federate": false}),
            "m.federate",
            json!(true),
            ["10", "11"],
        ),
        ("m.room.power_levels", "", json!({"invite": 50}), "invite", json!(0), ["10", "11"]),
        ("m.room.redaction", "", json!({"redacts": "$a"}), "redacts", json!("$b"), ["10", "12"]),
        (
            "m.room.join_rules",
            "",
            json!({"join_rule": "restricted", "allow": []}),
            "allow",
            json!([{}]),
            ["7", "8"],
        ),
        (
            "m.room.member",
            "@alice:example.org",
            json!({"membership": "join", "join_authorised_via_users_server": "@alice:example.org"}),
            "join_authorised_via_users_server",
            json!("@carol:example.org"),
            ["8", "9"],
        ),
        (
            "m.room.aliases",
            "example.org",
            json!({"aliases": ["#a:example.org"]}),
            "aliases",
            json!([]),
            ["6", "5"],
        ),
    ];
    for (event_type, state_key, content, property, value, [only_hashed, signed_too]) in cases {
        for (version, verdict) in [(only_hashed, OnlyRedacted), (signed_too, Invalid)] {
            let mut event = signed(version, state(version, event_type, state_key, content.clone()), &[HOME]);
            event["content"][property] = value.clone();
            let is = if matches!(verdict, Invalid) { "signed" } else { "only hashed" };
            let says = format!("The {property} of {event_type} is {is} in room version {version}.");
            let name = format!("changed/{event_type}/{property}");
            vectors.push(vector(version, &name, &says, &event, home_keys(), verdict));
        }
    }
    for (version, verdict) in [("1", Invalid), ("10", Invalid), ("11", OnlyRedacted)] {
        let mut event = message(version);
        event["origin"] = json!(HOME);
        let mut event = signed(version, event, &[HOME]);
        event["origin"] = json!(OTHER);
        let says = "The origin is signed before room version 11, and only hashed since.";
        vectors.push(vector(version, "changed/origin", says, &event, home_keys(), verdict));
    }
    vectors
}

/// A redacted copy has the signatures of the whole event.
fn redacted() -> Vec<Vector> {
    let copies = ["1", "3", "6", "11", "12"].into_iter().map(|version| {
        let mut event = signed_message(version);
        event["content"] = json!({});
        let says = "A redacted copy is validly signed, and not intact.";
        vector(version, "redacted", says, &event, home_keys(), OnlyRedacted)
    });
    copies.collect()
}

/// What no signature covers.
fn unsigned() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "6", "12"] {
        let mut aged = signed_message(version);
        aged["unsigned"] = json!({"age": 7});
        let says = "Unsigned data is neither signed nor hashed.";
        vectors.push(vector(version, "changed/unsigned", says, &aged, home_keys(), Intact));

        let mut countersigned = signed_message(version);
        *signature_of(&mut countersigned, OTHER, KEY) = bad_signature();
        let says = "A signature by a server that need not sign does not count, even if it is bad.";
        vectors.push(vector(version, "foreign-signature", says, &countersigned, both_keys(), Intact));
    }
    vectors
}
