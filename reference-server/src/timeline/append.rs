//! Adding to a room: events are built, judged, stored, made visible, and told of, in this order.

use std::sync::Arc;

use protocol::RoomVersion;
use protocol::event::FormatError;
use protocol::room_version::RoomIdFormat;
use serde_json::Value;

use super::{Entry, Record, StateAt, Timeline, relation};
use crate::clock::{now_ms, unique_now_ms};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::rooms::authorize::{Rejection, Rule, authorize};
use crate::rooms::event::{BuildError, Pdu, Place, Template};
use crate::rooms::redaction;
use crate::rooms::state::{StateLookup, StateMap};
use crate::store::search::Searched;
use crate::store::transactions::{self, Transaction};
use crate::store::{StoreError, events, rooms};
use crate::token;

/// What a client wants to add.
#[derive(Debug)]
pub(crate) struct Sending {
    /// The events, each of which builds on the one before.
    pub(crate) templates: Vec<Template>,
    /// The transaction that they are sent in; only ever one event then.
    pub(crate) transaction: Option<Transaction>,
}

/// What a new room begins with.
#[derive(Debug)]
pub(crate) struct Founding {
    /// Its version.
    pub(crate) version: &'static RoomVersion,
    /// Its first events.
    pub(crate) templates: Vec<Template>,
    /// Whether it is in the published room directory.
    pub(crate) published: bool,
    /// An alias and who makes it.
    pub(crate) alias: Option<(String, String)>,
}

impl From<Template> for Sending {
    fn from(template: Template) -> Self {
        Self { templates: vec![template], transaction: None }
    }
}

impl Timeline {
    /// Makes a room and answers it when its first events are stored and visible.
    pub(crate) async fn create(server: &Homeserver, founding: Founding) -> Result<Arc<Self>, MatrixError> {
        let Founding { version, templates, published, alias } = founding;
        let given = match version.room_id {
            RoomIdFormat::Domain => Some(format!("!{}:{}", token::opaque(18), server.name())),
            RoomIdFormat::CreateEvent => None,
        };
        let mut draft = Draft::new(server, version, given);
        for template in templates {
            draft.add(template)?;
        }
        let (room_id, pdus) = (draft.room_id.unwrap_or_default(), draft.pdus);
        let record = Record { published, ..Record::default() };
        let timeline = Arc::new(Self::new(room_id.clone(), version, record));
        let room = rooms::Room { room_id: room_id.clone(), version: version.id.to_owned(), published };
        let found = move |connection: &rusqlite::Connection| {
            rooms::add(connection, &room)?;
            match alias {
                Some((alias, creator)) => {
                    let alias = rooms::Alias { alias, room_id, creator };
                    let free = rooms::add_alias(connection, &alias)?;
                    if free { Ok(()) } else { Err(StoreError::Taken(alias.alias)) }
                }
                None => Ok(()),
            }
        };
        timeline.keep(server, pdus, None, found).await?;
        Ok(timeline)
    }

    /// Adds events and answers the id of the last when they are stored and visible. State that is
    /// there already is not set again; a transaction that was carried out is only answered.
    pub(crate) async fn append(
        self: &Arc<Self>,
        server: &Homeserver,
        sending: Sending,
    ) -> Result<String, MatrixError> {
        let _turn = self.turn.lock().await;
        if let Some(transaction) = sending.transaction.clone() {
            let done = server.store.read(move |c| transactions::find(c, &transaction)).await?;
            if let Some(Some(event_id)) = done {
                return Ok(event_id);
            }
        }
        let (pdus, unchanged) = self.draft(server, sending.templates)?;
        let Some(last) = pdus.last() else {
            return unchanged.ok_or_else(|| MatrixError::internal("nothing to send"));
        };
        let event_id = last.event_id().to_owned();
        self.keep(server, pdus, sending.transaction, |_| Ok(())).await?;
        Ok(event_id)
    }

