//! What a remote holds of a room: events, the order in which it learnt of them, and the state that they come to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use oracle::{Decision, Event, History, Receipt, StateMap, StateOf, decide};
use protocol::{Object, RoomVersion, base64, event, room_version::References};
use serde_json::{Value, json};

use super::draft::Pdu;
use crate::verdict::Stop;

/// The events of a room, judged by the oracle: never by the rules of any server.
#[derive(Debug)]
pub(super) struct Held {
    version: &'static RoomVersion,
    pdus: BTreeMap<String, Object>,
    history: History,
}

impl Held {
    pub(super) fn new(version: &'static RoomVersion) -> Self {
        Held { version, pdus: BTreeMap::new(), history: History::new(version) }
    }

    pub(super) fn version(&self) -> &'static RoomVersion {
        self.version
    }

    /// Reads an event for the oracle.
    pub(super) fn read(&self, id: &str, json: Object) -> Result<Event, Stop> {
        Event::new(self.version, id, json).map_err(|error| Stop::Fault(error.to_string()))
    }

    /// Keeps an event, and receives it where everything that it refers to was received. Says what came of it; nothing
    /// where it cannot be received.
    pub(super) fn keep(&mut self, pdu: &Pdu) -> Option<Receipt> {
        self.pdus.insert(pdu.id().to_owned(), pdu.json().clone());
        let event = Event::new(self.version, pdu.id(), pdu.json().clone()).ok()?;
        self.history.receive(event).ok()
    }

    /// Keeps what another server told of the room: an event, and the state and the auth chain before it.
    pub(super) fn keep_told(&mut self, pdu: &Pdu, state: &[Pdu], auth_chain: &[Pdu]) -> Result<(), Stop> {
        let mut before = StateMap::new();
        let mut events = Vec::new();
        for told in state.iter().chain(auth_chain) {
            self.pdus.insert(told.id().to_owned(), told.json().clone());
            events.push(self.read(told.id(), told.json().clone())?);
        }
        for event in &events[..state.len()] {
            before.extend(event.key().map(|key| (key, event.id().to_owned())));
        }
        self.pdus.insert(pdu.id().to_owned(), pdu.json().clone());
        let event = self.read(pdu.id(), pdu.json().clone())?;
        self.history.receive_told(event, before, events);
        Ok(())
    }

    /// Keeps an event that others may ask for, without having received it.
    pub(super) fn keep_aside(&mut self, pdu: &Pdu) {
        self.pdus.insert(pdu.id().to_owned(), pdu.json().clone());
    }

    pub(super) fn get(&self, id: &str) -> Option<&Object> {
        self.pdus.get(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Object)> {
        self.pdus.iter()
    }

    /// The events to which a new one would refer.
    pub(super) fn extremities(&self) -> Vec<String> {
        self.history.extremities().iter().cloned().collect()
    }

    pub(super) fn depth_after(&self, previous: &[String]) -> i64 {
        let depth = |id: &String| self.pdus.get(id)?.get("depth")?.as_i64();
        previous.iter().filter_map(depth).max().unwrap_or(0).saturating_add(1)
    }

    /// The ids, in the form in which events of the room version refer to others.
    pub(super) fn references(&self, ids: &[String]) -> Value {
        let hash = |id: &String| {
            let hash = self.pdus.get(id).and_then(|pdu| event::reference_hash(pdu, self.version).ok());
            json!([id, {"sha256": base64::encode(hash.unwrap_or_default())}])
        };
        match self.version.references {
            References::Ids => json!(ids),
            References::IdsAndHashes => ids.iter().map(hash).collect(),
        }
    }

    /// The state before an event; the current one where the history before it is not known.
    pub(super) fn state_before(&self, event: &Event) -> Result<StateMap, Stop> {
        match self.history.state_before(event) {
            Ok(resolution) => Ok(resolution.state),
            Err(_) => self.current_state(),
        }
    }

    pub(super) fn current_state(&self) -> Result<StateMap, Stop> {
        let resolution = self.history.current_state().map_err(|error| Stop::Fault(error.to_string()))?;
        Ok(resolution.state)
    }

    /// The state before an event that is held, as ids.
    pub(super) fn state_ids_before(&self, id: &str) -> Option<Vec<String>> {
        let event = Event::new(self.version, id, self.pdus.get(id)?.clone()).ok()?;
        let state = self.history.state_before(&event).ok()?.state;
        Some(state.into_values().collect())
    }

    /// The event that stands in the current state under a type and a state key.
    pub(super) fn state_event(&self, kind: &str, state_key: &str) -> Option<Pdu> {
        let state = self.current_state().ok()?;
        let id = state.get(&(kind.to_owned(), state_key.to_owned()))?;
        Some(Pdu::new(id.clone(), self.pdus.get(id)?.clone()))
    }

    /// Whether the current state permits an event.
    pub(super) fn permits(&self, template: &Object) -> bool {
        let state = self.current_state();
        let event = Event::new(self.version, "$template", template.clone());
        let (Ok(state), Ok(event)) = (state, event) else { return false };
        let state = StateOf { state: &state, events: self.history.events() };
        matches!(decide(self.version, &event, &state), Decision::Allow { .. })
    }

    /// Everything that events rest on: their auth events, those of these, and so on.
    pub(super) fn auth_chain<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
        self.reachable(ids, "auth_events", usize::MAX).into_iter().collect()
    }

    /// Everything that any event names as its auth event.
    pub(super) fn all_auth_events(&self) -> BTreeSet<String> {
        self.pdus.keys().flat_map(|id| self.named(id, "auth_events")).collect()
    }

    /// Events and what came before them, breadth first, at most so many.
    pub(super) fn backwards<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a String>,
        most: usize,
    ) -> Vec<String> {
        let ids: Vec<String> = ids.into_iter().filter(|id| self.pdus.contains_key(*id)).cloned().collect();
        let before = self.reachable(&ids, "prev_events", most);
        let mut found = ids;
        for id in before {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        found.truncate(most);
        found
    }

    /// What came after some events and before others, oldest first.
    pub(super) fn between(&self, earliest: &[String], latest: &[String], most: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut left: VecDeque<String> = latest.iter().flat_map(|id| self.named(id, "prev_events")).collect();
        while let Some(id) = left.pop_front() {
            if earliest.contains(&id) || found.contains(&id) || !self.pdus.contains_key(&id) {
                continue;
            }
            if found.len() == most {
                break;
            }
            left.extend(self.named(&id, "prev_events"));
            found.push(id);
        }
        found.reverse();
        found
    }

    fn reachable<'a>(
        &self,
        from: impl IntoIterator<Item = &'a String>,
        property: &str,
        most: usize,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let mut left: VecDeque<String> = from.into_iter().flat_map(|id| self.named(id, property)).collect();
        while let Some(id) = left.pop_front() {
            if found.len() < most && self.pdus.contains_key(&id) && !found.contains(&id) {
                left.extend(self.named(&id, property));
                found.push(id);
            }
        }
        found
    }

    /// The ids that an event names in `prev_events` or `auth_events`.
    fn named(&self, id: &str, property: &str) -> Vec<String> {
        let entries = self.pdus.get(id).and_then(|pdu| pdu.get(property)?.as_array());
        let read = |entry: &Value| {
            let id = entry.as_str().or_else(|| entry.get(0)?.as_str());
            id.map(str::to_owned)
        };
        entries.into_iter().flatten().filter_map(read).collect()
    }
}
