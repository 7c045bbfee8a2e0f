//! Another password: client-server-api/#password-management.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;

use super::Routes;
use super::registration::check_password;
use super::user_interactive_authentication::{Attempt, Stage, nobody};
use crate::device_lists;
use crate::error::{Answer, MatrixError, empty};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, MaybeRequester, Requester};
use crate::store::addresses::Medium;
use crate::store::{accounts, devices};
use crate::{password, validation};

pub(super) fn routes() -> Routes {
    Router::new().route("/_matrix/client/v3/account/password", post(change_password))
}

async fn change_password(
    State(server): State<Arc<Homeserver>>,
    MaybeRequester(requester): MaybeRequester,
    body: Body,
) -> Answer {
    let new_password = body.text("new_password")?.to_owned();
    check_password(&server, &new_password)?;
    let logout_devices = body
        .optional_flag("logout_devices")?
        .filter(|_| !commits(Fault::LogoutDevicesIgnored))
        .unwrap_or(true);
    let mut flows = vec![vec![Stage::Password]];
    for (medium, stage) in [(Medium::Email, Stage::EmailIdentity), (Medium::Msisdn, Stage::Msisdn)] {
        if validation::is_offered(&server, medium) {
            flows.push(vec![stage]);
        }
    }
    requester.as_ref().map_or(Ok(()), Requester::must_not_be_oauth)?;
    let claimed = requester.as_ref().map(|requester| requester.user_id.as_str());
    let proved =
        Attempt { operation: "password", flows, user_id: claimed, body: &body }.allow(&server).await?;
    let user_id = match proved.user_id {
        Some(user_id) => user_id,
        None if !proved.addresses.is_empty() => {
            return Err(MatrixError::threepid_not_found("no account has this address"));
        }
        None => return Err(nobody()),
    };

    let hash = password::hash(server.password_cost(), new_password).await?;
    let owner = user_id.clone();
    device_lists::change(&server, &user_id, move |connection, position| {
        accounts::set_password(connection, &owner, &hash)?;
        if logout_devices && !commits(Fault::PasswordChangeKeepsSessions) {
            let kept = requester.as_ref().map(|requester| requester.device_id.as_str());
            devices::delete_all_but(connection, &owner, kept, position)?;
        }
        Ok(())
    })
    .await?;
    empty()
}
