//! What makes a profile none: that it contradicts itself.

use super::{Action, Profile};
use crate::operation::Operation;

/// Events of a transaction at most: `server-server-api/#transactions`.
const MOST_EVENTS: u32 = 50;

impl Profile {
    pub(super) fn contradiction(&self) -> Option<String> {
        let group = |name: &String| self.groups.iter().find(|group| group.name == *name);
        let room = |name: &String| self.rooms.iter().any(|room| room.name == *name);
        if self.users() == 0 {
            return Some("it has no users".to_owned());
        }
        for kind in &self.rooms {
            if kind.private && (kind.lobby || kind.servers > 0) {
                return Some(format!(
                    "the rooms `{}` are private, so only invited members are in: no lobby, no scripted servers",
                    kind.name
                ));
            }
            if kind.members.values().sum::<u32>() == 0 {
                return Some(format!("nobody is in the rooms `{}`, so nobody can make them", kind.name));
            }
            for (name, number) in &kind.members {
                match group(name) {
                    None => {
                        return Some(format!("the rooms `{}` have members of no group `{name}`", kind.name));
                    }
                    Some(group) if group.count < *number => {
                        return Some(format!("{number} of {} `{name}` cannot be in a room", group.count));
                    }
                    Some(_) => {}
                }
            }
        }
        if let Some(problem) = self.contradiction_of_journeys() {
            return Some(problem);
        }
        for action in &self.actions {
            if let Some(problem) = self.contradiction_of_servers(action) {
                return Some(problem);
            }
            if let Some(name) = action.by.as_ref().filter(|name| group(name).is_none()) {
                return Some(format!("{} is done by no group `{name}`", action.operation.name()));
            }
            if let Some(name) = action.within.as_ref().filter(|name| !room(name)) {
                return Some(format!("{} is done in no room `{name}`", action.operation.name()));
            }
            if matches!(action.operation, Operation::Join | Operation::ServerJoin)
                && !self.rooms.iter().any(|room| room.lobby)
            {
                return Some("somebody joins rooms, and no room is a lobby".to_owned());
            }
            if !action.per_hour.is_finite() || action.per_hour < 0.0 {
                return Some(format!("{} {} times an hour", action.operation.name(), action.per_hour));
            }
        }
        None
    }

    fn contradiction_of_servers(&self, action: &Action) -> Option<String> {
        let (name, all) = (action.operation.name(), self.servers.as_ref().map_or(0, |servers| servers.count));
        if !action.operation.is_of_servers() {
            return (action.events != 1)
                .then(|| format!("{name} has no transactions, so none of several events"));
        }
        if all == 0 {
            return Some(format!(
                "{name} is done by servers, and there are none; [servers] count = N makes some"
            ));
        }
        if let Some(kind) = self.rooms.iter().find(|kind| kind.servers > all) {
            return Some(format!("{} of {all} servers cannot be in the rooms `{}`", kind.servers, kind.name));
        }
        if !(1..=MOST_EVENTS).contains(&action.events) {
            return Some(format!(
                "{} events are not in a transaction: 1 to {MOST_EVENTS} are",
                action.events
            ));
        }
        let mut kinds = self.kinds(action).into_iter();
        let is_without =
            action.operation.is_signed_ahead() && !kinds.any(|kind| self.rooms[kind].servers > 0);
        is_without.then(|| format!("{name} is done in rooms that no server is in"))
    }
}
