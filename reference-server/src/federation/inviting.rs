//! Invitations across servers, from both sides: server-server-api/#inviting-to-a-room.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{Method, StatusCode};
use protocol::identifiers::server_name_of;
use protocol::{Object, RoomVersion, event};
use serde_json::{Value, json};

use super::pdus::{self, is_of};
use super::request_authentication::Signed;
use super::server_acls;
use crate::client::invite_permission;
use crate::error::{Answer, MatrixError};
use crate::federation::path_segment;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Fields, Path};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::store::accounts;
use crate::timeline::{Record, Timeline};

/// What tells of a room to those who are not in it (client-server-api/#stripped-state).
const TOLD: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
];

/// An invitation with the version of its room.
pub(super) async fn invite(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, event_id)): Path<(String, String)>,
    signed: Signed,
) -> Answer {
    let version_id = signed.content.text("room_version")?;
    let version = RoomVersion::find(version_id).ok_or_else(|| {
        let code = "M_INCOMPATIBLE_ROOM_VERSION";
        MatrixError::new(StatusCode::BAD_REQUEST, code, "this server does not know that room version")
            .with("room_version", version_id)
    })?;
    let event = signed.content.optional_object("event")?.cloned();
    let event = event.ok_or_else(|| MatrixError::missing_param("event is missing"))?;
    let told = signed.content.get("invite_room_state").cloned();
    let invitation = Invitation { version, event, told, room_id, event_id, origin: &signed.origin };
    Ok(Json(json!({"event": invitation.accept(&server).await?})))
}

/// An invitation of the old kind: the room has version 1 or 2.
pub(super) async fn invite_v1(
    State(server): State<Arc<Homeserver>>,
    Path((room_id, event_id)): Path<(String, String)>,
    signed: Signed,
) -> Answer {
    let told = signed.content.get("unsigned").and_then(|unsigned| unsigned.get("invite_room_state")).cloned();
    let event = signed.content.clone();
    let version = &protocol::room_version::V1;
    let invitation = Invitation { version, event, told, room_id, event_id, origin: &signed.origin };
    Ok(Json(json!([200, {"event": invitation.accept(&server).await?}])))
}

/// Takes an invitation back that users of another server have sent, or denies a knock: all that is of interest in a room
/// that this server is not in.
pub(super) async fn withdraw(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    event: Object,
) -> Result<(), MatrixError> {
    let unknown = || MatrixError::not_found("this server is not in the room");
    let pdu = pdus::check(server, event, room.version()).await?;
    let user_id = pdu.state_key().filter(|user_id| is_of(user_id, server.name())).ok_or_else(unknown)?;
    let takes_back = pdu.event_type() == "m.room.member"
        && matches!(pdu.content_str("membership"), Some("leave" | "ban"))
        && is_of(pdu.sender(), origin)
        && pdu.room_id() == room.room_id();
    let waits = matches!(room.record().membership(user_id).as_str(), "invite" | "knock");
    if takes_back && waits { room.glimpse(server, pdu, Vec::new()).await } else { Err(unknown()) }
}

struct Invitation<'a> {
    version: &'static RoomVersion,
    event: Object,
    told: Option<Value>,
    room_id: String,
    event_id: String,
    origin: &'a str,
}

impl Invitation<'_> {
    /// Checks and signs the invitation, and tells whom it is for.
    async fn accept(self, server: &Homeserver) -> Result<Object, MatrixError> {
        let unsigned = self.event.get("unsigned").cloned();
        let pdu = self.check(server).await?;
        let told = self.told.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        self.check_told(server, &told).await?;
        let invitee = pdu.state_key().unwrap_or_default().to_owned();
        let sought = invitee.clone();
        if server.store.read(move |c| accounts::find(c, &sought)).await?.is_none() {
            return Err(MatrixError::forbidden("this server has no such user"));
        }
        invite_permission::must_be_wanted(server, &invitee).await?;
        if let Some(room) = server.timelines.find(&self.room_id) {
            server_acls::check(&room.record().history.now(), self.origin)?;
        }
        let mut object = pdu.object().clone();
        event::sign(&mut object, server.name(), &server.signing_key, self.version)
            .map_err(MatrixError::internal)?;
        let pdu = Pdu::parse(object.clone(), self.version).map_err(MatrixError::internal)?;
        let room = server.timelines.open(&self.room_id, self.version);
        // A server that is in the room gets the invitation a second time, with its place there.
        if !room.record().has_server(server.name()) {
            room.glimpse(server, pdu, stripped_from(&told)).await?;
        }
        if let Some(unsigned) = unsigned {
            object.insert("unsigned".to_owned(), unsigned);
        }
        Ok(object)
    }

    async fn check(&self, server: &Homeserver) -> Result<Pdu, MatrixError> {
        let wrong =
            |reason: &str| MatrixError::invalid_param(format!("the invitation can not be taken: {reason}"));
        let text = |name: &str| self.event.get(name).and_then(Value::as_str).unwrap_or_default();
        let membership = self.event.get("content").and_then(|content| content.get("membership"));
        let invites = text("type") == "m.room.member" && membership.and_then(Value::as_str) == Some("invite");
        if !invites && !commits(Fault::InvitesUnchecked) {
            return Err(wrong("it does not invite"));
        }
        if !is_of(text("sender"), self.origin) {
            return Err(wrong("its sender is not of your server"));
        }
        if !is_of(text("state_key"), server.name()) {
            return Err(wrong("it is for a user of another server"));
        }
        let pdu = pdus::check(server, self.event.clone(), self.version).await?;
        if pdu.event_id() != self.event_id || pdu.room_id() != self.room_id {
            return Err(wrong("it is another one than the path says"));
        }
        Ok(pdu)
    }

    /// Since room version 12 what is told of the room has to be the very events, the create event among them; before,
    /// servers are known to tell less.
    async fn check_told(&self, server: &Homeserver, told: &[Value]) -> Result<(), MatrixError> {
        if self.version.create_in_auth_events {
            return Ok(());
        }
        let events = pdus::check_all(server, told.iter().cloned(), self.version).await;
        let wrong = |reason: &str| {
            MatrixError::invalid_param(format!("invite_room_state can not be taken: {reason}"))
        };
        if events.len() != told.len() {
            return Err(wrong("each entry has to be an event of the room, with its signatures"));
        }
        if events.iter().any(|event| event.room_id() != self.room_id) {
            return Err(wrong("an event belongs to another room"));
        }
        if !events.iter().any(|event| event.is_state("m.room.create", "")) {
            return Err(MatrixError::new(
                StatusCode::BAD_REQUEST,
                "M_MISSING_PARAM",
                "the create event has to be in invite_room_state",
            ));
        }
        Ok(())
    }
}

