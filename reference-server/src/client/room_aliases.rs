//! Names for rooms: client-server-api/#room-aliases.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use protocol::identifiers::{RoomAlias, RoomId};
use serde_json::{Map, Value, json};

use super::{Routes, application_services};
use crate::application_service::{ApplicationService, Kind};
use crate::error::{Answer, MatrixError, empty};
use crate::federation::querying;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::power_levels::PowerLevels;
use crate::rooms::state::StateLookup;
use crate::rooms::visibility::HistoryVisibility;
use crate::store::rooms::{self, Alias};
use crate::timeline::{Timeline, not_a_member};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/directory/room/{room_alias}", get(find).put(set).delete(remove))
        .route("/_matrix/client/v3/rooms/{room_id}/aliases", get(list))
}

async fn find(State(server): State<Arc<Homeserver>>, Path(alias): Path<String>) -> Answer {
    let (room_id, servers) = resolve(&server, parse(&alias)?.as_str()).await?;
    Ok(Json(json!({"room_id": room_id, "servers": servers})))
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(alias): Path<String>,
    body: Body,
) -> Answer {
    let alias = local(&server, &alias, requester.application_service.as_deref())?;
    let room_id = body.text("room_id")?.to_owned();
    RoomId::parse(&room_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if server.timelines.get(&room_id)?.record().membership(&requester.user_id) != "join" {
        return Err(not_a_member());
    }
    let alias = Alias { alias, room_id, creator: requester.user_id };
    if server.store.write(move |c| rooms::add_alias(c, &alias)).await? {
        empty()
    } else {
        Err(MatrixError::unknown("this alias leads to a room already").status(StatusCode::CONFLICT))
    }
}

async fn remove(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(alias): Path<String>,
) -> Answer {
    let alias = parse(&alias)?;
    let found = lookup(&server, alias.as_str()).await?.ok_or_else(unknown)?;
    let room = server.timelines.find(&found.room_id);
    let own = requester.application_service.as_ref().is_some_and(|it| it.has(Kind::Aliases, &found.alias));
    if !own
        && found.creator != requester.user_id
        && !room.as_deref().is_some_and(|room| governs(room, &requester))
    {
        return Err(MatrixError::forbidden(
            "aliases are removed by their creator or by who may set canonical ones",
        ));
    }
    let removed = found.alias.clone();
    server.store.write(move |c| rooms::remove_alias(c, &removed)).await?;
    if let Some(room) = room {
        withdraw(&server, &room, &requester, &found.alias).await;
    }
    empty()
}

async fn list(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
) -> Answer {
    RoomId::parse(&room_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    {
        let room = server.timelines.get(&room_id)?;
        let record = room.record();
        let open = HistoryVisibility::of(&record.history.now()) == HistoryVisibility::WorldReadable;
        if !open
            && !commits(Fault::AliasesShownToStrangers)
            && record.membership(&requester.user_id) != "join"
        {
            return Err(not_a_member());
        }
    }
    let aliases = server.store.read(move |c| rooms::aliases_of(c, &room_id)).await?;
    Ok(Json(json!({"aliases": aliases})))
}

/// The room that an id or an alias names, and the servers that the alias tells of it. Aliases of other servers are looked
/// up there.
pub(super) async fn resolve(
    server: &Homeserver,
    room_id_or_alias: &str,
) -> Result<(String, Vec<String>), MatrixError> {
    if room_id_or_alias.starts_with('#') {
        let alias = parse(room_id_or_alias)?;
        if alias.server_name() != server.name() && server.config.federation.is_some() {
            return querying::alias(server, alias.server_name(), alias.as_str()).await;
        }
        application_services::query_alias(server, alias.as_str()).await?;
        let room_id = lookup(server, alias.as_str()).await?.ok_or_else(unknown)?.room_id;
        return Ok((room_id.clone(), querying::servers_of(server, &room_id)));
    }
    match RoomId::parse(room_id_or_alias) {
        Ok(room_id) => Ok((room_id.as_str().to_owned(), Vec::new())),
        Err(error) => Err(MatrixError::invalid_param(error.to_string())),
    }
}

/// An alias that this server can give, to an application service or to somebody else.
pub(super) fn local(
    server: &Homeserver,
    alias: &str,
    service: Option<&ApplicationService>,
) -> Result<String, MatrixError> {
    let alias = parse(alias)?;
    if alias.server_name() != server.name() || alias.localpart().is_empty() {
        return Err(MatrixError::invalid_param(format!(
            "aliases of this server end with :{}",
            server.name()
        )));
    }
    application_services::must_not_be_reserved(server, Kind::Aliases, alias.as_str(), service)?;
    Ok(alias.as_str().to_owned())
}

/// Whether the aliases that an `m.room.canonical_alias` event adds lead to its room.
pub(super) async fn check_canonical(
    server: &Homeserver,
    room: &Timeline,
    content: &Map<String, Value>,
) -> Result<(), MatrixError> {
    let listed = |content: Option<&Map<String, Value>>| -> Result<Vec<String>, MatrixError> {
        let Some(content) = content else { return Ok(Vec::new()) };
        let alias = match content.get("alias") {
            None | Some(Value::Null) => None,
            Some(_) => Some(content.text("alias")?).filter(|alias| !alias.is_empty()),
        };
        let more = content.optional_texts("alt_aliases")?.unwrap_or_default();
        Ok(alias.into_iter().chain(more).map(str::to_owned).collect())
    };
    let known = {
        let record = room.record();
        let current = record.history.now().placed("m.room.canonical_alias", "");
        let current = current.and_then(|(_, event)| event.object().get("content")?.as_object());
        listed(current).unwrap_or_default()
    };
    for alias in listed(Some(content))? {
        if known.contains(&alias) || commits(Fault::CanonicalAliasesUnchecked) {
            continue;
        }
        let alias = parse(&alias)?;
        let found = lookup(server, alias.as_str()).await?;
        if found.is_none_or(|found| found.room_id != room.room_id()) {
            return Err(MatrixError::bad_alias(format!("{} does not lead to this room", alias.as_str())));
        }
    }
    Ok(())
}

/// Takes a removed alias out of `m.room.canonical_alias`, where the remover may.
async fn withdraw(server: &Homeserver, room: &Arc<Timeline>, requester: &Requester, alias: &str) {
    let content = {
        let record = room.record();
        let current = record.history.now().placed("m.room.canonical_alias", "");
        current.and_then(|(_, event)| event.object().get("content")?.as_object()).cloned()
    };
    let Some(mut content) = content else { return };
    let before = content.clone();
    content.retain(|name, value| name != "alias" || value != alias);
    if let Some(more) = content.get_mut("alt_aliases").and_then(Value::as_array_mut) {
        more.retain(|other| other != alias);
    }
    if content != before {
        let template = Template {
            event_type: "m.room.canonical_alias".to_owned(),
            state_key: Some(String::new()),
            sender: requester.user_id.clone(),
            content,
        };
        // The alias is gone either way; the event is a courtesy that may lie beyond the remover's power.
        let _ = room.append(server, template.into()).await;
    }
}

/// Whether the requester may set canonical aliases in a room.
fn governs(room: &Timeline, requester: &Requester) -> bool {
    let record = room.record();
    let state = record.history.now();
    let levels = PowerLevels::of(room.version(), &state);
    state.membership(&requester.user_id) == "join"
        && levels.user(&requester.user_id).reaches(levels.to_send("m.room.canonical_alias", true))
}

async fn lookup(server: &Homeserver, alias: &str) -> Result<Option<Alias>, MatrixError> {
    let alias = alias.to_owned();
    Ok(server.store.read(move |c| rooms::find_alias(c, &alias)).await?)
}

fn parse(alias: &str) -> Result<RoomAlias, MatrixError> {
    RoomAlias::parse(alias).map_err(|error| MatrixError::invalid_param(error.to_string()))
}

fn unknown() -> MatrixError {
    MatrixError::not_found("this alias leads nowhere")
}
