//! All rooms that this server is in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use protocol::RoomVersion;
use rusqlite::Connection;

use super::aggregations::AGGREGATED;
use super::graph::{Graph, Known, NOTHING, StateIds, Tip};
use super::recent::Recent;
use super::{Entry, Record, Timeline, not_a_member, parse};
use crate::error::MatrixError;
use crate::store::{StoreError, accounts, events, receipts, rooms, states, stripped_states};
use crate::stream::Position;

/// The rooms by id, and by those who have or had to do with them.
#[derive(Debug, Default)]
pub(crate) struct Timelines {
    by_id: RwLock<HashMap<String, Arc<Timeline>>>,
    by_user: RwLock<HashMap<String, BTreeMap<String, Arc<Timeline>>>>,
    /// The numbers of new states.
    pub(super) state_ids: StateIds,
    /// The position given last to an event that has no place in the stream.
    past: AtomicI64,
}

impl Timelines {
    /// All rooms of a store.
    pub(crate) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let timelines = Self {
            state_ids: StateIds::after(states::last(connection)?),
            past: AtomicI64::new(events::first_position(connection)?),
            ..Self::default()
        };
        for room in rooms::all(connection)? {
            let Some(version) = RoomVersion::find(&room.version) else {
                tracing::error!("room {} has the unknown version {}", room.room_id, room.version);
                continue;
            };
            let timeline = Arc::new(Timeline::load(connection, room, version)?);
            let user_ids: Vec<_> = {
                let record = timeline.record();
                let members = record.history.now().of_type("m.room.member");
                members.filter_map(|member| member.state_key()).map(str::to_owned).collect()
            };
            timelines.note(&timeline, &user_ids);
        }
        for (user_id, position) in accounts::erased(connection)? {
            timelines.of_user(&user_id).iter().for_each(|timeline| timeline.set_erased(&user_id, position));
        }
        for (user_id, room_id) in rooms::forgotten(connection)? {
            if let Some(timeline) = timelines.find(&room_id) {
                timeline.set_forgotten(&user_id);
            }
        }
        Ok(timelines)
    }

    /// The first of so many positions before all others, for events that clients do not notice when they come.
    pub(crate) fn before_all(&self, count: usize) -> Position {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.past.fetch_sub(count + 1, Ordering::Relaxed) - count - 1
    }

    /// The room with this id.
    pub(crate) fn find(&self, room_id: &str) -> Option<Arc<Timeline>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(room_id).cloned()
    }

    /// The room with this id; a room that is not there looks like one that the asker is not in.
    pub(crate) fn get(&self, room_id: &str) -> Result<Arc<Timeline>, MatrixError> {
        self.find(room_id).ok_or_else(not_a_member)
    }

    /// The room with this id, of which nothing may be known yet but its version.
    pub(crate) fn open(&self, room_id: &str, version: &'static RoomVersion) -> Arc<Timeline> {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Timeline::new(room_id.to_owned(), version, Record::default()));
        Arc::clone(by_id.entry(room_id.to_owned()).or_insert_with(new))
    }

    /// Every room.
    pub(crate) fn all(&self) -> Vec<Arc<Timeline>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Every room in which a user has, or had, a membership; by room id.
    pub(crate) fn of_user(&self, user_id: &str) -> Vec<Arc<Timeline>> {
        let by_user = self.by_user.read().unwrap_or_else(PoisonError::into_inner);
        by_user.get(user_id).map(|rooms| rooms.values().cloned().collect()).unwrap_or_default()
    }

    /// The rooms in which both are joined, by room id.
    pub(crate) fn shared_rooms(&self, one: &str, other: &str) -> Vec<String> {
        let both = |room: &&Arc<Timeline>| {
            let record = room.record();
            record.membership(one) == "join" && record.membership(other) == "join"
        };
        self.of_user(one).iter().filter(both).map(|room| room.room_id().to_owned()).collect()
    }

    /// The servers with users in the rooms in which a user is joined.
    pub(crate) fn servers_with(&self, user_id: &str) -> BTreeSet<String> {
        let mut servers = BTreeSet::new();
        for room in self.of_user(user_id) {
            let record = room.record();
            if record.membership(user_id) == "join" {
                servers.extend(record.servers().map(str::to_owned));
            }
        }
        servers
    }

    /// Whether there is a room in which both are joined.
    pub(crate) fn share_a_room(&self, one: &str, other: &str) -> bool {
        !self.shared_rooms(one, other).is_empty()
    }

    /// Notes a room, and that these users have to do with it.
    pub(super) fn note(&self, timeline: &Arc<Timeline>, user_ids: &[String]) {
        {
            let mut by_user = self.by_user.write().unwrap_or_else(PoisonError::into_inner);
            for user_id in user_ids {
                let rooms = by_user.entry(user_id.clone()).or_default();
                rooms.entry(timeline.room_id().to_owned()).or_insert_with(|| Arc::clone(timeline));
            }
        }
        if self.find(timeline.room_id()).is_none() {
            let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
            by_id.insert(timeline.room_id().to_owned(), Arc::clone(timeline));
        }
    }
}

impl Timeline {
    fn load(
        connection: &Connection,
        room: rooms::Room,
        version: &'static RoomVersion,
    ) -> Result<Self, StoreError> {
        let mut record = Record { published: room.published, ..Record::default() };
        record.load_graph(connection, &room, version)?;
        record.stripped = stripped_states::of_room(connection, &room.room_id)?;
        for stored in events::relating(connection, &room.room_id, &AGGREGATED)? {
            record.aggregations.add(&Entry::read(stored, version)?);
        }
        for stored in events::until(connection, &room.room_id, i64::MAX, 1)? {
            record.last = record.last.max(stored.position);
        }
        record.recent = Recent::after(record.last);
        record.last_receipt = receipts::last_position(connection, &room.room_id)?;
        for (user_id, read) in receipts::read_up_to(connection, &room.room_id)? {
            record.read_up_to.insert(user_id, (read, record.last_receipt));
        }
        Ok(Self::new(room.room_id, version, record))
    }

    pub(super) fn new(room_id: String, version: &'static RoomVersion, record: Record) -> Self {
        Self { room_id, version, turn: tokio::sync::Mutex::default(), record: RwLock::new(record) }
    }
}

impl Record {
    /// Takes up the graph of the room, and from it the state at every position.
    fn load_graph(
        &mut self,
        connection: &Connection,
        room: &rooms::Room,
        version: &'static RoomVersion,
    ) -> Result<(), StoreError> {
        let mut known = HashMap::new();
        for stored in events::state(connection, &room.room_id)? {
            let (standing, states) = (stored.standing, stored.states);
            let pdu = parse(stored.event_id.clone(), &stored.pdu, version)?;
            if stored.redaction.is_some() {
                self.redacted.insert(stored.event_id.clone(), pdu.redacted());
            }
            known.insert(stored.event_id, Known { pdu, standing, states });
        }
        self.graph = Graph::load(known, states::of_room(connection, &room.room_id)?);
        let mut tips = Vec::new();
        for event_id in &room.extremities {
            match events::find(connection, &room.room_id, event_id)? {
                Some(stored) => {
                    let after = stored.states.1;
                    tips.push(Tip { pdu: parse(stored.event_id, &stored.pdu, version)?, after });
                }
                None => tracing::error!("room {} has lost its last event {event_id}", room.room_id),
            }
        }
        let mut current = NOTHING;
        for (position, state) in events::room_states(connection, &room.room_id)? {
            self.change_state(position, current, state);
            (current, self.last) = (state, position);
        }
        self.graph.stand(tips, current);
        Ok(())
    }
}
