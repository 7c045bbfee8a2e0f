//! Keeping what has been judged: events are stored, made visible, handed to other servers and told of, in this order.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::identifiers::server_name_of;
use rusqlite::Connection;

use super::graph::{Grown, Placed, Standing};
use super::{Entry, Record, Timeline, relation};
use crate::error::MatrixError;
use crate::federation::device_management;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::rooms::redaction;
use crate::rooms::state::{StateMap, place_of};
use crate::store::rooms::{self, Gap};
use crate::store::search::Searched;
use crate::store::transactions::{self, Transaction};
use crate::store::{StoreError, deliveries, events, states};
use crate::stream::{self, Position};

/// What is new in a room.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The events and states.
    pub(super) grown: Grown,
    /// The transaction of a client that they were sent in; only ever one event then.
    pub(super) transaction: Option<Transaction>,
    /// Who else is to have the events.
    pub(super) audience: Audience,
    /// Where the last of them lies, if that is before everything that is here.
    pub(super) past: Option<Position>,
    /// Whether they come from another server.
    pub(super) is_foreign: bool,
    /// Events that are missing, each with the new one that follows it.
    pub(super) gaps: Vec<(String, String)>,
}

/// The servers that are to have new events.
#[derive(Debug, Clone, Default)]
pub(crate) enum Audience {
    /// None: they came from one that sees to it.
    #[default]
    Nobody,
    /// All in the room but this one, which has them.
    AllBut(String),
}

/// An event on its way into the room.
struct Comer {
    placed: Placed,
    /// Whether the state of the room changes with it.
    changes_room: bool,
    standing: Standing,
    position: Position,
    /// Its place in the stream, unless clients do not notice it.
    place: Option<stream::Place>,
    /// The event that it takes effect on as a redaction.
    target: Option<Pdu>,
    /// The redaction that was here before it.
    redaction: Option<Revealed>,
}

/// A redaction that was withheld until what it redacts came.
struct Revealed {
    pdu: Pdu,
    states: (i64, i64),
    place: stream::Place,
}

impl Timeline {
    /// Stores what was judged, makes it visible and wakes those whom it concerns. `first` is done before, in the same
    /// transaction of the database. The caller holds the room's turn.
    pub(super) async fn keep(
        self: &Arc<Self>,
        server: &Homeserver,
        mut news: News,
        first: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), MatrixError> {
        let mut comers = Vec::new();
        let mut room = self.record().graph.current();
        for placed in std::mem::take(&mut news.grown.placed) {
            let changes_room = std::mem::replace(&mut room, placed.room) != placed.room;
            let before = news.grown.state(placed.before);
            let before = before.unwrap_or_else(|| self.record().graph.state(placed.before));
            comers.push(self.seat(server, placed, &before, changes_room, news.past).await?);
        }
        let sent_by = news.transaction.as_ref().map(|t| (t.device_id.clone(), t.transaction_id.clone()));
        let destinations = self.destinations(server, &comers, &news.audience);
        let change = self.change(&mut news, &comers, sent_by.clone(), destinations.clone())?;
        server
            .store
            .write(move |connection| {
                first(connection)?;
                change(connection)
            })
            .await?;
        let joining = self.joining(server, &comers);
        self.publish(server, news, comers, sent_by);
        server.delivery.wake(destinations);
        for (user_id, known) in joining {
            let strangers: BTreeSet<_> = server.others_in(self).difference(&known).cloned().collect();
            if !strangers.is_empty() {
                device_management::introduce(server, user_id, strangers).await?;
            }
        }
        Ok(())
    }

