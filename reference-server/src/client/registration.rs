//! New accounts: client-server-api/#legacy-account-registration.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::identifiers::UserId;
use serde_json::{Map, Value, json};

use super::administrative_contact_information::own;
use super::user_interactive_authentication::{Attempt, Stage};
use super::{Routes, application_services};
use crate::application_service::Kind;
use crate::clock::now_ms;
use crate::config::RegistrationMode;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::push_rules::{self, Ruleset};
use crate::request::{Body, Fields, MaybeService, Query};
use crate::session::{self, Wishes};
use crate::store::StoreError;
use crate::store::account_data::{self, AccountData, GLOBAL};
use crate::store::accounts::{self, Account};
use crate::{password, token};

/// Longest password that is taken; hashing a longer one would only cost time.
const MAX_PASSWORD_BYTES: usize = 512;

pub(super) fn routes() -> Routes {
    Router::new()
        .route("/_matrix/client/v3/register", post(register))
        .route("/_matrix/client/v3/register/available", get(available))
        .route("/_matrix/client/v1/register/m.login.registration_token/validity", get(token_validity))
}

async fn register(
    State(server): State<Arc<Homeserver>>,
    service: MaybeService,
    query: Query,
    body: Body,
) -> Answer {
    if body.optional_text("type")? == Some(application_services::LOGIN_TYPE) {
        return application_services::register(&server, &service, &body).await;
    }
    if !server.config.authentication.legacy {
        return Err(MatrixError::unrecognized("accounts are made by OAuth 2.0 here"));
    }
    match query.one_of("kind", &["user", "guest"])? {
        Some("guest") => register_guest(&server, &body).await,
        _ => register_user(&server, &body).await,
    }
}

async fn register_guest(server: &Homeserver, body: &Body) -> Answer {
    if !server.config.registration.guests {
        return Err(MatrixError::forbidden("guests are not let in here"));
    }
    let user_id = server.user_id(&token::opaque(16));
    let guest = Account { user_id, guest: true, ..Account::default() };
    create(server, guest.clone()).await?;
    let display_name = body.optional_text("initial_device_display_name")?.map(str::to_owned);
    let wishes = if commits(Fault::GuestsChoose) {
        wishes(body)?
    } else {
        Wishes { display_name, ..Wishes::default() }
    };
    Ok(Json(Value::Object(session::open(server, &guest.user_id, wishes).await?)))
}

async fn register_user(server: &Homeserver, body: &Body) -> Answer {
    let flows = flows(server)?;
    let user_id = match body.optional_text("username")? {
        None => server.user_id(&token::opaque(16)),
        Some(username) => free_user_id(server, username).await?,
    };
    let password = body.optional_text("password")?.map(str::to_owned);
    if let Some(password) = &password {
        check_password(server, password)?;
    }
    let wishes = wishes(body)?;
    let inhibit_login = body.flag("inhibit_login")? && !commits(Fault::InhibitLoginIgnored);

    let proved = Attempt { operation: "register", flows, user_id: None, body }.allow(server).await?;
    if proved.user_id.is_some() {
        return Err(MatrixError::threepid_in_use("an account has this address already"));
    }

    let password_hash = match password {
        None => None,
        Some(password) => Some(password::hash(server.password_cost(), password).await?),
    };
    create(server, Account { user_id: user_id.clone(), password_hash, ..Account::default() }).await?;
    for validation in proved.addresses {
        own(server, &user_id, validation).await?;
    }
    let answer = if inhibit_login {
        Map::from_iter([("user_id".to_owned(), user_id.into())])
    } else {
        session::open(server, &user_id, wishes).await?
    };
    Ok(Json(Value::Object(answer)))
}

/// What a new user has to go through, of which one flow is enough.
fn flows(server: &Homeserver) -> Result<Vec<Vec<Stage>>, MatrixError> {
    let registration = &server.config.registration;
    let last = match registration.mode {
        RegistrationMode::Open if server.mailer.is_some() => vec![Stage::Dummy, Stage::EmailIdentity],
        RegistrationMode::Open => vec![Stage::Dummy],
        RegistrationMode::Token => vec![Stage::RegistrationToken],
        RegistrationMode::Email => vec![Stage::EmailIdentity],
        RegistrationMode::Msisdn => vec![Stage::Msisdn],
        RegistrationMode::Disabled => return Err(MatrixError::forbidden("registration is disabled")),
    };
    let mut first = Vec::new();
    if registration.recaptcha.is_some() {
        first.push(Stage::Recaptcha);
    }
    if !registration.terms.is_empty() {
        first.push(Stage::Terms);
    }
    Ok(last.into_iter().map(|stage| first.iter().copied().chain([stage]).collect()).collect())
}

