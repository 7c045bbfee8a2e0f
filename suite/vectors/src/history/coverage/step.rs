//! The steps of state resolution, told from the oracle's trace.

use std::collections::BTreeSet;

use oracle::resolution::{Outcome, Pass, Step as Check};
use oracle::{Decision, Event, Events, Resolution, StateMap};
use protocol::RoomVersion;
use protocol::room_version::StateResolution;

use crate::history::{History, Merge};

/// A step of a state resolution algorithm (rooms/v1/#state-resolution, rooms/v2/#state-resolution,
/// rooms/v12/#state-resolution).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// v1: the sets have different power levels.
    LevelsConflict,
    /// v1: the sets have different join rules.
    JoinRulesConflict,
    /// v1: the sets have different memberships of a user.
    MembersConflict,
    /// v1: the sets differ in other state.
    OtherConflict,
    /// v1: a key that only some sets have is no conflict.
    AbsenceIsNoConflict,
    /// v1: the first of a list is taken without a check.
    FirstIsTaken,
    /// v1: the event after it is allowed and replaces it.
    NextReplacesFirst,
    /// v1: an event is rejected, and those after it are not looked at.
    FirstFailureStops,
    /// v1: other state falls to the highest event.
    HighestIsTaken,
    /// v1: the highest event is rejected and the next is tried.
    NextHighestIsTried,
    /// v1: no event of other state is allowed.
    NoneIsAllowed,
    /// v1: contenders have different depths.
    DepthOrders,
    /// v1: contenders have one depth, so that the hashes of their ids decide.
    HashBreaksTie,

    /// v2: sets have different events under a key.
    DifferentEvents,
    /// v2: a key that only some sets have is in conflict.
    AbsenceIsConflict,
    /// v2: the auth difference adds an event that stands in no set under a conflicted key.
    AuthDifferenceAdds,
    /// v2.1: the conflicted state subgraph adds an event that nothing else does.
    SubgraphAdds,
    /// v2: an event is taken into the first pass because a power event needs it.
    PowerEventNeeds,
    /// v2: an event comes first because another needs it, although by itself it would not.
    NeededFirst,
    /// v2: the power of senders orders events.
    PowerOrders,
    /// v2: power events of equal power are ordered by time.
    TimeOrdersPowerEvents,
    /// v2: power events of equal power and time are ordered by id.
    IdOrdersPowerEvents,
    /// v2: a power event is allowed.
    PowerEventAllowed,
    /// v2: a power event is rejected.
    PowerEventRejected,
    /// v2: what the state lacks is taken from the event's auth events.
    AuthEventsFillIn,
    /// v2: the mainline has several events.
    Mainline,
    /// v2: there are no power levels, so that there is no mainline.
    NoMainline,
    /// v2: the mainline position orders events.
    PositionOrders,
    /// v2: events of one position are ordered by time.
    TimeOrdersRemaining,
    /// v2: events of one position and time are ordered by id.
    IdOrdersRemaining,
    /// v2: an event has no position on the mainline and comes before those that have one.
    PositionIsInfinite,
    /// v2: a remaining event is allowed.
    RemainingAllowed,
    /// v2: a remaining event is rejected.
    RemainingRejected,
    /// v2: the unconflicted state replaces what was resolved.
    UnconflictedReplaces,
    /// v2.1: the unconflicted state supplies what was not resolved.
    UnconflictedSupplies,
}

impl Step {
    /// The steps that the algorithm of a room version has.
    pub fn of(version: &RoomVersion) -> Vec<Self> {
        match version.state_resolution {
            StateResolution::V1 => V1.to_vec(),
            StateResolution::V2 => V2.to_vec(),
            StateResolution::V2_1 => [V2, V2_1].concat(),
        }
    }
}

const V1: &[Step] = &[
    Step::LevelsConflict,
    Step::JoinRulesConflict,
    Step::MembersConflict,
    Step::OtherConflict,
    Step::AbsenceIsNoConflict,
    Step::FirstIsTaken,
    Step::NextReplacesFirst,
    Step::FirstFailureStops,
    Step::HighestIsTaken,
    Step::NextHighestIsTried,
    Step::NoneIsAllowed,
    Step::DepthOrders,
    Step::HashBreaksTie,
];

const V2: &[Step] = &[
    Step::DifferentEvents,
    Step::AbsenceIsConflict,
    Step::AuthDifferenceAdds,
    Step::PowerEventNeeds,
    Step::NeededFirst,
    Step::PowerOrders,
    Step::TimeOrdersPowerEvents,
    Step::IdOrdersPowerEvents,
    Step::PowerEventAllowed,
    Step::PowerEventRejected,
    Step::AuthEventsFillIn,
    Step::Mainline,
    Step::NoMainline,
    Step::PositionOrders,
    Step::TimeOrdersRemaining,
    Step::IdOrdersRemaining,
    Step::PositionIsInfinite,
    Step::RemainingAllowed,
    Step::RemainingRejected,
    Step::UnconflictedReplaces,
];

