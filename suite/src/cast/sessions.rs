//! What users do with their sessions, devices and profiles, as plain verbs. Awaiting a verb requires its success.

use http::Method;
use serde_json::{Value, json};

use super::{Answer, Call, Homeserver, User};
use crate::{
    path,
    registration::{Account, register, register_until},
    target::RegistrationMethod,
    verdict::{Stop, Verdict},
};

impl Homeserver {
    /// A localpart that no account has: no other test of this run asked for it, and no earlier run did.
    pub fn unused_localpart(&self) -> String {
        format!("{}-{}", self.trial().registrar.prefix(), self.unique())
    }

    /// Registers through a flow that asks for nothing but what the target file knows, and gives the answer to its last
    /// stage, or the first answer where that is no challenge. The test does not apply where there is no such flow.
    pub async fn register(&self, body: Value) -> Result<Answer, Stop> {
        let answer = register(&self.trial().client, self.scene(), body, self.registration_token()).await?;
        if answer.exchange().response.is_authentication_challenge() && answer.errcode().is_none() {
            let flows = answer.at("/flows");
            return Err(Stop::NotApplicable(format!(
                "registration needs more than a program can give: {flows}"
            )));
        }
        Ok(answer)
    }

    /// The challenge of a registration of which this stage is next. The test does not apply where none leads there.
    pub async fn registration_before(&self, stage: &str, body: &Value) -> Result<Answer, Stop> {
        let (wire, token) = (&self.trial().client, self.registration_token());
        let challenge = register_until(wire, self.scene(), body.clone(), token, stage).await?;
        challenge
            .ok_or_else(|| Stop::NotApplicable(format!("registration does not lead to the stage {stage}")))
    }

    fn registration_token(&self) -> Option<&str> {
        match &self.target().registration {
            RegistrationMethod::Token { token } => Some(token),
            _ => None,
        }
    }

    /// Logs in with a password; `user` is a user id or its localpart.
    pub fn log_in(&self, user: &str, password: &str) -> Call {
        let identifier = json!({"type": "m.id.user", "user": user});
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": password});
        self.post("/_matrix/client/v3/login", body)
    }

    /// The session that this response of a login or registration opened, for an account with this password.
    pub fn session(&self, opened: &Answer, password: &str) -> Result<User, Stop> {
        let account = Account {
            user_id: opened.must_have_text("/user_id")?,
            access_token: opened.must_have_text("/access_token")?,
            device_id: opened.must_have_text("/device_id")?,
            password: password.to_owned(),
        };
        Ok(User::new(self.clone(), account))
    }
}

impl User {
    /// Who the server says the access token belongs to.
    pub fn whoami(&self) -> Call {
        self.get("/_matrix/client/v3/account/whoami")
    }

    /// Ends this session.
    pub fn log_out(&self) -> Call {
        self.request(Method::POST, "/_matrix/client/v3/logout")
    }

    /// Requires that the access token opens nothing any more: `client-server-api/#using-access-tokens`.
    pub async fn must_be_logged_out(&self) -> Verdict {
        self.whoami().must_refuse(401, "M_UNKNOWN_TOKEN").await.map(drop)
    }

    /// All devices of the user.
    pub fn devices(&self) -> Call {
        self.get("/_matrix/client/v3/devices")
    }

    /// One device of the user.
    pub fn device(&self, device_id: &str) -> Call {
        self.get(path!("/_matrix/client/v3/devices/{}", device_id))
    }

    /// Gives a device of the user a display name.
    pub fn rename_device(&self, device_id: &str, display_name: &str) -> Call {
        self.put(path!("/_matrix/client/v3/devices/{}", device_id), json!({"display_name": display_name}))
    }

    /// Sets a field of the user's own profile.
    pub fn set_profile_field(&self, name: &str, value: Value) -> Call {
        let mut body = json!({});
        body[name] = value;
        self.put(path!("/_matrix/client/v3/profile/{}/{}", self.id(), name), body)
    }

    /// Removes a field of the user's own profile.
    pub fn delete_profile_field(&self, name: &str) -> Call {
        self.delete(path!("/_matrix/client/v3/profile/{}/{}", self.id(), name))
    }

    /// The whole profile of somebody, looked up by this user.
    pub fn profile(&self, of: &str) -> Call {
        self.get(path!("/_matrix/client/v3/profile/{}", of))
    }

    /// One field of the profile of somebody, looked up by this user.
    pub fn profile_field(&self, of: &str, name: &str) -> Call {
        self.get(path!("/_matrix/client/v3/profile/{}/{}", of, name))
    }

    /// Sets account data of the user: global, or that of a room.
    pub fn set_account_data(&self, room: Option<&str>, kind: &str, content: Value) -> Call {
        self.put(self.account_data_path(room, kind), content)
    }

    /// Account data of the user: global, or that of a room.
    pub fn account_data(&self, room: Option<&str>, kind: &str) -> Call {
        self.get(self.account_data_path(room, kind))
    }

    /// Where account data of the user is: global, or that of a room.
    pub fn account_data_path(&self, room: Option<&str>, kind: &str) -> String {
        match room {
            Some(room) => self.own_path(&path!("/rooms/{}/account_data/{}", room, kind)),
            None => self.own_path(&path!("/account_data/{}", kind)),
        }
    }
}
