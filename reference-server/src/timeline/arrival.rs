//! What other servers send into a room: an event that follows any others is placed in the graph and judged three times,
//! by its auth events, by the state before it, and by the state of the room
//! (server-server-api/#checks-performed-on-receipt-of-a-pdu, steps 4 to 7).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::graph::{Growth, NOTHING, Standing, StateId, Tip};
use super::keep::{Audience, News};
use super::{Entry, Timeline};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::rooms::authorize::{AuthEvent, Rejection, authorize, authorize_by_auth_events};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateMap;
use crate::store::transactions::Transaction;
use crate::store::{StoreError, events, rooms, stripped_states};
use crate::stream::Position;

/// An event that has passed the checks which need no other event, and what came with it.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The event.
    pub(crate) pdu: Pdu,
    /// Events on which it rests; those that are known already count for nothing.
    pub(crate) outliers: Vec<Pdu>,
    /// The ids of the state before it as another server tells it, for want of what comes before.
    pub(crate) state: Option<Vec<String>>,
    /// How it comes into the room.
    pub(crate) manner: Manner,
    /// Who else is to have it.
    pub(crate) audience: Audience,
    /// Whether the policy server of the room wants none of it.
    pub(crate) is_unwanted: bool,
    /// The transaction of a client that it was sent in.
    pub(crate) transaction: Option<Transaction>,
}

/// How an event comes into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As news.
    New,
    /// As history, from before everything that is here, to this position.
    Past(Position),
    /// As the event with which this server comes into the room, perhaps again.
    Entrance,
}

/// What became of an arrival.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It was here already.
    Known(Standing),
    /// It can not be judged without these events.
    Lacks(Lacking),
    /// It was judged and kept; the reason is there unless it was accepted.
    Kept(Standing, Option<String>),
}

/// Events without which another can not be judged.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    /// Of its auth events.
    pub(crate) auth_events: Vec<String>,
    /// Of its previous events.
    pub(crate) prev_events: Vec<String>,
}

/// What is known of the events before an arrival.
#[derive(Debug, Default)]
struct Before {
    /// The states after those that are here.
    afters: Vec<StateId>,
    /// Those that are not.
    missing: Vec<String>,
    /// All that the arrival comes after at once: where something was rejected or soft-failed, also what that followed.
    covered: HashSet<String>,
}

impl Arrival {
    /// News from a server that sees to it that all others get it.
    pub(crate) fn new(pdu: Pdu) -> Self {
        Self {
            pdu,
            outliers: Vec::new(),
            state: None,
            manner: Manner::New,
            audience: Audience::Nobody,
            is_unwanted: false,
            transaction: None,
        }
    }
}

