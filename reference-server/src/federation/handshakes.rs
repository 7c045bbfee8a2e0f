//! What joining, knocking and leaving from afar have in common: one server proposes an event, the other completes and
//! signs it and sends it back (server-server-api/#joining-rooms).

use std::sync::Arc;

use axum::Json;
use http::Method;
use protocol::identifiers::UserId;
use protocol::room_version::EventIdFormat;
use protocol::{Object, RoomVersion, event};
use serde_json::{Map, Value, json};

use super::pdus::{self, is_of};
use super::policy_servers;
use super::request_authentication::Signed;
use super::requests::PeerError;
use super::retrieving_events::resident;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::federation::path_segment;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Query;
use crate::rooms::event::{Pdu, Template};
use crate::timeline::{Admission, Arrival, Audience, Standing, Timeline};
use crate::token;

/// A membership that a user of one server gets with the help of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handshake<'a> {
    /// `join`, `knock` or `leave`.
    pub(crate) membership: &'a str,
    /// The room.
    pub(crate) room_id: &'a str,
    /// The user.
    pub(crate) user_id: &'a str,
}

/// A room that is asked to propose an event for a user of the server which asks.
pub(super) fn asked(
    server: &Homeserver,
    handshake: Handshake<'_>,
    query: Option<&Query>,
    origin: &str,
) -> Result<Arc<Timeline>, MatrixError> {
    UserId::parse(handshake.user_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if !is_of(handshake.user_id, origin) && !commits(Fault::StrangersProposed) {
        return Err(MatrixError::forbidden("a server asks for its own users only"));
    }
    let room = resident(server, handshake.room_id, origin)?;
    let Some(query) = query else { return Ok(room) };
    let mut supported: Vec<&str> = query.all("ver").collect();
    if supported.is_empty() {
        supported.push("1");
    }
    if supported.contains(&room.version().id) || commits(Fault::IncompatibleVersionsProposed) {
        Ok(room)
    } else {
        Err(incompatible(room.version()))
    }
}

/// A room of a version that the other server does not know.
fn incompatible(version: &RoomVersion) -> MatrixError {
    let code = "M_INCOMPATIBLE_ROOM_VERSION";
    let message = "your server does not support the version of this room";
    MatrixError::new(http::StatusCode::BAD_REQUEST, code, message).with("room_version", version.id)
}

/// Proposes an event, if the room would accept it.
pub(super) fn propose(
    server: &Homeserver,
    room: &Timeline,
    handshake: Handshake<'_>,
    further: Map<String, Value>,
) -> Answer {
    let mut content = further;
    content.insert("membership".to_owned(), handshake.membership.into());
    let template = Template {
        event_type: "m.room.member".to_owned(),
        state_key: Some(handshake.user_id.to_owned()),
        sender: handshake.user_id.to_owned(),
        content,
    };
    let mut proposed = room.sketch(server, template)?;
    proposed.insert("origin".to_owned(), server.name().into());
    Ok(Json(json!({"room_version": room.version().id, "event": proposed})))
}

/// Checks an event that completes a handshake. The sender's signature has to be there; where another one is needed as
/// well, `co_sign` adds that of this server before.
pub(super) async fn completed(
    server: &Homeserver,
    room: &Timeline,
    event_id: &str,
    membership: &str,
    signed: &Signed,
) -> Result<Pdu, MatrixError> {
    let wrong = |reason: &str| MatrixError::invalid_param(format!("the event can not be taken: {reason}"));
    let text = |name: &str| signed.content.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") != "m.room.member" {
        return Err(wrong("it is no m.room.member"));
    }
    let said =
        signed.content.get("content").and_then(|content| content.get("membership")).and_then(Value::as_str);
    if said != Some(membership) {
        return Err(wrong(&format!("its membership is not {membership}")));
    }
    if !is_of(text("sender"), &signed.origin) {
        return Err(wrong("its sender is not of your server"));
    }
    if text("state_key") != text("sender") {
        return Err(wrong("it is about another user than its sender"));
    }
    if text("room_id") != room.room_id() {
        return Err(wrong("it belongs to another room"));
    }
    let mut object = signed.content.clone();
    event::sign(&mut object, server.name(), &server.signing_key, room.version())
        .map_err(|error| wrong(&error.to_string()))?;
    let pdu = pdus::check(server, object, room.version()).await?;
    if pdu.event_id() != event_id {
        return Err(wrong("its id is not the one in the path"));
    }
    Ok(pdu)
}

