//! Publishing keys, of this server and, as a notary, of others: server-server-api/#retrieving-server-keys.

mod ring;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use protocol::Object;
use serde_json::{Value, json};

pub(crate) use self::ring::KeyCache;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Body, Path, Query};

/// How long others may keep the answer.
const VALID_FOR_MS: i64 = 24 * 60 * 60 * 1000;

/// The most servers that a notary asks for one request.
const MOST_SERVERS: usize = 100;

/// The published keys, signed by each of them.
pub(super) async fn server_keys(State(server): State<Arc<Homeserver>>) -> Answer {
    Ok(Json(Value::Object(own_keys(&server)?)))
}

fn own_keys(server: &Homeserver) -> Result<Object, MatrixError> {
    let key = &server.signing_key;
    let mut keys = Object::new();
    keys.insert("server_name".to_owned(), server.name().into());
    keys.insert("valid_until_ts".to_owned(), (now_ms() + VALID_FOR_MS).into());
    keys.insert("verify_keys".to_owned(), json!({key.id().as_str(): {"key": key.verify_key().to_base64()}}));
    keys.insert("old_verify_keys".to_owned(), json!({}));
    protocol::signatures::sign(&mut keys, server.name(), key).map_err(MatrixError::internal)?;
    Ok(keys)
}

/// The keys of one server.
pub(super) async fn query_one(
    State(server): State<Arc<Homeserver>>,
    Path(name): Path<String>,
    query: Query,
) -> Answer {
    let until = query.number("minimum_valid_until_ts")?.and_then(|until: usize| i64::try_from(until).ok());
    let answer = notarized(&server, &name, &[], until.unwrap_or_else(now_ms)).await?;
    Ok(Json(json!({"server_keys": answer.into_iter().collect::<Vec<_>>()})))
}

/// The keys of several servers.
pub(super) async fn query(State(server): State<Arc<Homeserver>>, body: Body) -> Answer {
    let server = &*server;
    let wanted =
        body.get("server_keys").ok_or_else(|| MatrixError::missing_param("server_keys is missing"))?;
    let wanted = wanted.as_object().ok_or_else(|| MatrixError::bad_json("server_keys must be an object"))?;
    let mut questions = Vec::new();
    for (name, criteria) in wanted.iter().take(MOST_SERVERS) {
        let criteria = criteria.as_object();
        let criteria =
            criteria.ok_or_else(|| MatrixError::bad_json("what is wanted of a server must be an object"))?;
        let key_ids: Vec<&str> = criteria.keys().map(String::as_str).collect();
        let until =
            criteria.values().filter_map(|wanted| wanted.get("minimum_valid_until_ts")?.as_i64()).max();
        questions.push(async move { notarized(server, name, &key_ids, until.unwrap_or_else(now_ms)).await });
    }
    let answers = join_all(questions).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({"server_keys": answers.into_iter().flatten().collect::<Vec<_>>()})))
}

/// A server's own answer about its keys, as fresh as it can be had, signed by this server too.
async fn notarized(
    server: &Homeserver,
    name: &str,
    key_ids: &[&str],
    valid_until_ms: i64,
) -> Result<Option<Value>, MatrixError> {
    if name == server.name() {
        return Ok(Some(Value::Object(own_keys(server)?)));
    }
    let Some(mut answer) = server.key_answer(name, key_ids, valid_until_ms).await? else { return Ok(None) };
    protocol::signatures::sign(&mut answer, server.name(), &server.signing_key)
        .map_err(MatrixError::internal)?;
    Ok(Some(Value::Object(answer)))
}
