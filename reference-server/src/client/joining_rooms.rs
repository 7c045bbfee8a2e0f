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
use super::{Routes, room_aliases};
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::request::{Body, BodyOrNothing, Fields, GuestOrUser, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::power_levels::{Level, PowerLevels};
use crate::rooms::state::StateLookup;
use crate::timeline::{Record, Timeline};

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
    enter(&server, &requester, &room_id, &body).await
}

async fn join_by_alias(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room): Path<String>,
    body: BodyOrNothing,
) -> Answer {
    let room_id = room_aliases::resolve(&server, &room).await?;
    enter(&server, &requester, &room_id, &body).await
}

async fn enter(
    server: &Homeserver,
    requester: &Requester,
    room_id: &str,
    body: &Map<String, Value>,
) -> Answer {
    requester.must_not_be_suspended()?;
    let reason = body.optional_text("reason")?;
    let room = server.timelines.find(room_id).ok_or_else(unknown_room)?;
    if let Some(signed) = body.optional_object("third_party_signed")? {
        if signed.text("mxid")? != requester.user_id {
            return Err(MatrixError::forbidden("this invite is signed for another user"));
        }
        third_party_invites::accept(server, &room, signed).await?;
    }
    if room.record().membership(&requester.user_id) != "join" {
        let content = member_content(server, &requester.user_id, "join", reason).await?;
        let mut template = member(requester, &requester.user_id, content);
        prepare_join(server, &room, requester, &mut template)?;
        room.append(server, template.into()).await?;
    }
    Ok(Json(json!({"room_id": room_id})))
}

async fn knock(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room): Path<String>,
    body: BodyOrNothing,
) -> Answer {
    requester.must_not_be_suspended()?;
    let room_id = room_aliases::resolve(&server, &room).await?;
    let room = server.timelines.find(&room_id).ok_or_else(unknown_room)?;
    let reason = body.optional_text("reason")?;
    let content = member_content(&server, &requester.user_id, "knock", reason).await?;
    room.append(&server, member(&requester, &requester.user_id, content).into()).await?;
    Ok(Json(json!({"room_id": room_id})))
}

async fn invite(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    requester.must_not_be_suspended()?;
    let reason = body.optional_text("reason")?;
    if body.contains_key("medium") && !body.contains_key("user_id") {
        let room = server.timelines.get(&room_id)?;
        return match third_party_invites::find(&server, &requester, &room, &body).await? {
            Invitee::Known(user_id) => invite_user(&server, &requester, &room_id, &user_id, reason).await,
            Invitee::Pending(template) => room.append(&server, template.into()).await.and_then(|_| empty()),
        };
    }
    invite_user(&server, &requester, &room_id, body.text("user_id")?, reason).await
}

async fn invite_user(
    server: &Homeserver,
    requester: &Requester,
    room_id: &str,
    user_id: &str,
    reason: Option<&str>,
) -> Answer {
    check_invitee(server, user_id)?;
    let room = server.timelines.get(room_id)?;
    let (inviter, invitee) = {
        let record = room.record();
        (record.membership(&requester.user_id), record.membership(user_id))
    };
    if inviter == "join" && invitee == "invite" {
        return empty();
    }
    let content = member_content(server, user_id, "invite", reason).await?;
    room.append(server, member(requester, user_id, content).into()).await?;
    empty()
}

/// Who can be invited: as long as this server does not speak to others, its own users.
pub(super) fn check_invitee(server: &Homeserver, user_id: &str) -> Result<(), MatrixError> {
    UserId::parse(user_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if server_name_of(user_id) == Some(server.name()) {
        Ok(())
    } else {
        Err(MatrixError::forbidden("this server does not invite users of other servers"))
    }
}

/// What a join needs beyond what its sender says: leave for guests, and somebody who vouches for the
/// join where the room asks for that (client-server-api/#restricted-rooms).
pub(super) fn prepare_join(
    server: &Homeserver,
    room: &Timeline,
    requester: &Requester,
    template: &mut Template,
) -> Result<(), MatrixError> {
    let record = room.record();
    let state = record.history.now();
    let says =
        |event_type: &str, key: &str| state.find(event_type, "").and_then(|event| event.content_str(key));
    if requester.guest && says("m.room.guest_access", "guest_access") != Some("can_join") {
        return Err(MatrixError::guest_access_forbidden("guests may not join this room"));
    }
    let restricted = match says("m.room.join_rules", "join_rule") {
        Some("restricted") => room.version().restricted,
        Some("knock_restricted") => room.version().knock_restricted,
        _ => false,
    };
    if !restricted || matches!(state.membership(&requester.user_id), "invite" | "join" | "ban") {
        return Ok(());
    }
    if !meets_condition(server, &record, &requester.user_id) {
        return Err(MatrixError::forbidden("join one of the rooms that this room lets members in from"));
    }
    let levels = PowerLevels::of(room.version(), &state);
    let can_invite = |user_id: &&str| {
        server_name_of(user_id) == Some(server.name())
            && levels.user(user_id).reaches(levels.level(Level::Invite))
    };
    let authoriser = record.joined().find(can_invite).ok_or_else(|| {
        MatrixError::forbidden("nobody of this server who may invite is in the room to vouch for you")
    })?;
    template.content.insert("join_authorised_via_users_server".to_owned(), authoriser.into());
    Ok(())
}

fn meets_condition(server: &Homeserver, record: &Record, user_id: &str) -> bool {
    let state = record.history.now();
    let conditions = state.find("m.room.join_rules", "").and_then(|rules| rules.content("allow")?.as_array());
    conditions.into_iter().flatten().any(|condition| {
        let room_id = condition.get("room_id").and_then(Value::as_str);
        condition.get("type").and_then(Value::as_str) == Some("m.room_membership")
            && room_id
                .and_then(|room_id| server.timelines.find(room_id))
                .is_some_and(|room| room.record().membership(user_id) == "join")
    })
}
