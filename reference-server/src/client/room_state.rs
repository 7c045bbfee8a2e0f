//! The state of a room and who is in it: client-server-api/#getting-events-for-a-room.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Routes;
use super::sending_events::set_state;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, GuestOrUser, Path, Query, Requester};
use crate::rooms::event::{Pdu, Template};
use crate::rooms::state::StateLookup;
use crate::timeline::{Format, not_a_member};

pub(super) fn routes() -> Routes {
    // The state key may be empty, and then the slash before it may be left out.
    Router::new()
        .route("/_matrix/client/v3/rooms/{room_id}/state", get(whole))
        .route("/_matrix/client/v3/rooms/{room_id}/state/{type}", get(find_plain).put(set_plain))
        .route("/_matrix/client/v3/rooms/{room_id}/state/{type}/", get(find_plain).put(set_plain))
        .route("/_matrix/client/v3/rooms/{room_id}/state/{type}/{state_key}", get(find).put(set))
        .route("/_matrix/client/v3/rooms/{room_id}/members", get(members))
        .route("/_matrix/client/v3/rooms/{room_id}/joined_members", get(joined_members))
}

async fn whole(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room_id): Path<String>,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let record = room.record();
    let state = record.history.at(record.readable_until(&requester.user_id)?);
    let events = state.iter().map(|pdu| record.show_state(pdu, requester.viewer(), Format::Client));
    Ok(Json(events.map(Value::Object).collect()))
}

async fn find_plain(
    server: State<Arc<Homeserver>>,
    requester: GuestOrUser,
    Path((room_id, event_type)): Path<(String, String)>,
    query: Query,
) -> Answer {
    find(server, requester, Path((room_id, event_type, String::new())), query).await
}

async fn find(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((room_id, event_type, state_key)): Path<(String, String, String)>,
    query: Query,
) -> Answer {
    let format = query.one_of("format", &["content", "event"])?;
    let room = server.timelines.get(&room_id)?;
    let record = room.record();
    let state = record.history.at(record.readable_until(&requester.user_id)?);
    let event = state
        .find(&event_type, &state_key)
        .ok_or_else(|| MatrixError::not_found("this room has no state of this type and key"))?;
    Ok(Json(match format {
        Some("event") if !commits(Fault::StateFormatIgnored) => {
            Value::Object(record.show_state(event, requester.viewer(), Format::Client))
        }
        _ => event.object().get("content").cloned().unwrap_or_default(),
    }))
}

async fn set_plain(
    server: State<Arc<Homeserver>>,
    requester: GuestOrUser,
    Path((room_id, event_type)): Path<(String, String)>,
    body: Body,
) -> Answer {
    set(server, requester, Path((room_id, event_type, String::new())), body).await
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((room_id, event_type, state_key)): Path<(String, String, String)>,
    Body(content): Body,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let sender = requester.user_id.clone();
    let template = Template { event_type, state_key: Some(state_key), sender, content };
    set_state(&server, &requester, &room, template).await
}

async fn members(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path(room_id): Path<String>,
    query: Query,
) -> Answer {
    const MEMBERSHIPS: [&str; 5] = ["join", "invite", "knock", "leave", "ban"];
    let wanted = query.one_of("membership", &MEMBERSHIPS)?;
    let unwanted = query.one_of("not_membership", &MEMBERSHIPS)?;
    let at = query.position("at")?.filter(|_| !commits(Fault::MembersAtIgnored));
    let room = server.timelines.get(&room_id)?;
    let record = room.record();
    let until = record.readable_until(&requester.user_id)?;
    let admits = |member: &&Pdu| {
        let membership = member.content_str("membership");
        match (wanted, unwanted) {
            (None, None) => true,
            _ if commits(Fault::MembershipFilterIgnored) => true,
            (wanted, unwanted) => {
                wanted.is_some_and(|wanted| membership == Some(wanted))
                    || unwanted.is_some_and(|unwanted| membership != Some(unwanted))
            }
        }
    };
    let state = record.history.at(at.map_or(until, |at| at.min(until)));
    let events = state.of_type("m.room.member").filter(admits);
    let chunk = events.map(|pdu| Value::Object(record.show_state(pdu, requester.viewer(), Format::Client)));
    Ok(Json(json!({"chunk": chunk.collect::<Vec<_>>()})))
}

async fn joined_members(
    State(server): State<Arc<Homeserver>>,
    requester: Requester,
    Path(room_id): Path<String>,
) -> Answer {
    let room = server.timelines.get(&room_id)?;
    let record = room.record();
    let state = record.history.now();
    if state.membership(&requester.user_id) != "join" && !commits(Fault::MembersShownToStrangers) {
        return Err(not_a_member());
    }
    let joined =
        state.of_type("m.room.member").filter(|member| member.content_str("membership") == Some("join"));
    let info = joined.filter_map(|member| {
        let mut info = Map::new();
        for (name, shown) in [("displayname", "display_name"), ("avatar_url", "avatar_url")] {
            if let Some(value) = member.content_str(name) {
                info.insert(shown.to_owned(), value.into());
            }
        }
        Some((member.state_key()?.to_owned(), Value::Object(info)))
    });
    Ok(Json(json!({"joined": info.collect::<Map<_, _>>()})))
}
