//! Coming, going, and being made to: client-server-api/#room-membership.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::identifiers::{UserId, server_name_of};
use serde_json::{Map, Value, json};

use super::Routes;
use super::room_aliases;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::request::{Body, BodyOrNothing, Fields, GuestOrUser, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::power_levels::{Level, PowerLevels};
use crate::rooms::state::StateLookup;
use crate::store::{profiles, rooms};
use crate::timeline::{Record, Timeline, not_a_member};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/joined_rooms", get(joined_rooms))
        .route("/_matrix/client/v3/rooms/{room_id}/join", post(join))
        .route("/_matrix/client/v3/join/{room_id_or_alias}", post(join_by_alias))
        .route("/_matrix/client/v3/knock/{room_id_or_alias}", post(knock))
        .route("/_matrix/client/v3/rooms/{room_id}/invite", post(invite))
        .route("/_matrix/client/v3/rooms/{room_id}/leave", post(leave))
        .route("/_matrix/client/v3/rooms/{room_id}/forget", post(forget))
        .route("/_matrix/client/v3/rooms/{room_id}/kick", post(kick))
        .route("/_matrix/client/v3/rooms/{room_id}/ban", post(ban))
        .route("/_matrix/client/v3/rooms/{room_id}/unban", post(unban))
}

async fn joined_rooms(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let rooms = server.timelines.of_user(&requester.user_id);
    let joined = rooms.iter().filter(|room| room.record().membership(&requester.user_id) == "join");
    Ok(Json(json!({"joined_rooms": joined.map(|room| room.room_id()).collect::<Vec<_>>()})))
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
    let reason = body.optional_text("reason")?;
    let room = server.timelines.find(room_id).ok_or_else(unknown_room)?;
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
    if body.contains_key("medium") && !body.contains_key("user_id") {
        return Err(MatrixError::threepid_denied("this server invites by user id only"));
    }
    let (user_id, reason) = (body.text("user_id")?, body.optional_text("reason")?);
    check_invitee(&server, user_id)?;
    let room = server.timelines.get(&room_id)?;
    let (inviter, invitee) = {
        let record = room.record();
        (record.membership(&requester.user_id), record.membership(user_id))
    };
    if inviter == "join" && invitee == "invite" {
        return empty();
    }
    let content = member_content(&server, user_id, "invite", reason).await?;
    room.append(&server, member(&requester, user_id, content).into()).await?;
    empty()
}

async fn leave(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room_id): Path<String>,
    body: BodyOrNothing,
) -> Answer {
    let reason = body.optional_text("reason")?;
    let room = server.timelines.get(&room_id)?;
    let (known, membership) = {
        let record = room.record();
        let known = record.history.now().find("m.room.member", &requester.user_id).is_some();
        (known, record.membership(&requester.user_id))
    };
    match membership.as_str() {
        "leave" if known => empty(),
        "leave" => Err(not_a_member()),
        _ => {
            let content = plain_content("leave", reason);
            room.append(&server, member(&requester, &requester.user_id, content).into()).await?;
            empty()
        }
    }
}

async fn forget(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let user_id = requester.user_id;
    if matches!(room.record().membership(&user_id).as_str(), "join" | "invite" | "knock") {
        return Err(MatrixError::unknown("leave this room before forgetting it"));
    }
    room.set_forgotten(&user_id);
    server.store.write(move |c| rooms::set_forgotten(c, &user_id, &room_id, true)).await?;
    empty()
}

async fn kick(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let present = |membership: &str| match membership {
        "join" | "invite" | "knock" => Ok(()),
        _ => Err(MatrixError::forbidden("this user is not in the room")),
    };
    remove(&server, &requester, &room_id, &body, "leave", present).await
}

async fn ban(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    remove(&server, &requester, &room_id, &body, "ban", |_| Ok(())).await
}

async fn unban(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let banned = |membership: &str| match membership {
        "ban" => Ok(()),
        _ => Err(MatrixError::bad_state("this user is not banned")),
    };
    remove(&server, &requester, &room_id, &body, "leave", banned).await
}

/// Sets the membership of the user that the body names, if it is such that it can be.
async fn remove(
    server: &Homeserver,
    requester: &Requester,
    room_id: &str,
    body: &Map<String, Value>,
    membership: &str,
    check: impl FnOnce(&str) -> Result<(), MatrixError>,
) -> Answer {
    let (user_id, reason) = (body.text("user_id")?, body.optional_text("reason")?);
    let room = server.timelines.get(room_id)?;
    {
        let record = room.record();
        if record.membership(&requester.user_id) != "join" {
            return Err(not_a_member());
        }
        check(&record.membership(user_id))?;
    }
    room.append(server, member(requester, user_id, plain_content(membership, reason)).into()).await?;
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

/// The content of a member event with what the profile says about the user.
pub(super) async fn member_content(
    server: &Homeserver,
    user_id: &str,
    membership: &str,
    reason: Option<&str>,
) -> Result<Map<String, Value>, MatrixError> {
    let mut content = plain_content(membership, reason);
    let user_id = user_id.to_owned();
    let profile = server.store.read(move |connection| profiles::all(connection, &user_id)).await?;
    for (name, value) in profile {
        if matches!(name.as_str(), "displayname" | "avatar_url") {
            content.insert(name, value);
        }
    }
    Ok(content)
}

fn plain_content(membership: &str, reason: Option<&str>) -> Map<String, Value> {
    let mut content = Map::new();
    content.insert("membership".to_owned(), membership.into());
    if let Some(reason) = reason {
        content.insert("reason".to_owned(), reason.into());
    }
    content
}

fn member(requester: &Requester, user_id: &str, content: Map<String, Value>) -> Template {
    Template {
        event_type: "m.room.member".to_owned(),
        state_key: Some(user_id.to_owned()),
        sender: requester.user_id.clone(),
        content,
    }
}

fn unknown_room() -> MatrixError {
    MatrixError::not_found("this server knows no such room")
}