    /// The users here who come into the room, each with the servers that they have shared rooms with before.
    fn joining(&self, server: &Homeserver, comers: &[Comer]) -> Vec<(String, BTreeSet<String>)> {
        if server.config.federation.is_none() {
            return Vec::new();
        }
        let record = self.record();
        let joining = comers.iter().filter_map(|comer| {
            let pdu = &comer.placed.pdu;
            let user_id = pdu.state_key().filter(|id| server_name_of(id) == Some(server.name()))?;
            let is_join =
                pdu.event_type() == "m.room.member" && pdu.content_str("membership") == Some("join");
            (is_join && record.membership(user_id) != "join").then(|| user_id.to_owned())
        });
        let joining: Vec<String> = joining.collect();
        drop(record);
        let known = |user_id: String| {
            let known = server.timelines.servers_with(&user_id);
            (user_id, known)
        };
        joining.into_iter().map(known).collect()
    }

    /// Finds an event its position, and what it has to do with redactions.
    async fn seat(
        &self,
        server: &Homeserver,
        placed: Placed,
        before: &StateMap,
        changes_room: bool,
        past: Option<Position>,
    ) -> Result<Comer, MatrixError> {
        let target = self.target(server, &placed, before).await?;
        let withheld = placed.pdu.redacts().is_some() && target.is_none();
        let standing = match placed.standing {
            Standing::Accepted if withheld => Standing::Withheld,
            standing => standing,
        };
        let seen = standing == Standing::Accepted && past.is_none();
        let place = (seen || changes_room).then(|| server.stream.place());
        let position = match (&place, past) {
            (Some(place), _) => place.position(),
            (None, Some(position)) if placed.standing != Standing::Outlier => position,
            _ => server.timelines.before_all(1),
        };
        let redaction = self.earlier_redaction(server, &placed).await?;
        Ok(Comer { placed, changes_room, standing, position, place, target, redaction })
    }

    /// The event that a redaction takes effect on.
    async fn target(
        &self,
        server: &Homeserver,
        placed: &Placed,
        before: &StateMap,
    ) -> Result<Option<Pdu>, MatrixError> {
        let Some(target) = placed.pdu.redacts().filter(|_| placed.standing == Standing::Accepted) else {
            return Ok(None);
        };
        let target = self.find_any(&server.store, target).await?;
        Ok(target.map(|target| target.pdu).filter(|target| redaction::applies(&placed.pdu, target, before)))
    }

    /// A redaction that came before the event which it redacts; it can not be one that was made here.
    async fn earlier_redaction(
        &self,
        server: &Homeserver,
        placed: &Placed,
    ) -> Result<Option<Revealed>, MatrixError> {
        let own = server_name_of(placed.pdu.sender()) == Some(server.name());
        if own || placed.standing != Standing::Accepted {
            return Ok(None);
        }
        let (room_id, event_id) = (self.room_id.clone(), placed.pdu.event_id().to_owned());
        let redactions = server.store.read(move |c| events::redactions_of(c, &room_id, &event_id)).await?;
        for redaction in self.read(redactions)? {
            let before = self.record().graph.state(redaction.states.0);
            if redaction::applies(&redaction.pdu, &placed.pdu, &before) {
                let Entry { pdu, states, .. } = redaction;
                return Ok(Some(Revealed { pdu, states, place: server.stream.place() }));
            }
        }
        Ok(None)
    }

    /// The servers that get the events: those in the room, and those that are in it by these very events.
    fn destinations(&self, server: &Homeserver, comers: &[Comer], audience: &Audience) -> BTreeSet<String> {
        let Audience::AllBut(except) = audience else { return BTreeSet::new() };
        let mut destinations: BTreeSet<String> = self.record().servers().map(str::to_owned).collect();
        let members =
            comers.iter().filter(|comer| comer.placed.pdu.content_str("membership") == Some("join"));
        let joining = members.filter_map(|comer| server_name_of(comer.placed.pdu.state_key()?));
        destinations.extend(joining.map(str::to_owned));
        destinations.remove(server.name());
        destinations.remove(except);
        destinations
    }

