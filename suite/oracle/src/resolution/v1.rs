//! State resolution v1: by depth, and by the hash of the event id (rooms/v1/#state-resolution).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use protocol::RoomVersion;
use sha1::{Digest, Sha1};

use super::{Outcome, Pass, Resolution, Step, events_by_key};
use crate::authorization::{Decision, StateOf, decide};
use crate::event::{Event, Events, StateMap};

/// The events that contend for one key.
type Conflict<'a> = (&'a (String, String), Vec<&'a Event>);

/// Resolves; every event of the sets is there.
pub(super) fn resolve(version: &RoomVersion, state_sets: &[StateMap], events: &Events) -> Resolution {
    // Choice: a key that some sets lack is in conflict only if the others differ: R starts as "the union of
    // the states", and a conflict is said to be between different event ids.
    let by_key = events_by_key(state_sets);
    let (conflicting, agreed): (Vec<_>, Vec<_>) = by_key.into_iter().partition(|(_, ids)| ids.len() > 1);
    let unconflicted: StateMap = agreed
        .into_iter()
        .flat_map(|(key, ids)| ids.into_iter().map(move |id| (key.clone(), id.clone())))
        .collect();
    let lookup = |ids: BTreeSet<&String>| ids.into_iter().filter_map(|id| events.get(id)).collect();
    let conflicts: Vec<Conflict<'_>> = conflicting.into_iter().map(|(key, ids)| (key, lookup(ids))).collect();

    let mut resolution = Resolution::starting_from(unconflicted.clone());
    resolution.conflicted_state =
        conflicts.iter().flat_map(|(_, events)| events).map(|event| event.id().to_owned()).collect();
    resolution.state = unconflicted;
    let mut resolver = Resolver { version, events, resolution };
    resolver.pass(Pass::PowerLevels, of_type(&conflicts, "m.room.power_levels"));
    resolver.pass(Pass::JoinRules, of_type(&conflicts, "m.room.join_rules"));
    resolver.pass(Pass::Members, of_type(&conflicts, "m.room.member"));
    resolver.pass(Pass::OtherState, conflicts.into_iter().filter(is_other).collect());
    resolver.resolution
}

fn of_type<'a>(conflicts: &[Conflict<'a>], event_type: &str) -> Vec<Conflict<'a>> {
    conflicts.iter().filter(|((of_type, _), _)| of_type == event_type).cloned().collect()
}

fn is_other(conflict: &Conflict<'_>) -> bool {
    !matches!(conflict.0.0.as_str(), "m.room.power_levels" | "m.room.join_rules" | "m.room.member")
}

struct Resolver<'a> {
    version: &'a RoomVersion,
    events: &'a Events,
    /// `resolution.state` is what the text calls *R*.
    resolution: Resolution,
}

impl Resolver<'_> {
    // Choice: the conflicts of one pass do not see each other's results, only those of the passes before. The
    // text gives them no order among each other, and the members of two users can depend on it.
    fn pass(&mut self, pass: Pass, conflicts: Vec<Conflict<'_>>) {
        let before = self.resolution.state.clone();
        for (key, events) in conflicts {
            let winner = match pass {
                Pass::OtherState => self.pick_one(&before, events),
                _ => self.climb(pass, key, &before, events),
            };
            if let Some(winner) = winner {
                self.resolution.state.insert(key.clone(), winner);
            }
        }
    }

    /// From the event of least depth upwards, for as long as each is allowed by the one before.
    fn climb(
        &mut self,
        pass: Pass,
        key: &(String, String),
        before: &StateMap,
        mut events: Vec<&Event>,
    ) -> Option<String> {
        events.sort_by_key(|event| (event.depth(), Reverse(sha1(event.id()))));
        let mut state = before.clone();
        let (first, subsequent) = events.split_first()?;
        self.step(pass, first, Outcome::Taken, &state);
        state.insert(key.clone(), first.id().to_owned());
        for event in subsequent {
            if !self.is_allowed(pass, event, &state) {
                break;
            }
            state.insert(key.clone(), event.id().to_owned());
        }
        state.remove(key)
    }

    /// The event of highest depth and lowest hash that is allowed.
    // Choice: if none is allowed, the key is left out; the text names no other event.
    fn pick_one(&mut self, before: &StateMap, mut events: Vec<&Event>) -> Option<String> {
        events.sort_by_key(|event| (Reverse(event.depth()), sha1(event.id())));
        let allowed = events.into_iter().find(|event| self.is_allowed(Pass::OtherState, event, before));
        allowed.map(|event| event.id().to_owned())
    }

    fn is_allowed(&mut self, pass: Pass, event: &Event, state: &StateMap) -> bool {
        let decision = decide(self.version, event, &StateOf { state, events: self.events });
        let is_allowed = matches!(decision, Decision::Allow { .. });
        self.step(pass, event, Outcome::Checked(decision), state);
        is_allowed
    }

    fn step(&mut self, pass: Pass, event: &Event, outcome: Outcome, against: &StateMap) {
        self.resolution.steps.push(Step {
            pass,
            event_id: event.id().to_owned(),
            outcome,
            against: against.clone(),
            from_auth_events: StateMap::new(),
        });
    }
}

/// The SHA-1 of an event id, compared byte by byte.
fn sha1(event_id: &str) -> Vec<u8> {
    Sha1::digest(event_id.as_bytes()).to_vec()
}
