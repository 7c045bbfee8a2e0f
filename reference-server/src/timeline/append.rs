//! What clients add to a room: events are built on its forward extremities and judged by its state.

use std::sync::Arc;

use protocol::event::{self, FormatError};
use protocol::identifiers::server_name_of;
use protocol::room_version::RoomIdFormat;
use protocol::{Object, RoomVersion};
use serde_json::Value;

use super::graph::{Grown, Growth, Standing, StateId};
use super::keep::{Audience, News};
use super::{Admission, Arrival, Record, Timeline};
use crate::clock::{now_ms, unique_now_ms};
use crate::error::MatrixError;
use crate::federation::{inviting, policy_servers};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::rooms::authorize::{Rejection, Rule, authorize};
use crate::rooms::event::{BuildError, Pdu, Place, Template};
use crate::rooms::redaction;
use crate::rooms::state::{StateLookup, StateMap};
use crate::store::transactions::{self, Transaction};
use crate::store::{StoreError, rooms};
use crate::token;

/// How many forward extremities a new event follows at most; with many branches, each event joins some
/// (an event has 20 previous events at most, rooms/v1/#event-format).
const FOLLOWED: usize = 10;

/// What a client wants to add.
#[derive(Debug)]
pub(crate) struct Sending {
    /// The events, each of which builds on the one before.
    pub(crate) templates: Vec<Template>,
    /// The transaction that they are sent in; only ever one event then.
    pub(crate) transaction: Option<Transaction>,
    /// When they are said to be sent, in milliseconds since the Unix epoch, if that is not now.
    pub(crate) origin_server_ts: Option<i64>,
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
        Self { templates: vec![template], transaction: None, origin_server_ts: None }
    }
}

impl Timeline {
    /// Makes a room and answers it when its first events are stored and visible.
    pub(crate) async fn create(server: &Homeserver, founding: Founding) -> Result<Arc<Self>, MatrixError> {
        let Founding { version, templates, published, alias } = founding;
        let (elsewhere, templates): (Vec<_>, Vec<_>) =
            templates.into_iter().partition(|template| is_invitation_elsewhere(server, template));
        let given = match version.room_id {
            RoomIdFormat::Domain => Some(format!("!{}:{}", token::opaque(18), server.name())),
            RoomIdFormat::CreateEvent => None,
        };
        let record = Record { published, ..Record::default() };
        let (room_id, grown) = {
            let mut draft = Draft::new(server, &record, version, given);
            for template in templates {
                draft.add(template)?;
            }
            (draft.room_id.take().unwrap_or_default(), draft.growth.finish())
        };
        let timeline = Arc::new(Self::new(room_id.clone(), version, record));
        let room = rooms::Room {
            room_id: room_id.clone(),
            version: version.id.to_owned(),
            published,
            extremities: Vec::new(),
        };
        let own_id = room_id.clone();
        let found = move |connection: &rusqlite::Connection| {
            rooms::add(connection, &room)?;
            match alias {
                Some((alias, creator)) => {
                    let alias = rooms::Alias { alias, room_id: own_id, creator };
                    let free = rooms::add_alias(connection, &alias)?;
                    if free { Ok(()) } else { Err(StoreError::Taken(alias.alias)) }
                }
                None => Ok(()),
            }
        };
        timeline.keep(server, News { grown, ..News::default() }, found).await?;
        for template in elsewhere {
            if let Err(error) = timeline.append(server, template.into()).await {
                // The room is there; whoever made it sees who is invited.
                tracing::warn!("an invitation to {room_id} did not arrive: {}", error.message());
            }
        }
        Ok(timeline)
    }

    /// Adds events and answers the id of the last when they are stored and visible. State that is
    /// there already is not set again; a transaction that was carried out is only answered.
    pub(crate) async fn append(
        self: &Arc<Self>,
        server: &Homeserver,
        sending: Sending,
    ) -> Result<String, MatrixError> {
        if let [template] = sending.templates.as_slice()
            && (is_invitation_elsewhere(server, template) || policy_servers::is_used(&self.record()))
        {
            return self.append_with_others(server, sending).await;
        }
        let _turn = self.turn.lock().await;
        if let Some(event_id) = done(server, sending.transaction.as_ref()).await? {
            return Ok(event_id);
        }
        let (grown, unchanged) = self.draft(server, sending.templates, sending.origin_server_ts)?;
        let Some(last) = grown.placed.last() else {
            return unchanged.ok_or_else(|| MatrixError::internal("nothing to send"));
        };
        let event_id = last.pdu.event_id().to_owned();
        self.check_redactions(server, &grown).await?;
        let audience = Audience::AllBut(server.name().to_owned());
        let news = News { grown, transaction: sending.transaction, audience, ..News::default() };
        self.keep(server, news, |_| Ok(())).await?;
        Ok(event_id)
    }

