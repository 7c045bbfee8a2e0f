//! Events that arrive: server-server-api/#checks-performed-on-receipt-of-a-pdu.
//!
//! Format, signatures and hash are checked first, by the event alone; then the room judges it
//! ([`Timeline::admit`]). What it lacks for that is fetched: the events between, if they are few; else those that came
//! before, with the state at each.

mod missing;

pub(super) use self::missing::state_before;

use std::sync::Arc;

use protocol::event::{self, Counts};
use protocol::identifiers::server_name_of;
use protocol::keys::KeyRing;
use protocol::{Object, RoomVersion};
use serde_json::Value;

use super::policy_servers;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::rooms::check;
use crate::rooms::event::Pdu;
use crate::timeline::{Admission, Arrival, Standing, Timeline};

/// Checks an event by itself: the first three checks. What comes back was redacted if its hash is wrong.
pub(super) async fn check(
    server: &Homeserver,
    object: Object,
    version: &'static RoomVersion,
) -> Result<Pdu, MatrixError> {
    check_counting(server, object, version, Counts::Limited).await
}

async fn check_counting(
    server: &Homeserver,
    mut object: Object,
    version: &'static RoomVersion,
    counts: Counts,
) -> Result<Pdu, MatrixError> {
    object.remove("unsigned");
    let wrong = |error: &dyn std::fmt::Display| MatrixError::invalid_param(error.to_string());
    event::check_format(&object, version, counts).map_err(|error| wrong(&error))?;
    let ring = keys_for(server, &object, version).await?;
    check::receive(object, version, &ring, counts).map_err(|error| wrong(&error))
}

/// Checks events by themselves, and leaves out those that do not pass.
pub(super) async fn check_all(
    server: &Homeserver,
    objects: impl IntoIterator<Item = Value>,
    version: &'static RoomVersion,
) -> Vec<Pdu> {
    check_all_counting(server, objects, version, Counts::Limited).await
}

/// The same for events of the past, which may name more others than is allowed today
/// (server-server-api/#get_matrixfederationv1backfillroomid).
pub(super) async fn check_history(
    server: &Homeserver,
    objects: impl IntoIterator<Item = Value>,
    version: &'static RoomVersion,
) -> Vec<Pdu> {
    let counts = if commits(Fault::HistoryLimited) { Counts::Limited } else { Counts::Unlimited };
    check_all_counting(server, objects, version, counts).await
}

async fn check_all_counting(
    server: &Homeserver,
    objects: impl IntoIterator<Item = Value>,
    version: &'static RoomVersion,
    counts: Counts,
) -> Vec<Pdu> {
    let mut pdus = Vec::new();
    for object in objects {
        let Value::Object(object) = object else { continue };
        match check_counting(server, object, version, counts).await {
            Ok(pdu) => pdus.push(pdu),
            Err(error) => tracing::info!("an event is dropped: {}", error.message()),
        }
    }
    pdus
}

/// The keys with which an event has to be signed.
async fn keys_for(
    server: &Homeserver,
    object: &Object,
    version: &'static RoomVersion,
) -> Result<KeyRing, MatrixError> {
    let mut ring = KeyRing::default();
    let signers = event::required_signers(object, version)
        .map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    let sent_ms = object.get("origin_server_ts").and_then(Value::as_i64).unwrap_or(i64::MAX);
    let at_ms = if version.enforces_key_validity { sent_ms } else { i64::MIN };
    for signer in signers {
        let signatures = object.get("signatures").and_then(|all| all.get(&signer)).and_then(Value::as_object);
        let key_ids: Vec<&str> = signatures
            .into_iter()
            .flatten()
            .map(|(key_id, _)| key_id.as_str())
            .filter(|key_id| *key_id != event::POLICY_SERVER_KEY_ID)
            .collect();
        if !key_ids.is_empty() {
            server.add_keys(&mut ring, &signer, &key_ids, at_ms).await?;
        }
    }
    Ok(ring)
}

/// Takes an event of a room from another server, with all that it lacks. The error says why it was not accepted.
pub(super) async fn receive(
    server: &Homeserver,
    room: &Arc<Timeline>,
    origin: &str,
    object: Object,
) -> Result<(), MatrixError> {
    let pdu = check(server, object, room.version()).await?;
    if pdu.room_id() != room.room_id() {
        return Err(MatrixError::invalid_param("the event belongs to another room"));
    }
    let (pdu, is_unwanted) = policy_servers::judge(server, room, pdu).await;
    let arrival = Arrival { is_unwanted, ..Arrival::new(pdu.clone()) };
    let admission = match room.admit(server, arrival).await? {
        Admission::Lacks(lacking) => {
            missing::fetch(server, room, origin, &pdu, lacking).await?;
            let arrival = Arrival { is_unwanted, ..Arrival::new(pdu) };
            room.admit(server, arrival).await?
        }
        admission => admission,
    };
    outcome(admission)
}

/// What is answered for an event.
fn outcome(admission: Admission) -> Result<(), MatrixError> {
    match admission {
        Admission::Kept(Standing::Rejected | Standing::SoftFailed, reason) => {
            Err(MatrixError::forbidden(reason.unwrap_or_else(|| "the event is not allowed".to_owned())))
        }
        Admission::Known(Standing::Rejected) => Err(MatrixError::forbidden("the event was rejected before")),
        Admission::Lacks(lacking) => Err(MatrixError::not_found(format!(
            "events are missing without which this one can not be judged: {}",
            lacking.auth_events.iter().chain(&lacking.prev_events).cloned().collect::<Vec<_>>().join(", ")
        ))),
        Admission::Kept(..) | Admission::Known(_) => Ok(()),
    }
}

/// Whether a user belongs to a server.
pub(super) fn is_of(user_id: &str, server_name: &str) -> bool {
    server_name_of(user_id) == Some(server_name) && user_id.starts_with('@')
}
