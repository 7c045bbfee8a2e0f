//! Coming in: joining, inviting, knocking, and the conditions of restricted rooms:
//! client-server-api/#joining-rooms.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use protocol::identifiers::{UserId, server_name_of};
use serde_json::{Map, Value, json};

use super::room_membership::{member, member_content, unknown_room};
use super::third_party_invites::{self, Invitee};
use super::{Routes, application_services, invite_permission, room_aliases, room_upgrades};
use crate::error::{Answer, MatrixError, empty};
use crate::federation::joining_rooms::{self as federation, Unauthorised};
use crate::federation::knocking_rooms;
use crate::federation::third_party_invites::check_key;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, BodyOrNothing, Fields, GuestOrUser, Path, Query, Requester};
use crate::rooms::event::Template;
use crate::rooms::state::StateLookup;
use crate::timeline::Timeline;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/join", post(join))
        .route("/_matrix/client/v3/join/{room_id_or_alias}", post(join_by_alias))
        .route("/_matrix/client/v3/knock/{room_id_or_alias}", post(knock))
        .route("/_matrix/client/v3/rooms/{room_id}/invite", post(invite))
}

async fn join(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room_id): Path<String>,
    body: BodyOrNothing,
) -> Answer {
    enter(&server, &requester, Way { room_id, servers: Vec::new() }, &body).await
}

async fn join_by_alias(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room): Path<String>,
    query: Query,
    body: BodyOrNothing,
) -> Answer {
    let way = way(&server, &room, &query).await?;
    enter(&server, &requester, way, &body).await
}

/// The way into a room: its id, and the servers that may help.
struct Way {
    room_id: String,
    servers: Vec<String>,
}

/// The way that a client names: `via`, or `server_name` as it was called, and the servers that know the alias.
async fn way(server: &Homeserver, room: &str, query: &Query) -> Result<Way, MatrixError> {
    let (room_id, servers) = room_aliases::resolve(server, room).await?;
    let named = query.all("via").chain(query.all("server_name")).map(str::to_owned);
    Ok(Way { room_id, servers: named.chain(servers).collect() })
}

impl Way {
    /// The servers that may help, each once: those named, then whoever invited, then those in the room, then that of
    /// the room id.
    fn candidates(&self, server: &Homeserver, user_id: &str) -> Vec<String> {
        let mut all = self.servers.clone();
        if let Some(room) = server.timelines.find(&self.room_id) {
            let record = room.record();
            let state = record.history.now();
            let invitation = state.find("m.room.member", user_id);
            all.extend(invitation.and_then(|member| server_name_of(member.sender())).map(str::to_owned));
            all.extend(record.servers().map(str::to_owned));
        }
        all.extend(server_name_of(&self.room_id).map(str::to_owned));
        let mut candidates: Vec<String> = Vec::new();
        for name in all {
            if name != server.name() && !candidates.contains(&name) {
                candidates.push(name);
            }
        }
        candidates
    }
}

