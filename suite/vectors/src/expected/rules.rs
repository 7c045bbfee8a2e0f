//! Authorization and state resolution, by the oracle.

use std::collections::BTreeSet;

use oracle::{AuthEvent, Decision, Event, Events, Resolution, StateMap, StateOf, WithKeys};
use protocol::RoomVersion;
use protocol::keys::KeyRing;
use protocol::room_version::StateResolution;

use super::bytes::key_ring;
use super::{Answered, object, refuse, room_version};
use crate::answer::Answer;
use crate::question::{Authorize, Pool, Resolve, Text};

pub(super) fn authorize(question: &Authorize) -> Answered {
    Ok(match decide(question)? {
        Decision::Allow { .. } => Answer::allowed(),
        Decision::Reject(rejection) => Answer::rejected(rejection.rule),
    })
}

pub(super) fn decide(question: &Authorize) -> Result<Decision, Answer> {
    let version = room_version(&question.room_version)?;
    let event = event(version, &question.event_id, &question.event)?;
    let events = events(version, &question.events, &question.rejected)?;
    let keys = question.keys.as_ref().map(key_ring).transpose()?;
    match &question.state {
        Some(ids) => {
            let state = state_map(ids, &events)?;
            let state = StateOf { state: &state, events: &events };
            Ok(match &keys {
                Some(keys) => oracle::decide(version, &event, &WithKeys { state: &state, version, keys }),
                None => oracle::decide(version, &event, &state),
            })
        }
        None => by_auth_events(version, &event, &events, keys.as_ref()),
    }
}

pub(super) fn resolve(question: &Resolve) -> Answered {
    let version = room_version(&question.room_version)?;
    let events = events(version, &question.events, &question.rejected)?;
    let state_sets = question.state_sets.iter().map(|ids| state_map(ids, &events));
    let state_sets = state_sets.collect::<Result<Vec<_>, _>>()?;
    let resolution = oracle::resolve(version, &state_sets, &events).map_err(refuse)?;
    Ok(resolved(version, &resolution))
}

/// Judges an event by what its `auth_events` refer to.
fn by_auth_events(
    version: &RoomVersion,
    event: &Event,
    events: &Events,
    keys: Option<&KeyRing>,
) -> Result<Decision, Answer> {
    let entry = |id: &String| {
        let missing = || Answer::refused(format!("auth event {id} is not among the events"));
        Ok(AuthEvent { event: events.get(id).ok_or_else(missing)?, rejected: events.is_rejected(id) })
    };
    let auth_events = event.auth_events().iter().map(entry).collect::<Result<Vec<_>, Answer>>()?;
    let create = event.implied_create_event(version).filter(|id| !events.is_rejected(id));
    let create = create.and_then(|id| events.get(&id));
    Ok(oracle::decide_by_auth_events(version, event, &auth_events, create, keys))
}

/// A resolution as an answer; what the algorithm does not know is left out.
pub(crate) fn resolved(version: &RoomVersion, resolution: &Resolution) -> Answer {
    let rejected = resolution.rejected().map(|(id, rejection)| (id.to_owned(), rejection.rule.to_owned()));
    let answer = Answer {
        state: Some(resolution.state.values().cloned().collect()),
        rejected_events: Some(rejected.collect()),
        ..Answer::default()
    };
    if version.state_resolution == StateResolution::V1 {
        return answer;
    }
    Answer {
        full_conflicted_set: Some(resolution.full_conflicted_set.clone()),
        power_events: Some(resolution.power_events.iter().map(|event| event.event_id.clone()).collect()),
        mainline: Some(resolution.mainline.clone()),
        remaining_events: Some(
            resolution.remaining_events.iter().map(|event| event.event_id.clone()).collect(),
        ),
        ..answer
    }
}

fn event(version: &RoomVersion, id: &str, text: &Text) -> Result<Event, Answer> {
    Event::new(version, id, object(text)?).map_err(refuse)
}

fn events(version: &RoomVersion, pool: &Pool, rejected: &BTreeSet<String>) -> Result<Events, Answer> {
    let Pool::Texts(texts) = pool else {
        return Err(Answer::refused("the texts of the events are missing"));
    };
    let mut events = Events::default();
    for (id, text) in texts {
        events.insert(event(version, id, text)?);
    }
    rejected.iter().for_each(|id| events.reject(id));
    Ok(events)
}

fn state_map(ids: &BTreeSet<String>, events: &Events) -> Result<StateMap, Answer> {
    let entry = |id: &String| {
        let key = events.get(id).and_then(Event::key);
        let key = key.ok_or_else(|| Answer::refused(format!("{id} is no state event among the events")))?;
        Ok((key, id.clone()))
    };
    ids.iter().map(entry).collect()
}
