//! What an implementation answers, as `fixtures/vectors/README.md` describes it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::question::Text;

/// One answer. Which properties count depends on the question; none but those of its row in the README.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Why the implementation cannot answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
    /// Why the input is not acceptable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// A canonical encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// A content hash, in unpadded base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// An event id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// An event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Text>,
    /// A signature, in unpadded base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Whether a format or the signatures are valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// Whether the content hash of a validly signed event fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intact: Option<bool>,
    /// Whether the rules allow an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// The number of the rule that rejects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The ids of a resolved state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<BTreeSet<String>>,
    /// The ids of the full conflicted set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_conflicted_set: Option<BTreeSet<String>>,
    /// The events of the first pass, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_events: Option<Vec<String>>,
    /// The mainline, newest power levels first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mainline: Option<Vec<String>>,
    /// The events of the second pass, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_events: Option<Vec<String>>,
    /// By id, the number of the rule that kept an event from being applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_events: Option<BTreeMap<String, String>>,
}

impl Answer {
    /// The answer of an implementation that cannot.
    pub fn unsupported(why: impl Into<String>) -> Self {
        Self { unsupported: Some(why.into()), ..Self::default() }
    }

    /// The answer to an unacceptable input.
    pub fn refused(why: impl Into<String>) -> Self {
        Self { refused: Some(why.into()), ..Self::default() }
    }

    /// Whether an event is allowed.
    pub fn allowed() -> Self {
        Self { allowed: Some(true), ..Self::default() }
    }

    /// An event is rejected by the rule of that number.
    pub fn rejected(rule: impl Into<String>) -> Self {
        Self { allowed: Some(false), rule: Some(rule.into()), ..Self::default() }
    }

    /// Whether a format or the signatures are valid.
    pub fn valid(valid: bool) -> Self {
        Self { valid: Some(valid), ..Self::default() }
    }
}
