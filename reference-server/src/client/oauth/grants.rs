//! What has been granted and not been fetched yet; in memory, because it lasts for minutes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::OAuthError;
use crate::clock::now_ms;
use crate::token;

/// How long a code waits to be fetched (RFC 6749, section 4.1.2), and a device to be let in.
const CODE_LIFETIME_MS: i64 = 60_000;
pub(super) const DEVICE_LIFETIME_MS: i64 = 30 * 60_000;

/// How often a device may ask, in milliseconds.
pub(super) const DEVICE_INTERVAL_MS: i64 = 5_000;

/// What the scope has to contain, and what begins the part that names the device (client-server-api/#scope).
const API_SCOPE: &str = "urn:matrix:client:api:*";
const DEVICE_SCOPE: &str = "urn:matrix:client:device:";

/// Codes and devices that wait.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    codes: Mutex<HashMap<String, Code>>,
    devices: Mutex<HashMap<String, Device>>,
}

/// What a client may do: everything, as a user, on a device.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The device.
    pub(super) device_id: String,
}

/// An authorization code's meaning.
#[derive(Debug, Clone)]
pub(super) struct Code {
    /// The client.
    pub(super) client_id: String,
    /// Where it was sent.
    pub(super) redirect_uri: String,
    /// The challenge that its verifier answers.
    pub(super) challenge: String,
    /// Who has allowed it.
    pub(super) user_id: String,
    /// What.
    pub(super) scope: Scope,
    since_ms: i64,
}

/// A device that wants in.
#[derive(Debug, Clone)]
pub(super) struct Device {
    /// What people type.
    pub(super) user_code: String,
    /// The client.
    pub(super) client_id: String,
    /// What it wants.
    pub(super) scope: Scope,
    /// What somebody has decided.
    pub(super) decision: Option<Decision>,
    since_ms: i64,
    asked_ms: i64,
}

/// What became of a device's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// This user lets it in.
    Granted(String),
    /// Nobody does.
    Denied,
}

impl Scope {
    /// Reads a scope; the device has to be in it once.
    pub(super) fn read(text: &str) -> Result<Self, OAuthError> {
        let invalid = |what: &str| OAuthError::new("invalid_scope", what);
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        if !tokens.contains(&API_SCOPE) {
            return Err(invalid("scope must contain urn:matrix:client:api:*"));
        }
        let mut devices = tokens.iter().filter_map(|token| token.strip_prefix(DEVICE_SCOPE));
        let (Some(device_id), None) = (devices.next(), devices.next()) else {
            return Err(invalid("scope must name one device"));
        };
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !(1..=255).contains(&device_id.len()) || !device_id.bytes().all(unreserved) {
            return Err(invalid("a device id has letters, digits and -._~ only"));
        }
        Ok(Self { device_id: device_id.to_owned() })
    }

    /// The scope as it is granted.
    pub(super) fn text(&self) -> String {
        format!("{API_SCOPE} {DEVICE_SCOPE}{}", self.device_id)
    }
}

impl Code {
    /// What a code is to mean from now on.
    pub(super) fn new(
        client_id: String,
        redirect_uri: String,
        challenge: String,
        user_id: String,
        scope: Scope,
    ) -> Self {
        Self { client_id, redirect_uri, challenge, user_id, scope, since_ms: now_ms() }
    }
}

impl Grants {
    /// Gives out a code.
    pub(super) fn add_code(&self, code: Code) -> String {
        let name = token::opaque(32);
        let now_ms = now_ms();
        let mut codes = lock(&self.codes);
        codes.retain(|_, code| code.since_ms + CODE_LIFETIME_MS > now_ms);
        codes.insert(name.clone(), code);
        name
    }

    /// Takes a code away: it serves once.
    pub(super) fn take_code(&self, name: &str) -> Option<Code> {
        let now_ms = now_ms();
        lock(&self.codes).remove(name).filter(|code| code.since_ms + CODE_LIFETIME_MS > now_ms)
    }

    /// Lets a device wait; gives the code that it knows and the one that people type.
    pub(super) fn add_device(&self, client_id: String, scope: Scope) -> (String, String) {
        let (device_code, typed) = (token::opaque(32), token::opaque(8).to_ascii_uppercase());
        let user_code = format!("{}-{}", &typed[..4], &typed[4..]);
        let now_ms = now_ms();
        let mut devices = lock(&self.devices);
        devices.retain(|_, device| device.since_ms + DEVICE_LIFETIME_MS > now_ms);
        let device = Device {
            user_code: user_code.clone(),
            client_id,
            scope,
            decision: None,
            since_ms: now_ms,
            asked_ms: 0,
        };
        devices.insert(device_code.clone(), device);
        (device_code, user_code)
    }

