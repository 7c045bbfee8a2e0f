//! Walking through a space: client-server-api/#spaces.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use protocol::identifiers::server_name_of;
use serde_json::{Value, json};

use super::Routes;
use super::room_summaries::{shows_itself, summarize};
use crate::error::{Answer, MatrixError};
use crate::federation::spaces as federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query, Requester};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::timeline::Timeline;

/// Rooms in one answer, at most and by default.
const MAX_LIMIT: usize = 50;

/// How deep a walk goes, at most and by default.
const MAX_DEPTH: usize = 20;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v1/rooms/{room_id}/hierarchy", get(hierarchy))
}

async fn hierarchy(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    let walk = Walk {
        server: &server,
        user_id: &requester.user_id,
        suggested_only: query.flag("suggested_only")? && !commits(Fault::SuggestedOnlyIgnored),
        max_depth: query
            .number("max_depth")?
            .filter(|_| !commits(Fault::MaxDepthIgnored))
            .unwrap_or(MAX_DEPTH)
            .min(MAX_DEPTH),
    };
    let limit = query.number("limit")?.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
    let skipped = query.text("from").map_or(Ok(0), |token| walk.resume(token))?;
    let root = walk.root(&room_id).await;
    let root = root.ok_or_else(|| MatrixError::forbidden("you may not see this room, or there is none"))?;
    let rooms = walk.rooms(root).await;
    let page: Vec<_> = rooms.iter().skip(skipped).take(limit).map(|room| walk.describe(room)).collect();
    let end = skipped + page.len();
    let mut answer = json!({"rooms": page});
    if end < rooms.len() {
        answer["next_batch"] = walk.token(end).into();
    }
    Ok(Json(answer))
}

/// How somebody walks through a space.
struct Walk<'a> {
    server: &'a Homeserver,
    user_id: &'a str,
    suggested_only: bool,
    max_depth: usize,
}

impl Walk<'_> {
    /// A token for the place after so many rooms of this walk.
    fn token(&self, walked: usize) -> String {
        format!("h{walked}_{}_{}", self.max_depth, u8::from(self.suggested_only))
    }

    /// The number of rooms before the place that a token stands for, if it is of a walk like this.
    fn resume(&self, token: &str) -> Result<usize, MatrixError> {
        let walked = token.strip_prefix('h').and_then(|rest| rest.split('_').next()?.parse().ok());
        walked.filter(|walked| self.token(*walked) == token).ok_or_else(|| {
            MatrixError::invalid_param(
                "from must be the token of an answer with the same max_depth and suggested_only",
            )
        })
    }

    fn enters(&self, room: &Timeline) -> bool {
        shows_itself(self.server, room, Some(self.user_id)) || commits(Fault::HiddenRoomsWalked)
    }

    /// Where the walk begins: a room here, or one that the server of its id tells of.
    async fn root(&self, room_id: &str) -> Option<Stop> {
        if let Some(room) = self.here(room_id) {
            return self.enters(&room).then_some(Stop::Here(room));
        }
        let through: Vec<String> = server_name_of(room_id).map(str::to_owned).into_iter().collect();
        self.elsewhere(room_id, &through).await
    }

    /// A room that this server is in.
    fn here(&self, room_id: &str) -> Option<Arc<Timeline>> {
        let room = self.server.timelines.find(room_id)?;
        let is_here =
            room.record().has_server(self.server.name()) || room.record().servers().next().is_none();
        is_here.then_some(room)
    }

    /// A room that other servers tell of, if the walker could see it.
    async fn elsewhere(&self, room_id: &str, through: &[String]) -> Option<Stop> {
        self.server.config.federation.as_ref()?;
        let told = federation::ask(self.server, room_id, through, self.suggested_only).await?;
        self.is_open(&told.room).then_some(Stop::Elsewhere(told))
    }

    /// Whether the walker could look into a room, join it or knock, by its summary.
    fn is_open(&self, summary: &Value) -> bool {
        let rule = summary["join_rule"].as_str().unwrap_or("public");
        let allowed = summary["allowed_room_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_in = |room_id: &str| {
            self.server
                .timelines
                .find(room_id)
                .is_some_and(|room| room.record().membership(self.user_id) == "join")
        };
        matches!(rule, "public" | "knock" | "knock_restricted")
            || summary["world_readable"] == true
            || allowed.into_iter().any(is_in)
    }

    /// The rooms that the walker may see, depth first, each once.
    async fn rooms(&self, root: Stop) -> Vec<Stop> {
        let mut seen = HashSet::from([root.room_id().to_owned()]);
        // What other servers call inaccessible is so from everywhere but here: nobody is asked for it again.
        let mut inaccessible = HashSet::new();
        let mut ahead = vec![(root, 0)];
        let mut rooms = Vec::new();
        while let Some((stop, depth)) = ahead.pop() {
            if let Stop::Elsewhere(told) = &stop
                && !commits(Fault::InaccessibleRoomsAskedFor)
            {
                inaccessible.extend(told.inaccessible.iter().cloned());
            }
            if depth < self.max_depth {
                // The first child is walked first, so it goes onto the stack last.
                for (room_id, through) in self.next(&stop).into_iter().rev() {
                    if seen.contains(&room_id) {
                        continue;
                    }
                    let next = match self.here(&room_id) {
                        Some(room) => self.enters(&room).then_some(Stop::Here(room)),
                        None if inaccessible.contains(&room_id) => None,
                        None => self.elsewhere(&room_id, &through).await,
                    };
                    if let Some(next) = next {
                        ahead.push((next, depth + 1));
                    }
                }
            }
            let is_first = rooms.is_empty() || seen.insert(stop.room_id().to_owned());
            if is_first {
                rooms.push(stop);
            }
        }
        rooms
    }

    /// The children of a room, with the servers that know them.
    fn next(&self, stop: &Stop) -> Vec<(String, Vec<String>)> {
        let via = |via: Option<&Value>| -> Vec<String> {
            let names = via.and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        match stop {
            Stop::Here(room) => children(room, self.suggested_only)
                .iter()
                .filter_map(|child| Some((child.state_key()?.to_owned(), via(child.content("via")))))
                .collect(),
            Stop::Elsewhere(told) => told.room["children_state"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|child| {
                    Some((child["state_key"].as_str()?.to_owned(), via(child["content"].get("via"))))
                })
                .collect(),
        }
    }

    fn describe(&self, stop: &Stop) -> Value {
        match stop {
            Stop::Elsewhere(told) => told.room.clone(),
            Stop::Here(room) => {
                let mut summary = summarize(room);
                summary.insert("children_state".to_owned(), child_states(room, self.suggested_only).into());
                Value::Object(summary)
            }
        }
    }
}

