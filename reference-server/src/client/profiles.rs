//! What users say about themselves: client-server-api/#profiles.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use protocol::identifiers::{MxcUri, UserId};
use serde_json::{Map, Value};

use super::{Routes, application_services};
use crate::error::{Answer, MatrixError, empty};
use crate::federation::querying;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, GuestOrUser, MaybeRequester, Path, Requester};
use crate::rooms::event::Template;
use crate::rooms::state::StateLookup;
use crate::store::{StoreError, accounts, profiles};
use crate::timeline::Timeline;

/// Who asks, as far as an access token says it: nobody needs one.
type Caller = Result<MaybeRequester, MatrixError>;

/// The longest name of a field.
const MAX_KEY_BYTES: usize = 255;

/// A profile as JSON has to stay below this.
const MAX_PROFILE_BYTES: usize = 64 * 1024;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/profile/{user_id}", get(whole))
        .route("/_matrix/client/v3/profile/{user_id}/{key}", get(field).put(set).delete(remove))
}

async fn whole(State(server): State<Arc<Homeserver>>, caller: Caller, Path(user_id): Path<String>) -> Answer {
    must_be_told(&server, caller, &user_id)?;
    Ok(Json(Value::Object(find(&server, user_id).await?)))
}

async fn field(
    State(server): State<Arc<Homeserver>>,
    caller: Caller,
    Path((user_id, key)): Path<(String, String)>,
) -> Answer {
    must_be_told(&server, caller, &user_id)?;
    let mut profile = find(&server, user_id).await?;
    profile.retain(|name, _| *name == key);
    if profile.is_empty() {
        return Err(MatrixError::not_found("this profile has no such field"));
    }
    Ok(Json(Value::Object(profile)))
}

async fn set(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((user_id, key)): Path<(String, String)>,
    Body(mut body): Body,
) -> Answer {
    may_change(&requester, &user_id, &key)?;
    check_key(&key)?;
    let value =
        body.remove(&key).ok_or_else(|| MatrixError::missing_param(format!("add the field {key}")))?;
    check_value(&key, &value)?;
    let told = value.clone();
    let (owner, name) = (user_id.clone(), key.clone());
    let kept = server
        .store
        .write(move |connection| {
            let mut profile = profiles::all(connection, &owner)?;
            profile.insert(name.clone(), value.clone());
            if serde_json::to_vec(&profile)?.len() >= MAX_PROFILE_BYTES && !commits(Fault::LargeProfilesTaken)
            {
                return Ok(false);
            }
            profiles::set(connection, &owner, &name, &value).map(|()| true)
        })
        .await?;
    if !kept {
        return Err(MatrixError::new(
            StatusCode::BAD_REQUEST,
            "M_PROFILE_TOO_LARGE",
            format!("a whole profile stays below {MAX_PROFILE_BYTES} bytes: remove something first"),
        ));
    }
    spread(&server, &requester.user_id, &key, Some(told)).await
}

async fn remove(
    State(server): State<Arc<Homeserver>>,
    GuestOrUser(requester): GuestOrUser,
    Path((user_id, key)): Path<(String, String)>,
) -> Answer {
    may_change(&requester, &user_id, &key)?;
    check_key(&key)?;
    let removed = key.clone();
    server.store.write(move |connection| profiles::remove(connection, &user_id, &removed)).await?;
    spread(&server, &requester.user_id, &key, None).await
}

