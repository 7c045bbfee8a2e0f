//! Where notifications go: client-server-api/#push-notifications.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::pusher;
use crate::request::{Body, Fields, Requester};
use crate::store::pushers::{self, Pusher};

/// The longest key of a pusher, in bytes.
const MAX_PUSHKEY_BYTES: usize = 512;

/// The longest id of an application, in characters.
const MAX_APP_ID_CHARACTERS: usize = 64;

/// What a client says of a pusher beside its id and key.
const SETTINGS: [&str; 6] =
    ["kind", "app_display_name", "device_display_name", "profile_tag", "lang", "data"];

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/pushers", get(list))
        .route("/_matrix/client/v3/pushers/set", post(set))
}

async fn list(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    let pushers = server.store.read(move |c| pushers::of_user(c, &requester.user_id)).await?;
    let shown = pushers.into_iter().map(|pusher| {
        let mut shown = pusher.settings;
        shown.insert("app_id".to_owned(), pusher.app_id.into());
        shown.insert("pushkey".to_owned(), pusher.pushkey.into());
        shown
    });
    Ok(Json(json!({"pushers": shown.collect::<Vec<_>>()})))
}

async fn set(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    let (app_id, pushkey) = (body.text("app_id")?.to_owned(), body.text("pushkey")?.to_owned());
    if app_id.chars().count() > MAX_APP_ID_CHARACTERS || pushkey.len() > MAX_PUSHKEY_BYTES {
        return Err(MatrixError::invalid_param(format!(
            "app_id must be at most {MAX_APP_ID_CHARACTERS} characters, pushkey {MAX_PUSHKEY_BYTES} bytes"
        )));
    }
    if body.get("kind") == Some(&Value::Null) {
        let removed =
            move |c: &rusqlite::Connection| pushers::remove(c, &requester.user_id, &app_id, &pushkey);
        server.store.write(removed).await?;
        return empty();
    }
    let settings = read_settings(&server, &body)?;
    let append = body.flag("append")?;
    let Requester { user_id, device_id, .. } = requester;
    // What happened before is not news to anybody.
    let position = server.stream.settled().await;
    let pusher = Pusher { id: 0, user_id, app_id, pushkey, set_ms: now_ms(), settings, position };
    let new = server
        .store
        .write(move |connection| {
            if !append && !commits(Fault::PushersOfOthersKept) {
                pushers::remove_of_others(connection, &pusher.user_id, &pusher.app_id, &pusher.pushkey)?;
            }
            pushers::set(connection, &pusher, &device_id)
        })
        .await?;
    if let Some(id) = new {
        pusher::start(&server, id);
    }
    empty()
}

fn read_settings(server: &Homeserver, body: &Map<String, Value>) -> Result<Map<String, Value>, MatrixError> {
    let kind = body.text("kind")?;
    if kind != "http" {
        return Err(MatrixError::invalid_param(format!(
            "this server has no pushers of kind {kind:?}: use http"
        )));
    }
    for name in ["app_display_name", "device_display_name", "lang"] {
        body.text(name)?;
    }
    body.optional_text("profile_tag")?;
    let url = body.object("data")?.text("url")?;
    let gateway = server
        .outgoing
        .check_gateway(url)
        .map(drop)
        .or_else(|why| if commits(Fault::GatewaysUnchecked) { Ok(()) } else { Err(why) });
    gateway.map_err(MatrixError::invalid_param)?;
    let said = SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    Ok(said.collect())
}
