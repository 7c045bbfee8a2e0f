//! One's own account: client-server-api/#legacy-account-management, #current-account-information.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::Routes;
use super::registration::check_password;
use super::user_interactive_authentication::{Attempt, Stage};
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::password;
use crate::request::{Body, Fields, GuestOrUser, MaybeRequester, Requester};
use crate::store::{accounts, devices};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/account/whoami", get(whoami))
        .route("/_matrix/client/v3/account/3pid", get(third_party_identifiers))
        .route("/_matrix/client/v3/account/password", post(change_password))
        .route("/_matrix/client/v3/account/deactivate", post(deactivate))
}

async fn whoami(GuestOrUser(requester): GuestOrUser) -> Answer {
    Ok(Json(json!({
        "user_id": requester.user_id,
        "device_id": requester.device_id,
        "is_guest": requester.guest,
    })))
}

/// No account here has an address; the capability `m.3pid_changes` says that none can get one.
async fn third_party_identifiers(_: Requester) -> Answer {
    Ok(Json(json!({"threepids": []})))
}

async fn change_password(
    State(server): State<Arc<Homeserver>>,
    MaybeRequester(requester): MaybeRequester,
    body: Body,
) -> Answer {
    let new_password = body.text("new_password")?.to_owned();
    check_password(&new_password)?;
    let logout_devices = body.optional_flag("logout_devices")?.unwrap_or(true);
    let attempt = Attempt {
        operation: "password",
        stage: Stage::Password,
        user_id: requester.as_ref().map(|requester| requester.user_id.as_str()),
        body: &body,
    };
    let user_id = attempt.allow(&server).await?.ok_or_else(nobody)?;

    let hash = password::hash(server.password_cost(), new_password).await?;
    server
        .store
        .write(move |connection| {
            accounts::set_password(connection, &user_id, &hash)?;
            if logout_devices {
                let kept = requester.as_ref().map(|requester| requester.device_id.as_str());
                devices::delete_all_but(connection, &user_id, kept)?;
            }
            Ok(())
        })
        .await?;
    empty()
}

async fn deactivate(
    State(server): State<Arc<Homeserver>>,
    MaybeRequester(requester): MaybeRequester,
    body: Body,
) -> Answer {
    let erase = body.flag("erase")?;
    let attempt = Attempt {
        operation: "deactivate",
        stage: Stage::Password,
        user_id: requester.as_ref().map(|requester| requester.user_id.as_str()),
        body: &body,
    };
    let user_id = attempt.allow(&server).await?.ok_or_else(nobody)?;
    let erased = erase.then(|| server.stream.reached());
    let ended = user_id.clone();
    server
        .store
        .write(move |connection| {
            accounts::deactivate(connection, &ended)?;
            erased.map_or(Ok(()), |position| accounts::erase(connection, &ended, position))
        })
        .await?;
    if let Some(position) = erased {
        let rooms = server.timelines.of_user(&user_id);
        rooms.iter().for_each(|room| room.set_erased(&user_id, position));
    }
    // No address was ever bound through this server, so there is none that an identity server keeps.
    Ok(Json(json!({"id_server_unbind_result": "success"})))
}

fn nobody() -> MatrixError {
    MatrixError::internal("the password stage named no user")
}
