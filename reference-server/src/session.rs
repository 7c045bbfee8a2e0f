//! Sessions: a device of a user with the tokens that speak for it.
//!
//! client-server-api/#relationship-between-access-tokens-and-devices

use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::store::access::{self, NewTokens};
use crate::store::{StoreError, accounts, cross_signing, devices};
use crate::token;

/// What a client may say about the session it opens.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The device to use; a new one is made without.
    pub(crate) device_id: Option<String>,
    /// What a new device is called.
    pub(crate) display_name: Option<String>,
    /// Whether the client can refresh tokens.
    pub(crate) refresh: bool,
}

/// Opens a session and says, in the fields of `/login` and `/register`, how to use it. Tokens that
/// the device had end.
pub(crate) async fn open(
    server: &Homeserver,
    user_id: &str,
    wishes: Wishes,
) -> Result<Map<String, Value>, MatrixError> {
    let device_id = wishes.device_id.unwrap_or_else(token::device_id);
    let tokens = Tokens::new(server, wishes.refresh, None);
    let mut fields = tokens.fields;
    fields.insert("user_id".to_owned(), user_id.into());
    fields.insert("device_id".to_owned(), device_id.as_str().into());
    let user_id = user_id.to_owned();
    let limits = server.config.account_limits.clone();
    let refusal = server
        .store
        .write(move |connection| {
            if is_locked(connection, &user_id)? {
                return Ok(Some(MatrixError::locked()));
            }
            let devices = devices::list(connection, &user_id)?;
            let is_new = devices.iter().all(|device| device.device_id != device_id);
            if let Some(limits) = limits.filter(|limits| is_new && devices.len() >= limits.devices) {
                let message = format!("an account has {} devices at most: log out somewhere", limits.devices);
                let refusal = MatrixError::user_limit_exceeded(message);
                return Ok(Some(refusal.with("info_uri", limits.info_uri)));
            }
            // Keys of devices and of users have ids of the same form (client-server-api/#key-and-signature-security).
            let keys = cross_signing::of_user(connection, &user_id)?;
            if keys.iter().any(|key| key.public_key == device_id) {
                let message = "a key of the user has this device_id: choose another";
                return Ok(Some(MatrixError::invalid_param(message)));
            }
            devices::add(connection, &user_id, &device_id, wishes.display_name.as_deref())?;
            devices::seen(connection, &user_id, &device_id, now_ms(), None)?;
            access::revoke_device(connection, &user_id, &device_id)?;
            access::issue(connection, &user_id, &device_id, &tokens.kept)?;
            Ok(None)
        })
        .await?;
    refusal.map_or(Ok(fields), Err)
}

/// Gives the holder of a refresh token new tokens, in the fields of `/refresh`. The old refresh token
/// ends when one of the new ones is used (client-server-api/#refreshing-access-tokens).
pub(crate) async fn refresh(
    server: &Homeserver,
    refresh_token: &str,
) -> Result<Map<String, Value>, MatrixError> {
    let digest = token::digest(refresh_token);
    let tokens = Tokens::new(server, true, Some(digest.clone()));
    let refusal = server
        .store
        .write(move |connection| {
            let Some((user_id, device_id)) = access::find_refresh(connection, &digest)? else {
                let message = "refresh token is unknown or was used: log in";
                return Ok(Some(MatrixError::unknown_token(message)));
            };
            if is_locked(connection, &user_id)? {
                return Ok(Some(MatrixError::locked()));
            }
            access::confirm_refresh(connection, &digest)?;
            access::issue(connection, &user_id, &device_id, &tokens.kept)?;
            Ok(None)
        })
        .await?;
    refusal.map_or(Ok(tokens.fields), Err)
}

/// Nobody obtains a token for a locked account (client-server-api/#soft-logout).
fn is_locked(connection: &Connection, user_id: &str) -> Result<bool, StoreError> {
    Ok(accounts::find(connection, user_id)?.is_some_and(|account| account.locked))
}

/// New tokens: as a client gets them and as they are kept.
struct Tokens {
    fields: Map<String, Value>,
    kept: NewTokens,
}

impl Tokens {
    fn new(server: &Homeserver, refreshable: bool, refreshed_with: Option<Vec<u8>>) -> Self {
        let mut fields = Map::new();
        let access_token = token::opaque(32);
        let mut kept = NewTokens {
            access: token::digest(&access_token),
            expires_ms: None,
            refresh: None,
            refreshed_with,
        };
        fields.insert("access_token".to_owned(), access_token.into());
        if refreshable {
            let lifetime_ms = server.config.tokens.refreshable_access_lifetime_ms;
            let refresh_token = token::opaque(32);
            kept.expires_ms = Some(now_ms() + lifetime_ms);
            kept.refresh = Some(token::digest(&refresh_token));
            fields.insert("refresh_token".to_owned(), refresh_token.into());
            fields.insert("expires_in_ms".to_owned(), lifetime_ms.into());
        }
        Self { fields, kept }
    }
}
