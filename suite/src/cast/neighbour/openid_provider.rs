//! The OpenID provider of a run (OpenID Connect Core 1.0): whoever comes with a name is who they say.

use std::{net::TcpListener, sync::Arc};

use serde_json::json;

use super::{Asked, Neighbour};
use crate::{
    cast::{Homeserver, remote::Reply},
    judge::Judge,
    verdict::Stop,
};

/// What clients know it by.
pub const ID: &str = "determinant";

impl Neighbour {
    /// Listens for a run.
    pub(crate) fn openid_provider(
        judge: Arc<Judge>,
        listener: TcpListener,
        issuer: String,
    ) -> Result<Arc<Self>, Stop> {
        let usual = move |asked: &Asked| answer(asked, &issuer);
        Neighbour::open("OpenID provider", None, judge, listener, None, usual)
    }
}

/// A code stands for a name, and so does the token that it is exchanged for.
fn answer(asked: &Asked, issuer: &str) -> Option<Reply> {
    let body = match asked.target.split('?').next()? {
        "/.well-known/openid-configuration" => json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }),
        "/token" => {
            json!({"access_token": asked.form_field("code")?, "token_type": "Bearer", "expires_in": 60})
        }
        "/userinfo" => {
            let header = asked.headers.get("authorization")?.to_str().ok()?;
            let name = header.strip_prefix("Bearer ")?;
            json!({"sub": name, "preferred_username": name})
        }
        _ => return None,
    };
    Some(Reply::json(body))
}

impl Homeserver {
    /// Stops the test where the server does not know the OpenID provider of the run.
    pub fn must_know_the_openid_provider(&self) -> Result<(), Stop> {
        self.trial().neighbours.openid().map(drop)
    }
}
