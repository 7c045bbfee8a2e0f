//! Rooms that are there to be found: client-server-api/#published-room-directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError, empty};
use crate::federation::published_room_directory as federation;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits, unless};
use crate::request::{Body, Fields, Path, Query, Requester};
use crate::rooms::power_levels::PowerLevels;
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::HistoryVisibility;
use crate::store::{application_services, rooms};
use crate::timeline::Timeline;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/publicRooms", get(list).post(search))
        .route("/_matrix/client/v3/directory/list/room/{room_id}", get(visibility).put(set_visibility))
}

async fn visibility(State(server): State<Arc<Homeserver>>, Path(room_id): Path<String>) -> Answer {
    let room = server.timelines.find(&room_id).ok_or_else(unknown)?;
    let visibility = if room.record().published { "public" } else { "private" };
    Ok(Json(json!({"visibility": visibility})))
}

async fn set_visibility(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
    body: Body,
) -> Answer {
    let published = body.one_of("visibility", &["public", "private"])?.unwrap_or("public") == "public";
    let room = server.timelines.find(&room_id).ok_or_else(unknown)?;
    {
        let record = room.record();
        let state = record.history.now();
        let levels = PowerLevels::of(room.version(), &state);
        let needed = levels.to_send("m.room.canonical_alias", true);
        if state.membership(&requester.user_id) != "join" || !levels.user(&requester.user_id).reaches(needed)
        {
            return Err(MatrixError::forbidden("rooms are published by those who may set their aliases"));
        }
    }
    room.set_published(published);
    server.store.write(move |c| rooms::publish(c, &room_id, published)).await?;
    empty()
}

async fn list(State(server): State<Arc<Homeserver>>, query: Query) -> Answer {
    let limit = query.number("limit")?;
    let asked = query.text("server").filter(|name| *name != server.name());
    if let Some(other) = asked {
        return federation::list(&server, other, limit, query.text("since")).await;
    }
    let rooms = of_networks(&server, None, false).await?;
    page(&server, limit, query.text("since"), &Wanted { rooms, ..Wanted::default() })
}

async fn search(
    State(server): State<Arc<Homeserver>>,
    _requester: Requester,
    query: Query,
    body: Body,
) -> Answer {
    let limit = body.optional_integer("limit")?;
    let limit = limit
        .map(|limit| usize::try_from(limit).map_err(|_| MatrixError::bad_json("limit must not be negative")))
        .transpose()?;
    let asked = query.text("server").filter(|name| *name != server.name());
    if let Some(other) = asked {
        return federation::search(&server, other, &body).await;
    }
    let all = body.flag("include_all_networks")?;
    let rooms = of_networks(&server, body.optional_text("third_party_instance_id")?, all).await?;
    let wanted = Wanted { rooms, ..Wanted::read(&body)? };
    page(&server, limit, body.optional_text("since")?, &wanted)
}

/// Which of the published rooms are looked for.
#[derive(Default)]
pub(crate) struct Wanted {
    rooms: Rooms,
    term: Option<String>,
    /// By `type` of the create event; none stands for rooms without.
    types: Option<Vec<Option<String>>>,
}

/// Whose directory is looked into.
#[derive(Default)]
struct Rooms {
    /// The rooms that application services publish.
    of_networks: BTreeSet<String>,
    /// Whether those that this server publishes are left out.
    without_own: bool,
}

impl Rooms {
    fn admit(&self, room: &Timeline) -> bool {
        !self.without_own && room.record().published || self.of_networks.contains(room.room_id())
    }
}

/// The directory of this server; or that of a network, by the instance of a protocol; or all of them
/// (application-service-api/#published-room-directories).
async fn of_networks(server: &Homeserver, instance: Option<&str>, all: bool) -> Result<Rooms, MatrixError> {
    if instance.is_none() && !all {
        return Ok(Rooms::default());
    }
    if instance.is_some() && all {
        let message = "third_party_instance_id and include_all_networks exclude each other";
        return Err(MatrixError::invalid_param(message));
    }
    let published = server.store.read(application_services::published).await?;
    // An instance is known by its id, to which a service may have put its own in front.
    let is_asked = |service: &str, network: &str| {
        instance.is_none_or(|instance| instance == network || instance == format!("{service}|{network}"))
    };
    let asked = published.into_iter().filter(|(service, network, _)| is_asked(service, network));
    Ok(Rooms { of_networks: asked.map(|(_, _, room_id)| room_id).collect(), without_own: !all })
}