    /// Adds an event that other servers have to sign before. Meanwhile the room goes on: the event then stands beside what
    /// has come, as if it were from another server.
    async fn append_with_others(
        self: &Arc<Self>,
        server: &Homeserver,
        sending: Sending,
    ) -> Result<String, MatrixError> {
        if let Some(event_id) = done(server, sending.transaction.as_ref()).await? {
            return Ok(event_id);
        }
        let (grown, unchanged) = self.draft(server, sending.templates, sending.origin_server_ts)?;
        let Some(placed) = grown.placed.into_iter().next_back() else {
            return unchanged.ok_or_else(|| MatrixError::internal("nothing to send"));
        };
        let mut pdu = policy_servers::sign(server, self, placed.pdu).await?;
        if is_invitation(&pdu) && pdu.state_key().and_then(server_name_of) != Some(server.name()) {
            pdu = inviting::have_signed(server, self, pdu).await?;
        }
        let event_id = pdu.event_id().to_owned();
        let audience = Audience::AllBut(server.name().to_owned());
        let arrival = Arrival { audience, transaction: sending.transaction, ..Arrival::new(pdu) };
        match self.admit(server, arrival).await? {
            Admission::Kept(Standing::Accepted, _) | Admission::Known(_) => Ok(event_id),
            Admission::Kept(_, Some(reason)) => Err(MatrixError::forbidden(reason)),
            _ => Err(MatrixError::forbidden("the room does not allow this any more")),
        }
    }

    /// Builds and judges; gives what is to be kept and the id of the last event that was there already.
    fn draft(
        &self,
        server: &Homeserver,
        templates: Vec<Template>,
        origin_server_ts: Option<i64>,
    ) -> Result<(Grown, Option<String>), MatrixError> {
        let record = self.record();
        let mut draft = Draft::new(server, &record, self.version, Some(self.room_id.clone()));
        draft.origin_server_ts = origin_server_ts;
        let mut unchanged = None;
        for template in templates {
            match draft.same(&template) {
                Some(event_id) => unchanged = Some(event_id),
                None => draft.add(template)?,
            }
        }
        Ok((draft.growth.finish(), unchanged))
    }

    /// What an event of another server would be here, without hashes and signatures, if the room would accept it.
    pub(crate) fn sketch(&self, server: &Homeserver, template: Template) -> Result<Object, MatrixError> {
        let record = self.record();
        let mut draft = Draft::new(server, &record, self.version, Some(self.room_id.clone()));
        draft.sketch(template)
    }

    /// An event that follows nothing: for a user here who is to be out of a room of which nothing is known.
    pub(crate) fn unfounded(&self, server: &Homeserver, template: Template) -> Result<Pdu, MatrixError> {
        let state = StateMap::default();
        let place = Place {
            version: self.version,
            room_id: Some(&self.room_id),
            prev_events: &[],
            state: &state,
            origin_server_ts: now_ms(),
        };
        Ok(template.build(&place, server.name(), &server.signing_key)?)
    }

    /// A redaction that a client sends has to take effect, if what it redacts is here.
    async fn check_redactions(&self, server: &Homeserver, grown: &Grown) -> Result<(), MatrixError> {
        for placed in &grown.placed {
            let Some(target) = placed.pdu.redacts() else { continue };
            let Some(target) = self.find_any(&server.store, target).await? else { continue };
            let before = grown.state(placed.before);
            let before = before.unwrap_or_else(|| self.record().graph.state(placed.before));
            if !redaction::applies(&placed.pdu, &target.pdu, &before) {
                return Err(MatrixError::forbidden(
                    "your power does not reach the level for redactions here",
                ));
            }
        }
        Ok(())
    }
}

