//! The oracle's trace of a resolution, checked step by step.

use oracle::resolution::{Outcome, Pass};
use oracle::{Decision, Resolution, StateMap, StateOf, decide};
use vectors::history::History;

use super::{Judged, require};

/// Since v2, the state is built from a beginning by the events that are allowed, in their order.
pub(super) fn recheck_v2(history: &History, resolution: &Resolution, beginning: &StateMap) -> Judged {
    let events = history.room().events();
    let mut state = beginning.clone();
    for step in &resolution.steps {
        let event = events.get(&step.event_id).unwrap();
        let says = |problem: &str| format!("{} {problem}", history.room().name(event.id()));
        require(step.against == state, || says("was checked against another state"))?;
        let implied = event.implied_create_event(history.version());
        for (key, id) in &step.from_auth_events {
            let is_auth_event = event.auth_events().contains(id) || implied.as_ref() == Some(id);
            require(is_auth_event && !events.is_rejected(id), || {
                says("was checked with what it does not cite")
            })?;
            require(!state.contains_key(key), || says("was checked with what the state has otherwise"))?;
        }
        let visible: StateMap = state.clone().into_iter().chain(step.from_auth_events.clone()).collect();
        let decision = decide(history.version(), event, &StateOf { state: &visible, events });
        require(step.outcome == Outcome::Checked(decision.clone()), || says("is judged otherwise there"))?;
        if let (Decision::Allow { .. }, Some(key)) = (decision, event.key()) {
            state.insert(key, event.id().to_owned());
        }
    }
    state.extend(resolution.unconflicted_state.clone());
    require(state == resolution.state, || "the result is not what the checks lead to".to_owned())
}

/// In v1 a list begins with the event that is taken unchecked; each after it is checked with the one before in place.
pub(super) fn recheck_v1(history: &History, resolution: &Resolution) -> Judged {
    let events = history.room().events();
    let mut state = resolution.unconflicted_state.clone();
    let mut pass = None;
    let mut before_pass = state.clone();
    for step in &resolution.steps {
        let event = events.get(&step.event_id).unwrap();
        let says = |problem: &str| format!("{} {problem}", history.room().name(event.id()));
        if pass != Some(step.pass) {
            pass = Some(step.pass);
            before_pass = state.clone();
        }
        let key = event.key().unwrap();
        let mut visible = before_pass.clone();
        if let (Outcome::Checked(_), Some(id)) = (&step.outcome, state.get(&key))
            && step.pass != Pass::OtherState
        {
            visible.insert(key.clone(), id.clone());
        }
        require(step.against == visible, || says("was checked against another state"))?;
        let decision = decide(history.version(), event, &StateOf { state: &visible, events });
        let is_taken = match &step.outcome {
            Outcome::Taken => true,
            Outcome::Checked(told) => {
                require(*told == decision, || says("is judged otherwise there"))?;
                matches!(decision, Decision::Allow { .. })
            }
        };
        if is_taken {
            state.insert(key, event.id().to_owned());
        }
    }
    require(state == resolution.state, || "the result is not what the checks lead to".to_owned())
}