    /// Builds and judges; gives the events to store and the id of the last that was there already.
    fn draft(
        &self,
        server: &Homeserver,
        templates: Vec<Template>,
    ) -> Result<(Vec<Pdu>, Option<String>), MatrixError> {
        let record = self.record();
        let mut draft = Draft::new(server, self.version, Some(self.room_id.clone()));
        draft.base = Some(record.history.now());
        draft.prev_events.clone_from(&record.forward_extremities);
        let mut unchanged = None;
        for template in templates {
            match draft.same(&template) {
                Some(event_id) => unchanged = Some(event_id),
                None => draft.add(template)?,
            }
        }
        Ok((draft.pdus, unchanged))
    }

    /// Stores events that were judged, makes them visible and wakes those whom they concern.
    async fn keep(
        self: &Arc<Self>,
        server: &Homeserver,
        pdus: Vec<Pdu>,
        transaction: Option<Transaction>,
        first: impl FnOnce(&rusqlite::Connection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), MatrixError> {
        let mut redacted = Vec::new();
        for pdu in &pdus {
            redacted.push(self.redacted_by(server, pdu).await?);
        }
        let places: Vec<_> = pdus.iter().map(|_| server.stream.place()).collect();
        let sent_by = transaction.as_ref().map(|t| (t.device_id.clone(), t.transaction_id.clone()));
        let mut stored = Vec::new();
        for ((pdu, place), target) in pdus.iter().zip(&places).zip(&redacted) {
            stored.push(events::New {
                position: place.position(),
                event_id: pdu.event_id().to_owned(),
                room_id: self.room_id.clone(),
                is_state: pdu.state_key().is_some(),
                event_type: pdu.event_type().to_owned(),
                relation: relation(pdu).map(|(rel_type, parent)| (rel_type.to_owned(), parent.to_owned())),
                pdu: serde_json::to_string(pdu.object()).map_err(MatrixError::internal)?,
                redacts: target.as_ref().map(|target| target.event_id().to_owned()),
                searched: Searched::in_event(pdu),
                sent_by: sent_by.clone(),
            });
        }
        let back: Vec<_> = pdus.iter().filter_map(|pdu| returning(pdu).map(str::to_owned)).collect();
        let room_id = self.room_id.clone();
        server
            .store
            .write(move |connection| {
                first(connection)?;
                for event in &stored {
                    events::add(connection, event)?;
                }
                for user_id in &back {
                    rooms::set_forgotten(connection, user_id, &room_id, false)?;
                }
                match (&transaction, stored.last()) {
                    (Some(transaction), Some(last)) => {
                        transactions::add(connection, transaction, Some(&last.event_id)).map(drop)
                    }
                    _ => Ok(()),
                }
            })
            .await?;
        {
            let mut record = self.record_mut();
            for ((pdu, place), target) in pdus.iter().zip(&places).zip(redacted) {
                let position = place.position();
                record.add(Entry {
                    position,
                    pdu: pdu.clone(),
                    redacted_because: None,
                    sent_by: sent_by.clone(),
                });
                if let Some(target) = target {
                    record.redact(&target, pdu);
                }
            }
        }
        self.tell(server, &pdus, places);
        Ok(())
    }

    fn tell(self: &Arc<Self>, server: &Homeserver, pdus: &[Pdu], places: Vec<crate::stream::Place>) {
        let members = pdus.iter().filter(|pdu| pdu.event_type() == "m.room.member");
        let mut concerned: Vec<String> = members.filter_map(Pdu::state_key).map(str::to_owned).collect();
        server.timelines.note(self, &concerned);
        concerned.extend(self.record().joined().map(str::to_owned));
        concerned.sort_unstable();
        concerned.dedup();
        let mut places = places.into_iter().rev();
        let last = places.next();
        // One bell for all: the last place rings when the stream has reached every one.
        drop(places);
        if let Some(last) = last {
            last.finish(concerned);
        }
    }

    /// The event that a redaction takes effect on.
    async fn redacted_by(&self, server: &Homeserver, pdu: &Pdu) -> Result<Option<Pdu>, MatrixError> {
        let Some(target) = pdu.redacts() else { return Ok(None) };
        let Some(target) = self.find(&server.store, target).await? else { return Ok(None) };
        let record = self.record();
        if redaction::applies(pdu, &target.pdu, &record.history.now()) {
            Ok(Some(target.pdu))
        } else {
            Err(MatrixError::forbidden("your power does not reach the level for redactions here"))
        }
    }
}

impl Record {
    fn add(&mut self, entry: Entry) {
        self.last = entry.position;
        self.history.record(entry.position, &entry.pdu);
        self.forward_extremities = vec![entry.pdu.clone()];
        if let Some(user_id) = returning(&entry.pdu) {
            self.forgotten_by.remove(user_id);
        }
        self.aggregations.add(&entry);
        self.recent.push(entry);
    }

