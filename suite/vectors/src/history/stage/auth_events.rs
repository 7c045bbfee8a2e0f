//! What an event gives as its auth events, right or wrong.

use oracle::{Event, StateMap, auth_event_keys, select_auth_events};
use protocol::Object;
use serde_json::json;

use super::Stage;
use crate::history::act::other_room;
use crate::history::scene::{BEGINNING_MS, USERS};
use crate::history::script::AuthEvents;
use crate::room::Draft;

impl Stage {
    /// The ids of the auth events of an event.
    pub(super) fn auth_events(
        &mut self,
        choice: AuthEvents,
        event: &Event,
        before: &StateMap,
        prev_events: &[String],
    ) -> Vec<String> {
        let right = select_auth_events(self.version, event, before);
        let of_state_after = |id: &String| select_auth_events(self.version, event, &self.moments[id].after);
        let at = |number: u8| usize::from(number).checked_rem(right.len());
        match choice {
            AuthEvents::Right | AuthEvents::Elsewhere => right,
            AuthEvents::OfOtherBranch => {
                let other = self.branches.iter().find(|tip| !prev_events.contains(tip));
                other.map_or(right, of_state_after)
            }
            AuthEvents::Stale(back) => {
                let moment = self.followed.iter().rev().nth(usize::from(back));
                moment.map_or(right, of_state_after)
            }
            AuthEvents::Without(number) => {
                let without = at(number);
                right
                    .into_iter()
                    .enumerate()
                    .filter(|(index, _)| Some(*index) != without)
                    .map(|it| it.1)
                    .collect()
            }
            AuthEvents::Twice(number) => {
                let twice = at(number).map(|index| right[index].clone());
                right.into_iter().chain(twice).collect()
            }
            AuthEvents::Rivals(number) => {
                let rival = at(number).and_then(|index| self.rival(&right[index]));
                right.into_iter().chain(rival).collect()
            }
            AuthEvents::Excess(number) => {
                let excess = self.followed[usize::from(number) % self.followed.len().max(1)..].iter();
                let excess = excess.rev().find(|id| !right.contains(id)).cloned();
                right.into_iter().chain(excess).collect()
            }
            AuthEvents::Rejected => self.with_rejected(right, event),
            AuthEvents::OtherRoom => self.with_another_rooms(right),
        }
    }

    /// Another accepted event of the same key.
    fn rival(&self, id: &str) -> Option<String> {
        let key = self.room.events().get(id)?.key();
        let is_rival =
            |other: &&String| *other != id && self.room.events().get(other).is_some_and(|it| it.key() == key);
        self.followed.iter().rev().find(is_rival).cloned()
    }

    /// With the last rejected event of a key that is selected in its place, or any rejected one.
    fn with_rejected(&self, mut auth_events: Vec<String>, event: &Event) -> Vec<String> {
        let keys = auth_event_keys(self.version, event);
        let key_of = |id: &String| self.room.events().get(id).and_then(Event::key);
        let rejected = || self.made.iter().rev().filter(|id| self.room.events().is_rejected(id));
        let fitting = rejected().find(|id| key_of(id).is_some_and(|key| keys.contains(&key)));
        if let Some(id) = fitting {
            auth_events.retain(|other| key_of(other) != key_of(id));
        }
        auth_events.extend(fitting.or_else(|| rejected().next()).cloned());
        auth_events
    }

    /// With power levels of another room.
    fn with_another_rooms(&mut self, mut auth_events: Vec<String>) -> Vec<String> {
        let is_levels = |id: &String| {
            self.room.events().get(id).is_some_and(|it| it.event_type() == "m.room.power_levels")
        };
        auth_events.retain(|id| !is_levels(id));
        let name = format!("elsewhere{}", self.made.len() + 1);
        auth_events.push(self.room.make(Draft {
            name: &name,
            sender: USERS[0],
            event_type: "m.room.power_levels",
            state_key: Some(""),
            content: json!({"users": {}, "state_default": 0}),
            origin_server_ts: BEGINNING_MS,
            with: Object::from_iter([("room_id".to_owned(), json!(other_room(self.version)))]),
            ..Draft::default()
        }));
        auth_events
    }
}