/// What a transaction was answered that was carried out before.
async fn done(server: &Homeserver, transaction: Option<&Transaction>) -> Result<Option<String>, MatrixError> {
    let Some(transaction) = transaction.filter(|_| !commits(Fault::TransactionsCarriedOutAgain)).cloned()
    else {
        return Ok(None);
    };
    Ok(server.store.read(move |c| transactions::find(c, &transaction)).await?.flatten())
}

fn is_invitation(pdu: &Pdu) -> bool {
    pdu.event_type() == "m.room.member" && pdu.content_str("membership") == Some("invite")
}

/// Whether an event is to invite a user of another server, which has to sign it too.
fn is_invitation_elsewhere(server: &Homeserver, template: &Template) -> bool {
    template.event_type == "m.room.member"
        && template.content.get("membership").and_then(Value::as_str) == Some("invite")
        && template.state_key.as_deref().and_then(server_name_of).is_some_and(|name| name != server.name())
}

/// Events in the making, on top of a room or of nothing.
struct Draft<'a> {
    server: &'a Homeserver,
    record: &'a Record,
    version: &'static RoomVersion,
    room_id: Option<String>,
    growth: Growth<'a>,
    origin_server_ts: Option<i64>,
}

impl<'a> Draft<'a> {
    fn new(
        server: &'a Homeserver,
        record: &'a Record,
        version: &'static RoomVersion,
        room_id: Option<String>,
    ) -> Self {
        let growth = Growth::of(&record.graph, version, &server.timelines.state_ids);
        Self { server, record, version, room_id, growth, origin_server_ts: None }
    }

    /// The id of a state event that says the same already.
    fn same(&self, template: &Template) -> Option<String> {
        let state = self.growth.state(self.growth.current());
        let current = self.record.left_of(state.find(&template.event_type, template.state_key.as_deref()?)?);
        let content = current.object().get("content").and_then(Value::as_object);
        (current.sender() == template.sender && content == Some(&template.content))
            .then(|| current.event_id().to_owned())
    }

    fn add(&mut self, template: Template) -> Result<(), MatrixError> {
        let (prev_events, before) = self.seat()?;
        let state = self.growth.state(before);
        let pdu = template.build(
            &self.place(&prev_events, &state),
            self.server.name(),
            &self.server.signing_key,
        )?;
        authorize(&pdu, &state)?;
        self.room_id.get_or_insert_with(|| pdu.room_id().to_owned());
        let covers = |event_id: &str| prev_events.iter().any(|prev| prev.event_id() == event_id);
        self.growth.add(pdu, Standing::Accepted, before, &covers, false).map_err(MatrixError::internal)
    }

    fn sketch(&mut self, template: Template) -> Result<Object, MatrixError> {
        let (prev_events, before) = self.seat()?;
        let state = self.growth.state(before);
        let sketched = template.propose(&self.place(&prev_events, &state))?;
        // The other server will sign it, and so will this one where it has to.
        let mut signed = sketched.clone();
        event::hash_and_sign(&mut signed, self.server.name(), &self.server.signing_key, self.version)
            .map_err(MatrixError::internal)?;
        let pdu = Pdu::parse(signed, self.version).map_err(MatrixError::internal)?;
        authorize(&pdu, &state)?;
        Ok(sketched)
    }

    /// What the next event follows, and the state before it.
    fn seat(&mut self) -> Result<(Vec<Pdu>, StateId), MatrixError> {
        let tips = self.growth.tips();
        let followed = &tips[..tips.len().min(FOLLOWED)];
        let prev_events = followed.iter().map(|tip| tip.pdu.clone()).collect();
        let afters: Vec<_> = followed.iter().map(|tip| tip.after).collect();
        Ok((prev_events, self.growth.merge(afters).map_err(MatrixError::internal)?))
    }

    fn place<'b>(&'b self, prev_events: &'b [Pdu], state: &'b StateMap) -> Place<'b, StateMap> {
        Place {
            version: self.version,
            room_id: self.room_id.as_deref(),
            prev_events,
            state,
            // A room id that is the hash of the create event (rooms/v12/#room-ids) would be that of two rooms, if one
            // user made two alike in one millisecond.
            origin_server_ts: match self.origin_server_ts {
                Some(given) => given,
                None if self.room_id.is_none() => unique_now_ms(),
                None => now_ms(),
            },
        }
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
