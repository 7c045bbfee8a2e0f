//! What is new: client-server-api/#syncing.

mod ephemeral;
mod room;
mod state;
mod summary;
mod unread;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Routes, filters};
use crate::error::{Answer, MatrixError};
use crate::filter::SyncFilter;
use crate::homeserver::Homeserver;
use crate::request::{GuestOrUser, Query, Requester};
use crate::store::account_data::{self, AccountData, GLOBAL};
use crate::store::to_device;
use crate::stream::{self, Position};

/// The longest that a client can wait.
const MAX_TIMEOUT_MS: u64 = 300_000;

/// The most messages to a device that one answer carries.
const MAX_TO_DEVICE: i64 = 100;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/sync", get(sync))
}

async fn sync(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    query: Query,
) -> Answer {
    let question = Question::read(&server, &requester, &query).await?;
    let timeout_ms = query.number("timeout")?.unwrap_or(0u64).min(MAX_TIMEOUT_MS);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    if let Some(since) = question.since {
        acknowledge(&server, &requester, since).await?;
    }
    let mut bell = server.stream.bell(&requester.user_id);
    let mut closing = server.closing.clone();
    loop {
        bell.borrow_and_update();
        let answer = question.answer(&server, &requester, server.stream.reached()).await?;
        if !answer.waits() {
            return Ok(Json(answer.into_json()));
        }
        tokio::select! {
            rung = bell.changed() => if rung.is_err() {
                // The bell was taken down because nobody listened for a moment; hang up another.
                bell = server.stream.bell(&requester.user_id);
            },
            () = tokio::time::sleep_until(deadline) => return Ok(Json(answer.into_json())),
            _ = closing.wait_for(|closing| *closing) => return Ok(Json(answer.into_json())),
        }
    }
}

/// What a client asks.
struct Question {
    since: Option<Position>,
    filter: SyncFilter,
    full_state: bool,
    state_after: bool,
    patient: bool,
}

/// What it is told.
struct News {
    next: Position,
    patient: bool,
    rooms: HashMap<&'static str, Map<String, Value>>,
    account_data: Vec<Value>,
    to_device: Vec<Value>,
}

/// What rooms have to know of the question, beside the question.
struct Context<'a> {
    server: &'a Homeserver,
    requester: &'a Requester,
    question: &'a Question,
    until: Position,
    ignored: HashSet<String>,
    account_data: HashMap<String, Vec<AccountData>>,
}

impl Question {
    async fn read(server: &Homeserver, requester: &Requester, query: &Query) -> Result<Self, MatrixError> {
        query.one_of("set_presence", &["offline", "online", "unavailable"])?;
        let full_state = query.flag("full_state")?;
        let since = query.position("since")?;
        Ok(Self {
            since,
            filter: filter(server, requester, query.text("filter")).await?,
            full_state,
            state_after: query.flag("use_state_after")?,
            patient: since.is_some() && !full_state,
        })
    }

    async fn answer(
        &self,
        server: &Homeserver,
        requester: &Requester,
        until: Position,
    ) -> Result<News, MatrixError> {
        let user_id = requester.user_id.clone();
        let since = self.since.unwrap_or(0);
        let (changed, ignored) = server
            .store
            .read(move |connection| {
                let changed = account_data::changed(connection, &user_id, since, until)?;
                let ignored = account_data::get(connection, &user_id, GLOBAL, "m.ignored_user_list")?;
                Ok((changed, ignored))
            })
            .await?;
        let mut by_room: HashMap<String, Vec<AccountData>> = HashMap::new();
        for data in changed {
            by_room.entry(data.room_id.clone()).or_default().push(data);
        }
        let global = by_room.remove(GLOBAL).unwrap_or_default();
        let context = Context {
            server,
            requester,
            question: self,
            until,
            ignored: ignored.as_ref().map(ignored_users).unwrap_or_default(),
            account_data: by_room,
        };
        Ok(News {
            next: until,
            patient: self.patient,
            rooms: context.rooms().await?,
            account_data: global
                .into_iter()
                .map(event)
                .filter(|event| self.filter.account_data.admits(event, GLOBAL))
                .map(Value::Object)
                .collect(),
            to_device: to_device(server, requester, until).await?,
        })
    }
}

