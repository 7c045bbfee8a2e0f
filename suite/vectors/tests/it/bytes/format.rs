//! The format of events and their limits (rooms/v12/#event-format, client-server-api/#size-limits).
//!
//! Left out is what the text leaves open: the grammar of identifiers beyond their length, depths below zero,
//! depths and times spelled as floats before room version 6, and whether `unsigned` counts for the size.

use serde_json::{Value, json};
use vectors::file::{Vector, VectorFile};
use vectors::{Answer, Question, Text};

use super::{ALL, case, message, reference, text};
use crate::published::publish;

#[test]
fn format() {
    let mut file = VectorFile::new("rooms/v12/#event-format");
    [complete(), missing(), mistyped(), references(), create(), depths(), numbers(), no_events()]
        .into_iter()
        .flatten()
        .for_each(|vector| file.push(vector));
    publish("format.json", &file);
}

#[test]
fn sizes() {
    let mut file = VectorFile::new("client-server-api/#size-limits");
    [lengths(), counts(), whole()].into_iter().flatten().for_each(|vector| file.push(vector));
    publish("size.json", &file);
}

fn vector(version: &str, name: &str, says: &str, event: Text, valid: bool) -> Vector {
    backfilled_vector(version, name, says, event, false, valid)
}

fn backfilled_vector(
    version: &str,
    name: &str,
    says: &str,
    event: Text,
    backfilled: bool,
    valid: bool,
) -> Vector {
    let question = Question::CheckFormat { room_version: version.to_owned(), event, backfilled };
    case(format!("format/v{version}/{name}"), says, question, Answer::valid(valid))
}

fn with(version: &str, property: &str, value: Value) -> Value {
    let mut event = message(version);
    event[property] = value;
    event
}

fn without(version: &str, property: &str) -> Value {
    let mut event = message(version);
    event.as_object_mut().map(|event| event.remove(property));
    event
}

/// The event with a text in place of one of its values, which need not be a value that can be held.
fn with_text(version: &str, property: &str, value: &str) -> Text {
    Text::Utf8(with(version, property, json!("@@")).to_string().replace("\"@@\"", value))
}

fn complete() -> Vec<Vector> {
    let mut vectors: Vec<_> = ALL
        .iter()
        .map(|version| {
            vector(
                version,
                "complete",
                "A message with all properties is valid.",
                text(&message(version)),
                true,
            )
        })
        .collect();
    for version in ["1", "6", "12"] {
        let accepted = [
            ("state-key/empty", "A state key may be empty.", with(version, "state_key", json!(""))),
            ("content/empty", "The content may be empty.", with(version, "content", json!({}))),
            ("unsigned/object", "There may be unsigned data.", with(version, "unsigned", json!({"age": 5}))),
            ("extra", "There may be other properties.", with(version, "org.example.extra", json!([null]))),
            ("references/none", "A list of events may be empty.", with(version, "prev_events", json!([]))),
        ];
        let accepted =
            accepted.iter().map(|(name, says, event)| vector(version, name, says, text(event), true));
        vectors.extend(accepted);
    }
    vectors
}

/// Every required property, left out.
fn missing() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "3", "6", "11", "12"] {
        let properties = message(version);
        for property in properties.as_object().into_iter().flatten().map(|(name, _)| name) {
            let says = format!("An event without {property} is not valid.");
            let name = format!("missing/{property}");
            vectors.push(vector(version, &name, &says, text(&without(version, property)), false));
        }
    }
    vectors
}

fn mistyped() -> Vec<Vector> {
    let wrong = [
        ("type", "number", json!(1)),
        ("type", "null", json!(null)),
        ("sender", "object", json!({})),
        ("sender", "no-identifier", json!("alice")),
        ("room_id", "number", json!(1)),
        ("state_key", "null", json!(null)),
        ("state_key", "number", json!(1)),
        ("content", "list", json!([])),
        ("content", "string", json!("x")),
        ("content", "null", json!(null)),
        ("origin_server_ts", "string", json!("1000000")),
        ("origin_server_ts", "fraction", json!(1.5)),
        ("depth", "string", json!("5")),
        ("depth", "fraction", json!(5.5)),
        ("hashes", "list", json!([])),
        ("hashes", "no-sha256", json!({"sha1": "x"})),
        ("hashes", "number", json!({"sha256": 1})),
        ("signatures", "list", json!([])),
        ("signatures", "string-by-server", json!({"example.org": "x"})),
        ("signatures", "number-by-key", json!({"example.org": {"ed25519:1": 1}})),
        ("auth_events", "object", json!({})),
        ("auth_events", "numbers", json!([1])),
        ("prev_events", "string", json!("$x")),
        ("prev_events", "nulls", json!([null])),
        ("unsigned", "list", json!([])),
    ];
    let mut vectors = Vec::new();
    for version in ["1", "6", "12"] {
        for (property, name, value) in &wrong {
            let says = format!("An event whose {property} is {value} is not valid.");
            let name = format!("type-of/{property}/{name}");
            vectors.push(vector(version, &name, &says, text(&with(version, property, value.clone())), false));
        }
    }
    for version in ["1", "3", "10"] {
        let says = "An event whose redacts is 1 is not valid.";
        let event = with(version, "redacts", json!(1));
        vectors.push(vector(version, "type-of/redacts/number", says, text(&event), false));
    }
    let event = with("2", "event_id", json!(1));
    let says = "An event whose event_id is 1 is not valid.";
    vectors.push(vector("2", "type-of/event_id/number", says, text(&event), false));
    vectors
}

