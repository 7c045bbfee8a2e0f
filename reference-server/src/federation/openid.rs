//! Whom an OpenID token vouches for: server-server-api/#openid.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::json;

use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Query;
use crate::store::access;
use crate::token;

/// The owner of the token in the query; the request needs no signature.
pub(super) async fn user_info(State(server): State<Arc<Homeserver>>, query: Query) -> Answer {
    let digest = token::digest(query.required("access_token")?);
    let owner = server.store.read(move |c| access::find_openid_token(c, &digest, now_ms())).await?;
    let owner = owner.filter(|_| !commits(Fault::OpenidVouchesForNobody));
    let owner = owner.ok_or_else(|| MatrixError::unknown_token("this OpenID token is unknown or too old"))?;
    Ok(Json(json!({"sub": owner})))
}
