//! The right answer to a question: of bytes by `protocol`, of room rules by the oracle.
#![allow(
    clippy::result_large_err,
    reason = "what stands in the place of an answer is an answer, and no smaller"
)]

mod bytes;
mod rules;

use oracle::Decision;
use protocol::{Object, RoomVersion};
use serde_json::Value;

use crate::answer::Answer;
use crate::question::{Authorize, Question, Text};

pub(crate) use rules::resolved;

/// Answers a question.
pub fn answer(question: &Question) -> Answer {
    let answer = match question {
        Question::CanonicalJson { json, form } => bytes::canonical_json(json, *form),
        Question::ContentHash(of) => bytes::content_hash(of),
        Question::EventId(of) => bytes::event_id(of),
        Question::Redact(of) => bytes::redact(of),
        Question::Sign(sign) => bytes::sign(sign),
        Question::Verify(verify) => bytes::verify(verify),
        Question::CheckFormat { room_version, event, backfilled } => {
            bytes::check_format(room_version, event, *backfilled)
        }
        Question::Authorize(authorize) => rules::authorize(authorize),
        Question::Resolve(resolve) => rules::resolve(resolve),
    };
    answer.unwrap_or_else(|other| other)
}

/// What the oracle's rules say of an event, and which of them said it; none if the question cannot be read.
pub fn decision(question: &Authorize) -> Option<Decision> {
    rules::decide(question).ok()
}

/// Either the answer to the question, or what stands in its place.
type Answered = Result<Answer, Answer>;

/// The room version, if it is one.
fn room_version(id: &str) -> Result<&'static RoomVersion, Answer> {
    RoomVersion::find(id).ok_or_else(|| Answer::unsupported(format!("room version {id:?}")))
}

/// The JSON of a text.
fn json(text: &Text) -> Result<Value, Answer> {
    let bytes = text.bytes().map_err(refuse)?;
    protocol::json::read(&bytes).map_err(refuse)
}

/// The JSON object of a text.
fn object(text: &Text) -> Result<Object, Answer> {
    match json(text)? {
        Value::Object(object) => Ok(object),
        other => Err(Answer::refused(format!("{other} is no object"))),
    }
}

fn refuse(error: impl ToString) -> Answer {
    Answer::refused(error.to_string())
}