/// Takes the completed event into the room, and passes it on to the other servers there. Whoever comes knows nothing of the
/// room's policy server, so that this server asks it (server-server-api/#policy-servers).
pub(super) async fn take(
    server: &Homeserver,
    room: &Arc<Timeline>,
    pdu: Pdu,
    origin: &str,
) -> Result<(), MatrixError> {
    let (pdu, is_unwanted) = match commits(Fault::JoinsNotPutToPolicy) {
        true => (pdu, false),
        false => policy_servers::judge(server, room, pdu).await,
    };
    let audience = Audience::AllBut(origin.to_owned());
    let arrival = Arrival { audience, is_unwanted, ..Arrival::new(pdu) };
    match room.admit(server, arrival).await? {
        Admission::Kept(Standing::Rejected | Standing::SoftFailed, reason) => {
            Err(MatrixError::forbidden(reason.unwrap_or_else(|| "the room does not allow it".to_owned())))
        }
        Admission::Known(Standing::Rejected | Standing::SoftFailed) => {
            Err(MatrixError::forbidden("the room has not allowed it before"))
        }
        Admission::Lacks(_) => {
            Err(MatrixError::invalid_param("the event follows events that are not known here"))
        }
        Admission::Kept(..) | Admission::Known(_) => Ok(()),
    }
}

impl Handshake<'_> {
    /// Asks another server to propose an event, and checks that it is what was asked for.
    pub(super) async fn make(
        &self,
        server: &Homeserver,
        resident: &str,
    ) -> Result<(Object, &'static RoomVersion), PeerError> {
        let (room_id, user_id) = (path_segment(self.room_id), path_segment(self.user_id));
        let mut uri = format!("/_matrix/federation/v1/make_{}/{room_id}/{user_id}", self.membership);
        if self.membership != "leave" {
            let versions: Vec<_> =
                RoomVersion::ALL.iter().map(|version| format!("ver={}", version.id)).collect();
            uri = format!("{uri}?{}", versions.join("&"));
        }
        let answer = server.ask_for(resident, &uri).await?;
        let useless = |reason: String| PeerError::useless(resident, reason);
        let version = answer.get("room_version").and_then(Value::as_str).unwrap_or("1");
        let version = RoomVersion::find(version)
            .ok_or_else(|| useless(format!("room version {version} is unknown")))?;
        let template = answer.get("event").and_then(Value::as_object).cloned();
        let template = template.ok_or_else(|| useless("it has no event".to_owned()))?;
        let text = |name: &str| template.get(name).and_then(Value::as_str);
        let membership = template.get("content").and_then(|content| content.get("membership"));
        let as_expected = text("type") == Some("m.room.member")
            && text("room_id") == Some(self.room_id)
            && text("sender") == Some(self.user_id)
            && text("state_key") == Some(self.user_id)
            && membership.and_then(Value::as_str) == Some(self.membership);
        if as_expected || commits(Fault::ProposalsUnchecked) {
            Ok((template, version))
        } else {
            Err(useless("it proposes another event".to_owned()))
        }
    }

    /// Completes a proposed event: adds what the user says of themselves, hashes and signs it.
    pub(super) fn complete(
        &self,
        server: &Homeserver,
        mut template: Object,
        version: &'static RoomVersion,
        content: Map<String, Value>,
    ) -> Result<Pdu, MatrixError> {
        for name in ["signatures", "hashes", "unsigned", "event_id"] {
            template.remove(name);
        }
        template.insert("origin".to_owned(), server.name().into());
        template.insert("origin_server_ts".to_owned(), now_ms().into());
        if version.event_id == EventIdFormat::Domain {
            template
                .insert("event_id".to_owned(), format!("${}:{}", token::opaque(18), server.name()).into());
        }
        if let Some(proposed) = template.get_mut("content").and_then(Value::as_object_mut) {
            proposed.extend(content);
            proposed.insert("membership".to_owned(), self.membership.into());
        }
        event::hash_and_sign(&mut template, server.name(), &server.signing_key, version)
            .map_err(MatrixError::internal)?;
        Pdu::parse(template, version).map_err(MatrixError::internal)
    }

    /// Sends the completed event back.
    pub(super) async fn send(
        &self,
        server: &Homeserver,
        resident: &str,
        pdu: &Pdu,
    ) -> Result<Value, PeerError> {
        let version = if self.membership == "knock" { "v1" } else { "v2" };
        let (room_id, event_id) = (path_segment(self.room_id), path_segment(pdu.event_id()));
        let uri = format!("/_matrix/federation/{version}/send_{}/{room_id}/{event_id}", self.membership);
        server.ask(resident, Method::PUT, &uri, Some(&Value::Object(pdu.object().clone()))).await
    }
}

/// Of what several servers said, that which says the most: a refusal says more than silence.
pub(super) fn worse(last: Option<PeerError>, next: PeerError) -> PeerError {
    match last {
        Some(last @ PeerError::Refused { .. }) if !matches!(next, PeerError::Refused { .. }) => last,
        _ => next,
    }
}

/// The refusal when there is no server to ask.
pub(super) fn nobody_to_ask() -> MatrixError {
    MatrixError::not_found("no server is known that could help: name one with via")
}