    /// What is to be written.
    fn change(
        &self,
        news: &mut News,
        comers: &[Comer],
        sent_by: Option<(String, String)>,
        destinations: BTreeSet<String>,
    ) -> Result<impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static, MatrixError> {
        let room_id = self.room_id.clone();
        let states = std::mem::take(&mut news.grown.kept);
        let rows = comers.iter().map(|comer| self.row(comer, sent_by.clone()));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(MatrixError::internal)?;
        let revealed: Vec<_> = comers
            .iter()
            .filter_map(|comer| comer.redaction.as_ref())
            .map(|redaction| (redaction.pdu.event_id().to_owned(), redaction.place.position()))
            .collect();
        let ids = |tips: &[super::graph::Tip]| -> Vec<String> {
            tips.iter().map(|tip| tip.pdu.event_id().to_owned()).collect()
        };
        let tips = ids(news.grown.tips());
        let tips = (tips != ids(self.record().graph.tips())).then_some(tips);
        let back: Vec<_> =
            comers.iter().filter_map(|comer| returning(&comer.placed.pdu).map(str::to_owned)).collect();
        let position_of = |event_id: &str| {
            comers
                .iter()
                .find(|comer| comer.placed.pdu.event_id() == event_id)
                .map_or(0, |comer| comer.position)
        };
        let gaps: Vec<_> = std::mem::take(&mut news.gaps)
            .into_iter()
            .map(|(event_id, child)| Gap { event_id, position: position_of(&child) })
            .collect();
        let is_foreign = news.is_foreign;
        let transaction = news.transaction.clone();
        Ok(move |connection: &Connection| {
            for state in &states {
                states::add(connection, &room_id, state)?;
            }
            for row in &rows {
                events::add(connection, row)?;
                if matches!(row.standing, Standing::Accepted | Standing::Withheld) {
                    deliveries::add_event(connection, &destinations, &row.event_id)?;
                }
                if is_foreign {
                    rooms::close_gap(connection, &room_id, &row.event_id)?;
                }
            }
            for (event_id, position) in &revealed {
                events::reveal(connection, event_id, *position)?;
            }
            if let Some(tips) = &tips {
                rooms::set_extremities(connection, &room_id, tips)?;
            }
            for gap in &gaps {
                rooms::add_gap(connection, &room_id, gap)?;
            }
            for user_id in &back {
                rooms::set_forgotten(connection, user_id, &room_id, false)?;
            }
            match (&transaction, rows.last()) {
                (Some(transaction), Some(last)) => {
                    transactions::add(connection, transaction, Some(&last.event_id)).map(drop)
                }
                _ => Ok(()),
            }
        })
    }

    fn row(
        &self,
        comer: &Comer,
        sent_by: Option<(String, String)>,
    ) -> Result<events::New, serde_json::Error> {
        let pdu = &comer.placed.pdu;
        let shown = comer.standing == Standing::Accepted;
        Ok(events::New {
            position: comer.position,
            event_id: pdu.event_id().to_owned(),
            room_id: self.room_id.clone(),
            is_state: pdu.state_key().is_some(),
            event_type: pdu.event_type().to_owned(),
            relation: relation(pdu).map(|(rel_type, parent)| (rel_type.to_owned(), parent.to_owned())),
            pdu: serde_json::to_string(pdu.object())?,
            standing: comer.standing,
            states: (comer.placed.before, comer.placed.after),
            room_state: comer.changes_room.then_some(comer.placed.room),
            redacts: pdu.redacts().map(str::to_owned),
            takes_effect: comer.target.is_some(),
            redacted_by: comer.redaction.as_ref().map(|redaction| redaction.pdu.event_id().to_owned()),
            searched: Searched::in_event(pdu).filter(|_| shown),
            sent_by,
        })
    }

