//! Questions about bytes. What is expected is written down here from the text, never computed by what is judged;
//! only signatures that a question needs are made, since Ed25519 leaves no choice.

mod canonical_json;
mod format;
mod pinned;
mod redaction;
mod verification;

use protocol::RoomVersion;
use serde_json::{Value, json};
use vectors::file::Vector;
use vectors::{Answer, Question, Text};

/// A case that the section of its file decides.
fn case(id: String, says: impl Into<String>, question: Question, answer: Answer) -> Vector {
    Vector { id, says: says.into(), specification: None, question, answer }
}

fn text(value: &Value) -> Text {
    Text::Utf8(value.to_string())
}

fn version(id: &str) -> &'static RoomVersion {
    RoomVersion::find(id).expect("the version is known")
}

const ALL: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

/// A message by `@alice:example.org`, sent at 1,000,000 ms, in the form of its room version.
fn message(version: &str) -> Value {
    let in_pairs = matches!(version, "1" | "2");
    let reference = |number| reference(version, number);
    let mut event = json!({
        "type": "m.room.message",
        "sender": "@alice:example.org",
        "room_id": if version == "12" { "!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ" } else { "!room:example.org" },
        "content": {"body": "hello"},
        "origin_server_ts": 1_000_000,
        "depth": 5,
        "hashes": {"sha256": HASH},
        "signatures": {"example.org": {"ed25519:1": SIGNATURE}},
        "auth_events": [reference(0)],
        "prev_events": [reference(1)],
    });
    if in_pairs {
        event["event_id"] = json!("$event:example.org");
    }
    event
}

/// A reference to an event, in the form of the room version.
fn reference(version: &str, number: usize) -> Value {
    match version {
        "1" | "2" => json!([format!("${number}:example.org"), {"sha256": HASH}]),
        _ => json!(format!("${number:0>43}")),
    }
}

/// A hash and a signature of the right length, for where only their form counts.
const HASH: &str = "GlVjHNUGo7xtGfP8dYYGGrYhdF6BCP/Zz/cgqYmUYtI";
const SIGNATURE: &str =
    "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ";