async fn enter(server: &Homeserver, requester: &Requester, way: Way, body: &Map<String, Value>) -> Answer {
    let reason = body.optional_text("reason")?;
    let user_id = &requester.user_id;
    let room = server.timelines.find(&way.room_id);
    let needs_help = federation::needs_help(server, room.as_deref());
    if let Some(signed) = body.optional_object("third_party_signed")? {
        if signed.text("mxid")? != user_id {
            return Err(MatrixError::forbidden("this invite is signed for another user"));
        }
        if let Some(room) = room.as_ref().filter(|_| !needs_help) {
            check_key(server, room, signed).await?;
            third_party_invites::accept(server, room, signed).await?;
        }
    }
    let answer = json!({"room_id": way.room_id});
    if room.as_ref().is_some_and(|room| room.record().membership(user_id) == "join") {
        return Ok(Json(answer));
    }
    let content = member_content(server, user_id, "join", reason).await?;
    let candidates = way.candidates(server, user_id);
    if let Some(room) = room.filter(|_| !needs_help) {
        let mut template = member(&requester.user_id, user_id, content.clone());
        match prepare_join(server, &room, requester, &mut template) {
            Ok(()) => {
                room.append(server, template.into()).await?;
                room_upgrades::follow(server, user_id, &way.room_id).await?;
                return Ok(Json(answer));
            }
            // Others in the room may know more, or may invite.
            Err(Refusal::Unauthorised(reason)) if reason != Unauthorised::Fails && !candidates.is_empty() => {
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    if candidates.is_empty() {
        return Err(unknown_room());
    }
    federation::join(server, &way.room_id, user_id, content, &candidates).await?;
    room_upgrades::follow(server, user_id, &way.room_id).await?;
    Ok(Json(answer))
}

async fn knock(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room): Path<String>,
    query: Query,
    body: BodyOrNothing,
) -> Answer {
    let way = way(&server, &room, &query).await?;
    let reason = body.optional_text("reason")?;
    let content = member_content(&server, &requester.user_id, "knock", reason).await?;
    let room = server.timelines.find(&way.room_id);
    let needs_help = federation::needs_help(&server, room.as_deref());
    match room.filter(|_| !needs_help) {
        Some(room) => {
            room.append(&server, member(&requester.user_id, &requester.user_id, content).into()).await?;
        }
        None => {
            let candidates = way.candidates(&server, &requester.user_id);
            if candidates.is_empty() {
                return Err(unknown_room());
            }
            knocking_rooms::knock(&server, &way.room_id, &requester.user_id, content, &candidates).await?;
        }
    }
    Ok(Json(json!({"room_id": way.room_id})))
}

async fn invite(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let reason = body.optional_text("reason")?;
    if body.contains_key("medium") && !body.contains_key("user_id") {
        return invite_by_address(&server, &requester, &room_id, &body, reason).await;
    }
    invite_user(&server, &requester, &room_id, body.text("user_id")?, reason).await
}

/// Invites whoever has an address, now or later.
pub(super) async fn invite_by_address(
    server: &Homeserver,
    requester: &Requester,
    room_id: &str,
    invite: &Map<String, Value>,
    reason: Option<&str>,
) -> Answer {
    let room = server.timelines.get(room_id)?;
    match third_party_invites::find(server, requester, &room, invite).await? {
        Invitee::Known(user_id) => invite_user(server, requester, room_id, &user_id, reason).await,
        Invitee::Pending(template) => room.append(server, template.into()).await.and_then(|_| empty()),
    }
}

async fn invite_user(
    server: &Homeserver,
    requester: &Requester,
    room_id: &str,
    user_id: &str,
    reason: Option<&str>,
) -> Answer {
    check_invitee(server, user_id)?;
    application_services::query_user(server, user_id).await?;
    let room = server.timelines.get(room_id)?;
    let (inviter, invitee) = {
        let record = room.record();
        (record.membership(&requester.user_id), record.membership(user_id))
    };
    if inviter == "join" && invitee == "invite" {
        return empty();
    }
    invite_permission::must_be_wanted(server, user_id).await?;
    let content = member_content(server, user_id, "invite", reason).await?;
    room.append(server, member(&requester.user_id, user_id, content).into()).await?;
    empty()
}

/// Who can be invited: users of this server, and of others if it speaks to them.
pub(super) fn check_invitee(server: &Homeserver, user_id: &str) -> Result<(), MatrixError> {
    UserId::parse(user_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if server_name_of(user_id) == Some(server.name()) || server.config.federation.is_some() {
        Ok(())
    } else {
        Err(MatrixError::forbidden("this server does not invite users of other servers"))
    }
}

/// Why a join can not be made here.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The room does not let guests in.
    Guest,
    /// Nobody vouches for the join.
    Unauthorised(Unauthorised),
}

impl From<Refusal> for MatrixError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Guest => Self::guest_access_forbidden("guests may not join this room"),
            Refusal::Unauthorised(reason) => Self::forbidden(Self::from(reason).message().to_owned()),
        }
    }
}

/// What a join needs beyond what its sender says: leave for guests, and somebody who vouches for the
/// join where the room asks for that (client-server-api/#restricted-rooms).
pub(super) fn prepare_join(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    template: &mut Template,
) -> Result<(), Refusal> {
    let record = room.record();
    let state = record.history.now();
    let access = state.find("m.room.guest_access", "").and_then(|event| event.content_str("guest_access"));
    if requester.guest && access != Some("can_join") && !commits(Fault::GuestsJoinAnywhere) {
        return Err(Refusal::Guest);
    }
    let authoriser = federation::authoriser(server, &record, room.version(), &requester.user_id);
    if let Some(authoriser) = authoriser.map_err(Refusal::Unauthorised)? {
        template.content.insert("join_authorised_via_users_server".to_owned(), authoriser.into());
    }
    Ok(())
}