impl Context<'_> {
    /// The rooms of which there is something to tell, by the section they belong to.
    async fn rooms(&self) -> Result<HashMap<&'static str, Map<String, Value>>, MatrixError> {
        let mut rooms: HashMap<&'static str, Map<String, Value>> = HashMap::new();
        for timeline in self.server.timelines.of_user(&self.requester.user_id) {
            if !self.question.filter.room.rooms.admits(timeline.room_id()) {
                continue;
            }
            if let Some((section, news)) = self.room(&timeline).await? {
                rooms.entry(section).or_default().insert(timeline.room_id().to_owned(), news.into());
            }
        }
        Ok(rooms)
    }
}

impl News {
    /// Whether there is nothing in it, and the client would rather wait.
    fn waits(&self) -> bool {
        self.patient && self.rooms.is_empty() && self.account_data.is_empty() && self.to_device.is_empty()
    }

    fn into_json(self) -> Value {
        let mut answer = json!({"next_batch": stream::token(self.next)});
        for (section, rooms) in self.rooms {
            answer["rooms"][section] = Value::Object(rooms);
        }
        for (section, events) in [("account_data", self.account_data), ("to_device", self.to_device)] {
            if !events.is_empty() {
                answer[section] = json!({"events": events});
            }
        }
        answer
    }
}

/// Drops the messages to the device that came with the answer whose token the client sends back.
async fn acknowledge(server: &Homeserver, requester: &Requester, since: Position) -> Result<(), MatrixError> {
    let (user_id, device_id) = (requester.user_id.clone(), requester.device_id.clone());
    let delivered = {
        let (user_id, device_id) = (user_id.clone(), device_id.clone());
        server.store.read(move |c| to_device::any_delivered(c, &user_id, &device_id, since)).await?
    };
    if delivered {
        server.store.write(move |c| to_device::acknowledge(c, &user_id, &device_id, since)).await?;
    }
    Ok(())
}

/// The messages that wait for the device, noted as delivered with the token `until`.
async fn to_device(
    server: &Homeserver,
    requester: &Requester,
    until: Position,
) -> Result<Vec<Value>, MatrixError> {
    let (user_id, device_id) = (requester.user_id.clone(), requester.device_id.clone());
    let waiting = {
        let (user_id, device_id) = (user_id.clone(), device_id.clone());
        let waiting =
            move |c: &rusqlite::Connection| to_device::waiting(c, &user_id, &device_id, until, MAX_TO_DEVICE);
        server.store.read(waiting).await?
    };
    if let Some((last, _)) = waiting.last() {
        let last = *last;
        server.store.write(move |c| to_device::deliver(c, &user_id, &device_id, last, until)).await?;
    }
    Ok(waiting.into_iter().map(|(_, event)| event).collect())
}

/// Account data as an event.
fn event(data: AccountData) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("type".to_owned(), data.event_type.into());
    event.insert("content".to_owned(), data.content);
    event
}

/// The users in `m.ignored_user_list` (client-server-api/#ignoring-users).
fn ignored_users(content: &Value) -> HashSet<String> {
    let users = content.get("ignored_users").and_then(Value::as_object);
    users.map(|users| users.keys().cloned().collect()).unwrap_or_default()
}

/// The filter that the query names or spells out.
async fn filter(
    server: &Homeserver,
    requester: &Requester,
    filter: Option<&str>,
) -> Result<SyncFilter, MatrixError> {
    let definition = match filter {
        None => return Ok(SyncFilter::default()),
        Some(inline) if inline.starts_with('{') => serde_json::from_str(inline)
            .map_err(|error| MatrixError::not_json(format!("filter must be JSON: {error}")))?,
        Some(id) => filters::kept(server, requester.user_id.clone(), id)
            .await
            .map_err(|_| MatrixError::invalid_param("no filter of yours has this id"))?,
    };
    match definition {
        Value::Object(definition) => SyncFilter::parse(&definition),
        _ => Err(MatrixError::bad_json("a filter must be a JSON object")),
    }
}
