//! A room from outside: client-server-api/#room-summaries.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use super::published_room_directory::describe;
use super::room_aliases;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{MaybeRequester, Path};
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::HistoryVisibility;
use crate::timeline::Timeline;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v1/room_summary/{room_id_or_alias}", get(summary))
}

async fn summary(
    State(server): State<Arc<Homeserver>>,
    MaybeRequester(requester): MaybeRequester,
    Path(room): Path<String>,
) -> Answer {
    let (room_id, _) = room_aliases::resolve(&server, &room).await?;
    let user_id = requester.as_ref().map(|requester| requester.user_id.as_str());
    let room = server.timelines.find(&room_id).filter(|room| shows_itself(&server, room, user_id));
    let room = room.ok_or_else(|| MatrixError::not_found("there is no such room, or you may not see it"))?;
    let mut summary = summarize(&room);
    let record = room.record();
    let state = record.history.now();
    if let Some(member) = user_id.and_then(|user_id| state.find("m.room.member", user_id)) {
        summary.insert("membership".to_owned(), json!(member.content_str("membership")));
    }
    Ok(Json(Value::Object(summary)))
}

/// A room as those see it who are outside.
pub(crate) fn summarize(room: &Timeline) -> Map<String, Value> {
    let mut summary = describe(room);
    summary.insert("room_version".to_owned(), room.version().id.into());
    let record = room.record();
    let state = record.history.now();
    let encryption = state.find("m.room.encryption", "").and_then(|event| event.content_str("algorithm"));
    if let Some(algorithm) = encryption {
        summary.insert("encryption".to_owned(), algorithm.into());
    }
    let allowed = allowed_rooms(room);
    if !allowed.is_empty() {
        summary.insert("allowed_room_ids".to_owned(), json!(allowed));
    }
    summary
}

/// Whether somebody, or nobody in particular, may know of a room: its members and invited, and those
/// who could join, knock or look in.
pub(super) fn shows_itself(server: &Homeserver, room: &Timeline, user_id: Option<&str>) -> bool {
    let record = room.record();
    let state = record.history.now();
    let rule = state.find("m.room.join_rules", "").and_then(|rules| rules.content_str("join_rule"));
    let open = matches!(rule, Some("public" | "knock" | "knock_restricted"))
        || HistoryVisibility::of(&state) == HistoryVisibility::WorldReadable;
    let Some(user_id) = user_id else { return open };
    let within = |room_id: &String| {
        let other = server.timelines.find(room_id);
        other.is_some_and(|other| other.record().membership(user_id) == "join")
    };
    open || matches!(state.membership(user_id), "join" | "invite" | "knock")
        || allowed_rooms(room).iter().any(within)
}

/// The rooms whose members may join a restricted room.
pub(crate) fn allowed_rooms(room: &Timeline) -> Vec<String> {
    let record = room.record();
    let state = record.history.now();
    let rules = state.find("m.room.join_rules", "");
    let restricted = rules
        .filter(|rules| matches!(rules.content_str("join_rule"), Some("restricted" | "knock_restricted")));
    let allow = restricted.and_then(|rules| rules.content("allow")?.as_array());
    let conditions = allow.into_iter().flatten().filter(|condition| condition["type"] == "m.room_membership");
    conditions.filter_map(|condition| condition["room_id"].as_str()).map(str::to_owned).collect()
}
