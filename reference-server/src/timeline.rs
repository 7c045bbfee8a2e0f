//! Rooms as they go on: which events follow which, what state they make, and in which order this server came to know
//! of it all.
//!
//! [`rooms`](crate::rooms) judges events without knowing where they are kept; this module keeps them. A room is two
//! things at once. Among servers it is a [`graph`]: any event may follow any others, and has a state of its own. To
//! clients it is a line: events stand at positions of the stream, and [`history`] has the state of the room at each.
//! Events come in by two ways, [`append`] for what clients here say and [`arrival`] for what other servers send, and are
//! kept by one, [`keep`]. State, all that it ever was, is in memory; of other events, the recent ones are.

mod aggregations;
mod append;
mod arrival;
mod auth_chain;
mod graph;
mod history;
mod keep;
mod recent;
mod registry;
mod servers;
mod show;

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use protocol::RoomVersion;
use serde_json::Value;

use self::aggregations::{Aggregations, relation};
pub(crate) use self::append::{Founding, Sending};
pub(crate) use self::arrival::{Admission, Arrival, Lacking, Manner};
use self::graph::Graph;
pub(crate) use self::graph::{NOTHING, Standing, StateId};
pub(crate) use self::history::{History, StateAt};
pub(crate) use self::keep::Audience;
pub(crate) use self::registry::Timelines;
pub(crate) use self::show::{Format, Viewer};
use crate::error::MatrixError;
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::{self, HistoryVisibility};
use crate::store::events::{self, Relations, Stored};
use crate::store::{Store, StoreError};
use crate::stream::Position;

/// An event and its place.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Where it stands in the stream.
    pub(crate) position: Position,
    /// The event; what is left of it when it was redacted.
    pub(crate) pdu: Pdu,
    /// What became of it.
    pub(crate) standing: Standing,
    /// The states before and after it.
    pub(crate) states: (StateId, StateId),
    /// The redaction, when it was.
    pub(crate) redacted_because: Option<Pdu>,
    /// The device and transaction of its sender, for the echo.
    pub(crate) sent_by: Option<(String, String)>,
}

/// One room.
#[derive(Debug)]
pub(crate) struct Timeline {
    room_id: String,
    version: &'static RoomVersion,
    /// Held by whoever adds to the room: what is judged by its state has to be kept before that changes.
    turn: tokio::sync::Mutex<()>,
    record: RwLock<Record>,
}

/// What of a room is in memory.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The state at every position.
    pub(crate) history: History,
    /// The events that other servers know the room by, and the state at each.
    pub(crate) graph: Graph,
    servers: servers::Servers,
    /// What redactions left of state events.
    redacted: HashMap<String, Pdu>,
    recent: recent::Recent,
    /// The position of the last event.
    pub(crate) last: Position,
    /// Whether the room is in the published room directory.
    pub(crate) published: bool,
    /// The position of the last receipt.
    pub(crate) last_receipt: Position,
    /// Of each reader, the event read last and when that was said, as positions.
    read_up_to: HashMap<String, (Position, Position)>,
    aggregations: Aggregations,
    /// Users who asked for erasure, and when, as a position.
    erased: HashMap<String, Position>,
    forgotten_by: HashSet<String>,
    /// What users here have been told of the room, from when this server was not in it.
    stripped: HashMap<String, Vec<Value>>,
}

impl Timeline {
    /// The room id.
    pub(crate) fn room_id(&self) -> &str {
        &self.room_id
    }

