//! Makes the accounts of a run, by the method that the target names.

use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::{
    cast::{Answer, Call, Homeserver, User, neighbour::captcha::SOLUTION},
    scene::Scene,
    target::{RegistrationMethod, Target},
    verdict::Stop,
    wire::Wire,
};

/// An account of the run, logged in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The full user id.
    pub user_id: String,
    /// The token of the session that registration opened.
    pub access_token: String,
    /// The device of that session.
    pub device_id: String,
    /// The password, for user-interactive authentication and login.
    pub password: String,
}

/// Makes accounts and remembers them, so that they can be deactivated at the end.
#[derive(Debug)]
pub struct Registrar {
    method: RegistrationMethod,
    prefix: String,
    made: Mutex<Vec<Account>>,
}

impl Registrar {
    /// A registrar for the target, with a prefix for localparts that no earlier run used.
    pub fn new(target: &Target) -> Self {
        let nonce: u32 = rand::random();
        let prefix = format!("determinant-{nonce:08x}");
        Registrar { method: target.registration.clone(), prefix, made: Mutex::default() }
    }

    /// Registers a first account; the error says how to make registration possible.
    pub async fn probe(
        &self,
        wire: &Arc<Wire>,
        scene: &Arc<Scene>,
        target: &Target,
    ) -> Result<Account, Stop> {
        self.account(wire, scene, "prober").await.map_err(|stop| {
            let how = "open registration with the m.login.dummy stage, or name a [registration] method in a target file";
            Stop::Fault(format!("no account can be registered on {}: {stop}; {how}", target.name))
        })
    }

    /// Registers a user on the stage of a test.
    pub async fn register(&self, hs: &Homeserver, name: &str) -> Result<User, Stop> {
        let trial = hs.trial();
        let name = format!("{name}-{}", trial.unique());
        let account = self.account(&trial.client, hs.scene(), &name).await?;
        Ok(User::new(hs.clone(), account))
    }

    /// Registers an administrator of the server; the test does not apply where the target has no secret that makes them.
    pub async fn register_administrator(&self, hs: &Homeserver) -> Result<User, Stop> {
        let RegistrationMethod::SharedSecret { path, secret } = &self.method else {
            return Err(Stop::NotApplicable(
                "the target file names no way to make an administrator".to_owned(),
            ));
        };
        let trial = hs.trial();
        let (username, password) = self.credentials(&format!("admin-{}", trial.unique()));
        let answer =
            with_shared_secret(&trial.client, hs.scene(), path, secret, &username, &password, true).await?;
        self.remember(&answer, password).map(|account| User::new(hs.clone(), account))
    }

    /// What every localpart of the run begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The accounts made so far.
    pub fn made(&self) -> Vec<Account> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn account(&self, wire: &Arc<Wire>, scene: &Arc<Scene>, name: &str) -> Result<Account, Stop> {
        let (username, password) = self.credentials(name);
        let body = json!({"username": username, "password": password});
        let answer = match &self.method {
            RegistrationMethod::Dummy => register(wire, scene, body, None).await?.must_succeed()?,
            RegistrationMethod::Token { token } => {
                register(wire, scene, body, Some(token)).await?.must_succeed()?
            }
            RegistrationMethod::SharedSecret { path, secret } => {
                with_shared_secret(wire, scene, path, secret, &username, &password, false).await?
            }
        };
        self.remember(&answer, password)
    }

    fn credentials(&self, name: &str) -> (String, String) {
        (format!("{}-{name}", self.prefix), format!("{:032x}", rand::random::<u128>()))
    }

    fn remember(&self, answer: &Answer, password: String) -> Result<Account, Stop> {
        let text = |key: &str| {
            answer.at(key).as_str().map(str::to_owned).ok_or_else(|| {
                Stop::unmet_by(answer.exchange(), format!("a string at {key}"), answer.at(key).to_string())
            })
        };
        let account = Account {
            user_id: text("/user_id")?,
            access_token: text("/access_token")?,
            device_id: text("/device_id")?,
            password,
        };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(account.clone());
        Ok(account)
    }
}

/// `client-server-api/#post_matrixclientv3register`, stage by stage through a flow that asks for nothing but a
/// registration token, the acceptance of documents, and a captcha of the run. Gives the answer to the last stage, or the first
/// answer where there is no such flow.
pub(crate) async fn register(
    wire: &Arc<Wire>,
    scene: &Arc<Scene>,
    body: Value,
    token: Option<&str>,
) -> Result<Answer, Stop> {
    Ok(walk(wire, scene, body, token, None).await?.0)
}

/// The same up to a stage: gives the challenge in which it is next, or nothing where the flow is without it.
pub(crate) async fn register_until(
    wire: &Arc<Wire>,
    scene: &Arc<Scene>,
    body: Value,
    token: Option<&str>,
    stage: &str,
) -> Result<Option<Answer>, Stop> {
    let (answer, arrived) = walk(wire, scene, body, token, Some(stage)).await?;
    Ok(arrived.then_some(answer))
}

/// The last answer, and whether the stage is next at which to stop.
async fn walk(
    wire: &Arc<Wire>,
    scene: &Arc<Scene>,
    mut body: Value,
    token: Option<&str>,
    until: Option<&str>,
) -> Result<(Answer, bool), Stop> {
    let send = |body: &Value| {
        let path = "/_matrix/client/v3/register".to_owned();
        Call::new(wire.clone(), scene.clone(), Method::POST, path).json(body).answer()
    };
    let mut answer = send(&body).await?;
    for mut stage in open_flow(&answer, token).unwrap_or_default() {
        if stage["type"].as_str() == until {
            return Ok((answer, true));
        }
        stage["session"] = answer.at("/session").clone();
        body["auth"] = stage;
        answer = send(&body).await?;
        if !answer.exchange().response.is_authentication_challenge() || answer.errcode().is_some() {
            break;
        }
    }
    Ok((answer, false))
}

/// The stages of the first flow of a challenge that a program can complete.
fn open_flow(challenge: &Answer, token: Option<&str>) -> Option<Vec<Value>> {
    let stage = |kind: &Value| match (kind.as_str()?, token) {
        (kind @ ("m.login.dummy" | "m.login.terms"), _) => Some(json!({"type": kind})),
        ("m.login.recaptcha", _) => Some(json!({"type": "m.login.recaptcha", "response": SOLUTION})),
        ("m.login.registration_token", Some(token)) => {
            Some(json!({"type": "m.login.registration_token", "token": token}))
        }
        _ => None,
    };
    let flows = challenge.at("/flows").as_array()?;
    flows.iter().find_map(|flow| flow["stages"].as_array()?.iter().map(stage).collect())
}

/// Synapse's registration endpoint for administrators, which other servers serve as well.
async fn with_shared_secret(
    wire: &Arc<Wire>,
    scene: &Arc<Scene>,
    path: &str,
    secret: &str,
    username: &str,
    password: &str,
    admin: bool,
) -> Result<Answer, Stop> {
    let call = |method| Call::new(wire.clone(), scene.clone(), method, path.to_owned());
    let nonce = call(Method::GET).await?.at("/nonce").as_str().unwrap_or_default().to_owned();
    let role = if admin { "admin" } else { "notadmin" };
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())
        .map_err(|_| Stop::Fault("the shared secret cannot be used as a key".to_owned()))?;
    mac.update([nonce.as_str(), username, password, role].join("\0").as_bytes());
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    call(Method::POST)
        .json(&json!({"nonce": nonce, "username": username, "password": password, "admin": admin, "mac": digest}))
        .await
}