impl Wanted {
    /// Reads the filter of a request.
    pub(crate) fn read(body: &Map<String, Value>) -> Result<Self, MatrixError> {
        let Some(filter) = body.optional_object("filter")? else { return Ok(Self::default()) };
        let term = filter.optional_text("generic_search_term")?.map(str::to_lowercase);
        let read = |value: &Value| match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(MatrixError::bad_json("room_types must be strings or null")),
        };
        let types = match filter.get("room_types") {
            None => None,
            Some(_) => Some(filter.list("room_types")?.iter().map(read).collect::<Result<_, _>>()?),
        };
        Ok(Self { rooms: Rooms::default(), term, types })
    }

    fn admits(&self, entry: &Map<String, Value>) -> bool {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let contains = |term: &String| {
            let fields = ["name", "topic", "canonical_alias"];
            fields.iter().filter_map(|name| text(name)).any(|field| field.to_lowercase().contains(term))
        };
        (self.term.as_ref().is_none_or(contains) || commits(Fault::SearchTermIgnored))
            && self.types.as_ref().is_none_or(|types| {
                commits(Fault::RoomTypesIgnored)
                    || types.iter().any(|wanted| wanted.as_deref() == text("room_type"))
            })
    }
}

/// Part of the directory; a token is the place in it, the largest room first.
pub(crate) fn page(
    server: &Homeserver,
    limit: Option<usize>,
    since: Option<&str>,
    wanted: &Wanted,
) -> Answer {
    let wrong = |_| MatrixError::invalid_param("since must be a token that this server gave out");
    let skipped: usize = since.map_or(Ok(0), str::parse).map_err(wrong)?;
    let mut rooms: Vec<_> = server
        .timelines
        .all()
        .iter()
        .filter(|room| wanted.rooms.admit(room) || commits(Fault::UnpublishedRoomsListed))
        .map(|room| describe(room))
        .filter(|entry| wanted.admits(entry))
        .collect();
    rooms.sort_by(|one, other| {
        let size = |entry: &Map<String, Value>| entry.get("num_joined_members").and_then(Value::as_u64);
        let id = |entry: &Map<String, Value>| entry.get("room_id").map(Value::to_string);
        unless(Fault::SmallestRoomsFirst, size(other).cmp(&size(one))).then_with(|| id(one).cmp(&id(other)))
    });
    let total = rooms.len();
    let limit = limit.filter(|_| !commits(Fault::DirectoryLimitIgnored)).unwrap_or(total);
    let chunk: Vec<_> = rooms.into_iter().skip(skipped).take(limit).map(Value::Object).collect();
    let end = skipped.saturating_add(chunk.len());
    let mut answer = json!({"chunk": chunk, "total_room_count_estimate": total});
    if end < total && limit > 0 {
        answer["next_batch"] = end.to_string().into();
    }
    if skipped > 0 {
        answer["prev_batch"] = skipped.saturating_sub(limit).to_string().into();
    }
    Ok(Json(answer))
}

/// A room as the directory shows it.
pub(super) fn describe(room: &Timeline) -> Map<String, Value> {
    let record = room.record();
    let state = record.history.now();
    let says = |event_type: &str, key: &str| {
        let value = state.find(event_type, "").and_then(|event| event.content_str(key));
        value.filter(|value| !value.is_empty()).map(Value::from)
    };
    let visibility = HistoryVisibility::of(&state);
    let guests = state.find("m.room.guest_access", "").and_then(|event| event.content_str("guest_access"));
    let mut entry = Map::new();
    entry.insert("room_id".to_owned(), room.room_id().into());
    entry.insert("num_joined_members".to_owned(), record.joined().count().into());
    entry.insert("world_readable".to_owned(), (visibility == HistoryVisibility::WorldReadable).into());
    entry.insert("guest_can_join".to_owned(), (guests == Some("can_join")).into());
    for (name, value) in [
        ("name", says("m.room.name", "name")),
        ("topic", says("m.room.topic", "topic")),
        ("avatar_url", says("m.room.avatar", "url")),
        ("canonical_alias", says("m.room.canonical_alias", "alias")),
        ("join_rule", says("m.room.join_rules", "join_rule")),
        ("room_type", says("m.room.create", "type")),
    ] {
        if let Some(value) = value {
            entry.insert(name.to_owned(), value);
        }
    }
    entry
}

fn unknown() -> MatrixError {
    MatrixError::not_found("this server knows no such room")
}
