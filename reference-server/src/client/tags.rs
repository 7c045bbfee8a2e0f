//! Labels that a user puts on rooms: client-server-api/#room-tagging.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Path, Requester};
use crate::store::account_data::{self, AccountData};

/// The account data that holds the tags of a room.
const TYPE: &str = "m.tag";

/// The longest name of a tag.
const MAX_TAG_BYTES: usize = 255;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags", get(list))
        .route("/_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}", put(set).delete(remove))
}

async fn list(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, room_id)): Path<(String, String)>,
) -> Answer {
    requester.must_be(&user_id)?;
    let content = server.store.read(move |c| account_data::get(c, &user_id, &room_id, TYPE)).await?;
    Ok(Json(json!({"tags": tags(content)})))
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, room_id, tag)): Path<(String, String, String)>,
    Body(body): Body,
) -> Answer {
    requester.must_be(&user_id)?;
    if tag.len() > MAX_TAG_BYTES {
        return Err(MatrixError::invalid_param(format!("a tag is at most {MAX_TAG_BYTES} bytes")));
    }
    let order = body.get("order");
    if order.is_some_and(|order| !order.as_f64().is_some_and(|order| (0.0..=1.0).contains(&order))) {
        return Err(MatrixError::bad_json("order must be a number from 0 to 1"));
    }
    change(&server, user_id, room_id, move |tags| drop(tags.insert(tag, body.into()))).await
}

async fn remove(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((user_id, room_id, tag)): Path<(String, String, String)>,
) -> Answer {
    requester.must_be(&user_id)?;
    change(&server, user_id, room_id, move |tags| {
        tags.retain(|name, _| *name != tag || commits(Fault::TagsNotRemoved))
    })
    .await
}

/// Adds a tag on the server's own account.
pub(super) async fn add(
    server: &Homeserver,
    user_id: &str,
    room_id: &str,
    tag: &'static str,
) -> Result<(), MatrixError> {
    let insert = move |tags: &mut Map<String, Value>| drop(tags.insert(tag.to_owned(), json!({})));
    change(server, user_id.to_owned(), room_id.to_owned(), insert).await.map(drop)
}

/// Gives a room the tags of the room that it replaces.
pub(super) async fn follow(
    server: &Homeserver,
    user_id: &str,
    predecessor: String,
    room_id: &str,
) -> Result<(), MatrixError> {
    let owner = user_id.to_owned();
    let old = server.store.read(move |c| account_data::get(c, &owner, &predecessor, TYPE)).await?;
    let old = tags(old);
    if old.is_empty() {
        return Ok(());
    }
    // What the user has said of the new room already counts for more.
    let add = move |tags: &mut Map<String, Value>| {
        for (name, tag) in old {
            tags.entry(name).or_insert(tag);
        }
    };
    change(server, user_id.to_owned(), room_id.to_owned(), add).await.map(drop)
}

async fn change(
    server: &Homeserver,
    user_id: String,
    room_id: String,
    edit: impl FnOnce(&mut Map<String, Value>) + Send + 'static,
) -> Answer {
    let place = server.stream.place();
    let position = place.position();
    let owner = user_id.clone();
    server
        .store
        .write(move |connection| {
            let mut tags = tags(account_data::get(connection, &owner, &room_id, TYPE)?);
            edit(&mut tags);
            let data = AccountData { room_id, event_type: TYPE.to_owned(), content: json!({"tags": tags}) };
            account_data::set(connection, &owner, &data, position)
        })
        .await?;
    place.finish([user_id]);
    empty()
}

/// The tags in a content that clients may have written by hand.
fn tags(content: Option<Value>) -> Map<String, Value> {
    match content.and_then(|mut content| content.get_mut("tags").map(Value::take)) {
        Some(Value::Object(tags)) => tags,
        _ => Map::new(),
    }
}
