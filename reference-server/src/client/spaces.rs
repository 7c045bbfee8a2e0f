//! Walking through a space: client-server-api/#spaces.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Routes;
use super::room_summaries::{shows_itself, summarize};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
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
        suggested_only: query.flag("suggested_only")?,
        max_depth: query.number("max_depth")?.unwrap_or(MAX_DEPTH).min(MAX_DEPTH),
    };
    let limit = query.number("limit")?.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
    let skipped = query.text("from").map_or(Ok(0), |token| walk.resume(token))?;
    let root = server.timelines.find(&room_id).filter(|room| walk.enters(room));
    let root = root.ok_or_else(|| MatrixError::forbidden("you may not see this room, or there is none"))?;
    let rooms = walk.rooms(root);
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
        shows_itself(self.server, room, Some(self.user_id))
    }

    /// The rooms that the walker may see, depth first, each once.
    fn rooms(&self, root: Arc<Timeline>) -> Vec<Arc<Timeline>> {
        let mut seen = HashSet::new();
        let mut ahead = vec![(root, 0)];
        let mut rooms = Vec::new();
        while let Some((room, depth)) = ahead.pop() {
            if !seen.insert(room.room_id().to_owned()) {
                continue;
            }
            if depth < self.max_depth {
                // The first child is walked first, so it goes onto the stack last.
                let children = self.children(&room).into_iter().rev();
                let known = children.filter_map(|child| self.server.timelines.find(child.state_key()?));
                ahead.extend(known.filter(|child| self.enters(child)).map(|child| (child, depth + 1)));
            }
            rooms.push(room);
        }
        rooms
    }

    fn describe(&self, room: &Timeline) -> Value {
        let children = self.children(room);
        let children = children.iter().map(|child| {
            let mut stripped = child.to_stripped_state();
            stripped.insert("origin_server_ts".to_owned(), child.origin_server_ts().into());
            Value::Object(stripped)
        });
        let mut summary = summarize(room);
        summary.insert("children_state".to_owned(), children.collect::<Vec<_>>().into());
        Value::Object(summary)
    }

    /// The children of a space in their order; none if the room is no space
    /// (client-server-api/#ordering-of-children-within-a-space).
    fn children(&self, room: &Timeline) -> Vec<Pdu> {
        let record = room.record();
        let state = record.history.now();
        if state.create().and_then(|create| create.content_str("type")) != Some("m.space") {
            return Vec::new();
        }
        let mut children: Vec<_> = state
            .of_type("m.space.child")
            .filter(|child| child.content("via").is_some_and(Value::is_array))
            .filter(|child| !self.suggested_only || child.content("suggested") == Some(&Value::Bool(true)))
            .cloned()
            .collect();
        children.sort_by_cached_key(|child| {
            let order = order(child).map(str::to_owned);
            (order.is_none(), order, child.origin_server_ts(), child.state_key().map(str::to_owned))
        });
        children
    }
}

/// The `order` of a child, if it is one.
fn order(child: &Pdu) -> Option<&str> {
    let order = child.content_str("order")?;
    (order.len() <= 50 && order.bytes().all(|byte| (0x20..=0x7e).contains(&byte))).then_some(order)
}
