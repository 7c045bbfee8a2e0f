//! Having tokens sent to addresses, and giving them back: client-server-api/#post_matrixclientv3registeremailrequesttoken
//! and its five sisters.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use maud::{DOCTYPE, html};
use serde_json::{Map, Value, json};

use super::Routes;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::{Body, Fields, Path, Query};
use crate::store::addresses::{self, Address, Medium};
use crate::validation::{self, Request, SUBMIT_PATH};

pub(super) fn routes() -> Routes {
    let path = |operation: &str, medium: Medium| {
        format!("/_matrix/client/v3/{operation}/{}/requestToken", medium.name())
    };
    let mut routes = Router::new().route(&format!("{SUBMIT_PATH}/{{medium}}"), get(open_link).post(submit));
    for medium in [Medium::Email, Medium::Msisdn] {
        // For a new account or one more address, nobody may have it; for another password, somebody must.
        for operation in ["register", "account/3pid"] {
            let handler = async move |State(server): State<Arc<Homeserver>>, body: Body| {
                request_token(&server, &body, medium, Need::Free).await
            };
            routes = routes.route(&path(operation, medium), post(handler));
        }
        let handler = async move |State(server): State<Arc<Homeserver>>, body: Body| {
            request_token(&server, &body, medium, Need::Owned).await
        };
        routes = routes.route(&path("account/password", medium), post(handler));
    }
    routes
}

/// Whose an address has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Free,
    Owned,
}

async fn request_token(server: &Homeserver, body: &Map<String, Value>, medium: Medium, need: Need) -> Answer {
    let request = read(body, medium)?;
    if !validation::is_offered(server, medium) {
        // Somebody else's word on an address is not taken: this server would have to validate it itself.
        if body.optional_text("id_server")?.is_some() {
            return Err(MatrixError::server_not_trusted(
                "this server trusts no identity server with addresses",
            ));
        }
        let message = format!("this server does not validate addresses of the kind {}", medium.name());
        return Err(MatrixError::threepid_medium_not_supported(message));
    }
    if !validation::is_permitted(server, &request.address) && !commits(Fault::RefusedAddressesTaken) {
        return Err(MatrixError::threepid_denied("accounts of this server may not have this address"));
    }
    let address = request.address.clone();
    let owner = server.store.read(move |connection| addresses::owner(connection, &address)).await?;
    match (need, owner) {
        (Need::Free, Some(_)) if !commits(Fault::AddressesSharedByAccounts) => {
            return Err(MatrixError::threepid_in_use("an account has this address already"));
        }
        (Need::Owned, None) => return Err(MatrixError::threepid_not_found("no account has this address")),
        _ => {}
    }
    let session = validation::begin(server, request).await?;
    let mut answer = json!({"sid": session});
    // A link in an e-mail needs no client; a code in a text message is typed into one.
    if medium == Medium::Msisdn {
        answer["submit_url"] = validation::submit_url(server, medium).into();
    }
    Ok(Json(answer))
}

fn read(body: &Map<String, Value>, medium: Medium) -> Result<Request, MatrixError> {
    let client_secret = body.text("client_secret")?.to_owned();
    let is_secret = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    if !(1..=255).contains(&client_secret.len()) || !client_secret.bytes().all(is_secret) {
        let message = "client_secret must be 1 to 255 of the characters a-z, A-Z, 0-9 and .=_-";
        return Err(MatrixError::invalid_param(message));
    }
    let address = match medium {
        Medium::Email => {
            let address = validation::email(body.text("email")?);
            address.ok_or_else(|| MatrixError::invalid_param("email must be an e-mail address"))?
        }
        Medium::Msisdn => {
            let number = validation::msisdn(body.text("country")?, body.text("phone_number")?);
            number
                .ok_or_else(|| MatrixError::invalid_param("phone_number must be a number of the country"))?
        }
    };
    let send_attempt = body.optional_integer("send_attempt")?;
    let next_link = body.optional_text("next_link")?;
    if next_link.is_some_and(|link| !link.starts_with("https://") && !link.starts_with("http://")) {
        return Err(MatrixError::invalid_param("next_link must begin with https: or http:"));
    }
    Ok(Request {
        address: Address { medium, address },
        client_secret,
        send_attempt: send_attempt.ok_or_else(|| MatrixError::missing_param("add the field send_attempt"))?,
        next_link: next_link.map(str::to_owned),
    })
}

/// What a client sends, as to an identity server (identity-service-api/#post_matrixidentityv2validateemailsubmittoken).
async fn submit(State(server): State<Arc<Homeserver>>, Path(medium): Path<String>, body: Body) -> Answer {
    known(&medium)?;
    let submitted =
        validation::submit(&server, body.text("sid")?, body.text("client_secret")?, body.text("token")?)
            .await?;
    Ok(Json(json!({"success": submitted.is_some()})))
}

/// What a person does who opens the link.
async fn open_link(
    State(server): State<Arc<Homeserver>>,
    Path(medium): Path<String>,
    query: Query,
) -> Result<Response, MatrixError> {
    known(&medium)?;
    let (session, secret) = (query.required("sid")?, query.required("client_secret")?);
    let submitted = validation::submit(&server, session, secret, query.required("token")?).await?;
    let Some(validated) = submitted else {
        let page = page("This link is not valid, or it has been too long. Have another one sent.");
        return Ok((StatusCode::FORBIDDEN, page).into_response());
    };
    Ok(match validated.next_link {
        Some(link) => Redirect::to(&link).into_response(),
        None => page("Thank you, this address is yours. You can close this window.").into_response(),
    })
}

fn known(medium: &str) -> Result<Medium, MatrixError> {
    Medium::find(medium).ok_or_else(|| MatrixError::unrecognized("this server has no such path"))
}

fn page(text: &str) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Your address" } }
            body { p { (text) } }
        }
    };
    Html(page.into_string())
}
