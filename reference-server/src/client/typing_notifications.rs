//! Saying that one types: client-server-api/#typing-notifications.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::put;

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Requester};
use crate::timeline::not_a_member;
use crate::typing;

/// For how long a notice stands when the client does not say, and at most.
const DEFAULT_LIFETIME_MS: i64 = 30_000;
const MAX_LIFETIME_MS: i64 = 120_000;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/typing/{user_id}", put(set))
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, user_id)): Path<(String, String)>,
    body: Body,
) -> Answer {
    requester.must_be(&user_id)?;
    let types =
        body.optional_flag("typing")?.ok_or_else(|| MatrixError::missing_param("add the field typing"))?;
    let lifetime_ms = body.optional_integer("timeout")?.unwrap_or(DEFAULT_LIFETIME_MS);
    let room = server.timelines.get(&room_id)?;
    if room.record().membership(&user_id) != "join" {
        return Err(not_a_member());
    }
    federation::typing::tell(&server, &room, &user_id, types);
    if types {
        let lifetime_ms = u64::try_from(lifetime_ms.clamp(0, MAX_LIFETIME_MS)).unwrap_or_default();
        typing::begin(&server, room, user_id, Duration::from_millis(lifetime_ms));
    } else if !commits(Fault::TypingNeverEnds) {
        typing::end(&server, &room, &user_id);
    }
    empty()
}