    /// The room version.
    pub(crate) fn version(&self) -> &'static RoomVersion {
        self.version
    }

    /// What is in memory, for as long as no writer is to wait.
    pub(crate) fn record(&self) -> RwLockReadGuard<'_, Record> {
        self.record.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_mut(&self) -> RwLockWriteGuard<'_, Record> {
        self.record.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the room is, or is no longer, in the directory.
    pub(crate) fn set_published(&self, published: bool) {
        self.record_mut().published = published;
    }

    /// Notes that a user does not want to hear of the room.
    pub(crate) fn set_forgotten(&self, user_id: &str) {
        self.record_mut().forgotten_by.insert(user_id.to_owned());
    }

    /// Notes that a user has asked for erasure.
    pub(crate) fn set_erased(&self, user_id: &str, position: Position) {
        self.record_mut().erased.insert(user_id.to_owned(), position);
    }

    /// Notes that a user has read up to an event; `noted` is where that stands in the stream.
    pub(crate) fn note_receipt(&self, user_id: &str, event: Position, noted: Position) {
        let mut record = self.record_mut();
        record.last_receipt = record.last_receipt.max(noted);
        let read = record.read_up_to.entry(user_id.to_owned()).or_default();
        *read = (read.0.max(event), read.1.max(noted));
    }

    /// At most `limit` events up to `until`, newest first.
    pub(crate) async fn until(
        &self,
        store: &Store,
        until: Position,
        limit: usize,
    ) -> Result<Vec<Entry>, MatrixError> {
        if let Some(entries) = self.record().recent.until(until, limit) {
            return Ok(entries);
        }
        let room_id = self.room_id.clone();
        self.read(store.read(move |c| events::until(c, &room_id, until, limit)).await?)
    }

    /// At most `limit` events after `since`, oldest first.
    pub(crate) async fn since(
        &self,
        store: &Store,
        since: Position,
        limit: usize,
    ) -> Result<Vec<Entry>, MatrixError> {
        if let Some(entries) = self.record().recent.since(since, limit) {
            return Ok(entries);
        }
        let room_id = self.room_id.clone();
        self.read(store.read(move |c| events::since(c, &room_id, since, limit)).await?)
    }

    /// The event with this id, if clients may see such events.
    pub(crate) async fn find(&self, store: &Store, event_id: &str) -> Result<Option<Entry>, MatrixError> {
        let entry = self.find_any(store, event_id).await?;
        Ok(entry.filter(|entry| entry.standing == Standing::Accepted))
    }

    /// The event with this id, whatever became of it.
    pub(crate) async fn find_any(&self, store: &Store, event_id: &str) -> Result<Option<Entry>, MatrixError> {
        if let Some(entry) = self.record().recent.find(event_id) {
            return Ok(Some(entry));
        }
        let (room_id, event_id) = (self.room_id.clone(), event_id.to_owned());
        let stored = store.read(move |c| events::find(c, &room_id, &event_id)).await?;
        Ok(self.read(stored)?.pop())
    }

    /// The event next to a moment, in milliseconds since the Unix epoch, among those that are here.
    pub(crate) async fn nearest(
        &self,
        store: &Store,
        moment_ms: i64,
        backwards: bool,
    ) -> Result<Option<Entry>, MatrixError> {
        let room_id = self.room_id.clone();
        let found = store.read(move |c| events::nearest(c, &room_id, moment_ms, backwards)).await?;
        Ok(self.read(found)?.pop())
    }

    /// At most `limit` events that relate to another.
    pub(crate) async fn related(
        &self,
        store: &Store,
        wanted: Relations,
        limit: usize,
    ) -> Result<Vec<Entry>, MatrixError> {
        let room_id = self.room_id.clone();
        self.read(store.read(move |c| events::related(c, &room_id, &wanted, limit)).await?)
    }

    fn read(&self, stored: impl IntoIterator<Item = Stored>) -> Result<Vec<Entry>, MatrixError> {
        let entries = stored.into_iter().map(|stored| Entry::read(stored, self.version));
        entries.collect::<Result<_, _>>().map_err(MatrixError::from)
    }
}