    /// The device that waits under a code that somebody has typed.
    pub(super) fn typed(&self, user_code: &str) -> Option<Device> {
        let now_ms = now_ms();
        let waits = |device: &&Device| {
            same_code(&device.user_code, user_code)
                && device.decision.is_none()
                && device.since_ms + DEVICE_LIFETIME_MS > now_ms
        };
        lock(&self.devices).values().find(waits).cloned()
    }

    /// Decides about the device that waits under a code.
    pub(super) fn decide(&self, user_code: &str, decision: Decision) {
        if let Some(device) =
            lock(&self.devices).values_mut().find(|device| same_code(&device.user_code, user_code))
        {
            device.decision.get_or_insert(decision);
        }
    }

    /// What became of a device's wish (RFC 8628, section 3.5); a decision is told once.
    pub(super) fn poll(&self, device_code: &str, client_id: &str) -> Result<(String, Scope), OAuthError> {
        let now_ms = now_ms();
        let mut devices = lock(&self.devices);
        let device = devices.get_mut(device_code).filter(|device| device.client_id == client_id);
        let device = device.ok_or_else(|| OAuthError::invalid_grant("device_code is unknown or was used"))?;
        if device.since_ms + DEVICE_LIFETIME_MS <= now_ms {
            devices.remove(device_code);
            return Err(OAuthError::new("expired_token", "nobody has let the device in: begin again"));
        }
        let decided = device.decision.clone().map(|decision| (decision, device.scope.clone()));
        let Some((decision, scope)) = decided else {
            let is_hasty = device.asked_ms + DEVICE_INTERVAL_MS > now_ms;
            device.asked_ms = now_ms;
            let code = if is_hasty { "slow_down" } else { "authorization_pending" };
            return Err(OAuthError::new(code, "nobody has let the device in yet"));
        };
        devices.remove(device_code);
        match decision {
            Decision::Granted(user_id) => Ok((user_id, scope)),
            Decision::Denied => Err(OAuthError::new("access_denied", "the device was not let in")),
        }
    }
}

/// People type small letters and forget the dash.
fn same_code(code: &str, typed: &str) -> bool {
    let plain = |text: &str| text.replace(['-', ' '], "").to_ascii_uppercase();
    plain(code) == plain(typed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Decision, Grants, Scope};

    #[rstest]
    #[case("urn:matrix:client:api:* urn:matrix:client:device:ABC", Some("ABC"))]
    #[case("openid urn:matrix:client:device:ABC urn:matrix:client:api:*", Some("ABC"))]
    #[case("urn:matrix:client:api:*", None)]
    #[case("urn:matrix:client:device:ABC", None)]
    #[case("urn:matrix:client:api:* urn:matrix:client:device:A urn:matrix:client:device:B", None)]
    #[case("urn:matrix:client:api:* urn:matrix:client:device:", None)]
    #[case("urn:matrix:client:api:* urn:matrix:client:device:a/b", None)]
    fn a_scope_names_one_device(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(Scope::read(text).ok().map(|scope| scope.device_id).as_deref(), expected);
    }

    #[test]
    fn a_device_is_let_in_once() {
        let grants = Grants::default();
        let (device_code, user_code) =
            grants.add_device("client".to_owned(), Scope { device_id: "D".to_owned() });
        let code = |outcome: Result<_, super::OAuthError>| {
            outcome.map(|(user_id, _)| user_id).map_err(|error| error.code)
        };
        assert_eq!(code(grants.poll(&device_code, "client")), Err("authorization_pending"));
        assert_eq!(code(grants.poll(&device_code, "client")), Err("slow_down"));
        assert_eq!(code(grants.poll(&device_code, "other")), Err("invalid_grant"));
        assert!(grants.typed(&user_code.to_lowercase().replace('-', "")).is_some());
        grants.decide(&user_code, Decision::Granted("@alice:example.org".to_owned()));
        grants.decide(&user_code, Decision::Denied);
        assert_eq!(code(grants.poll(&device_code, "client")), Ok("@alice:example.org".to_owned()));
        assert_eq!(code(grants.poll(&device_code, "client")), Err("invalid_grant"));
    }
}