/// A room on the way.
enum Stop {
    /// This server is in it.
    Here(Arc<Timeline>),
    /// Another server has told of it.
    Elsewhere(Arc<federation::Told>),
}

impl Stop {
    fn room_id(&self) -> &str {
        match self {
            Self::Here(room) => room.room_id(),
            Self::Elsewhere(told) => told.room["room_id"].as_str().unwrap_or_default(),
        }
    }
}

/// The children of a space as others are shown them.
pub(crate) fn child_states(room: &Timeline, suggested_only: bool) -> Vec<Value> {
    let strip = |child: &Pdu| {
        let mut stripped = child.to_stripped_state();
        stripped.insert("origin_server_ts".to_owned(), child.origin_server_ts().into());
        Value::Object(stripped)
    };
    children(room, suggested_only).iter().map(strip).collect()
}

/// The children of a space in their order; none if the room is no space
/// (client-server-api/#ordering-of-children-within-a-space).
pub(crate) fn children(room: &Timeline, suggested_only: bool) -> Vec<Pdu> {
    let record = room.record();
    let state = record.history.now();
    if state.create().and_then(|create| create.content_str("type")) != Some("m.space") {
        return Vec::new();
    }
    let mut children: Vec<_> = state
        .of_type("m.space.child")
        .filter(|child| {
            child.content("via").is_some_and(Value::is_array) || commits(Fault::ChildrenWithoutViaWalked)
        })
        .filter(|child| !suggested_only || child.content("suggested") == Some(&Value::Bool(true)))
        .cloned()
        .collect();
    children.sort_by_cached_key(|child| {
        let order = order(child).filter(|_| !commits(Fault::SpaceOrderIgnored)).map(str::to_owned);
        (order.is_none(), order, child.origin_server_ts(), child.state_key().map(str::to_owned))
    });
    children
}

/// The `order` of a child, if it is one.
fn order(child: &Pdu) -> Option<&str> {
    let order = child.content_str("order")?;
    (order.len() <= 50 && order.bytes().all(|byte| (0x20..=0x7e).contains(&byte))).then_some(order)
}
