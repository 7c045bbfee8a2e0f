//! Faults that the server can be told to commit, so that test suites can be tested.
//!
//! A suite that no fault turns red proves nothing. Each fault here is one that a homeserver has made or might make in a
//! single place: a condition forgotten, a list in another order, a filter ignored. The place asks [`commits`], in at most
//! one line; a server that is not told to commit a fault commits none. The faults of the room rules are those of
//! [`rooms::mistakes`] that clients can notice.
//!
//! The choice is one of the process: the server that commits a fault is meant to be alone in it.

mod list;

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::OnceLock;

use rooms::mistakes;
use serde::{Deserialize, Deserializer};

pub use self::list::Fault;
use self::list::RULES;

static COMMITTED: OnceLock<Vec<Fault>> = OnceLock::new();

/// Commits faults in this process from now on. Only the first choice counts.
pub fn commit(faults: &[Fault]) {
    let of_rules = faults.iter().filter_map(|fault| match fault {
        Fault::Rules(mistake) => Some(*mistake),
        _ => None,
    });
    mistakes::commit_everywhere(of_rules.collect());
    let _ = COMMITTED.set(faults.to_vec());
}

/// Whether this server is to commit a fault.
pub(crate) fn commits(fault: Fault) -> bool {
    COMMITTED.get().is_some_and(|faults| faults.contains(&fault))
}

/// An ordering, which a fault turns round.
pub(crate) fn unless(reversed: Fault, ordering: Ordering) -> Ordering {
    if commits(reversed) { ordering.reverse() } else { ordering }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::find(name).ok_or_else(|| format!("{name:?} is no fault; `serve --list-faults` prints them"))
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Fault {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OWN.iter().copied().chain(RULES.iter().copied().map(Self::Rules))
    }

    /// The fault of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|fault| fault.name() == name)
    }

    /// The name by which it can be asked for.
    pub fn name(self) -> String {
        match self {
            Self::Rules(mistake) => format!("room-rules-{}", mistake.name()),
            own => with_hyphens(&format!("{own:?}")),
        }
    }
}

/// `CamelCase` in lower case with hyphens.
fn with_hyphens(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<String> = Fault::all().map(Fault::name).collect();
        assert_eq!(names.len(), Fault::all().count());
        for fault in Fault::all() {
            assert_eq!(Fault::find(&fault.name()), Some(fault));
            let sentence = fault.sentence();
            assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
        }
    }

    #[test]
    fn a_server_that_is_told_nothing_commits_nothing() {
        assert!(Fault::OWN.iter().all(|fault| !commits(*fault)));
    }
}
