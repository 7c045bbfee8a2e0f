//! What is new: client-server-api/#syncing.

mod chunk;
mod encryption;
mod ephemeral;
mod fields;
mod present;
mod room;
mod state;
mod summary;
mod to_device;
mod told_members;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

pub(crate) use self::told_members::ToldMembers;
use super::{Routes, filters, invite_permission};
use crate::error::{Answer, MatrixError};
use crate::filter::SyncFilter;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::presence::{self, State as Presence};
use crate::request::{GuestOrUser, Query, Requester};
use crate::store::account_data::{self, AccountData, GLOBAL};
use crate::stream::{self, Position};

/// The longest that a client can wait.
const MAX_TIMEOUT_MS: u64 = 300_000;

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/sync", get(sync))
}

async fn sync(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    query: Query,
) -> Answer {
    let mut question = Question::read(&server, &requester, &query).await?;
    let state = query.one_of("set_presence", &Presence::NAMES)?.map_or(Presence::Online, Presence::named);
    let timeout_ms = query.number("timeout")?.unwrap_or(0u64).min(MAX_TIMEOUT_MS);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    if question.lazy_load() {
        server.told_members.resume(&requester, question.since);
    }
    let poll = presence::poll(&server, &requester.user_id, state);
    question.announced = poll.as_ref().and_then(|poll| poll.announced);
    let mut bell = server.stream.bell(&requester.user_id);
    let mut closing = server.closing.clone();
    loop {
        bell.borrow_and_update();
        let news = question.answer(&server, &requester, server.stream.settled().await).await?;
        if !(news.is_worth_waiting_for() || commits(Fault::SyncWaitsItsTime))
            || Instant::now() >= deadline
            || *closing.borrow()
            || commits(Fault::SyncNeverWaits)
        {
            return news.deliver(&server, &requester).await;
        }
        tokio::select! {
            rung = bell.changed() => if rung.is_err() {
                // The bell was taken down because nobody listened for a moment; hang up another.
                bell = server.stream.bell(&requester.user_id);
            },
            () = tokio::time::sleep_until(deadline) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// What a client asks.
struct Question {
    since: Option<Position>,
    filter: SyncFilter,
    full_state: bool,
    state_after: bool,
    /// Where the client has, by asking, changed its user's presence. It knows that.
    announced: Option<Position>,
}

/// What it is told.
struct News {
    next: Position,
    /// Whether the client would rather wait than hear that there is nothing.
    patient: bool,
    /// By section and room id.
    rooms: BTreeMap<&'static str, Map<String, Value>>,
    presence: Vec<Value>,
    account_data: Vec<Value>,
    to_device: to_device::Queue,
    encryption: encryption::Keys,
    told_members: Vec<told_members::Told>,
}

/// What rooms have to know of the question, beside the question.
struct Context<'a> {
    server: &'a Homeserver,
    requester: &'a Requester,
    question: &'a Question,
    until: Position,
    ignored: BTreeSet<String>,
    /// Whether the user wants no invitations, those from before among them (client-server-api/#invite-permission).
    invitations_blocked: bool,
    account_data: HashMap<String, Vec<AccountData>>,
    told_members: Mutex<Vec<told_members::Told>>,
}

impl Question {
    async fn read(server: &Homeserver, requester: &Requester, query: &Query) -> Result<Self, MatrixError> {
        let since = query.position("since")?;
        if since.is_some_and(|since| since > server.stream.reached()) {
            return Err(MatrixError::invalid_param("query parameter since must be a token of this server"));
        }
        Ok(Self {
            since,
            filter: filter(server, requester, query.text("filter")).await?,
            full_state: query.flag("full_state")? && !commits(Fault::FullStateIgnored),
            state_after: query.flag("use_state_after")? && !commits(Fault::StateAfterIgnored),
            announced: None,
        })
    }

    /// Whether the answer spares members of whom the client has been told.
    fn lazy_load(&self) -> bool {
        let filter = &self.filter.room.state;
        filter.lazy_load_members && !filter.include_redundant_members
    }

    /// What is new up to a position.
    async fn answer(
        &self,
        server: &Homeserver,
        requester: &Requester,
        until: Position,
    ) -> Result<News, MatrixError> {
        let (user_id, device_id) = (requester.user_id.clone(), requester.device_id.clone());
        let since = self.since;
        let (changed, ignored, wanted, to_device, encryption) = server
            .store
            .read(move |connection| {
                let changed = account_data::changed(connection, &user_id, since.unwrap_or(0), until)?;
                let ignored = account_data::ignored_by(connection, &user_id)?;
                let wanted = account_data::get(connection, &user_id, GLOBAL, invite_permission::TYPE)?;
                let to_device = to_device::read(connection, &user_id, &device_id, since, until)?;
                let encryption = encryption::read(connection, &user_id, &device_id, since, until)?;
                Ok((changed, ignored, wanted, to_device, encryption))
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
            ignored,
            invitations_blocked: wanted.as_ref().is_some_and(invite_permission::blocks),
            account_data: by_room,
            told_members: Mutex::default(),
        };
        Ok(News {
            next: until,
            patient: self.since.is_some() && !self.full_state,
            rooms: context.rooms().await?,
            presence: context.presence(),
            account_data: global
                .into_iter()
                .filter(|data| {
                    self.filter.account_data.admits_type(&data.event_type)
                        && !commits(Fault::AccountDataNotTold)
                })
                .map(event)
                .collect(),
            to_device,
            encryption: encryption.follow(server, &requester.user_id, since, until),
            told_members: context.told_members.into_inner().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

impl Context<'_> {
    /// The rooms of which there is something to tell, by the section they belong to.
    async fn rooms(&self) -> Result<BTreeMap<&'static str, Map<String, Value>>, MatrixError> {
        let mut rooms: BTreeMap<&'static str, Map<String, Value>> = BTreeMap::new();
        for timeline in self.server.timelines.of_user(&self.requester.user_id) {
            if !self.question.filter.room.rooms.admits(timeline.room_id())
                && !commits(Fault::FilterOfRoomsIgnored)
            {
                continue;
            }
            if let Some((section, news)) = self.room(&timeline).await? {
                rooms.entry(section).or_default().insert(timeline.room_id().to_owned(), news.into());
            }
        }
        Ok(rooms)
    }

    fn is_ignored(&self, user_id: &str) -> bool {
        self.ignored.contains(user_id) && !commits(Fault::IgnoredUsersHeard)
    }
}

impl News {
    /// Whether there is nothing in it, and the client would rather wait.
    fn is_worth_waiting_for(&self) -> bool {
        self.patient
            && self.rooms.is_empty()
            && self.presence.is_empty()
            && self.account_data.is_empty()
            && self.to_device.is_empty()
            && self.encryption.is_quiet()
    }

    /// Notes what goes out, and puts it into the form of the answer.
    async fn deliver(self, server: &Homeserver, requester: &Requester) -> Answer {
        let mut answer = json!({"next_batch": stream::token(self.next)});
        for (section, rooms) in self.rooms {
            answer["rooms"][section] = Value::Object(rooms);
        }
        server.told_members.note(requester, self.told_members, self.next);
        let to_device = self.to_device.deliver(server, requester, self.next).await?;
        for (section, events) in
            [("presence", self.presence), ("account_data", self.account_data), ("to_device", to_device)]
        {
            if !events.is_empty() {
                answer[section] = json!({"events": events});
            }
        }
        self.encryption.insert(&mut answer);
        Ok(Json(answer))
    }
}

/// Account data as an event.
fn event(data: AccountData) -> Value {
    json!({"type": data.event_type, "content": data.content})
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