impl Entry {
    fn read(stored: Stored, version: &'static RoomVersion) -> Result<Self, StoreError> {
        let pdu = parse(stored.event_id, &stored.pdu, version)?;
        let redaction = stored.redaction.map(|(event_id, json)| parse(event_id, &json, version));
        let redacted_because = redaction.transpose()?;
        Ok(Self {
            position: stored.position,
            pdu: if redacted_because.is_some() { pdu.redacted() } else { pdu },
            standing: stored.standing,
            states: stored.states,
            redacted_because,
            sent_by: stored.sent_by,
        })
    }
}

fn parse(event_id: String, json: &str, version: &'static RoomVersion) -> Result<Pdu, StoreError> {
    Pdu::with_id(event_id, serde_json::from_str(json)?, version)
        .map_err(|error| StoreError::Json(<serde_json::Error as serde::de::Error>::custom(error)))
}

impl Record {
    /// A user's membership now.
    pub(crate) fn membership(&self, user_id: &str) -> String {
        self.history.now().membership(user_id).to_owned()
    }

    /// Whether a user has left the room and does not want to hear of it.
    pub(crate) fn is_forgotten_by(&self, user_id: &str) -> bool {
        self.forgotten_by.contains(user_id) && !commits(Fault::RoomsNotForgotten)
    }

    /// The event that a user has read last and when that was said, as positions.
    pub(crate) fn read_up_to(&self, user_id: &str) -> Option<(Position, Position)> {
        self.read_up_to.get(user_id).copied()
    }

    /// The id of the last event.
    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.graph.tips().last().map(|tip| tip.pdu.event_id())
    }

    /// What a user has been told of the room when this server was not in it.
    pub(crate) fn stripped_for(&self, user_id: &str) -> Option<&[Value]> {
        self.stripped.get(user_id).map(Vec::as_slice)
    }

    /// What is left of a state event, if it was redacted; the event itself otherwise.
    pub(crate) fn left_of<'a>(&'a self, pdu: &'a Pdu) -> &'a Pdu {
        self.redacted.get(pdu.event_id()).unwrap_or(pdu)
    }

    /// The servers whose users are joined now.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &str> {
        self.servers.names()
    }

    /// Whether a server has users who are joined now.
    pub(crate) fn has_server(&self, name: &str) -> bool {
        self.servers.has(name)
    }

    /// Users who are joined now.
    pub(crate) fn joined(&self) -> impl Iterator<Item = &str> {
        self.members("join")
    }

    /// Users whose membership is this one now.
    pub(crate) fn members(&self, membership: &str) -> impl Iterator<Item = &str> {
        self.history
            .now()
            .of_type("m.room.member")
            .filter(move |member| member.content_str("membership") == Some(membership))
            .filter_map(|member| member.state_key())
    }

    /// Up to where a user may read the room's state: to its end as a member, or as anybody where
    /// history is world-readable; to the point where they left otherwise.
    pub(crate) fn readable_until(&self, user_id: &str) -> Result<Position, MatrixError> {
        let now = self.history.now();
        if now.membership(user_id) == "join"
            || commits(Fault::StateShownToStrangers)
            || HistoryVisibility::of(&now) == HistoryVisibility::WorldReadable
        {
            return Ok(Position::MAX);
        }
        match self.history.left(user_id) {
            Some(left) if !self.is_forgotten_by(user_id) => {
                Ok(if commits(Fault::StateShownAfterDeparture) { Position::MAX } else { left })
            }
            _ => Err(not_a_member()),
        }
    }

    /// Whether a user may see an event.
    pub(crate) fn may_see(&self, entry: &Entry, user_id: &str) -> bool {
        let before = self.graph.state(entry.states.0);
        let joined_later = self
            .history
            .joined_after(user_id, if commits(Fault::HistoryOfAbsenceShown) { 0 } else { entry.position });
        visibility::may_see(&entry.pdu, user_id, &before, joined_later) || commits(Fault::HistoryShownToAll)
    }
}

/// The refusal for those who are not in a room, whether there is one or not.
pub(crate) fn not_a_member() -> MatrixError {
    MatrixError::forbidden("you are not a member of this room: join it first")
}