impl Timeline {
    /// Judges and keeps an event.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        server: &Homeserver,
        arrival: Arrival,
    ) -> Result<Admission, MatrixError> {
        let _turn = self.turn.lock().await;
        let known = self.find_any(&server.store, arrival.pdu.event_id()).await?;
        if let Some(known) = known.filter(is_placed) {
            return Ok(Admission::Known(known.standing));
        }
        let before = self.before(server, &arrival.pdu).await?;
        if let Some(lacking) = self.lacking(&arrival, &before) {
            return Ok(Admission::Lacks(lacking));
        }
        let has_successors = self.has_successors(server, &arrival.pdu).await?;
        let (news, reason) = {
            let record = self.record();
            let mut growth = Growth::of(&record.graph, self.version, &server.timelines.state_ids);
            let reason = place(&mut growth, &arrival, &before, has_successors)?;
            let child = arrival.pdu.event_id().to_owned();
            let gaps = before.missing.into_iter().map(|missing| (missing, child.clone())).collect();
            let past = match arrival.manner {
                Manner::Past(position) => Some(position),
                Manner::New | Manner::Entrance => None,
            };
            let Arrival { audience, transaction, .. } = arrival;
            let news = News { grown: growth.finish(), transaction, audience, past, is_foreign: true, gaps };
            (news, reason)
        };
        let standing = news.grown.placed.last().map_or(Standing::Rejected, |placed| placed.standing);
        self.keep(server, news, self.founding()).await?;
        Ok(Admission::Kept(standing, reason))
    }

    /// Keeps events on which others rest.
    pub(crate) async fn add_outliers(
        self: &Arc<Self>,
        server: &Homeserver,
        outliers: Vec<Pdu>,
    ) -> Result<(), MatrixError> {
        let _turn = self.turn.lock().await;
        let grown = {
            let record = self.record();
            let mut growth = Growth::of(&record.graph, self.version, &server.timelines.state_ids);
            add_outliers(&mut growth, &outliers);
            growth.finish()
        };
        self.keep(server, News { grown, is_foreign: true, ..News::default() }, |_| Ok(())).await
    }

    /// Keeps a membership in a room that this server is not in, with what has been told of the room.
    pub(crate) async fn glimpse(
        self: &Arc<Self>,
        server: &Homeserver,
        pdu: Pdu,
        told: Vec<Value>,
    ) -> Result<(), MatrixError> {
        let _turn = self.turn.lock().await;
        let user_id = pdu.state_key().unwrap_or_default().to_owned();
        let grown = {
            let record = self.record();
            let mut growth = Growth::of(&record.graph, self.version, &server.timelines.state_ids);
            growth.glimpse(pdu);
            growth.finish()
        };
        self.record_mut().stripped.insert(user_id.clone(), told.clone());
        let (found, room_id) = (self.founding(), self.room_id.clone());
        let first = move |connection: &rusqlite::Connection| {
            found(connection)?;
            stripped_states::set(connection, &room_id, &user_id, &told)
        };
        self.keep(server, News { grown, is_foreign: true, ..News::default() }, first).await
    }

    /// Puts the room into the store, if it is not there yet.
    fn founding(&self) -> impl FnOnce(&rusqlite::Connection) -> Result<(), StoreError> + Send + 'static {
        let room = rooms::Room {
            room_id: self.room_id.clone(),
            version: self.version.id.to_owned(),
            published: false,
            extremities: Vec::new(),
        };
        let is_new = self.record().graph.current() == NOTHING;
        move |connection| if is_new { rooms::add(connection, &room) } else { Ok(()) }
    }

    /// The auth and previous events without which an arrival can not be judged, if there are any.
    fn lacking(&self, arrival: &Arrival, before: &Before) -> Option<Lacking> {
        let record = self.record();
        let with_it: HashSet<_> = arrival.outliers.iter().map(Pdu::event_id).collect();
        let unknown = |id: &&String| record.graph.known(id).is_none() && !with_it.contains(id.as_str());
        let auth_events: Vec<_> = arrival.pdu.auth_events().iter().filter(unknown).cloned().collect();
        let prev_events = if arrival.state.is_some() { Vec::new() } else { before.missing.clone() };
        let lacks = !auth_events.is_empty() || !prev_events.is_empty();
        lacks.then_some(Lacking { auth_events, prev_events })
    }

    /// Looks up what an event follows.
    async fn before(&self, server: &Homeserver, pdu: &Pdu) -> Result<Before, MatrixError> {
        let mut before = Before { covered: pdu.prev_events().iter().cloned().collect(), ..Before::default() };
        let mut failed = Vec::new();
        for event_id in pdu.prev_events() {
            let tip = self
                .record()
                .graph
                .tips()
                .iter()
                .find(|tip| tip.pdu.event_id() == event_id)
                .map(|tip| tip.after);
            if let Some(after) = tip {
                before.afters.push(after);
                continue;
            }
            match self.find_any(&server.store, event_id).await? {
                Some(entry) if is_placed(&entry) => {
                    before.afters.push(entry.states.1);
                    if matches!(entry.standing, Standing::SoftFailed | Standing::Rejected) {
                        failed.push(entry.pdu);
                    }
                }
                _ => before.missing.push(event_id.clone()),
            }
        }
        while let Some(pdu) = failed.pop() {
            for event_id in pdu.prev_events().iter().filter(|id| before.covered.insert((*id).clone())) {
                let entry = self.find_any(&server.store, event_id).await?;
                let entry = entry.filter(|e| matches!(e.standing, Standing::SoftFailed | Standing::Rejected));
                failed.extend(entry.map(|entry| entry.pdu));
            }
        }
        Ok(before)
    }

    /// Whether events that are here, if only as such on which others rest, follow an event that is just coming.
    async fn has_successors(&self, server: &Homeserver, pdu: &Pdu) -> Result<bool, MatrixError> {
        {
            let record = self.record();
            let tips = record.graph.tips();
            let is_next = |tip: &Tip| pdu.prev_events().iter().any(|id| id == tip.pdu.event_id());
            if !tips.is_empty() && tips.iter().all(is_next) {
                return Ok(false);
            }
            if record.graph.is_followed(pdu.event_id()) {
                return Ok(true);
            }
        }
        let (room_id, event_id) = (self.room_id.clone(), pdu.event_id().to_owned());
        let gap = move |c: &rusqlite::Connection| events::is_gap(c, &room_id, &event_id);
        Ok(server.store.read(gap).await?)
    }

    /// Which of these events have no place in the room yet.
    pub(crate) async fn unplaced(
        &self,
        server: &Homeserver,
        event_ids: &[String],
    ) -> Result<Vec<String>, MatrixError> {
        let mut unplaced = Vec::new();
        for event_id in event_ids {
            if !self.find_any(&server.store, event_id).await?.is_some_and(|entry| is_placed(&entry)) {
                unplaced.push(event_id.clone());
            }
        }
        Ok(unplaced)
    }

    /// Which of these events are not known at all.
    pub(crate) async fn unknown(
        &self,
        server: &Homeserver,
        event_ids: &[String],
    ) -> Result<Vec<String>, MatrixError> {
        let mut unknown = Vec::new();
        for event_id in event_ids {
            if self.record().graph.known(event_id).is_none()
                && self.find_any(&server.store, event_id).await?.is_none()
            {
                unknown.push(event_id.clone());
            }
        }
        Ok(unknown)
    }
}

