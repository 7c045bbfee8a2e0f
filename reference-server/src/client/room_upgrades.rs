//! Moving to another room version: client-server-api/#room-upgrades.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use protocol::RoomVersion;
use serde_json::{Map, Value, json};

use super::room_membership::member_content;
use super::{Routes, push_rules, tags};
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::power_levels::{Level, Power, PowerLevels, creators};
use crate::rooms::state::StateLookup;
use crate::store::rooms;
use crate::timeline::{Founding, Record, Timeline, not_a_member};

/// State that goes along, beside the power levels.
const TRANSFERRED: [&str; 8] = [
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
];

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/rooms/{room_id}/upgrade", post(upgrade))
}

async fn upgrade(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let id = body.text("new_version")?;
    let version = RoomVersion::find(id).ok_or_else(|| {
        MatrixError::unsupported_room_version(format!("this server does not know room version {id:?}"))
    })?;
    let additional: Vec<String> = body
        .optional_texts("additional_creators")?
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let old = server.timelines.get(&room_id)?;
    check(&old, &requester)?;
    let member = member_content(&server, &requester.user_id, "join", None).await?;
    let upgrade = Upgrade { old: &old, requester: &requester, version, additional };
    let founding = upgrade.founding(member);
    let new = Timeline::create(&server, founding).await?;
    retire(&server, &old, &requester, new.room_id()).await?;
    let (from, to) = (room_id, new.room_id().to_owned());
    server.store.write(move |connection| rooms::move_aliases(connection, &from, &to)).await?;
    follow(&server, &requester.user_id, new.room_id()).await?;
    Ok(Json(json!({"replacement_room": new.room_id()})))
}

/// Upgrading takes the power to send a tombstone.
fn check(old: &Timeline, requester: &Requester) -> Result<(), MatrixError> {
    let record = old.record();
    let state = record.history.now();
    if state.membership(&requester.user_id) != "join" {
        return Err(not_a_member());
    }
    let levels = PowerLevels::of(old.version(), &state);
    if levels.user(&requester.user_id).reaches(levels.to_send("m.room.tombstone", true)) {
        Ok(())
    } else {
        Err(MatrixError::forbidden("your power does not reach the level for m.room.tombstone"))
    }
}

struct Upgrade<'a> {
    old: &'a Timeline,
    requester: &'a Requester,
    version: &'static RoomVersion,
    additional: Vec<String>,
}

impl Upgrade<'_> {
    fn founding(&self, member: Map<String, Value>) -> Founding {
        let record = self.old.record();
        let state = record.history.now();
        let mut templates = vec![
            self.state("m.room.create", self.create_content(&record)),
            Template {
                state_key: Some(self.requester.user_id.clone()),
                ..self.state("m.room.member", member)
            },
        ];
        // In the new room the upgrader is its creator; until everything is there, nothing limits them.
        for event_type in TRANSFERRED {
            if let Some(event) = state.find(event_type, "") {
                templates.push(self.state(event_type, content(event.object())));
            }
        }
        templates.push(self.state("m.room.power_levels", self.power_levels(&record)));
        Founding { version: self.version, templates, published: record.published, alias: None }
    }

    fn create_content(&self, record: &Record) -> Map<String, Value> {
        let state = record.history.now();
        let mut content = Map::new();
        content.insert("room_version".to_owned(), self.version.id.into());
        let predecessor =
            json!({"room_id": self.old.room_id(), "event_id": record.last_event_id().unwrap_or_default()});
        content.insert("predecessor".to_owned(), predecessor);
        if self.version.creator_in_content {
            content.insert("creator".to_owned(), self.requester.user_id.as_str().into());
        }
        if self.version.privileged_creators
            && !self.additional.is_empty()
            && !commits(Fault::AdditionalCreatorsIgnored)
        {
            content.insert("additional_creators".to_owned(), json!(self.additional));
        }
        if let Some(create) = state.find("m.room.create", "") {
            for name in ["type", "m.federate"] {
                if let Some(value) = create.content(name) {
                    content.insert(name.to_owned(), value.clone());
                }
            }
        }
        content
    }

    /// The old levels, with the creators moved to where the new version has them.
    fn power_levels(&self, record: &Record) -> Map<String, Value> {
        let state = record.history.now();
        let old = state.find("m.room.power_levels", "");
        let mut levels = old.map(|event| content(event.object())).unwrap_or_default();
        let mut users = levels.get("users").and_then(Value::as_object).cloned().unwrap_or_default();
        if self.version.privileged_creators {
            users.remove(&self.requester.user_id);
            for user_id in &self.additional {
                users.remove(user_id);
            }
            let state_default = levels.get("state_default").and_then(Value::as_i64).unwrap_or(50);
            let events = levels.entry("events").or_insert_with(|| json!({}));
            if events
                .get("m.room.tombstone")
                .and_then(Value::as_i64)
                .is_none_or(|level| level <= state_default.max(100))
            {
                events["m.room.tombstone"] = 150.max(state_default.saturating_add(1)).into();
            }
        } else if self.old.version().privileged_creators {
            // Those who had infinite power have the highest that there is now.
            let highest = users.values().filter_map(Value::as_i64).max().unwrap_or(0).max(100);
            for creator in state.create().into_iter().flat_map(creators) {
                users.insert(creator.to_owned(), highest.into());
            }
            users.insert(self.requester.user_id.clone(), highest.into());
        } else {
            let highest = users.values().filter_map(Value::as_i64).max().unwrap_or(0).max(100);
            let own = users.entry(self.requester.user_id.clone()).or_insert_with(|| highest.into());
            if own.as_i64().is_some_and(|own| own < 100) {
                *own = 100.into();
            }
        }
        levels.insert("users".to_owned(), users.into());
        levels
    }

    fn state(&self, event_type: &str, content: Map<String, Value>) -> Template {
        state_event(self.requester, event_type, content)
    }
}

