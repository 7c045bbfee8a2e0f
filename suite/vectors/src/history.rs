//! Room histories at random: forks and merges, power-level wars, bans and joins under every rule, by people most of
//! whom mean well.
//!
//! A [`Script`] says what happens in small numbers, so that it shrinks; [`Script::play`] makes real events of it in a
//! room version, and judges each by the oracle (server-server-api/#checks-performed-on-receipt-of-a-pdu, checks 4 and
//! 5). The [`History`] that comes of it is asked about: every event, and every place where branches meet.
//!
//! | module | holds |
//! |---|---|
//! | [`script`] | what happens |
//! | [`candidate`] | a script from a seed, and how it is made smaller |
//! | [`coverage`] | which rules decided, and which steps of state resolution were taken |
//! | [`found`] | histories that are kept |

pub mod candidate;
pub mod coverage;
pub mod found;
pub mod script;

mod act;
mod cases;
mod drawing;
mod levels;
mod plan;
mod scene;
mod stage;
mod third_party;

use std::collections::{BTreeMap, BTreeSet};

use oracle::{Decision, Resolution, StateMap};
use protocol::RoomVersion;

use crate::room::Room;

pub use candidate::{Candidate, generate};
pub use coverage::{Coverage, Hits, Step};
pub use scene::SERVERS;
pub use script::Script;

/// A room with everything that happened in it, as the oracle judges it.
#[derive(Clone, Debug)]
pub struct History {
    room: Room,
    moments: Vec<Moment>,
    merges: Vec<Merge>,
}

/// An event, and what came of it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Its id.
    pub event_id: String,
    /// What it does, after the name of its sender.
    pub says: String,
    /// The state before it.
    pub before: StateMap,
    /// The state after it: if it was rejected, that before it.
    pub after: StateMap,
    /// What the rules say of it by its `auth_events`.
    pub by_auth_events: Decision,
    /// What the rules say of it by the state before it.
    pub by_state: Decision,
}

/// Several events, the states after which are resolved.
#[derive(Clone, Debug)]
pub struct Merge {
    /// Why they are.
    pub occasion: Occasion,
    /// The ids of the events.
    pub tips: Vec<String>,
    /// The states after them, in the same order.
    pub state_sets: Vec<StateMap>,
    /// What the oracle makes of them.
    pub resolution: Resolution,
}

/// Why states are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The event of that id has them as its `prev_events`.
    Event(String),
    /// They are the forward extremities at the end.
    Forward,
    /// They are some of those that met elsewhere, or with an older one.
    Grouping,
}

impl Script {
    /// Plays the script in a room version. Equal scripts make equal histories.
    pub fn play(&self, version: &'static RoomVersion) -> History {
        stage::play(self, version)
    }
}

impl History {
    /// The room version.
    pub fn version(&self) -> &'static RoomVersion {
        self.room.version()
    }

    /// The room, with its events.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The events in the order in which they were made.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// Where branches meet, in the order in which they did; other groupings come last.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// Whether somewhere branches meet that have different events under one key.
    pub fn has_conflict(&self) -> bool {
        self.merges.iter().any(|merge| merge.occasion != Occasion::Grouping && merge.has_conflict())
    }

    /// How many events were rejected.
    pub fn rejected(&self) -> usize {
        self.moments.iter().filter(|moment| moment.is_rejected()).count()
    }
}

impl Moment {
    /// Whether the event was rejected on receipt.
    pub fn is_rejected(&self) -> bool {
        self.rejection().is_some()
    }

    /// Why it was, by its auth events before all else.
    pub fn rejection(&self) -> Option<&oracle::Rejection> {
        [&self.by_auth_events, &self.by_state].into_iter().find_map(|decision| match decision {
            Decision::Reject(rejection) => Some(rejection),
            Decision::Allow { .. } => None,
        })
    }
}

impl Merge {
    /// The keys under which the sets have different events.
    pub fn conflicts(&self) -> BTreeSet<&(String, String)> {
        let mut first: BTreeMap<&(String, String), &String> = BTreeMap::new();
        let mut conflicts = BTreeSet::new();
        for (key, id) in self.state_sets.iter().flatten() {
            if *first.entry(key).or_insert(id) != id {
                conflicts.insert(key);
            }
        }
        conflicts
    }

    /// Whether there is such a key.
    pub fn has_conflict(&self) -> bool {
        !self.conflicts().is_empty()
    }

    /// Whether the sets differ at all.
    pub fn differs(&self) -> bool {
        self.state_sets.windows(2).any(|pair| pair[0] != pair[1])
    }

    /// Each two of three or more that meet here.
    fn pairs(&self) -> Vec<Vec<String>> {
        if self.tips.len() < 3 {
            return Vec::new();
        }
        let pairs = self.tips.iter().enumerate().flat_map(|(index, one)| {
            self.tips[index + 1..].iter().map(move |other| vec![one.clone(), other.clone()])
        });
        pairs.collect()
    }
}
