//! Where an answer differs from the right one.

use std::fmt::{self, Display};

use serde_json::Value;

use crate::answer::Answer;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The answer is right.
    Agrees,
    /// The implementation cannot answer.
    Unsupported(String),
    /// The answer is wrong in these properties.
    Differs(Vec<Difference>),
}

/// A property in which two answers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The property.
    pub property: &'static str,
    /// The right value, as JSON.
    pub expected: String,
    /// The given value, as JSON.
    pub given: String,
}

/// Compares an answer with the right one, in every property that either must have or that it gives.
pub fn compare(expected: &Answer, given: &Answer) -> Agreement {
    if let Some(why) = &given.unsupported {
        return Agreement::Unsupported(why.clone());
    }
    let differences = differences(expected, given);
    if differences.is_empty() { Agreement::Agrees } else { Agreement::Differs(differences) }
}

/// Properties that an implementation may leave out.
const OPTIONAL: [&str; 6] =
    ["rule", "full_conflicted_set", "power_events", "mainline", "remaining_events", "rejected_events"];

/// Every property of an answer but `unsupported`.
const PROPERTIES: [&str; 16] = [
    "refused",
    "canonical",
    "sha256",
    "event_id",
    "event",
    "signature",
    "valid",
    "intact",
    "allowed",
    "rule",
    "state",
    "full_conflicted_set",
    "power_events",
    "mainline",
    "remaining_events",
    "rejected_events",
];

fn differences(expected: &Answer, given: &Answer) -> Vec<Difference> {
    let says_no = expected.valid == Some(false) || expected.allowed == Some(false);
    if given.refused.is_some() && (says_no || expected.refused.is_some()) {
        return Vec::new();
    }
    let (expected, given) = (properties(expected), properties(given));
    let differs = |property: &&'static str| {
        let (expected, given) = (&expected[*property], &given[*property]);
        // What the right answer does not say cannot be wrong; only a refusal stands against every other answer.
        match (expected, given) {
            (Value::Null, _) => *property == "refused" && !given.is_null(),
            (_, Value::Null) => !OPTIONAL.contains(property),
            _ => expected != given,
        }
    };
    let difference = |property: &'static str| Difference {
        property,
        expected: expected[property].to_string(),
        given: given[property].to_string(),
    };
    PROPERTIES.iter().filter(|property| differs(property)).map(|property| difference(property)).collect()
}

/// The properties as JSON, so that sets and texts of JSON compare by what they mean.
fn properties(answer: &Answer) -> Value {
    let mut properties = serde_json::to_value(answer).unwrap_or_default();
    let event = answer.event.as_ref().and_then(|event| serde_json::from_slice(&event.bytes().ok()?).ok());
    if let Some(event) = event {
        properties["event"] = event;
    }
    properties
}

impl Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: expected {}, got {}", self.property, self.expected, self.given)
    }
}
