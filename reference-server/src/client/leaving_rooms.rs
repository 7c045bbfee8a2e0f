//! Going, being made to go, and being kept out: client-server-api/#leaving-rooms.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::{Map, Value};

use super::room_membership::{member, plain_content};
use super::{Routes, server_notices};
use crate::error::{Answer, MatrixError, empty};
use crate::federation::leaving_rooms;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, BodyOrNothing, Fields, GuestOrUser, Path, Requester};
use crate::rooms::state::StateLookup;
use crate::store::rooms;
use crate::timeline::{Timeline, not_a_member};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/leave", post(leave))
        .route("/_matrix/client/v3/rooms/{room_id}/forget", post(forget))
        .route("/_matrix/client/v3/rooms/{room_id}/kick", post(kick))
        .route("/_matrix/client/v3/rooms/{room_id}/ban", post(ban))
        .route("/_matrix/client/v3/rooms/{room_id}/unban", post(unban))
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
        membership => {
            server_notices::may_leave(&server, &requester.user_id, &room_id, membership).await?;
            part(&server, &room, &requester.user_id, reason).await?;
            empty()
        }
    }
}

/// Ends the membership of a user: here, or with the help of a server that is in the room.
async fn part(
    server: &Homeserver,
    room: &Arc<Timeline>,
    user_id: &str,
    reason: Option<&str>,
) -> Result<(), MatrixError> {
    let content = plain_content("leave", reason);
    if !room.record().has_server(server.name()) {
        return leaving_rooms::leave(server, room, user_id, content).await;
    }
    room.append(server, member(user_id, user_id, content).into()).await.map(drop)
}

/// Ends every membership of a user who cannot do so any more: joined, invited or knocking. Other servers, which may be slow to
/// help, are not waited for.
pub(super) fn part_from_all(server: &Arc<Homeserver>, user_id: &str) {
    let open = |room: &Arc<Timeline>| {
        matches!(room.record().membership(user_id).as_str(), "join" | "invite" | "knock")
    };
    let rooms = server.timelines.of_user(user_id).into_iter().filter(open).collect::<Vec<_>>();
    let (server, user_id) = (Arc::clone(server), user_id.to_owned());
    tokio::spawn(async move {
        for room in rooms {
            if let Err(error) = part(&server, &room, &user_id, None).await {
                tracing::warn!("{user_id} could not be taken out of {}: {error:?}", room.room_id());
            }
        }
    });
}

async fn forget(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let user_id = requester.user_id;
    if matches!(room.record().membership(&user_id).as_str(), "join" | "invite" | "knock")
        && !commits(Fault::ForgettingWhileJoined)
    {
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
        _ if commits(Fault::UnbansOfAnybody) => Ok(()),
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
    room.append(server, member(&requester.user_id, user_id, plain_content(membership, reason)).into())
        .await?;
    empty()
}