/// Whether the state after an event is known. It is not where the event is here only because others rest on it, be it
/// rejected or not.
fn is_placed(entry: &Entry) -> bool {
    match entry.standing {
        Standing::Outlier => false,
        Standing::Rejected => entry.states.1 != NOTHING,
        Standing::Accepted | Standing::SoftFailed | Standing::Withheld => true,
    }
}

/// Places and judges an arrival; the reason is there unless it is accepted.
fn place(
    growth: &mut Growth<'_>,
    arrival: &Arrival,
    before: &Before,
    has_successors: bool,
) -> Result<Option<String>, MatrixError> {
    let Arrival { pdu, outliers, state, manner, is_unwanted, .. } = arrival;
    add_outliers(growth, outliers);
    let before_id = match state {
        Some(event_ids) => {
            let state = told_state(growth, event_ids);
            growth.state_on(growth.current(), state)
        }
        None => growth.merge(before.afters.iter().copied()).map_err(MatrixError::internal)?,
    };
    if *manner == Manner::Entrance {
        growth.forget_tips();
    }
    let state = growth.state(before_id);
    let (standing, reason) = match by_auth_events(growth, pdu).and_then(|()| authorize(pdu, &state)) {
        Err(rejection) => (Standing::Rejected, Some(rejection.to_string())),
        Ok(()) if *manner == Manner::New => soft_failure(growth, pdu, before_id, *is_unwanted),
        Ok(()) => (Standing::Accepted, None),
    };
    let covers = |event_id: &str| before.covered.contains(event_id);
    let past = has_successors || matches!(manner, Manner::Past(_));
    growth.add(pdu.clone(), standing, before_id, &covers, past).map_err(MatrixError::internal)?;
    Ok(reason)
}

fn soft_failure(
    growth: &Growth<'_>,
    pdu: &Pdu,
    before: StateId,
    is_unwanted: bool,
) -> (Standing, Option<String>) {
    if before != growth.current()
        && let Err(rejection) = authorize(pdu, &growth.state(growth.current()))
    {
        return (Standing::SoftFailed, Some(format!("by the state of the room: {rejection}")));
    }
    if is_unwanted {
        return (Standing::SoftFailed, Some("the policy server of the room has not signed it".to_owned()));
    }
    (Standing::Accepted, None)
}

/// Takes in events on which others rest, each after those on which it rests itself.
fn add_outliers(growth: &mut Growth<'_>, outliers: &[Pdu]) {
    let mut open: HashMap<&str, &Pdu> = outliers
        .iter()
        .filter(|pdu| pdu.state_key().is_some() && growth.known(pdu.event_id()).is_none())
        .map(|pdu| (pdu.event_id(), pdu))
        .collect();
    let mut path: Vec<&Pdu> = Vec::new();
    // All others rest on the create event, whether they name it or not.
    let is_create = |pdu: &&Pdu| pdu.event_type() == "m.room.create";
    let (creates, others): (Vec<_>, Vec<_>) = outliers.iter().partition(is_create);
    for pdu in creates.into_iter().chain(others) {
        path.push(pdu);
        while let Some(pdu) = path.last().copied() {
            if !open.contains_key(pdu.event_id()) {
                path.pop();
                continue;
            }
            let below = pdu.auth_events().iter().filter_map(|id| open.get(id.as_str()).copied());
            let next = below
                .into_iter()
                .find(|below| !path.iter().any(|on_path| on_path.event_id() == below.event_id()));
            match next {
                Some(next) => path.push(next),
                None => {
                    open.remove(pdu.event_id());
                    path.pop();
                    let rejection = by_auth_events(growth, pdu).err();
                    if let Some(rejection) = &rejection {
                        tracing::info!("event {} is rejected: {rejection}", pdu.event_id());
                    }
                    growth.add_outlier(pdu.clone(), rejection.is_some());
                }
            }
        }
    }
}

/// The state that another server tells, without what was rejected here.
fn told_state(growth: &Growth<'_>, event_ids: &[String]) -> StateMap {
    let known = event_ids.iter().filter_map(|event_id| growth.known(event_id));
    known.filter(|known| known.standing != Standing::Rejected).map(|known| known.pdu.clone()).collect()
}

/// The fourth check: by the auth events, all of which are known.
fn by_auth_events(growth: &Growth<'_>, pdu: &Pdu) -> Result<(), Rejection> {
    let known: Vec<_> = pdu.auth_events().iter().filter_map(|id| growth.known(id)).collect();
    let auth_events: Vec<_> = known
        .iter()
        .map(|known| AuthEvent { event: &known.pdu, rejected: known.standing == Standing::Rejected })
        .collect();
    let create_id = format!("${}", pdu.room_id().trim_start_matches('!'));
    let create = growth.known(&create_id).filter(|create| create.standing != Standing::Rejected);
    authorize_by_auth_events(pdu, &auth_events, create.map(|create| &create.pdu))
}