/// References are pairs in room versions 1 and 2, and event ids later.
fn references() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for property in ["auth_events", "prev_events"] {
        for (version, other) in [("1", "3"), ("2", "4"), ("3", "1"), ("4", "2"), ("12", "2")] {
            let event = with(version, property, json!([reference(other, 0)]));
            let (name, says) = match version {
                "1" | "2" => ("plain-ids", "References are pairs of an event id and hashes."),
                _ => ("pairs", "References are event ids."),
            };
            vectors.push(vector(
                version,
                &format!("references/{property}/{name}"),
                says,
                text(&event),
                false,
            ));
        }
        let pairs = [
            ("one", json!([["$0:example.org"]])),
            ("three", json!([["$0:example.org", {"sha256": super::HASH}, {"sha256": super::HASH}]])),
        ];
        for (name, references) in pairs {
            let says = "A reference has two parts.";
            let event = with("1", property, references);
            vectors.push(vector("1", &format!("references/{property}/{name}"), says, text(&event), false));
        }
    }
    vectors
}

/// The room id of a create event is its own id since room version 12.
fn create() -> Vec<Vector> {
    let create = |version| {
        let mut event = without(version, "room_id");
        event["type"] = json!("m.room.create");
        event["state_key"] = json!("");
        event["content"] = json!({"room_version": version, "creator": "@alice:example.org"});
        event
    };
    let needed = "A create event without a room id is not valid before room version 12.";
    let omitted = "A create event has no room id since room version 12.";
    ["1", "6", "11", "12"]
        .into_iter()
        .map(|version| {
            let valid = version == "12";
            let says = if valid { omitted } else { needed };
            vector(version, "create/no-room-id", says, text(&create(version)), valid)
        })
        .collect()
}

fn depths() -> Vec<Vector> {
    let cases = [
        ("zero", "A depth may be zero.", "0", ["1", "6", "12"].as_slice(), true),
        (
            "2-53-minus-1",
            "2^53 - 1 is the limit since room version 6.",
            "9007199254740991",
            &["6", "11", "12"],
            true,
        ),
        (
            "2-53",
            "2^53 is beyond the limit since room version 6.",
            "9007199254740992",
            &["6", "11", "12"],
            false,
        ),
        (
            "2-53",
            "2^53 is within the limit before room version 6.",
            "9007199254740992",
            &["1", "3", "5"],
            true,
        ),
        (
            "2-63-minus-1",
            "2^63 - 1 is the limit before room version 6.",
            "9223372036854775807",
            &["1", "3", "5"],
            true,
        ),
        (
            "2-63",
            "2^63 is beyond the limit before room version 6.",
            "9223372036854775808",
            &["1", "3", "5"],
            false,
        ),
        ("2-64", "2^64 is beyond every limit.", "18446744073709551616", &["1", "5", "6", "12"], false),
    ];
    let of_case =
        |(name, says, depth, versions, valid): (&str, &'static str, &'static str, &'static [&str], bool)| {
            let name = format!("depth/{name}");
            versions
                .iter()
                .map(move |version| vector(version, &name, says, with_text(version, "depth", depth), valid))
                .collect::<Vec<_>>()
        };
    cases.into_iter().flat_map(of_case).collect()
}

