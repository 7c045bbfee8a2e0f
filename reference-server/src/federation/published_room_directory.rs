//! Directories of published rooms, of this server for others and of others for clients here:
//! server-server-api/#published-room-directory.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use serde_json::{Map, Value, json};

use super::path_segment;
use super::request_authentication::Signed;
use crate::client::published_room_directory::{Wanted, page};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Fields, Query};

const PATH: &str = "/_matrix/federation/v1/publicRooms";

/// The rooms that are published here.
pub(super) async fn listed(State(server): State<Arc<Homeserver>>, query: Query, _: Signed) -> Answer {
    page(&server, unlimited(query.number("limit")?), query.text("since"), &Wanted::default())
}

/// Those of them that are looked for.
pub(super) async fn searched(State(server): State<Arc<Homeserver>>, signed: Signed) -> Answer {
    let limit = signed.content.optional_integer("limit")?;
    let limit =
        limit.map(|limit| usize::try_from(limit).map_err(|_| MatrixError::bad_json("limit is negative")));
    let wanted = Wanted::read(&signed.content)?;
    page(&server, unlimited(limit.transpose()?), signed.content.optional_text("since")?, &wanted)
}

/// Between servers, 0 stands for no limit (server-server-api/#get_matrixfederationv1publicrooms).
fn unlimited(limit: Option<usize>) -> Option<usize> {
    limit.filter(|limit| *limit > 0)
}

/// The directory of another server.
pub(crate) async fn list(
    server: &Homeserver,
    other: &str,
    limit: Option<usize>,
    since: Option<&str>,
) -> Answer {
    let limit = limit.map(|limit| format!("limit={limit}"));
    let since = since.map(|since| format!("since={}", path_segment(since)));
    let query: Vec<String> = limit.into_iter().chain(since).collect();
    let uri = if query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{}", query.join("&")) };
    Ok(Json(server.ask_for(other, &uri).await?))
}

/// What is looked for in the directory of another server.
pub(crate) async fn search(server: &Homeserver, other: &str, body: &Map<String, Value>) -> Answer {
    let passed = ["limit", "since", "filter", "include_all_networks", "third_party_instance_id"];
    let passed = passed.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    let question = json!(passed.collect::<Map<String, Value>>());
    Ok(Json(server.ask(other, Method::POST, PATH, Some(&question)).await?))
}
