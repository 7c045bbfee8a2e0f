//! State resolution v2 and v2.1 with an omission (rooms/v2/#state-resolution, rooms/v12/#state-resolution).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use oracle::{Event, Level, PowerLevels, StateMap, StateOf, authorize};
use protocol::room_version::StateResolution;

use super::super::merge::Merge;

/// What can be left out or turned round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    AuthDifference,
    ConflictedStateSubgraph,
    PowerLevelsArePowerEvents,
    JoinRulesArePowerEvents,
    BansArePowerEvents,
    KicksArePowerEvents,
    OwnDeparturesAreNot,
    WhatPowerEventsNeed,
    Topology,
    PowerOfSender,
    TimeOfPowerEvent,
    IdOfPowerEvent,
    InitialState,
    MainlinePosition,
    TimeOfRemainingEvent,
    IdOfRemainingEvent,
    AuthChecks,
    AuthEventsStandIn,
    RejectedAuthEventsDoNot,
    UnconflictedStateWins,
}

impl Step {
    /// All but the subgraph, which only v2.1 has.
    const SHARED: [Self; 19] = [
        Self::AuthDifference,
        Self::PowerLevelsArePowerEvents,
        Self::JoinRulesArePowerEvents,
        Self::BansArePowerEvents,
        Self::KicksArePowerEvents,
        Self::OwnDeparturesAreNot,
        Self::WhatPowerEventsNeed,
        Self::Topology,
        Self::PowerOfSender,
        Self::TimeOfPowerEvent,
        Self::IdOfPowerEvent,
        Self::InitialState,
        Self::MainlinePosition,
        Self::TimeOfRemainingEvent,
        Self::IdOfRemainingEvent,
        Self::AuthChecks,
        Self::AuthEventsStandIn,
        Self::RejectedAuthEventsDoNot,
        Self::UnconflictedStateWins,
    ];

    /// The steps of an algorithm.
    pub(super) fn of(algorithm: StateResolution) -> Vec<Self> {
        let mut steps = Self::SHARED.to_vec();
        if algorithm == StateResolution::V2_1 {
            steps.push(Self::ConflictedStateSubgraph);
        }
        steps
    }
}

/// The resolved state, as it is without a step.
pub(super) fn resolve(merge: &Merge, without: Option<Step>) -> StateMap {
    Resolver { merge, without }.resolve()
}

struct Resolver<'a> {
    merge: &'a Merge,
    without: Option<Step>,
}

impl<'a> Resolver<'a> {
    fn has(&self, step: Step) -> bool {
        self.without != Some(step)
    }

    fn resolve(&self) -> StateMap {
        let sets = &self.merge.resolution;
        let mut full_conflicted_set = sets.conflicted_state.clone();
        if self.has(Step::AuthDifference) {
            full_conflicted_set.extend(sets.auth_difference.clone());
        }
        if self.has(Step::ConflictedStateSubgraph) {
            full_conflicted_set.extend(sets.conflicted_state_subgraph.clone());
        }
        let first = self.first_pass(&full_conflicted_set);
        let is_v2_1 = self.merge.version().state_resolution == StateResolution::V2_1;
        let starts_empty = is_v2_1 == self.has(Step::InitialState);
        let mut state = if starts_empty { StateMap::new() } else { sets.unconflicted_state.clone() };
        self.apply(self.power_ordering(&first), &mut state);
        let power_levels = state.get(&("m.room.power_levels".to_owned(), String::new()));
        let mainline = power_levels.map(|id| self.mainline(id)).unwrap_or_default();
        let remaining = full_conflicted_set.difference(&first).map(|id| self.event(id)).collect();
        self.apply(self.mainline_ordering(remaining, &mainline), &mut state);
        for (key, id) in &sets.unconflicted_state {
            if self.has(Step::UnconflictedStateWins) || !state.contains_key(key) {
                state.insert(key.clone(), id.clone());
            }
        }
        state
    }

