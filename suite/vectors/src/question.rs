//! What an implementation is asked, as `fixtures/vectors/README.md` describes it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// One question; its JSON form is what an adapter reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// What is the canonical encoding?
    CanonicalJson {
        /// Any JSON.
        json: Text,
        /// How numbers are treated.
        #[serde(default, skip_serializing_if = "Form::is_strict")]
        form: Form,
    },
    /// What is the content hash?
    ContentHash(OfEvent),
    /// What is the event id?
    EventId(OfEvent),
    /// What does a redaction leave?
    Redact(OfEvent),
    /// What is the signature?
    Sign(Sign),
    /// Is it signed as it must be?
    Verify(Verify),
    /// Has the event the format of its room version?
    CheckFormat {
        /// The room version.
        room_version: String,
        /// The event.
        event: Text,
        /// Whether the numbers of references are unlimited.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        backfilled: bool,
    },
    /// Is the event allowed?
    Authorize(Authorize),
    /// What do these states resolve to?
    Resolve(Resolve),
}

/// An event of a room version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfEvent {
    /// The room version.
    pub room_version: String,
    /// The event.
    pub event: Text,
}

/// See [`Question::Sign`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sign {
    /// The room version, if the JSON is an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_version: Option<String>,
    /// What is to be signed.
    pub json: Text,
    /// Who signs.
    pub server_name: String,
    /// The id of the key.
    pub key_id: String,
    /// The key, in unpadded base64.
    pub seed: String,
}

/// See [`Question::Verify`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    /// The room version, if the JSON is an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_version: Option<String>,
    /// What was signed.
    pub json: Text,
    /// Who must have signed it, if it is no event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The keys that may be used.
    pub keys: Keys,
}

/// See [`Question::Authorize`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authorize {
    /// The room version.
    pub room_version: String,
    /// The id of the event.
    pub event_id: String,
    /// The event to be judged.
    pub event: Text,
    /// The events that the judgement may need.
    pub events: Pool,
    /// Those of them that were rejected on receipt.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rejected: BTreeSet<String>,
    /// The state to judge by; without it, the event's own `auth_events`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BTreeSet<String>>,
    /// The servers' keys; without them, every signature that is present counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
}

/// See [`Question::Resolve`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolve {
    /// The room version.
    pub room_version: String,
    /// The events of the state sets and their auth chains.
    pub events: Pool,
    /// Those of them that were rejected on receipt.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rejected: BTreeSet<String>,
    /// The ids of each state set.
    pub state_sets: Vec<BTreeSet<String>>,
}

/// The events of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pool {
    /// The texts by event id, as adapters get them.
    Texts(BTreeMap<String, Text>),
    /// Event ids whose texts stand in the table of the file.
    OfFile(BTreeSet<String>),
}

/// The JSON text of an input, which need not be JSON at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// Text in UTF-8.
    Utf8(String),
    /// Any bytes.
    Bytes {
        /// In unpadded base64.
        base64: String,
    },
}

/// Server keys by server name and key id.
pub type Keys = BTreeMap<String, BTreeMap<String, Key>>;

/// A key that a server published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The public key, in unpadded base64.
    pub key: String,
    /// Until when it is valid, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_ts: Option<u64>,
    /// Since when it is no longer used, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_ts: Option<u64>,
}

/// How numbers are treated in canonical JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Integers of 53 bits only.
    #[default]
    Strict,
    /// Any number, for events of room versions 1 to 5.
    Lenient,
}

impl Form {
    fn is_strict(&self) -> bool {
        *self == Self::Strict
    }
}

impl Text {
    /// The bytes of the input.
    ///
    /// # Errors
    /// When the base64 is none.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, protocol::base64::DecodeError> {
        match self {
            Self::Utf8(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Self::Bytes { base64 } => protocol::base64::decode(base64).map(Cow::Owned),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Utf8(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Utf8(text)
    }
}