/// Creates the account with the push rules that everybody begins with.
pub(super) async fn create(server: &Homeserver, account: Account) -> Result<(), MatrixError> {
    let place = server.stream.place();
    let position = place.position();
    let created = server
        .store
        .write(move |connection| {
            if !accounts::create(connection, &account, now_ms())? {
                return Ok(false);
            }
            let rules = AccountData {
                room_id: GLOBAL.to_owned(),
                event_type: push_rules::TYPE.to_owned(),
                content: Ruleset::predefined(&account.user_id).content(),
            };
            account_data::set(connection, &account.user_id, &rules, position).map(|()| true)
        })
        .await?;
    if created { Ok(()) } else { Err(taken()) }
}

/// Creates an account that nobody logs in to, unless it is there.
pub(super) async fn ensure(server: &Homeserver, user_id: &str) -> Result<(), StoreError> {
    let account = Account { user_id: user_id.to_owned(), ..Account::default() };
    let create = move |connection: &rusqlite::Connection| accounts::create(connection, &account, now_ms());
    server.store.write(create).await.map(drop)
}

fn taken() -> MatrixError {
    MatrixError::user_in_use("this user name is taken: choose another")
}

async fn available(State(server): State<Arc<Homeserver>>, query: Query) -> Answer {
    free_user_id(&server, query.required("username")?).await?;
    Ok(Json(json!({"available": true})))
}

async fn token_validity(State(server): State<Arc<Homeserver>>, query: Query) -> Answer {
    let registration = &server.config.registration;
    if registration.mode == RegistrationMode::Disabled {
        return Err(MatrixError::forbidden("registration is disabled"));
    }
    let token = query.required("token")?;
    Ok(Json(json!({"valid": registration.tokens.iter().any(|known| known == token)})))
}

/// The user id that a user name stands for, if anybody may have it and nobody has.
pub(super) async fn free_user_id(server: &Homeserver, username: &str) -> Result<String, MatrixError> {
    let user_id = user_id_of(server, username)?;
    application_services::must_not_be_reserved(server, Kind::Users, &user_id, None)?;
    must_be_free(server, user_id).await
}

/// The user id that a user name stands for, if it is in the grammar. Capitals are mapped to small letters
/// (appendices/#user-identifiers).
pub(super) fn user_id_of(server: &Homeserver, username: &str) -> Result<String, MatrixError> {
    let user_id = server.user_id(&username.to_ascii_lowercase());
    let parsed = UserId::parse_current(&user_id)
        .map(drop)
        .or_else(|why| if commits(Fault::UserIdsUnchecked) { Ok(()) } else { Err(why) });
    parsed.map_err(|error| MatrixError::invalid_username(error.to_string()))?;
    Ok(user_id)
}

/// Whether nobody has a user id.
pub(super) async fn must_be_free(server: &Homeserver, user_id: String) -> Result<String, MatrixError> {
    let sought = user_id.clone();
    match server.store.read(move |connection| accounts::find(connection, &sought)).await? {
        None => Ok(user_id),
        Some(_) if commits(Fault::TakenNamesAvailable) => Ok(user_id),
        Some(_) => Err(taken()),
    }
}

/// Whether a password can be one (client-server-api/#password-management).
pub(super) fn check_password(server: &Homeserver, password: &str) -> Result<(), MatrixError> {
    let fewest = server.config.passwords.minimum_length.max(1);
    if password.chars().count() < fewest {
        Err(MatrixError::weak_password(format!("password must have {fewest} characters or more")))
    } else if password.len() > MAX_PASSWORD_BYTES {
        Err(MatrixError::invalid_param(format!("password must be at most {MAX_PASSWORD_BYTES} bytes")))
    } else {
        Ok(())
    }
}

/// What `/register` and `/login` take about the session.
pub(super) fn wishes(body: &Map<String, Value>) -> Result<Wishes, MatrixError> {
    let device_id = body.optional_text("device_id")?;
    if device_id.is_some_and(|device_id| device_id.is_empty() || device_id.len() > 255) {
        return Err(MatrixError::invalid_param("device_id must be 1 to 255 bytes"));
    }
    Ok(Wishes {
        device_id: device_id.map(str::to_owned).filter(|_| !commits(Fault::DeviceIdsInvented)),
        display_name: body.optional_text("initial_device_display_name")?.map(str::to_owned),
        refresh: body.flag("refresh_token")?,
    })
}
