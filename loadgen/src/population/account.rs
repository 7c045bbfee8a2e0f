//! Accounts: registered by the method that the target names, or logged in where they are there already.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;

use super::{Crew, Hears, Order, User, crew::At};
use crate::{connection::Problem, engine::mixed, homes::Home, homes::Homes, request};

/// How accounts are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Open registration with the `m.login.dummy` stage.
    Dummy,
    /// Registration with a token, by the `m.login.registration_token` stage.
    Token(String),
    /// An endpoint for administrators that takes a message authenticated by a shared secret.
    SharedSecret {
        /// The path of the endpoint.
        path: String,
        /// The secret.
        secret: String,
    },
}

/// What registration and login answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    user_id: String,
    pub(crate) access_token: String,
    device_id: String,
}

const REGISTER: &str = "/_matrix/client/v3/register";

pub(super) async fn make_all(
    crew: &mut Crew,
    homes: &Homes,
    order: &Order,
    hears: &impl Hears,
) -> Result<Vec<User>, Problem> {
    let of_cell = order.profile.users();
    let places: Vec<(u32, u32)> =
        order.cells.iter().flat_map(|cell| (0..of_cell).map(move |place| (*cell, place))).collect();
    let done = AtomicUsize::new(0);
    crew.each(places.len(), async |hand, number| {
        let (cell, place) = places[number];
        let group = group_of(order, place);
        let home = if order.profile.groups[group].elsewhere { Home::Elsewhere } else { Home::Here };
        let (mut hand, registration) = (hand.at(home), &homes.at(home).registration);
        let session = session(&mut hand, registration, order, cell, place).await?;
        let user = User { group, home, ..session };
        hears.made("accounts", done.fetch_add(1, Ordering::Relaxed) + 1, places.len());
        Ok(user)
    })
    .await
}

/// A session of the user at a place, as if everybody were alike.
async fn session(
    hand: &mut At<'_>,
    registration: &Registration,
    order: &Order,
    cell: u32,
    place: u32,
) -> Result<User, Problem> {
    let name = format!("load-{:x}-{cell}-{place}", order.seed);
    let password = password(order.seed, cell, place);
    let session = match register(hand, registration, &name, &password).await {
        Err(Problem::Status { errcode, .. }) if errcode == "M_USER_IN_USE" => {
            // The same device as before: a session more would be a session more to remember for the server.
            hand.read(log_in(&name, &password, Some("LOAD"))).await?
        }
        registered => registered?,
    };
    let bearer = request::bearer(&session.access_token)
        .ok_or_else(|| Problem::Malformed("an access token that no header can hold".to_owned()))?;
    Ok(User {
        id: session.user_id,
        name,
        password,
        device: session.device_id,
        bearer,
        group: 0,
        home: Home::Here,
        active: false,
        rooms: Vec::new(),
        since: Mutex::new("".into()),
    })
}

/// The group of a user by his place in the cell: groups stand one after the other.
fn group_of(order: &Order, place: u32) -> usize {
    let ends = order.profile.groups.iter().scan(0, |end, group| {
        *end += group.count;
        Some(*end)
    });
    ends.take_while(|end| place >= *end).count()
}

/// Nobody else can guess it without the seed, and it is found again.
fn password(seed: u64, cell: u32, place: u32) -> String {
    let number = mixed(seed ^ mixed(u64::from(cell) << 32 | u64::from(place)));
    format!("{number:016x}{:016x}", mixed(number))
}

/// A login with a password, on a device of this name or on a fresh one.
pub(crate) fn log_in(
    name: &str,
    password: &str,
    device: Option<&str>,
) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": password,
    });
    if let Some(device) = device {
        body["device_id"] = device.into();
    }
    request::post("/_matrix/client/v3/login", None, &body)
}

pub(crate) async fn register(
    hand: &mut At<'_>,
    registration: &Registration,
    name: &str,
    password: &str,
) -> Result<Session, Problem> {
    let body = json!({"username": name, "password": password, "device_id": "LOAD"});
    match registration {
        Registration::Dummy => by_stage(hand, body, json!({"type": "m.login.dummy"})).await,
        Registration::Token(token) => {
            by_stage(hand, body, json!({"type": "m.login.registration_token", "token": token})).await
        }
        Registration::SharedSecret { path, secret } => by_secret(hand, path, secret, name, password).await,
    }
}

/// `client-server-api/#post_matrixclientv3register`: a first request opens a session, a second completes its one stage.
async fn by_stage(hand: &mut At<'_>, mut body: Value, mut stage: Value) -> Result<Session, Problem> {
    #[derive(Default, Deserialize)]
    struct Challenge {
        #[serde(default)]
        session: Value,
    }
    let answer = hand.ask(request::post(REGISTER, None, &body)).await?;
    if answer.status.as_u16() != 401 {
        return read(&answer);
    }
    let challenge: Challenge = serde_json::from_slice(&answer.body).unwrap_or_default();
    stage["session"] = challenge.session;
    body["auth"] = stage;
    let answer = hand.ask(request::post(REGISTER, None, &body)).await?;
    if answer.status.as_u16() == 401 {
        return Err(Problem::Status {
            status: 401,
            errcode: "registration needs more than the stage that the target names".to_owned(),
            retry_after_ms: None,
        });
    }
    read(&answer)
}

fn read(answer: &crate::connection::Answer) -> Result<Session, Problem> {
    if !answer.status.is_success() {
        return Err(Problem::of_answer(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|error| Problem::Malformed(format!("registration: {error}")))
}

/// Synapse's registration endpoint for administrators, which other servers serve as well.
async fn by_secret(
    hand: &mut At<'_>,
    path: &str,
    secret: &str,
    name: &str,
    password: &str,
) -> Result<Session, Problem> {
    #[derive(Deserialize)]
    struct Nonce {
        nonce: String,
    }
    let Nonce { nonce } = hand.read(request::get(path, None)).await?;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())
        .map_err(|_| Problem::Malformed("the shared secret cannot be used as a key".to_owned()))?;
    mac.update([nonce.as_str(), name, password, "notadmin"].join("\0").as_bytes());
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let body = json!({"nonce": nonce, "username": name, "password": password, "admin": false, "mac": digest});
    hand.read(request::post(path, None, &body)).await
}
