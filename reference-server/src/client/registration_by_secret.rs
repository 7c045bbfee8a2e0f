//! New accounts for whoever knows the operator's secret, and the only way to become an administrator.
//!
//! The specification leaves that to servers. This is the operation of Synapse, on its path, because the programs that
//! set servers up know it: a nonce is given out, and the request carries a message authentication code (RFC 2104, with
//! SHA-1) over the nonce, the user name, the password and the role, with zero bytes between them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use super::Routes;
use super::registration::{check_password, create, free_user_id, wishes};
use crate::clock::now_ms;
use crate::error::{Answer, MatrixError};
use crate::homeserver::Homeserver;
use crate::request::{Body, Fields};
use crate::store::accounts::Account;
use crate::{password, session, token};

/// How long a nonce waits for its request.
const LIFETIME_MS: i64 = 60_000;

/// The nonces that were given out, and when, in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub(crate) struct Nonces(Mutex<HashMap<String, i64>>);

impl Nonces {
    fn give(&self) -> String {
        let (nonce, now_ms) = (token::opaque(32), now_ms());
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, given_ms| *given_ms + LIFETIME_MS > now_ms);
        given.insert(nonce.clone(), now_ms);
        nonce
    }

    /// Takes a nonce back; says whether it was still good.
    fn take(&self, nonce: &str) -> bool {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(nonce);
        given.is_some_and(|given_ms| given_ms + LIFETIME_MS > now_ms())
    }
}

pub(super) fn routes() -> Routes {
    Router::new().route("/_synapse/admin/v1/register", get(nonce).post(register))
}

async fn nonce(State(server): State<Arc<Homeserver>>) -> Answer {
    secret(&server)?;
    Ok(Json(json!({"nonce": server.nonces.give()})))
}

async fn register(State(server): State<Arc<Homeserver>>, body: Body) -> Answer {
    let secret = secret(&server)?;
    let (nonce, username, password) = (body.text("nonce")?, body.text("username")?, body.text("password")?);
    let administrator = body.flag("admin")?;
    if !server.nonces.take(nonce) {
        return Err(MatrixError::unknown("nonce is unknown, used or too old: ask for another"));
    }
    let role = if administrator { "admin" } else { "notadmin" };
    let mut code = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map_err(MatrixError::internal)?;
    code.update([nonce, username, password, role].join("\0").as_bytes());
    let given = hexadecimal(body.text("mac")?).unwrap_or_default();
    code.verify_slice(&given).map_err(|_| MatrixError::forbidden("mac is not right for this secret"))?;

    check_password(&server, password)?;
    let user_id = free_user_id(&server, username).await?;
    let wishes = wishes(&body)?;
    let hash = password::hash(server.password_cost(), password.to_owned()).await?;
    let account =
        Account { user_id: user_id.clone(), password_hash: Some(hash), administrator, ..Account::default() };
    create(&server, account).await?;
    let mut answer = session::open(&server, &user_id, wishes).await?;
    answer.insert("home_server".to_owned(), server.name().into());
    Ok(Json(Value::Object(answer)))
}

fn secret(server: &Homeserver) -> Result<&str, MatrixError> {
    let secret = server.config.registration.shared_secret.as_deref();
    secret.ok_or_else(|| MatrixError::unrecognized("this server has no secret for registration"))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    digits.map(|digits| {
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::hexadecimal;

    #[test]
    fn pairs_of_digits_are_bytes() {
        assert_eq!(hexadecimal("00ff1A"), Some(vec![0, 255, 26]));
        assert_eq!(hexadecimal("0g"), None);
    }
}