/// Canonical JSON is enforced since room version 6, and must not be before.
fn numbers() -> Vec<Vector> {
    let cases = [
        ("fraction", "fraction", r#"{"a":1.5}"#),
        ("nested-fraction", "fraction deep inside", r#"{"a":[{"b":[0.1]}]}"#),
        ("integral-float", "float with an integral value", r#"{"a":1.0}"#),
        ("exponent", "exponent", r#"{"a":1e3}"#),
        ("2-53", "2^53", r#"{"a":9007199254740992}"#),
        ("minus-2-53", "-2^53", r#"{"a":-9007199254740992}"#),
    ];
    let mut vectors = Vec::new();
    for (name, what, content) in cases {
        for version in ["1", "5", "6", "12"] {
            let lenient = matches!(version, "1" | "5");
            let says = match lenient {
                true => format!("A content may hold this before room version 6: {what}."),
                false => format!("A content must not hold this since room version 6: {what}."),
            };
            let event = with_text(version, "content", content);
            vectors.push(vector(version, &format!("numbers/{name}"), &says, event, lenient));
        }
    }
    for version in ["6", "12"] {
        let event = with_text(version, "content", r#"{"a":[9007199254740991,-9007199254740991]}"#);
        let says = "The largest and the smallest integer may stand in a content.";
        vectors.push(vector(version, "numbers/limits", says, event, true));
        let event = with_text(version, "content", r#"{"a":1e400}"#);
        let says = "A number beyond the doubles must not stand in a content.";
        vectors.push(vector(version, "numbers/beyond-doubles", says, event, false));
        let event = with_text(version, "org.example.extra", "0.5");
        let says = "A fraction must not stand at the top level.";
        vectors.push(vector(version, "numbers/at-the-top-level", says, event, false));
    }
    let mut power_levels = with("10", "content", json!({"users_default": "50"}));
    power_levels["type"] = json!("m.room.power_levels");
    power_levels["state_key"] = json!("");
    let says = "Power levels in strings are well-formed; authorization rejects them.";
    vectors.push(vector("10", "numbers/power-levels-in-strings", says, text(&power_levels), true));
    vectors
}

fn no_events() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "12"] {
        for (name, says, event) in [
            ("list", "A list is no event.", "[]"),
            ("string", "A string is no event.", "\"m.room.message\""),
            ("null", "Null is no event.", "null"),
            ("empty", "An empty object is no event.", "{}"),
            ("nothing", "No text is no event.", ""),
        ] {
            vectors.push(vector(version, &format!("no-event/{name}"), says, event.into(), false));
        }
        let says = "What is not JSON is no event.";
        vectors.push(vector(
            version,
            "no-event/nan",
            says,
            with_text(version, "content", r#"{"a":NaN}"#),
            false,
        ));
    }
    for version in ["6", "12"] {
        let says = "A surrogate on its own has no canonical form.";
        let event = with_text(version, "content", r#"{"body":"\ud800"}"#);
        vectors.push(vector(version, "no-event/lone-surrogate", says, event, false));
    }
    vectors
}

/// Limits of single strings, which count bytes.
fn lengths() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "6", "11", "12"] {
        for (property, prefix, suffix) in [
            ("type", "", ""),
            ("state_key", "", ""),
            ("sender", "@", ":example.org"),
            ("room_id", "!", ":example.org"),
            ("event_id", "$", ":example.org"),
        ] {
            let is_limited = match property {
                "event_id" => version == "1",
                "room_id" => version != "12",
                _ => true,
            };
            for bytes in [255, 256] {
                let padding = "x".repeat(bytes - prefix.len() - suffix.len());
                let event = with(version, property, json!(format!("{prefix}{padding}{suffix}")));
                let says = format!("The limit of {property} is 255 bytes; this one has {bytes}.");
                let name = format!("length/{property}/{bytes}");
                vectors.extend(is_limited.then(|| vector(version, &name, &says, text(&event), bytes == 255)));
            }
        }
        for property in ["type", "state_key"] {
            for (bytes, value) in [(255, "é".repeat(127) + "x"), (256, "é".repeat(128))] {
                let says =
                    format!("The limit of {property} counts bytes, not characters: this one has {bytes}.");
                let name = format!("length/{property}/{bytes}-in-128-characters");
                let event = with(version, property, json!(value));
                vectors.push(vector(version, &name, &says, text(&event), bytes == 255));
            }
        }
    }
    vectors
}

/// Limits of the numbers of references, which history is exempt from.
fn counts() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "6", "12"] {
        for (property, limit) in [("auth_events", 10), ("prev_events", 20)] {
            for (count, backfilled) in [(limit, false), (limit + 1, false), (limit + 1, true)] {
                let references: Vec<_> = (0..count).map(|number| reference(version, number)).collect();
                let event = text(&with(version, property, json!(references)));
                let (name, says) = match backfilled {
                    true => ("-backfilled", format!("An event of history may have {count} {property}.")),
                    false => ("", format!("The limit of {property} is {limit}; here are {count}.")),
                };
                let name = format!("count/{property}/{count}{name}");
                let valid = backfilled || count == limit;
                vectors.push(backfilled_vector(version, &name, &says, event, backfilled, valid));
            }
        }
    }
    vectors
}

/// The limit of the whole event in canonical JSON. What is written here in 3 bytes is what needs 3 there.
fn whole() -> Vec<Vector> {
    let sized = |bytes: usize| {
        let mut event = message("11");
        let body = event["content"]["body"].as_str().unwrap_or_default().to_owned();
        let padding = bytes - event.to_string().len();
        event["content"]["body"] =
            json!(format!("{body}{}{}", "日".repeat(padding / 3), "x".repeat(padding % 3)));
        event
    };
    let mut vectors = Vec::new();
    for (bytes, valid) in [(65_536, true), (65_537, false)] {
        let event = sized(bytes);
        assert_eq!(event.to_string().len(), bytes, "the text is as short as canonical JSON");
        let says = format!("The limit of an event is 65536 bytes in canonical JSON; this one has {bytes}.");
        vectors.push(vector("11", &format!("size/{bytes}"), &says, text(&event), valid));
    }
    vectors
}