/// Tells the rooms that the user is in of another name or picture
/// (client-server-api/#events-on-change-of-profile-information).
async fn spread(server: &Homeserver, user_id: &str, key: &str, value: Option<Value>) -> Answer {
    if !matches!(key, "displayname" | "avatar_url") || commits(Fault::ProfileNotSpread) {
        return empty();
    }
    for room in server.timelines.of_user(user_id) {
        let content = {
            let record = room.record();
            let member =
                record.history.now().placed("m.room.member", user_id).map(|(_, member)| member.clone());
            member
                .filter(|member| member.content_str("membership") == Some("join"))
                .and_then(|member| member.object().get("content")?.as_object().cloned())
        };
        let Some(mut content) = content else { continue };
        match value.clone() {
            Some(value) => drop(content.insert(key.to_owned(), value)),
            None => drop(content.remove(key)),
        }
        // Who vouched for the first join has nothing to do with this one.
        content.remove("join_authorised_via_users_server");
        let template = Template {
            event_type: "m.room.member".to_owned(),
            state_key: Some(user_id.to_owned()),
            sender: user_id.to_owned(),
            content,
        };
        if let Err(error) = room.append(server, template.into()).await {
            // A room that refuses keeps the old name; the others have the new one.
            tracing::warn!("profile of {user_id} did not reach {}: {}", room.room_id(), error.message());
        }
    }
    empty()
}

async fn find(server: &Homeserver, user_id: String) -> Result<Map<String, Value>, MatrixError> {
    let parsed = UserId::parse(&user_id).map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    if parsed.server_name() != server.name() && server.config.federation.is_some() {
        return querying::ask_profile(server, &user_id).await;
    }
    application_services::query_user(server, &user_id).await?;
    let profile = server
        .store
        .read(move |connection| match accounts::find(connection, &user_id)? {
            Some(account) if !account.deactivated => {
                Ok::<_, StoreError>(Some(profiles::all(connection, &user_id)?))
            }
            _ => Ok(None),
        })
        .await?;
    profile.ok_or_else(|| MatrixError::not_found("this server knows no such user"))
}

/// Whether somebody is told anything of a user, if only that there is one: at least those are who share a room with the user,
/// and everybody where the user is in a public room.
fn must_be_told(server: &Homeserver, caller: Caller, user_id: &str) -> Result<(), MatrixError> {
    if !server.config.profiles.for_acquaintances {
        return Ok(());
    }
    let is_acquainted = |requester: Requester| {
        requester.user_id == user_id || server.timelines.share_a_room(&requester.user_id, user_id)
    };
    let is_public = |room: &Arc<Timeline>| {
        let record = room.record();
        let state = record.history.now();
        let rules = state.find("m.room.join_rules", "");
        rules.is_some_and(|rules| rules.content_str("join_rule") == Some("public"))
    };
    if caller.is_ok_and(|MaybeRequester(requester)| requester.is_some_and(is_acquainted))
        || server.timelines.of_user(user_id).iter().any(is_public)
    {
        return Ok(());
    }
    Err(MatrixError::forbidden("profiles are shown to those who share a room with their user"))
}

/// One changes one's own profile; guests only their display name (client-server-api/#guest-access).
fn may_change(requester: &Requester, user_id: &str, key: &str) -> Result<(), MatrixError> {
    requester.must_be(user_id)?;
    if requester.guest && key != "displayname" {
        return Err(MatrixError::guest_access_forbidden("guests may change their display name only"));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), MatrixError> {
    if key.len() > MAX_KEY_BYTES {
        return Err(MatrixError::new(
            StatusCode::BAD_REQUEST,
            "M_KEY_TOO_LARGE",
            format!("the name of a field is at most {MAX_KEY_BYTES} bytes"),
        ));
    }
    // The common namespaced identifier grammar, with the two names that are older than it.
    if matches!(key, "displayname" | "avatar_url")
        || protocol::identifiers::is_namespaced(key)
        || commits(Fault::ProfileKeysUnchecked)
    {
        Ok(())
    } else {
        Err(MatrixError::invalid_param("name a field like org.example.field"))
    }
}

fn check_value(key: &str, value: &Value) -> Result<(), MatrixError> {
    let good = match key {
        "displayname" => value.is_string(),
        // The empty string is how clients take an avatar away.
        "avatar_url" => value.as_str().is_some_and(|uri| uri.is_empty() || MxcUri::parse(uri).is_ok()),
        "m.tz" => value.is_string(),
        _ => true,
    };
    if good || commits(Fault::ProfileValuesUnchecked) {
        Ok(())
    } else {
        Err(MatrixError::bad_json(format!("{key} can not have this value")))
    }
}
