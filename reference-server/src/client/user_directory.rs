//! Finding users: client-server-api/#user-directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Body, Fields, Requester};
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::HistoryVisibility;
use crate::store::{StoreError, profiles};

/// Results when the client names no number, and at most.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/user_directory/search", post(search))
}

async fn search(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let term = body.text("search_term")?.to_lowercase();
    let limit = match body.optional_integer("limit")? {
        None => DEFAULT_LIMIT,
        Some(limit) => usize::try_from(limit)
            .map_err(|_| MatrixError::bad_json("limit must not be negative"))?
            .min(MAX_LIMIT),
    };
    let visible = visible(&server, &requester);
    let (results, limited) = server
        .store
        .read(move |connection| {
            let mut results = Vec::new();
            for user_id in visible {
                // The profile of the server, never the name that a user has in some private room.
                let profile = profiles::all(connection, &user_id)?;
                if !matches(&user_id, &profile, &term) {
                    continue;
                }
                if results.len() == limit {
                    return Ok((results, true));
                }
                results.push(describe(user_id, profile));
            }
            Ok::<_, StoreError>((results, false))
        })
        .await?;
    Ok(Json(json!({"results": results, "limited": limited})))
}

/// Those who share a room with the requester or are in one that everybody can see into.
fn visible(server: &Homeserver, requester: &Requester) -> BTreeSet<String> {
    let mut visible = BTreeSet::new();
    for room in server.timelines.all() {
        let record = room.record();
        let state = record.history.now();
        let rule = state.find("m.room.join_rules", "").and_then(|rules| rules.content_str("join_rule"));
        let open =
            rule == Some("public") || HistoryVisibility::of(&state) == HistoryVisibility::WorldReadable;
        if open || state.membership(&requester.user_id) == "join" {
            visible.extend(record.joined().map(str::to_owned));
        }
    }
    visible.remove(&requester.user_id);
    visible
}

fn matches(user_id: &str, profile: &Map<String, Value>, term: &str) -> bool {
    let name = profile.get("displayname").and_then(Value::as_str);
    user_id.to_lowercase().contains(term) || name.is_some_and(|name| name.to_lowercase().contains(term))
}

fn describe(user_id: String, profile: Map<String, Value>) -> Value {
    let mut entry = Map::from_iter([("user_id".to_owned(), user_id.into())]);
    for (name, shown) in [("displayname", "display_name"), ("avatar_url", "avatar_url")] {
        if let Some(value) = profile.get(name).filter(|value| value.is_string()) {
            entry.insert(shown.to_owned(), value.clone());
        }
    }
    Value::Object(entry)
}