/// Has the server of whom an event invites sign it as well.
pub(crate) async fn have_signed(
    server: &Homeserver,
    room: &Timeline,
    invitation: Pdu,
) -> Result<Pdu, MatrixError> {
    let invitee = invitation.state_key().unwrap_or_default();
    let destination = server_name_of(invitee).unwrap_or_default().to_owned();
    let told: Vec<Value> = {
        let record = room.record();
        told_of(&record, invitation.sender()).iter().map(|pdu| Value::Object(pdu.object().clone())).collect()
    };
    let signed = ask_to_sign(server, room, &invitation, &destination, told).await?;
    let signed = pdus::check(server, signed, room.version()).await?;
    if signed.event_id() == invitation.event_id() {
        return Ok(signed);
    }
    Err(MatrixError::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", "the other server has signed another event"))
}

async fn ask_to_sign(
    server: &Homeserver,
    room: &Timeline,
    invitation: &Pdu,
    destination: &str,
    told: Vec<Value>,
) -> Result<Object, MatrixError> {
    let (room_id, event_id) = (path_segment(room.room_id()), path_segment(invitation.event_id()));
    let question = json!({
        "room_version": room.version().id,
        "event": invitation.object(),
        "invite_room_state": told,
    });
    let path = format!("/_matrix/federation/v2/invite/{room_id}/{event_id}");
    let answer = match server.ask(destination, Method::PUT, &path, Some(&question)).await {
        Ok(answer) => answer,
        Err(error) if is_old(room.version()) && is_of_old_server(error.status()) => {
            let path = format!("/_matrix/federation/v1/invite/{room_id}/{event_id}");
            let mut event = invitation.object().clone();
            event.insert("unsigned".to_owned(), json!({"invite_room_state": question["invite_room_state"]}));
            let answer = server.ask(destination, Method::PUT, &path, Some(&Value::Object(event))).await?;
            answer.get(1).cloned().unwrap_or_default()
        }
        Err(error) => {
            let error = MatrixError::from(error);
            // What one server tells another has a name of its own where a client is told
            // (client-server-api/#post_matrixclientv3roomsroomidinvite).
            let is_about_versions = error.has_code("M_INCOMPATIBLE_ROOM_VERSION");
            if is_about_versions && !commits(Fault::VersionsOfInvitesHandedOn) {
                return Err(MatrixError::unsupported_room_version(error.message()));
            }
            return Err(error);
        }
    };
    let event = answer.get("event").and_then(Value::as_object).cloned();
    event.ok_or_else(|| {
        MatrixError::new(
            StatusCode::BAD_GATEWAY,
            "M_UNKNOWN",
            "the other server has not answered with the event",
        )
    })
}

fn is_old(version: &RoomVersion) -> bool {
    matches!(version.id, "1" | "2")
}

fn is_of_old_server(status: Option<StatusCode>) -> bool {
    matches!(status, Some(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND))
}

/// What may be known of a room before one is in it, as events.
fn told_of(record: &Record, inviter: &str) -> Vec<Pdu> {
    let state = record.history.now();
    let told = TOLD.iter().filter_map(|event_type| state.find(event_type, ""));
    told.chain(state.find("m.room.member", inviter)).cloned().collect()
}

/// What may be known of a room by those who knock.
pub(super) fn stripped_for(record: &Record) -> Vec<Value> {
    let state = record.history.now();
    let told = TOLD.iter().filter_map(|event_type| state.find(event_type, ""));
    told.map(|pdu| Value::Object(pdu.object().clone())).collect()
}

/// Stripped state from what another server has told, of which only these properties go to clients.
pub(super) fn stripped_from(told: &[Value]) -> Vec<Value> {
    let strip = |event: &Value| {
        let event = event.as_object()?;
        let is_state = event.get("type").is_some_and(Value::is_string)
            && event.get("state_key").is_some_and(Value::is_string)
            && event.get("sender").is_some_and(Value::is_string)
            && event.get("content").is_some_and(Value::is_object);
        let kept = ["type", "state_key", "sender", "content"];
        let stripped = kept.iter().filter_map(|name| Some(((*name).to_owned(), event.get(*name)?.clone())));
        (is_state || commits(Fault::KnockStateUnchecked)).then(|| Value::Object(stripped.collect()))
    };
    told.iter().filter_map(strip).collect()
}
