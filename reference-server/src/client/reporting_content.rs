//! Telling the operator of what should not be there: client-server-api/#reporting-content.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use super::Routes;
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Requester};
use crate::store::accounts;
use crate::store::reports::{self, Report};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/report", post(room))
        .route("/_matrix/client/v3/rooms/{room_id}/report/{event_id}", post(event))
        .route("/_matrix/client/v3/users/{user_id}/report", post(user))
}

async fn room(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let reason = Some(body.text("reason")?.to_owned());
    server.timelines.find(&room_id).ok_or_else(|| unknown("room"))?;
    keep(&server, Report { reporter: requester.user_id, reported: vec![room_id], reason }).await
}

async fn event(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path((room_id, event_id)): Path<(String, String)>,
    body: Body,
) -> Answer {
    let reason = body.optional_text("reason")?.map(str::to_owned);
    let room = server.timelines.find(&room_id).ok_or_else(|| unknown("event"))?;
    if room.record().membership(&requester.user_id) != "join" && !commits(Fault::ReportsByStrangers) {
        return Err(unknown("event"));
    }
    room.find(&server.store, &event_id).await?.ok_or_else(|| unknown("event"))?;
    keep(&server, Report { reporter: requester.user_id, reported: vec![room_id, event_id], reason }).await
}

async fn user(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(user_id): Path<String>,
    body: Body,
) -> Answer {
    let reason = Some(body.text("reason")?.to_owned());
    let sought = user_id.clone();
    let known = server.store.read(move |connection| accounts::find(connection, &sought)).await?;
    known.ok_or_else(|| unknown("user"))?;
    keep(&server, Report { reporter: requester.user_id, reported: vec![user_id], reason }).await
}

async fn keep(server: &Homeserver, report: Report) -> Answer {
    tracing::info!("{} reports {}", report.reporter, report.reported.join(" "));
    server.store.write(move |connection| reports::add(connection, &report, now_ms())).await?;
    empty()
}

fn unknown(what: &str) -> MatrixError {
    MatrixError::not_found(format!("there is no such {what}, or you may not see it"))
}
