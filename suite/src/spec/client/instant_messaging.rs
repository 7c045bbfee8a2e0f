//! `client-server-api/#instant-messaging`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{cast::Homeserver, registry::Case, verdict::Verdict};

/// A message without a type, or without a text as its body, is refused.
#[conformance(
    spec = "client-server-api/#server-behaviour-2",
    level = Should,
    severity = Interop,
    each = defects,
    proves = ["client-server-api/server-behaviour-2/1"]
)]
async fn incomplete_message_is_refused(hs: &Homeserver, defect: Defect) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.send(&room, "m.room.message", defect.content()).must_be(400).await?;
    alice.say(&room, "whole").await.map(drop)
}

/// What a message lacks.
#[derive(Clone, Copy)]
struct Defect(&'static str);

impl Case for Defect {
    fn label(&self) -> String {
        self.0.to_owned()
    }
}

fn defects() -> impl Iterator<Item = Defect> {
    ["no msgtype", "no body", "a body that is no text"].into_iter().map(Defect)
}

impl Defect {
    fn content(self) -> Value {
        match self.0 {
            "no msgtype" => json!({"body": "determinant"}),
            "no body" => json!({"msgtype": "m.text"}),
            _ => json!({"msgtype": "m.text", "body": {"text": "determinant"}}),
        }
    }
}