/// What v2.1 has besides those of v2.
const V2_1: &[Step] = &[Step::SubgraphAdds, Step::UnconflictedSupplies];

/// The steps that a resolution took.
pub(super) fn taken(history: &History, merge: &Merge) -> BTreeSet<Step> {
    let traced = Traced { merge, resolution: &merge.resolution, events: history.room().events() };
    match history.version().state_resolution {
        StateResolution::V1 => traced.v1(),
        StateResolution::V2 => traced.v2(),
        StateResolution::V2_1 => &traced.v2() | &traced.v2_1(),
    }
}

/// A resolution of which the steps are to be told.
struct Traced<'a> {
    merge: &'a Merge,
    resolution: &'a Resolution,
    events: &'a Events,
}

/// Those of some steps that were taken.
fn those<const N: usize>(steps: [(Step, bool); N]) -> BTreeSet<Step> {
    steps.into_iter().filter(|(_, is_taken)| *is_taken).map(|(step, _)| step).collect()
}

impl Traced<'_> {
    fn v1(&self) -> BTreeSet<Step> {
        let conflicts = self.merge.conflicts();
        let of_type = |event_type: &str| conflicts.iter().any(|key| key.0 == event_type);
        let is_other = |key: &&(String, String)| {
            !matches!(key.0.as_str(), "m.room.power_levels" | "m.room.join_rules" | "m.room.member")
        };
        let others: Vec<_> = conflicts.iter().copied().filter(is_other).collect();
        let contenders = |key: &(String, String)| -> BTreeSet<&str> {
            self.merge.state_sets.iter().filter_map(|state| state.get(key)).map(String::as_str).collect()
        };
        let depths = |key: &(String, String)| -> Vec<i64> {
            contenders(key).into_iter().filter_map(|id| self.events.get(id)).map(Event::depth).collect()
        };
        let distinct = |depths: &[i64]| depths.iter().collect::<BTreeSet<_>>().len();
        let highest_wins = |key: &&(String, String)| {
            let winner = self.resolution.state.get(*key).and_then(|id| self.events.get(id)).map(Event::depth);
            winner.is_some() && winner == depths(key).into_iter().max()
        };
        let next_replaces = |step: &Check| {
            step.pass != Pass::OtherState && step.outcome != Outcome::Taken && is_allowed(step)
        };
        those([
            (Step::LevelsConflict, of_type("m.room.power_levels")),
            (Step::JoinRulesConflict, of_type("m.room.join_rules")),
            (Step::MembersConflict, of_type("m.room.member")),
            (Step::OtherConflict, !others.is_empty()),
            (Step::AbsenceIsNoConflict, self.some_set_lacks_a_key()),
            (Step::FirstIsTaken, self.checks(|step| step.outcome == Outcome::Taken)),
            (Step::NextReplacesFirst, self.checks(next_replaces)),
            (Step::FirstFailureStops, self.a_failure_stops()),
            (Step::HighestIsTaken, others.iter().any(highest_wins)),
            (
                Step::NextHighestIsTried,
                self.checks(|step| step.pass == Pass::OtherState && !is_allowed(step)),
            ),
            (Step::NoneIsAllowed, others.iter().any(|key| !self.resolution.state.contains_key(*key))),
            (Step::DepthOrders, conflicts.iter().any(|key| distinct(&depths(key)) > 1)),
            (Step::HashBreaksTie, conflicts.iter().any(|key| distinct(&depths(key)) < depths(key).len())),
        ])
    }

    fn v2(&self) -> BTreeSet<Step> {
        let resolution = self.resolution;
        let in_pass =
            |pass: Pass, allowed: bool| self.checks(|step| step.pass == pass && is_allowed(step) == allowed);
        let power_events: BTreeSet<&str> =
            resolution.power_events.iter().map(|event| event.event_id.as_str()).collect();
        let adds = |id: &String| !resolution.conflicted_state.contains(id);
        let replaces = |step: &Check| {
            let key = self.events.get(&step.event_id).and_then(Event::key);
            let unconflicted = key.and_then(|key| resolution.unconflicted_state.get(&key));
            is_allowed(step) && unconflicted.is_some_and(|id| *id != step.event_id)
        };
        let infinite = resolution.remaining_events.iter().any(|event| event.mainline_position.is_none());
        let is_needed_only = |id: &&str| self.events.get(id).is_some_and(|event| !is_power_event(event));
        let mut steps = those([
            (Step::DifferentEvents, self.merge.has_conflict()),
            (Step::AbsenceIsConflict, self.some_set_lacks_a_key()),
            (Step::AuthDifferenceAdds, resolution.auth_difference.iter().any(adds)),
            (Step::PowerEventNeeds, power_events.iter().any(is_needed_only)),
            (Step::PowerEventAllowed, in_pass(Pass::PowerEvents, true)),
            (Step::PowerEventRejected, in_pass(Pass::PowerEvents, false)),
            (Step::AuthEventsFillIn, self.checks(|step| !step.from_auth_events.is_empty())),
            (Step::Mainline, resolution.mainline.len() > 1),
            (Step::NoMainline, resolution.mainline.is_empty()),
            (Step::PositionIsInfinite, infinite && !resolution.mainline.is_empty()),
            (Step::RemainingAllowed, in_pass(Pass::RemainingEvents, true)),
            (Step::RemainingRejected, in_pass(Pass::RemainingEvents, false)),
            (Step::UnconflictedReplaces, self.checks(replaces)),
        ]);
        steps.extend(self.power_ordering());
        steps.extend(self.mainline_ordering());
        steps
    }

    fn v2_1(&self) -> BTreeSet<Step> {
        let resolution = self.resolution;
        let only_subgraph = |id: &&String| {
            !resolution.conflicted_state.contains(*id) && !resolution.auth_difference.contains(*id)
        };
        let allowed = resolution.steps.iter().filter(|step| is_allowed(step));
        let resolved: BTreeSet<_> =
            allowed.filter_map(|step| self.events.get(&step.event_id)?.key()).collect();
        let is_supplied = |key: &(String, String)| !resolved.contains(key);
        those([
            (Step::SubgraphAdds, resolution.conflicted_state_subgraph.iter().any(|id| only_subgraph(&id))),
            (Step::UnconflictedSupplies, resolution.unconflicted_state.keys().any(is_supplied)),
        ])
    }

    /// What decided between neighbours of the reverse topological power ordering.
    fn power_ordering(&self) -> BTreeSet<Step> {
        let neighbours = self.resolution.power_events.windows(2).filter_map(|pair| {
            let (one, two) = (self.events.get(&pair[0].event_id)?, self.events.get(&pair[1].event_id)?);
            let (level, next_level) = (pair[0].sender_level, pair[1].sender_level);
            let (time, next_time) = (one.origin_server_ts(), two.origin_server_ts());
            let by_itself = (next_level, time, one.id()) < (level, next_time, two.id());
            Some(match () {
                () if !by_itself => Step::NeededFirst,
                () if level != next_level => Step::PowerOrders,
                () if time != next_time => Step::TimeOrdersPowerEvents,
                () => Step::IdOrdersPowerEvents,
            })
        });
        neighbours.collect()
    }

    /// What decided between neighbours of the mainline ordering.
    fn mainline_ordering(&self) -> BTreeSet<Step> {
        let neighbours = self.resolution.remaining_events.windows(2).filter_map(|pair| {
            let (one, two) = (self.events.get(&pair[0].event_id)?, self.events.get(&pair[1].event_id)?);
            Some(match () {
                () if pair[0].mainline_position != pair[1].mainline_position => Step::PositionOrders,
                () if one.origin_server_ts() != two.origin_server_ts() => Step::TimeOrdersRemaining,
                () => Step::IdOrdersRemaining,
            })
        });
        neighbours.collect()
    }

    fn checks(&self, is_meant: impl Fn(&Check) -> bool) -> bool {
        self.resolution.steps.iter().any(is_meant)
    }

    fn some_set_lacks_a_key(&self) -> bool {
        let sets = &self.merge.state_sets;
        sets.iter()
            .flat_map(|state| state.keys())
            .any(|key| sets.iter().any(|state| !state.contains_key(key)))
    }

    /// Whether a list of v1 has an event behind one that was rejected.
    fn a_failure_stops(&self) -> bool {
        let checked: BTreeSet<&str> =
            self.resolution.steps.iter().map(|step| step.event_id.as_str()).collect();
        let climbs = |step: &&Check| step.pass != Pass::OtherState && !is_allowed(step);
        self.resolution.steps.iter().filter(climbs).any(|step| {
            let key = self.events.get(&step.event_id).and_then(Event::key);
            let of_key = |state: &StateMap| key.as_ref().and_then(|key| state.get(key).cloned());
            self.merge.state_sets.iter().filter_map(of_key).any(|id| !checked.contains(id.as_str()))
        })
    }
}

fn is_allowed(step: &Check) -> bool {
    !matches!(step.outcome, Outcome::Checked(Decision::Reject(_)))
}

/// Whether an event is one of those that the text calls power events (rooms/v2/#definitions).
fn is_power_event(event: &Event) -> bool {
    let takes_part_away = matches!(event.content_string("membership"), Some("leave" | "ban"))
        && event.state_key() != Some(event.sender());
    match event.event_type() {
        "m.room.power_levels" | "m.room.join_rules" => true,
        event_type => event_type == "m.room.member" && takes_part_away,
    }
}