    /// Makes visible what is stored, and wakes those whom it concerns.
    fn publish(
        self: &Arc<Self>,
        server: &Homeserver,
        news: News,
        comers: Vec<Comer>,
        sent_by: Option<(String, String)>,
    ) {
        let members = comers.iter().filter(|comer| comer.placed.pdu.event_type() == "m.room.member");
        let members = members.filter_map(|comer| comer.placed.pdu.state_key().map(str::to_owned));
        let mut concerned: Vec<String> = members.collect();
        let mut places = Vec::new();
        {
            let mut record = self.record_mut();
            let mut room = record.graph.current();
            record.graph.grow(news.grown);
            for comer in comers {
                if comer.changes_room {
                    concerned.extend(record.change_state(comer.position, room, comer.placed.room));
                    room = comer.placed.room;
                }
                record.add(&comer, sent_by.clone(), news.past.is_some());
                if let Some(redaction) = comer.redaction {
                    record.redact(&comer.placed.pdu, &redaction.pdu);
                    record.reveal(&redaction);
                    places.push(redaction.place);
                }
                places.extend(comer.place);
            }
            concerned.extend(record.joined().filter(|_| !commits(Fault::NobodyWoken)).map(str::to_owned));
        }
        server.timelines.note(self, &concerned);
        concerned.sort_unstable();
        concerned.dedup();
        // One bell for all: the last place rings when the stream has reached every one.
        places.sort_by_key(stream::Place::position);
        let last = places.pop();
        drop(places);
        if let Some(last) = last {
            last.finish(concerned);
        }
    }
}

impl Record {
    /// Notes how the state of the room changes at a position; answers whose memberships did.
    pub(super) fn change_state(&mut self, position: Position, from: i64, to: i64) -> Vec<String> {
        let (before, after) = (self.graph.state(from), self.graph.state(to));
        let mut members = Vec::new();
        for (old, new) in before.differences(&after) {
            let Some(place) = old.or(new).and_then(place_of) else { continue };
            let left = new.map(|pdu| self.redacted.get(pdu.event_id()).unwrap_or(pdu));
            self.history.record(position, place, left);
            if place.0 == "m.room.member" {
                self.servers.change(place.1, old, new);
                members.push(place.1.to_owned());
            }
        }
        members
    }

    fn add(&mut self, comer: &Comer, sent_by: Option<(String, String)>, past: bool) {
        let pdu = &comer.placed.pdu;
        if let Some(target) = comer.target.as_ref().filter(|_| !commits(Fault::RedactionsWithoutEffect)) {
            self.redact(target, pdu);
        }
        if let Some(user_id) = returning(pdu) {
            self.forgotten_by.remove(user_id);
        }
        if comer.changes_room {
            self.last = self.last.max(comer.position);
        }
        if comer.standing != Standing::Accepted {
            return;
        }
        let states = (comer.placed.before, comer.placed.after);
        let entry = Entry {
            position: comer.position,
            pdu: pdu.clone(),
            standing: comer.standing,
            states,
            redacted_because: None,
            sent_by,
        };
        self.aggregations.add(&entry);
        if past {
            self.recent.note_past();
        } else {
            self.last = entry.position;
            self.recent.push(entry);
        }
    }

    /// Shows a redaction now that what it redacts is here.
    fn reveal(&mut self, redaction: &Revealed) {
        self.last = redaction.place.position();
        self.recent.push(Entry {
            position: redaction.place.position(),
            pdu: redaction.pdu.clone(),
            standing: Standing::Accepted,
            states: redaction.states,
            redacted_because: None,
            sent_by: None,
        });
    }

    fn redact(&mut self, target: &Pdu, redaction: &Pdu) {
        self.aggregations.remove(target);
        let redacted = target.redacted();
        self.recent.redact(&redacted, redaction);
        if redacted.state_key().is_some() {
            self.history.redact(&redacted);
            self.redacted.insert(redacted.event_id().to_owned(), redacted);
        }
    }
}

/// The user whom an event gives to do with the room, again if they had forgotten it.
fn returning(pdu: &Pdu) -> Option<&str> {
    let membership = (pdu.event_type() == "m.room.member").then(|| pdu.content_str("membership"))?;
    matches!(membership, Some("join" | "invite" | "knock")).then(|| pdu.state_key())?
}
