//! Telling application services what happens, in transactions: application-service-api/#pushing-events.
//!
//! Each service has a task that reads on from where it has come to. A transaction is kept before it is sent and until
//! it is taken, so that it is the same one however often it is sent, before a restart and after it.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{ApplicationService, call};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::application_services::{self, Progress};
use crate::stream::Position;
use crate::timeline::{Entry, Format, Timeline, Viewer};

/// Events of a transaction at most.
const BATCH: usize = 100;

/// How long a service that fails is left alone: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Sets a task to work for every service that can be reached.
pub(crate) fn start_all(server: &Arc<Homeserver>) {
    for service in server.application_services.iter() {
        if service.registration.url.is_some() {
            tokio::spawn(run(Arc::downgrade(server), Arc::clone(service)));
        }
    }
}

async fn run(server: Weak<Homeserver>, service: Arc<ApplicationService>) {
    let id = service.registration.id.clone();
    loop {
        let (mut news, mut closing) = {
            let Some(server) = server.upgrade() else { return };
            let mut news = server.stream.progress();
            news.borrow_and_update();
            let closing = server.closing.clone();
            if let Err(error) = tell(&server, &service).await {
                tracing::error!("application service {id} stumbled: {}", error.message());
            }
            (news, closing)
        };
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

/// Tells a service everything up to now.
async fn tell(server: &Homeserver, service: &ApplicationService) -> Result<(), MatrixError> {
    let id = service.registration.id.clone();
    let now = server.stream.reached();
    // Whoever is new here is told what happens from now on.
    let mut progress = server.store.write(move |c| application_services::progress(c, &id, now)).await?;
    loop {
        if let Some(pending) = &progress.pending {
            if !deliver(server, service, progress.transactions, pending).await {
                return Ok(());
            }
            progress.pending = None;
            keep(server, service, &progress).await?;
        }
        let until = server.stream.settled().await;
        if until <= progress.position {
            return Ok(());
        }
        let (reached, transaction) = gather(server, service, progress.position, until).await?;
        progress.position = reached;
        if let Some(transaction) = transaction {
            progress.transactions += 1;
            progress.pending = Some(transaction);
            keep(server, service, &progress).await?;
        }
    }
}

/// Where a service has come to is kept with what it is to be told, not whenever nothing concerned it.
async fn keep(
    server: &Homeserver,
    service: &ApplicationService,
    progress: &Progress,
) -> Result<(), MatrixError> {
    let (id, progress) = (service.registration.id.clone(), progress.clone());
    Ok(server.store.write(move |connection| application_services::set(connection, &id, &progress)).await?)
}

/// The next transaction, if there is anything to tell, and how far it reaches.
async fn gather(
    server: &Homeserver,
    service: &ApplicationService,
    since: Position,
    until: Position,
) -> Result<(Position, Option<Value>), MatrixError> {
    let mut due: Vec<(Arc<Timeline>, Entry)> = Vec::new();
    for room in server.timelines.all() {
        if room.record().last <= since {
            continue;
        }
        let follows = service.follows(server, &room).await?;
        let entries = room.since(&server.store, since, BATCH).await?;
        let concerned = entries
            .into_iter()
            .filter(|entry| entry.position <= until && (follows || service.concerns(server, &room, entry)));
        due.extend(concerned.map(|entry| (Arc::clone(&room), entry)));
    }
    due.sort_by_key(|(_, entry)| entry.position);
    // Of a room that has more events than were read, none after the last of them are known; so a full batch ends early.
    let reached = limit(server, since, until, &due).await?;
    due.retain(|(_, entry)| entry.position <= reached);
    if commits(Fault::TransactionsNewestFirst) {
        due.reverse();
    }

    let viewer = Viewer { user_id: &service.sender, device_id: "", ignored: &BTreeSet::new() };
    let events: Vec<Value> = due
        .iter()
        .map(|(room, entry)| Value::Object(room.record().show(entry, viewer, Format::Client)))
        .collect();
    let ephemeral = match service.registration.receive_ephemeral {
        true => ephemeral(server, service, since, reached).await?,
        false => Vec::new(),
    };
    if events.is_empty() && ephemeral.is_empty() {
        return Ok((reached, None));
    }
    let mut transaction = json!({"events": events});
    if !ephemeral.is_empty() {
        transaction["ephemeral"] = ephemeral.into();
    }
    Ok((reached, Some(transaction)))
}

/// How far a transaction may reach: to where every room was read, and to the last event that fits in.
async fn limit(
    server: &Homeserver,
    since: Position,
    until: Position,
    due: &[(Arc<Timeline>, Entry)],
) -> Result<Position, MatrixError> {
    let mut reached = until;
    for room in server.timelines.all() {
        if room.record().last <= since {
            continue;
        }
        let entries = room.since(&server.store, since, BATCH).await?;
        if entries.len() == BATCH
            && let Some(last) = entries.last()
        {
            reached = reached.min(last.position);
        }
    }
    if let Some((_, entry)) = due.get(BATCH - 1) {
        reached = reached.min(entry.position);
    }
    Ok(reached)
}

async fn ephemeral(
    server: &Homeserver,
    service: &ApplicationService,
    since: Position,
    until: Position,
) -> Result<Vec<Value>, MatrixError> {
    let mut events = service.presence(server, since, until);
    for room in server.timelines.all() {
        events.extend(service.ephemeral_in(server, &room, since, until).await?);
    }
    Ok(events)
}

/// Sends a transaction until it is taken; says whether it was, or the server ends.
async fn deliver(
    server: &Homeserver,
    service: &ApplicationService,
    number: i64,
    transaction: &Value,
) -> bool {
    let mut pause = FIRST_PAUSE;
    let mut closing = server.closing.clone();
    let mut path = format!("/transactions/{number}");
    loop {
        match call(service, Method::PUT, &path, Some(transaction)).await {
            Ok(_) => return true,
            Err(error) => tracing::info!("application service {}: {error}", service.registration.id),
        }
        if commits(Fault::FailedTransactionsLost) {
            return true;
        }
        if commits(Fault::FailedTransactionsRenumbered) {
            path.push('0');
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = closing.wait_for(|closing| *closing) => return false,
        }
        if !commits(Fault::ServicePausesConstant) {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