    fn event(&self, id: &str) -> &'a Event {
        self.merge.events().get(id).unwrap()
    }

    fn first_pass(&self, full_conflicted_set: &BTreeSet<String>) -> BTreeSet<String> {
        let power_events = full_conflicted_set.iter().filter(|id| self.is_power_event(self.event(id)));
        let mut first: BTreeSet<String> = power_events.cloned().collect();
        if self.has(Step::WhatPowerEventsNeed) {
            let needed: Vec<_> = first.iter().flat_map(|id| self.auth_chain(self.event(id))).collect();
            first.extend(needed.into_iter().filter(|id| full_conflicted_set.contains(id)));
        }
        first
    }

    fn is_power_event(&self, event: &Event) -> bool {
        let is_own = event.state_key() == Some(event.sender());
        match (event.event_type(), event.content_string("membership")) {
            ("m.room.power_levels", _) => self.has(Step::PowerLevelsArePowerEvents),
            ("m.room.join_rules", _) => self.has(Step::JoinRulesArePowerEvents),
            ("m.room.member", Some("ban")) => self.has(Step::BansArePowerEvents),
            ("m.room.member", Some("leave")) if is_own => !self.has(Step::OwnDeparturesAreNot),
            ("m.room.member", Some("leave")) => self.has(Step::KicksArePowerEvents),
            _ => false,
        }
    }

    fn auth_chain(&self, event: &Event) -> BTreeSet<String> {
        let mut chain = BTreeSet::new();
        let mut waiting = event.auth_events().to_vec();
        while let Some(id) = waiting.pop() {
            waiting.extend(self.event(&id).auth_events().iter().filter(|id| !chain.contains(*id)).cloned());
            chain.insert(id);
        }
        chain
    }

    fn power_ordering(&self, ids: &BTreeSet<String>) -> Vec<&'a Event> {
        let mut waiting: Vec<&Event> = ids.iter().map(|id| self.event(id)).collect();
        waiting.sort_by_key(|event| self.power_key(event));
        let mut ordered: Vec<&Event> = Vec::new();
        while !waiting.is_empty() {
            let is_free = |event: &&Event| {
                let needs = |other: &&Event| event.auth_events().iter().any(|id| id == other.id());
                !self.has(Step::Topology) || !waiting.iter().any(needs)
            };
            let index = waiting.iter().position(is_free).unwrap();
            ordered.push(waiting.remove(index));
        }
        ordered
    }

    fn power_key(&self, event: &Event) -> (Option<Reverse<Level>>, Option<i64>, Id) {
        (
            self.has(Step::PowerOfSender).then(|| Reverse(self.sender_level(event))),
            self.has(Step::TimeOfPowerEvent).then(|| event.origin_server_ts()),
            self.id(event, Step::IdOfPowerEvent),
        )
    }

    fn sender_level(&self, event: &Event) -> Level {
        let power_levels = self.auth_event(event, "m.room.power_levels");
        let implied = event.implied_create_event(self.merge.version());
        let create = implied.map(|id| self.event(&id)).or_else(|| self.auth_event(event, "m.room.create"));
        PowerLevels::new(self.merge.version(), power_levels, create).user(event.sender())
    }

    fn auth_event(&self, event: &Event, event_type: &str) -> Option<&'a Event> {
        let mut auth_events = event.auth_events().iter().map(|id| self.event(id));
        auth_events.find(|auth_event| auth_event.event_type() == event_type)
    }

    /// The power levels that an event rests on, newest first, without itself.
    fn power_levels_behind(&self, event: &'a Event) -> impl Iterator<Item = &'a Event> {
        std::iter::successors(Some(event), |event| self.auth_event(event, "m.room.power_levels")).skip(1)
    }

    fn mainline(&self, power_levels: &str) -> Vec<&'a str> {
        let newest = self.event(power_levels);
        std::iter::once(newest).chain(self.power_levels_behind(newest)).map(Event::id).collect()
    }

    fn mainline_ordering(&self, mut events: Vec<&'a Event>, mainline: &[&str]) -> Vec<&'a Event> {
        let position = |event| {
            let mut behind = self.power_levels_behind(event);
            behind.find_map(|behind| mainline.iter().position(|id| *id == behind.id())).unwrap_or(usize::MAX)
        };
        events.sort_by_key(|event| {
            (
                self.has(Step::MainlinePosition).then(|| Reverse(position(event))),
                self.has(Step::TimeOfRemainingEvent).then(|| event.origin_server_ts()),
                self.id(event, Step::IdOfRemainingEvent),
            )
        });
        events
    }

    /// The id of an event, from the greatest to the least without the step.
    fn id(&self, event: &Event, step: Step) -> Id {
        let id = event.id().to_owned();
        if self.has(step) { Id::Ascending(id) } else { Id::Descending(Reverse(id)) }
    }

    fn apply(&self, events: Vec<&Event>, state: &mut StateMap) {
        let (version, all) = (self.merge.version(), self.merge.events());
        for event in events {
            let mut visible = self.stand_ins(event);
            visible.extend(state.clone());
            let is_allowed = authorize(version, event, &StateOf { state: &visible, events: all }).is_ok();
            if is_allowed || !self.has(Step::AuthChecks) {
                state.insert(event.key().unwrap(), event.id().to_owned());
            }
        }
    }

    fn stand_ins(&self, event: &Event) -> StateMap {
        let is_used = |id: &&String| {
            self.has(Step::AuthEventsStandIn)
                && !(self.has(Step::RejectedAuthEventsDoNot) && self.merge.events().is_rejected(id))
        };
        let auth_events = event.auth_events().iter().filter(is_used).cloned();
        let implied = event.implied_create_event(self.merge.version());
        auth_events.chain(implied).map(|id| (self.event(&id).key().unwrap(), id)).collect()
    }
}

/// An event id, in either order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Ascending(String),
    Descending(Reverse<String>),
}
