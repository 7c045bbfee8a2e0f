//! The events of the peers, for whoever asks for them: all peers know what one of them knows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::peer::Event;

/// How many events one answer carries at most, whatever is asked for.
const MOST_EVENTS: usize = 100;

/// Events by their ids, and the state of the rooms that they are in.
#[derive(Debug, Default)]
pub(super) struct Archive(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    events: HashMap<String, Value>,
    states: HashMap<String, State>,
}

/// What a room had come to before the first event that peers sent into it. They send no state, so it stays that.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) state: Vec<String>,
    pub(super) auth_chain: Vec<String>,
}

impl Archive {
    /// Keeps an event.
    pub(super) fn keep(&self, event: &Event) {
        self.lock().events.insert(event.id.clone(), Value::Object(event.json.clone()));
    }

    /// Keeps what a room has come to.
    pub(super) fn keep_state(&self, room: &str, state: State) {
        self.lock().states.insert(room.to_owned(), state);
    }

    /// An event: `server-server-api/#get_matrixfederationv1eventeventid`.
    pub(super) fn event(&self, id: &str) -> Option<Value> {
        self.lock().events.get(id).cloned()
    }

    /// The state before an event, as ids: `server-server-api/#get_matrixfederationv1state_idsroomid`.
    pub(super) fn state_ids(&self, room: &str, event: &str) -> Option<Value> {
        let kept = self.lock();
        let State { state, auth_chain } =
            kept.states.get(room).filter(|_| kept.events.contains_key(event))?;
        Some(json!({"pdu_ids": state, "auth_chain_ids": auth_chain}))
    }

    /// The same as events: `server-server-api/#get_matrixfederationv1stateroomid`.
    pub(super) fn state(&self, room: &str, event: &str) -> Option<Value> {
        let kept = self.lock();
        let State { state, auth_chain } =
            kept.states.get(room).filter(|_| kept.events.contains_key(event))?;
        let events = |ids: &[String]| -> Vec<Value> {
            ids.iter().filter_map(|id| kept.events.get(id).cloned()).collect()
        };
        Some(json!({"pdus": events(state), "auth_chain": events(auth_chain)}))
    }

    /// What an event rests on: `server-server-api/#get_matrixfederationv1event_authroomideventid`.
    pub(super) fn auth_chain(&self, event: &str) -> Vec<Value> {
        let kept = self.lock();
        let from = kept.named(event, "auth_events");
        kept.reachable(from, "auth_events", &[], usize::MAX)
    }

    /// Events and what came before them: `server-server-api/#get_matrixfederationv1backfillroomid`.
    pub(super) fn backwards(&self, from: Vec<String>, most: usize) -> Vec<Value> {
        self.lock().reachable(from, "prev_events", &[], most.min(MOST_EVENTS))
    }

    /// What came after some events and before others, oldest first:
    /// `server-server-api/#post_matrixfederationv1get_missing_eventsroomid`.
    pub(super) fn between(&self, earliest: &[String], latest: &[String], most: usize) -> Vec<Value> {
        let kept = self.lock();
        let from = latest.iter().flat_map(|id| kept.named(id, "prev_events")).collect();
        let mut found = kept.reachable(from, "prev_events", earliest, most.min(MOST_EVENTS));
        found.reverse();
        found
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Breadth first, without what is excluded and whatever is only behind that.
    fn reachable(&self, from: Vec<String>, property: &str, excluded: &[String], most: usize) -> Vec<Value> {
        let (mut found, mut left) = (Vec::new(), VecDeque::from(from));
        let mut seen: HashSet<String> = excluded.iter().cloned().collect();
        while let Some(id) = left.pop_front().filter(|_| found.len() < most) {
            if !seen.insert(id.clone()) {
                continue;
            }
            if let Some(event) = self.events.get(&id) {
                found.push(event.clone());
                left.extend(self.named(&id, property));
            }
        }
        found
    }

    fn named(&self, id: &str, property: &str) -> Vec<String> {
        let named = self.events.get(id).and_then(|event| event[property].as_array()).into_iter().flatten();
        named.filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `$0 ← $1 ← $2 ← $3`, where `$3` follows `$1` as well.
    fn archive() -> Archive {
        let archive = Archive::default();
        for (id, before) in [("$0", &[][..]), ("$1", &["$0"]), ("$2", &["$1"]), ("$3", &["$2", "$1"])] {
            let json = json!({"prev_events": before, "name": id});
            archive.keep(&Event { id: id.to_owned(), json: json.as_object().cloned().unwrap_or_default() });
        }
        archive
    }

    fn names(events: &[Value]) -> Vec<&str> {
        events.iter().filter_map(|event| event["name"].as_str()).collect()
    }

    #[test]
    fn what_is_missing_lies_between() {
        let (earliest, latest) = (["$0".to_owned()], ["$3".to_owned()]);
        assert_eq!(names(&archive().between(&earliest, &latest, 10)), ["$1", "$2"]);
        assert_eq!(names(&archive().between(&earliest, &latest, 1)), ["$2"]);
    }

    #[test]
    fn what_came_before_begins_with_what_is_asked_for() {
        assert_eq!(names(&archive().backwards(vec!["$3".to_owned()], 3)), ["$3", "$2", "$1"]);
        assert_eq!(names(&archive().backwards(vec!["$9".to_owned()], 3)), [""; 0]);
    }

    #[test]
    fn of_events_that_nobody_sent_there_is_no_state() {
        let archive = archive();
        archive.keep_state("!r", State { state: vec!["$0".to_owned()], auth_chain: Vec::new() });
        assert_eq!(archive.state_ids("!r", "$3"), Some(json!({"pdu_ids": ["$0"], "auth_chain_ids": []})));
        assert_eq!(archive.state_ids("!r", "$9"), None);
        assert_eq!(archive.state_ids("!s", "$3"), None);
    }
}
