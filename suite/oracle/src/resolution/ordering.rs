//! The two orders of state resolution v2 (rooms/v2/#definitions).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::graph::AuthGraph;
use super::{PowerEvent, RemainingEvent, ResolutionError};
use crate::event::Event;
use crate::power_levels::{Level, PowerLevels};

impl<'a> AuthGraph<'a> {
    /// The *reverse topological power ordering* of a set of events: Kahn's algorithm, always choosing the
    /// smallest.
    // Choice: the vertices of the DAG are the events of the set, and its edges lead from them to those of their
    // auth events that are of the set too. A path through an event that is not of the set orders nothing; the
    // text speaks of "sorting the events" and of no others (rooms/v2/#definitions).
    pub(super) fn reverse_topological_power_ordering(
        &self,
        ids: &BTreeSet<String>,
    ) -> Result<Vec<PowerEvent>, ResolutionError> {
        let mut vertices = BTreeMap::new();
        for id in ids {
            let event = self.event(id, "the full conflicted set")?;
            let level = self.sender_level(event)?;
            vertices.insert((Reverse(level), event.origin_server_ts(), id.clone()), event.auth_events());
        }
        let mut ordered = Vec::new();
        let mut waiting = ids.clone();
        // The map is sorted by the comparison relation, so the first vertex that waits for nothing is the
        // smallest.
        let is_free = |auth_events: &[String], waiting: &BTreeSet<String>| {
            !auth_events.iter().any(|id| waiting.contains(id))
        };
        while let Some(vertex) = vertices
            .iter()
            .find(|(_, auth_events)| is_free(auth_events, &waiting))
            .map(|(vertex, _)| vertex.clone())
        {
            vertices.remove(&vertex);
            let (Reverse(sender_level), _, event_id) = vertex;
            waiting.remove(&event_id);
            ordered.push(PowerEvent { event_id, sender_level });
        }
        Ok(ordered)
    }

    /// The *mainline* of a power levels event: it, the power levels event among its auth events, and so on.
    pub(super) fn mainline(&self, power_levels: &'a Event) -> Result<Vec<String>, ResolutionError> {
        let mut mainline = vec![power_levels.id().to_owned()];
        let mut last = power_levels;
        while let Some(next) = self.auth_event_of_type(last, "m.room.power_levels")? {
            mainline.push(next.id().to_owned());
            last = next;
        }
        Ok(mainline)
    }

    /// The *mainline ordering* of events.
    pub(super) fn mainline_ordering(
        &self,
        ids: impl IntoIterator<Item = String>,
        mainline: &[String],
    ) -> Result<Vec<RemainingEvent>, ResolutionError> {
        let mut ordered = BTreeMap::new();
        for event_id in ids {
            let event = self.event(&event_id, "the full conflicted set")?;
            let mainline_position = self.mainline_position(event, mainline)?;
            let or_infinity = mainline_position.unwrap_or(usize::MAX);
            ordered.insert(
                (Reverse(or_infinity), event.origin_server_ts(), event_id.clone()),
                RemainingEvent { event_id, mainline_position },
            );
        }
        Ok(ordered.into_values().collect())
    }

    /// The *mainline position* of an event: the index of the first power levels event behind it that is of
    /// the mainline.
    fn mainline_position(
        &self,
        event: &'a Event,
        mainline: &[String],
    ) -> Result<Option<usize>, ResolutionError> {
        let mut last = event;
        while let Some(next) = self.auth_event_of_type(last, "m.room.power_levels")? {
            if let Some(position) = mainline.iter().position(|id| id == next.id()) {
                return Ok(Some(position));
            }
            last = next;
        }
        Ok(None)
    }

    /// The power level of an event's sender by the event's auth events.
    fn sender_level(&self, event: &Event) -> Result<Level, ResolutionError> {
        let power_levels = self.auth_event_of_type(event, "m.room.power_levels")?;
        let create = match event.implied_create_event(self.version) {
            Some(create) => Some(self.event(&create, event.id())?).filter(|event| event.is_create()),
            None => self.auth_event_of_type(event, "m.room.create")?,
        };
        Ok(PowerLevels::new(self.version, power_levels, create).user(event.sender()))
    }

    fn auth_event_of_type(
        &self,
        event: &Event,
        event_type: &str,
    ) -> Result<Option<&'a Event>, ResolutionError> {
        let auth_events = self.auth_events(event)?;
        Ok(auth_events.into_iter().find(|auth_event| auth_event.event_type() == event_type))
    }
}