    fn redact(&mut self, target: &Pdu, redaction: &Pdu) {
        self.aggregations.remove(target);
        let redacted = &target.redacted();
        self.history.redact(redacted);
        self.recent.redact(redacted, redaction);
        for extremity in &mut self.forward_extremities {
            if extremity.event_id() == redacted.event_id() {
                *extremity = redacted.clone();
            }
        }
    }
}

/// The user whom an event gives to do with the room, again if they had forgotten it.
fn returning(pdu: &Pdu) -> Option<&str> {
    let membership = (pdu.event_type() == "m.room.member").then(|| pdu.content_str("membership"))?;
    matches!(membership, Some("join" | "invite" | "knock")).then(|| pdu.state_key())?
}

/// Events in the making, on top of a room or of nothing.
struct Draft<'a> {
    server: &'a Homeserver,
    version: &'static RoomVersion,
    room_id: Option<String>,
    base: Option<StateAt<'a>>,
    added: StateMap,
    prev_events: Vec<Pdu>,
    pdus: Vec<Pdu>,
}

impl<'a> Draft<'a> {
    fn new(server: &'a Homeserver, version: &'static RoomVersion, room_id: Option<String>) -> Self {
        Self {
            server,
            version,
            room_id,
            base: None,
            added: StateMap::default(),
            prev_events: Vec::new(),
            pdus: Vec::new(),
        }
    }

    /// The id of a state event that says the same already.
    fn same(&self, template: &Template) -> Option<String> {
        let current = self.find(&template.event_type, template.state_key.as_deref()?)?;
        let content = current.object().get("content").and_then(Value::as_object);
        (current.sender() == template.sender && content == Some(&template.content))
            .then(|| current.event_id().to_owned())
    }

    fn add(&mut self, template: Template) -> Result<(), MatrixError> {
        let place = Place {
            version: self.version,
            room_id: self.room_id.as_deref(),
            prev_events: &self.prev_events,
            state: self,
            // A room id that is the hash of the create event (rooms/v12/#room-ids) would be that of two rooms, if one
            // user made two alike in one millisecond.
            origin_server_ts: if self.room_id.is_none() { unique_now_ms() } else { now_ms() },
        };
        let pdu = template.build(&place, self.server.name(), &self.server.signing_key)?;
        authorize(&pdu, self)?;
        self.room_id.get_or_insert_with(|| pdu.room_id().to_owned());
        self.added.insert(&pdu);
        self.prev_events = vec![pdu.clone()];
        self.pdus.push(pdu);
        Ok(())
    }
}

impl StateLookup for Draft<'_> {
    fn find(&self, event_type: &str, state_key: &str) -> Option<&Pdu> {
        let added = self.added.find(event_type, state_key);
        added.or_else(|| self.base.as_ref()?.find(event_type, state_key))
    }
}

impl From<BuildError> for MatrixError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Number(error) => Self::bad_json(error.to_string()),
            BuildError::Format(error @ (FormatError::Size(_) | FormatError::Length { .. })) => {
                Self::too_large(error.to_string())
            }
            BuildError::Format(error) => Self::bad_json(error.to_string()),
            BuildError::Malformed(error) => Self::bad_json(error.to_string()),
        }
    }
}

impl From<Rejection> for MatrixError {
    fn from(rejection: Rejection) -> Self {
        match rejection.rule {
            // These are about what the event says, whoever sends it.
            Rule::LevelsNotIntegers
            | Rule::LevelListsNotIntegers
            | Rule::LevelsOfUsers
            | Rule::LevelsOfCreators
            | Rule::MembershipUnknown
            | Rule::CreateAdditionalCreators => Self::bad_json(rejection.to_string()),
            _ => Self::forbidden(rejection.to_string()),
        }
    }
}
