//! Files that users upload: client-server-api/#content-repository.

pub(crate) mod download;
mod preview;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Routes;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Path, Query, Requester};
use crate::store::media::{self, Description, Media};
use crate::token;

/// How long a media id waits for its content.
const UNUSED_LIFETIME_MS: i64 = 24 * 60 * 60 * 1000;

/// Media ids of one user that wait for their content at most.
const MAX_PENDING: i64 = 32;

/// What a file is whose type nobody has said.
const UNKNOWN_TYPE: &str = "application/octet-stream";

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/media/v3/upload", post(upload))
        .route("/_matrix/media/v1/create", post(create))
        .route("/_matrix/media/v3/upload/{server_name}/{media_id}", put(upload_later))
        .route("/_matrix/client/v1/media/config", get(config))
        .route("/_matrix/media/v3/config", get(config))
        .merge(download::routes())
        .merge(preview::routes())
}

async fn config(State(server): State<Arc<Homeserver>>, _: Requester) -> Answer {
    Ok(Json(json!({"m.upload.size": server.config.media.max_upload_bytes})))
}

async fn upload(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    query: Query,
    request: Request,
) -> Answer {
    let description = describe(&query, request.headers());
    must_have_room(&server, &requester).await?;
    let content = read(&server, request).await?;
    let media_id = token::opaque(24);
    server.contents.put(media_id.clone(), content).await.map_err(MatrixError::internal)?;
    let media = Media { owner: requester.user_id, created_ms: now_ms(), content: Some(description) };
    let id = media_id.clone();
    server.store.write(move |connection| media::add(connection, &id, &media)).await?;
    Ok(Json(json!({"content_uri": uri(&server, &media_id)})))
}

async fn create(State(server): State<Arc<Homeserver>>, requester: Requester) -> Answer {
    must_have_room(&server, &requester).await?;
    let (media_id, created_ms) = (token::opaque(24), now_ms());
    let (owner, id) = (requester.user_id, media_id.clone());
    let created = server
        .store
        .write(move |connection| {
            let pending = media::pending(connection, &owner, created_ms - UNUSED_LIFETIME_MS)?;
            if pending >= MAX_PENDING {
                return Ok(false);
            }
            media::add(connection, &id, &Media { owner, created_ms, content: None })?;
            Ok(true)
        })
        .await?;
    if !created {
        let message = "too many uploads of yours are pending: upload to the media ids that you have";
        let refusal = MatrixError::new(StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED", message);
        return Err(told_of_a_limit(refusal));
    }
    let expires_ms = created_ms + UNUSED_LIFETIME_MS;
    Ok(Json(json!({"content_uri": uri(&server, &media_id), "unused_expires_at": expires_ms})))
}

async fn upload_later(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((server_name, media_id)): Path<(String, String)>,
    query: Query,
    request: Request,
) -> Answer {
    let media = find(&server, &server_name, &media_id).await?;
    if media.owner != requester.user_id {
        return Err(MatrixError::forbidden("this media id was made for another user"));
    }
    if media.content.is_some() {
        return Err(not_twice());
    }
    let description = describe(&query, request.headers());
    let content = read(&server, request).await?;
    let id = media_id.clone();
    // Of two uploads at once, the first to be noted counts, and the other must not touch its bytes.
    let upload = server.contents.turn().await;
    let known = server.store.read(move |connection| media::find(connection, &id)).await?;
    if known.is_none_or(|media| media.content.is_some()) {
        return Err(not_twice());
    }
    server.contents.put(media_id.clone(), content).await.map_err(MatrixError::internal)?;
    server.store.write(move |connection| media::describe(connection, &media_id, &description)).await?;
    drop(upload);
    server.contents.announce();
    empty()
}

/// Refuses more files than an account may have (client-server-api/#content-repo-security-considerations).
async fn must_have_room(server: &Homeserver, requester: &Requester) -> Result<(), MatrixError> {
    let most = server.config.account_limits.as_ref().and_then(|limits| limits.files);
    let Some(most) = most else { return Ok(()) };
    let owner = requester.user_id.clone();
    if server.store.read(move |connection| media::count(connection, &owner)).await? < most {
        return Ok(());
    }
    Err(told_of_a_limit(MatrixError::forbidden(format!("an account has {most} files at most"))))
}

fn told_of_a_limit(refusal: MatrixError) -> MatrixError {
    if commits(Fault::LimitsOfMediaUntold) { MatrixError::unknown(refusal.message()) } else { refusal }
}

fn not_twice() -> MatrixError {
    let message = "this media id has its content already: create another";
    MatrixError::new(StatusCode::CONFLICT, "M_CANNOT_OVERWRITE_MEDIA", message)
}

/// A media id of this server that has its content or still waits for it. What else there is in the path is none.
async fn find(server: &Homeserver, server_name: &str, media_id: &str) -> Result<Media, MatrixError> {
    let unknown = || MatrixError::not_found("there is no such media id here");
    if server_name != server.name() || !is_media_id(media_id) {
        return Err(unknown());
    }
    let id = media_id.to_owned();
    let media = server.store.read(move |connection| media::find(connection, &id)).await?;
    let waits = |media: &Media| media.created_ms + UNUSED_LIFETIME_MS > now_ms();
    media.filter(|media| media.content.is_some() || waits(media)).ok_or_else(unknown)
}

/// Nothing that could lead out of a folder (client-server-api/#content-repo-security-considerations).
fn is_media_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn describe(query: &Query, headers: &HeaderMap) -> Description {
    let content_type = headers.get(CONTENT_TYPE).filter(|_| !commits(Fault::ContentTypesLost));
    let content_type = content_type.and_then(|value| value.to_str().ok());
    Description {
        content_type: content_type.unwrap_or(UNKNOWN_TYPE).to_owned(),
        file_name: query
            .text("filename")
            .filter(|name| !name.is_empty() && !commits(Fault::FileNamesLost))
            .map(str::to_owned),
    }
}

async fn read(server: &Homeserver, request: Request) -> Result<Bytes, MatrixError> {
    let limit = server.config.media.max_upload_bytes;
    axum::body::to_bytes(request.into_body(), limit)
        .await
        .map_err(|_| MatrixError::too_large(format!("content must arrive whole and within {limit} bytes")))
}

fn uri(server: &Homeserver, media_id: &str) -> String {
    format!("mxc://{}/{media_id}", server.name())
}
