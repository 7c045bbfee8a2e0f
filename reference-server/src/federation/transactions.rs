//! What other servers send of their own accord: server-server-api/#transactions.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use protocol::{Object, RoomVersion, event};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::request_authentication::Signed;
use super::{edus, inviting, pdus, server_acls};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::Path;
use crate::timeline::Timeline;

/// The most events and EDUs in a transaction.
const MAX_PDUS: usize = 50;
const MAX_EDUS: usize = 100;

/// How many answers are kept for each server.
const KEPT: usize = 8;

/// The answers to the last transactions of each server, for those that are sent again.
#[derive(Debug, Default)]
pub(crate) struct Received(Mutex<HashMap<String, VecDeque<(String, Outcome)>>>);

type Outcome = Arc<OnceCell<Value>>;

impl Received {
    fn outcome(&self, origin: &str, id: &str) -> Outcome {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_origin = all.entry(origin.to_owned()).or_default();
        if let Some((_, outcome)) = of_origin.iter().find(|(other, _)| other == id) {
            return Arc::clone(outcome);
        }
        if of_origin.len() == KEPT {
            of_origin.pop_front();
        }
        let outcome = Outcome::default();
        of_origin.push_back((id.to_owned(), Arc::clone(&outcome)));
        outcome
    }
}

/// Takes a transaction: each event and EDU on its own, whatever becomes of the others.
pub(super) async fn send(
    State(server): State<Arc<Homeserver>>,
    Path(transaction_id): Path<String>,
    signed: Signed,
) -> Answer {
    let list = |name: &str, most: usize| match signed.content.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= most => Ok(list.clone()),
        Some(Value::Array(_)) => {
            Err(MatrixError::bad_json(format!("a transaction has at most {most} {name}")))
        }
        Some(_) => Err(MatrixError::bad_json(format!("{name} must be a list"))),
    };
    if !signed.content.contains_key("pdus") {
        return Err(MatrixError::missing_param("pdus is missing"));
    }
    let (pdus, edus) = (list("pdus", MAX_PDUS)?, list("edus", MAX_EDUS)?);
    let outcome = server.received.outcome(&signed.origin, &transaction_id);
    // A server that gives up waiting does not undo what it has sent.
    let (taker, origin) = (Arc::clone(&server), signed.origin.clone());
    let task = tokio::spawn(async move {
        let answer = outcome.get_or_init(|| async {
            let answer = take_pdus(&taker, &origin, pdus).await;
            for edu in edus {
                edus::receive(&taker, &origin, edu).await;
            }
            answer
        });
        answer.await.clone()
    });
    Ok(Json(task.await.map_err(MatrixError::internal)?))
}

/// Takes the events of each room in their order, the rooms beside each other.
async fn take_pdus(server: &Arc<Homeserver>, origin: &str, pdus: Vec<Value>) -> Value {
    let mut by_room: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for pdu in pdus {
        let Value::Object(pdu) = pdu else { continue };
        let Some(room_id) = pdu.get("room_id").and_then(Value::as_str) else {
            tracing::info!("{origin} has sent an event without room");
            continue;
        };
        by_room.entry(room_id.to_owned()).or_default().push(pdu);
    }
    let rooms = by_room.into_iter().map(|(room_id, pdus)| async move {
        let mut outcomes = Map::new();
        let room = server.timelines.find(&room_id);
        for pdu in pdus {
            let Some(event_id) = id_of(&pdu, room.as_deref()) else { continue };
            let outcome = match take(server, room.as_ref(), origin, pdu).await {
                Ok(()) => json!({}),
                Err(error) => {
                    tracing::info!("event {event_id} of {origin}: {}", error.message());
                    json!({"error": error.message()})
                }
            };
            outcomes.insert(event_id, outcome);
        }
        outcomes
    });
    let outcomes: Map<String, Value> = join_all(rooms).await.into_iter().flatten().collect();
    json!({"pdus": outcomes})
}

/// The id by which the sender knows an event; of a room that is not known, as in most room versions.
fn id_of(pdu: &Object, room: Option<&Timeline>) -> Option<String> {
    let version = room.map_or(RoomVersion::DEFAULT, Timeline::version);
    match pdu.get("event_id").and_then(Value::as_str) {
        Some(event_id) if room.is_none() => Some(event_id.to_owned()),
        _ => event::event_id(pdu, version).ok(),
    }
}

async fn take(
    server: &Arc<Homeserver>,
    room: Option<&Arc<Timeline>>,
    origin: &str,
    pdu: Object,
) -> Result<(), MatrixError> {
    let unknown = || MatrixError::not_found("this server is not in the room");
    let room = room.ok_or_else(unknown)?;
    if !room.record().has_server(server.name()) {
        return inviting::withdraw(server, room, origin, pdu).await;
    }
    server_acls::check(&room.record().history.now(), origin)?;
    pdus::receive(server, room, origin, pdu).await
}
