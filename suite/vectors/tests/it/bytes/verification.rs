//! Who must have signed, with which keys, and what a change does to signature and hash
//! (server-server-api/#validating-hashes-and-signatures-on-received-events).
//!
//! Left out is what the text leaves open: signatures in URL-safe base64, and third-party invites that nobody signed.

mod events;
mod keys;
mod objects;
mod signers;

use std::collections::BTreeMap;

use protocol::event::{hash_and_sign, sign};
use protocol::{Object, RoomVersion, base64};
use serde_json::{Value, json};
use vectors::file::{Vector, VectorFile};
use vectors::question::{Key, Keys, Verify};
use vectors::room::{published_keys, server_key};
use vectors::{Answer, Question};

use super::{case, message, text, version};
use crate::published::publish;

#[test]
fn verification() {
    let mut file = VectorFile::new("server-server-api/#validating-hashes-and-signatures-on-received-events");
    [events::vectors(), keys::vectors(), signers::vectors(), objects::vectors()]
        .into_iter()
        .flatten()
        .for_each(|vector| file.push(vector));
    publish("verification.json", &file);
}

/// What is expected of an event.
#[derive(Clone, Copy)]
enum Verdict {
    Intact,
    OnlyRedacted,
    Invalid,
}

use Verdict::{Intact, Invalid, OnlyRedacted};

fn vector(version: &str, name: &str, says: &str, event: &Value, keys: Keys, verdict: Verdict) -> Vector {
    let question = Question::Verify(Verify {
        room_version: Some(version.to_owned()),
        json: text(event),
        server_name: None,
        keys,
    });
    let intact = match verdict {
        Intact => Some(true),
        OnlyRedacted => Some(false),
        Invalid => None,
    };
    let answer = Answer { intact, ..Answer::valid(intact.is_some()) };
    case(format!("verify/v{version}/{name}"), says, question, answer)
}

/// The event with its hash and the signatures of these servers, and no others.
fn signed(version_id: &str, mut event: Value, servers: &[&str]) -> Value {
    let version = version(version_id);
    event["signatures"] = json!({});
    let mut object = event.as_object().cloned().unwrap_or_default();
    let key = server_key("hashes");
    hash_and_sign(&mut object, "hashes", &key, version).expect("the event can be encoded");
    object.insert("signatures".to_owned(), json!({}));
    for server_name in servers {
        add_signature(&mut object, server_name, version);
    }
    Value::Object(object)
}

fn add_signature(event: &mut Object, server_name: &str, version: &RoomVersion) {
    sign(event, server_name, &server_key(server_name), version).expect("the event can be encoded");
}

fn signed_message(version: &str) -> Value {
    signed(version, message(version), &[HOME])
}

/// The sender's server.
const HOME: &str = "example.org";
/// A server that has nothing to do with a message.
const OTHER: &str = "other.example";
/// The id of every server's key.
const KEY: &str = "ed25519:1";

fn home_keys() -> Keys {
    published_keys([HOME])
}

fn both_keys() -> Keys {
    published_keys([HOME, OTHER])
}

fn signature_of<'a>(event: &'a mut Value, server_name: &str, key_id: &str) -> &'a mut Value {
    &mut event["signatures"][server_name][key_id]
}

/// A signature that has the right form and fits nothing.
fn bad_signature() -> Value {
    json!(super::SIGNATURE)
}
