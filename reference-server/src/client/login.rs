//! Opening a session: client-server-api/#legacy-login.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::registration::wishes;
use super::user_interactive_authentication::{Attempt, claimed_user, password_matches};
use super::{Routes, application_services, sso_client_login};
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, MaybeService, Requester};
use crate::store::{access, accounts};
use crate::{session, token};

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/login", get(flows).post(login))
        .route("/_matrix/client/v1/login/get_token", post(get_token))
}

async fn flows(State(server): State<Arc<Homeserver>>) -> Answer {
    if !server.config.authentication.legacy {
        return Err(MatrixError::unrecognized("sessions are opened by OAuth 2.0 here"));
    }
    let mut flows =
        vec![json!({"type": "m.login.password"}), json!({"type": "m.login.token", "get_login_token": true})];
    flows.extend(sso_client_login::flow(&server));
    if server.application_services.iter().next().is_some() {
        flows.push(json!({"type": application_services::LOGIN_TYPE}));
    }
    Ok(Json(json!({"flows": flows})))
}

async fn login(State(server): State<Arc<Homeserver>>, service: MaybeService, body: Body) -> Answer {
    let kind = body.text("type")?;
    if !server.config.authentication.legacy {
        return Err(match kind {
            application_services::LOGIN_TYPE => application_services::login_unsupported(),
            _ => MatrixError::unrecognized("sessions are opened by OAuth 2.0 here"),
        });
    }
    let user_id = match kind {
        application_services::LOGIN_TYPE => {
            let user_id = claimed_user(&server, &body).await?;
            application_services::log_in(&server, &service, user_id).await?
        }
        "m.login.password" => by_password(&server, &body).await?,
        "m.login.token" => by_token(&server, body.text("token")?).await?,
        other => {
            return Err(MatrixError::unknown(format!(
                "login type {other:?} is not one of the flows of GET /login"
            )));
        }
    };
    let mut answer = session::open(&server, &user_id, wishes(&body)?).await?;
    answer.insert("well_known".to_owned(), json!({"m.homeserver": {"base_url": server.base_url}}));
    Ok(Json(Value::Object(answer)))
}

async fn by_password(server: &Homeserver, body: &Body) -> Result<String, MatrixError> {
    let claimed = claimed_user(server, body).await?;
    if password_matches(server, &claimed, body.text("password")?).await? {
        return Ok(claimed);
    }
    let account = server.store.read(move |connection| accounts::find(connection, &claimed)).await?;
    if account.is_some_and(|account| account.deactivated) {
        Err(MatrixError::user_deactivated("this account has been deactivated"))
    } else {
        Err(MatrixError::forbidden("user or password is wrong"))
    }
}

async fn by_token(server: &Homeserver, token: &str) -> Result<String, MatrixError> {
    let digest = token::digest(token);
    let owner = server.store.write(move |c| access::take_login_token(c, &digest, now_ms())).await?;
    owner.ok_or_else(|| MatrixError::forbidden("login token is unknown, used or too old: ask for another"))
}

async fn get_token(State(server): State<Arc<Homeserver>>, requester: Requester, body: Body) -> Answer {
    requester.must_not_be_oauth()?;
    if !commits(Fault::LoginTokensUnprotected) {
        Attempt::with_password("get_token", Some(&requester.user_id), &body).allow(&server).await?;
    }
    let login_token = token::opaque(32);
    let digest = token::digest(&login_token);
    let lifetime_ms = server.config.tokens.login_lifetime_ms;
    server
        .store
        .write(move |c| access::add_login_token(c, &digest, &requester.user_id, now_ms() + lifetime_ms))
        .await?;
    Ok(Json(json!({"login_token": login_token, "expires_in_ms": lifetime_ms})))
}
