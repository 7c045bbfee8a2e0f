//! What comes of putting an event before the rules.

use crate::rule::Rule;

/// What the rules say of an event, and which of them said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The event is allowed.
    Allow {
        /// The number of the rule in the text of the room version.
        number: &'static str,
        /// The rule.
        rule: Rule,
    },
    /// The event is rejected.
    Reject(Rejection),
}

/// Why an event is not authorized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} of room version {version} rejects: {why}")]
pub struct Rejection {
    /// The number of the rule in the text of the room version, such as `4.3.2`.
    pub rule: &'static str,
    /// The rule by name, the same in all room versions.
    pub name: Rule,
    /// The room version.
    pub version: &'static str,
    /// What broke the rule, for people.
    pub why: String,
}

impl Decision {
    /// The rule that decided.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Allow { rule, .. } => *rule,
            Self::Reject(rejection) => rejection.name,
        }
    }

    /// The number of that rule in the text of the room version.
    pub fn number(&self) -> &'static str {
        match self {
            Self::Allow { number, .. } => number,
            Self::Reject(rejection) => rejection.rule,
        }
    }

    /// Nothing, or the rejection.
    ///
    /// # Errors
    /// The rejection.
    pub fn into_result(self) -> Result<(), Rejection> {
        match self {
            Self::Allow { .. } => Ok(()),
            Self::Reject(rejection) => Err(rejection),
        }
    }
}