/// Ends the old room: a tombstone, and levels that let nobody talk on, where the upgrader may set them.
async fn retire(
    server: &Homeserver,
    old: &Arc<Timeline>,
    requester: &Requester,
    new_room_id: &str,
) -> Result<(), MatrixError> {
    let tombstone = json!({"body": "This room has been replaced", "replacement_room": new_room_id});
    let tombstone = tombstone.as_object().cloned().unwrap_or_default();
    old.append(server, state_event(requester, "m.room.tombstone", tombstone).into()).await?;
    let quiet = {
        let record = old.record();
        let state = record.history.now();
        let levels = PowerLevels::of(old.version(), &state);
        let event = state.find("m.room.power_levels", "");
        let mut quiet = event.map(|event| content(event.object())).unwrap_or_default();
        let needed = levels.level(Level::UsersDefault).saturating_add(1).max(50);
        for level in [Level::EventsDefault, Level::Invite] {
            if levels.level(level) < needed && levels.user(&requester.user_id) >= Power::Level(needed) {
                quiet.insert(level.name().to_owned(), needed.into());
            }
        }
        quiet
    };
    // The recommendation is for those who can: the tombstone is what counts.
    if let Err(error) = old.append(server, state_event(requester, "m.room.power_levels", quiet).into()).await
    {
        tracing::debug!("levels of an upgraded room stay: {}", error.message());
    }
    Ok(())
}

fn state_event(requester: &Requester, event_type: &str, content: Map<String, Value>) -> Template {
    Template {
        event_type: event_type.to_owned(),
        state_key: Some(String::new()),
        sender: requester.user_id.clone(),
        content,
    }
}

fn content(event: &Map<String, Value>) -> Map<String, Value> {
    event.get("content").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Gives a room that a user has just joined what the user has said of the room that it replaces.
pub(super) async fn follow(server: &Homeserver, user_id: &str, room_id: &str) -> Result<(), MatrixError> {
    let predecessor = server.timelines.find(room_id).and_then(|room| {
        let record = room.record();
        let state = record.history.now();
        let content = state.find("m.room.create", "")?.object().get("content")?;
        content.get("predecessor")?.get("room_id")?.as_str().map(str::to_owned)
    });
    let Some(predecessor) = predecessor.filter(|_| !commits(Fault::SettingsStayBehind)) else {
        return Ok(());
    };
    push_rules::follow(server, user_id, predecessor.clone(), room_id.to_owned()).await?;
    tags::follow(server, user_id, predecessor, room_id).await
}
