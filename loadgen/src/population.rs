//! The users, rooms and history that a run needs, made beforehand from the seed.
//!
//! Names follow from the seed. Whoever and whatever is there already, from a run that was broken off or from an earlier
//! one, is found again and completed.

mod account;
mod crew;
mod rooms;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use crate::{connection::Problem, homes::Home, homes::Homes, profile::Profile};

pub use account::Registration;
pub(crate) use account::{Session, log_in, register};
pub(crate) use crew::{At, Crew, Hand};

/// Users of the load, and the rooms they share.
#[derive(Debug, Default)]
pub struct Population {
    /// Everybody, cell by cell.
    pub users: Vec<User>,
    /// Every room.
    pub rooms: Vec<Room>,
    /// Rooms by their ids.
    pub room_by_id: HashMap<String, u32>,
}

/// A user of the load.
#[derive(Debug)]
pub struct User {
    /// The full user id.
    pub id: String,
    /// The localpart.
    pub name: String,
    /// The password.
    pub password: String,
    /// The device of the session.
    pub device: String,
    /// The value of the `Authorization` header.
    pub bearer: HeaderValue,
    /// The place of the group in the profile.
    pub group: usize,
    /// Where the account is.
    pub home: Home,
    /// Whether the run has him do anything; the others are only members.
    pub active: bool,
    /// The rooms he is in.
    pub rooms: Vec<u32>,
    /// How far his own sync has come.
    pub since: Mutex<Arc<str>>,
}

/// A room of the load.
#[derive(Debug)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// Its id as a segment of a path.
    pub segment: String,
    /// The place of its kind in the profile.
    pub kind: usize,
    /// Its members, in ascending order; of a room that is there to be joined, none.
    pub members: Vec<u32>,
    /// Who made it.
    pub maker: u32,
    /// Those of them who keep a sync open, in ascending order.
    pub watchers: Arc<[u32]>,
    /// The scripted servers in it, in ascending order.
    pub servers: Arc<[u32]>,
    /// The latest event that anybody has seen in it.
    pub latest: Mutex<String>,
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Order {
    /// The workload.
    pub profile: Profile,
    /// The cells to make, by number.
    pub cells: Vec<u32>,
    /// Names and passwords follow from it.
    pub seed: u64,
    /// How many requests are under way at once.
    pub hands: usize,
    /// How long an answer may take.
    pub within: Duration,
}

/// Hears how far the making is.
pub trait Hears {
    /// Another of so many things of a kind is made.
    fn made(&self, what: &'static str, done: usize, of: usize);
}

impl User {
    /// The name of his homeserver.
    pub(crate) fn server_name(&self) -> &str {
        self.id.split_once(':').map_or("", |(_, name)| name)
    }

    /// How far his own sync has come.
    #[must_use]
    pub fn since(&self) -> Arc<str> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// His own sync has come further.
    pub fn synced(&self, next_batch: &str) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = next_batch.into();
    }
}

impl Room {
    /// Somebody has seen this event in it.
    pub fn saw(&self, event_id: &str) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        event_id.clone_into(&mut latest);
    }

    /// The latest event that anybody has seen in it; empty at first.
    #[must_use]
    pub fn latest(&self) -> String {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Population {
    /// Makes the cells of the order, or finds what is there of them and makes the rest. Cells that were made before stay.
    ///
    /// # Errors
    /// With the first request that could not be completed.
    pub(crate) async fn grow(
        &mut self,
        homes: &Homes,
        order: &Order,
        hears: &impl Hears,
    ) -> Result<(), Problem> {
        let mut crew = Crew::new(homes.servers(), order.hands, order.within);
        let first = self.users.len();
        self.users.extend(account::make_all(&mut crew, homes, order, hears).await?);
        rooms::make_all(&mut crew, order, first, self, hears).await?;
        self.room_by_id = (0..).zip(&self.rooms).map(|(place, room)| (room.id.clone(), place)).collect();
        Ok(())
    }

    /// From now on, the first so many users of the whole population are active; `cells` are those that are here.
    pub fn activate(&mut self, profile: &Profile, cells: &[u32], active: u32) {
        let of_cell = profile.users().max(1);
        for (place, user) in (0..).zip(&mut self.users) {
            let cell: u32 = cells.get((place / of_cell) as usize).copied().unwrap_or_default();
            user.active =
                u64::from(cell) * u64::from(of_cell) + u64::from(place % of_cell) < u64::from(active);
        }
        for room in &mut self.rooms {
            let watches = |user: &User| user.active && profile.groups[user.group].online;
            let watchers =
                room.members.iter().copied().filter(|member| watches(&self.users[*member as usize]));
            room.watchers = watchers.collect();
        }
    }

    /// The places of active users in a group, or of all groups.
    #[must_use]
    pub fn active_in(&self, group: Option<usize>) -> Vec<u32> {
        let fits = |user: &User| user.active && group.is_none_or(|group| user.group == group);
        (0..).zip(&self.users).filter(|(_, user)| fits(user)).map(|(place, _)| place).collect()
    }
}

/// The places of a room's members in its cell, spread so that every user of a group gets his turn.
fn members(profile: &Profile, kind: usize, number: u32) -> Vec<u32> {
    let offsets: BTreeMap<&str, (u32, u32)> = profile
        .groups
        .iter()
        .scan(0, |offset, group| {
            let at = *offset;
            *offset += group.count;
            Some((group.name.as_str(), (at, group.count)))
        })
        .collect();
    let mut members: Vec<u32> = profile.rooms[kind]
        .members
        .iter()
        .filter_map(|(group, many)| Some((offsets.get(group.as_str())?, *many)))
        .flat_map(|((offset, count), many)| {
            let first = number * many;
            (0..many).map(move |member| offset + (first + member) % count)
        })
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_his_turn_in_rooms() {
        let profile = Profile::find("company-50").expect("a profile");
        for (kind, room) in profile.rooms.iter().enumerate() {
            let wanted: u32 = room.members.values().sum();
            for number in 0..room.count {
                assert_eq!(members(&profile, kind, number).len(), wanted as usize, "{} {number}", room.name);
            }
        }
    }
}
