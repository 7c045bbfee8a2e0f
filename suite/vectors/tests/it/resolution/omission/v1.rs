//! State resolution v1 with an omission (rooms/v1/#state-resolution).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use oracle::{Event, StateMap, StateOf, authorize};

use super::super::merge::Merge;
use super::super::script::sha1;

/// What can be left out or turned round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    MissingEntriesAreNoConflict,
    PowerLevelsBeforeJoinRules,
    JoinRulesBeforeMembers,
    MembersBeforeOthers,
    ConflictsAreLeftOut,
    AscendingDepth,
    DescendingHash,
    FirstIsTaken,
    ClimbingIsChecked,
    ClimbingStops,
    HighestDepth,
    LowestHash,
    OthersAreChecked,
}

impl Step {
    pub(super) const ALL: [Self; 13] = [
        Self::MissingEntriesAreNoConflict,
        Self::PowerLevelsBeforeJoinRules,
        Self::JoinRulesBeforeMembers,
        Self::MembersBeforeOthers,
        Self::ConflictsAreLeftOut,
        Self::AscendingDepth,
        Self::DescendingHash,
        Self::FirstIsTaken,
        Self::ClimbingIsChecked,
        Self::ClimbingStops,
        Self::HighestDepth,
        Self::LowestHash,
        Self::OthersAreChecked,
    ];
}

/// The resolved state, as it is without a step.
pub(super) fn resolve(merge: &Merge, without: Option<Step>) -> StateMap {
    Resolver { merge, without }.resolve()
}

struct Resolver<'a> {
    merge: &'a Merge,
    without: Option<Step>,
}

type Conflicts<'a> = BTreeMap<(String, String), Vec<&'a Event>>;

impl<'a> Resolver<'a> {
    fn has(&self, step: Step) -> bool {
        self.without != Some(step)
    }

    fn resolve(&self) -> StateMap {
        let conflicts = self.conflicts();
        let mut state: StateMap =
            self.merge.state_sets.iter().flatten().map(|(key, id)| (key.clone(), id.clone())).collect();
        if self.has(Step::ConflictsAreLeftOut) {
            state.retain(|key, _| !conflicts.contains_key(key));
        }
        let mut passes = ["m.room.power_levels", "m.room.join_rules", "m.room.member", "others"];
        let swapped =
            [Step::PowerLevelsBeforeJoinRules, Step::JoinRulesBeforeMembers, Step::MembersBeforeOthers];
        if let Some(index) = swapped.iter().position(|step| !self.has(*step)) {
            passes.swap(index, index + 1);
        }
        for pass in passes {
            let before = state.clone();
            for (key, events) in conflicts.iter().filter(|(key, _)| pass_of(&key.0) == pass) {
                let winner =
                    if pass == "others" { self.pick(events, &before) } else { self.climb(events, &before) };
                match winner {
                    Some(winner) => state.insert(key.clone(), winner.id().to_owned()),
                    None => state.remove(key),
                };
            }
        }
        state
    }

    fn conflicts(&self) -> Conflicts<'a> {
        let mut by_key: BTreeMap<&(String, String), BTreeSet<Option<&String>>> = BTreeMap::new();
        for key in self.merge.state_sets.iter().flat_map(StateMap::keys) {
            let events = self.merge.state_sets.iter().map(|state| state.get(key));
            let counted = events.filter(|id| id.is_some() || !self.has(Step::MissingEntriesAreNoConflict));
            by_key.insert(key, counted.collect());
        }
        let events = |ids: BTreeSet<Option<&String>>| {
            ids.into_iter().flatten().map(|id| self.merge.events().get(id).unwrap()).collect()
        };
        let in_conflict = by_key.into_iter().filter(|(_, ids)| ids.len() > 1);
        in_conflict.map(|(key, ids)| (key.clone(), events(ids))).collect()
    }

    fn climb(&self, events: &[&'a Event], before: &StateMap) -> Option<&'a Event> {
        let mut events = events.to_vec();
        events.sort_by_key(|event| {
            let (depth, hash) = (event.depth(), sha1(event.id()));
            (directed(depth, self.has(Step::AscendingDepth)), directed(hash, !self.has(Step::DescendingHash)))
        });
        let mut state = before.clone();
        let mut highest = None;
        for (index, event) in events.into_iter().enumerate() {
            let is_taken = index == 0 && self.has(Step::FirstIsTaken) || !self.has(Step::ClimbingIsChecked);
            if is_taken || self.is_allowed(event, &state) {
                state.insert(event.key()?, event.id().to_owned());
                highest = Some(event);
            } else if self.has(Step::ClimbingStops) {
                break;
            }
        }
        highest
    }

    fn pick(&self, events: &[&'a Event], before: &StateMap) -> Option<&'a Event> {
        let mut events = events.to_vec();
        events.sort_by_key(|event| {
            let (depth, hash) = (event.depth(), sha1(event.id()));
            (directed(depth, !self.has(Step::HighestDepth)), directed(hash, self.has(Step::LowestHash)))
        });
        events.into_iter().find(|event| !self.has(Step::OthersAreChecked) || self.is_allowed(event, before))
    }

    fn is_allowed(&self, event: &Event, state: &StateMap) -> bool {
        authorize(self.merge.version(), event, &StateOf { state, events: self.merge.events() }).is_ok()
    }
}

fn pass_of(event_type: &str) -> &str {
    match event_type {
        "m.room.power_levels" | "m.room.join_rules" | "m.room.member" => event_type,
        _ => "others",
    }
}

/// A value that sorts upwards, or downwards.
fn directed<T: Ord>(value: T, ascending: bool) -> (Option<T>, Option<Reverse<T>>) {
    if ascending { (Some(value), None) } else { (None, Some(Reverse(value))) }
}
