//! User-interactive authentication: client-server-api/#user-interactive-authentication-api.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::Fields;
use crate::store::accounts;
use crate::{password, token};

/// How long a challenge waits for its answer.
const LIFETIME_MS: i64 = 15 * 60 * 1000;

/// One stage; every flow of this server has one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing has to be proved.
    Dummy,
    /// A token that the operator gave out.
    RegistrationToken,
    /// The user's password.
    Password,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Dummy => "m.login.dummy",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Password => "m.login.password",
        }
    }
}

/// The challenges that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Mutex<HashMap<String, Challenge>>);

#[derive(Debug)]
struct Challenge {
    /// What is to be allowed: the operation and, where one is known, the user. An answer to one
    /// challenge must not open another door.
    purpose: String,
    begun_ms: i64,
}

impl Challenges {
    fn begin(&self, purpose: &str) -> String {
        let session = token::opaque(24);
        let now_ms = now_ms();
        let mut challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.retain(|_, challenge| challenge.begun_ms + LIFETIME_MS > now_ms);
        challenges.insert(session.clone(), Challenge { purpose: purpose.to_owned(), begun_ms: now_ms });
        session
    }

    fn waits(&self, session: &str, purpose: &str) -> bool {
        let challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.get(session).is_some_and(|challenge| challenge.purpose == purpose)
    }

    fn end(&self, session: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }
}

/// A request that is to be allowed.
pub(super) struct Attempt<'a> {
    /// The operation, under any name that no other operation has.
    pub(super) operation: &'static str,
    /// The stage that it asks for.
    pub(super) stage: Stage,
    /// Whose operation it is, when an access token says so.
    pub(super) user_id: Option<&'a str>,
    /// The request's body, with `auth` in it.
    pub(super) body: &'a Map<String, Value>,
}

impl Attempt<'_> {
    /// Allows the request, and names the user who proved to be there, if the stage proves that; or
    /// refuses it with a challenge.
    pub(super) async fn allow(self, server: &Homeserver) -> Result<Option<String>, MatrixError> {
        let purpose = format!("{} {}", self.operation, self.user_id.unwrap_or_default());
        let auth = self.body.optional_object("auth")?;
        let session = match auth {
            Some(auth) => auth.optional_text("session")?,
            None => None,
        };
        // Without a session that we gave out for this purpose, the client has to begin.
        let (Some(auth), Some(session)) =
            (auth, session.filter(|session| server.challenges.waits(session, &purpose)))
        else {
            let session = server.challenges.begin(&purpose);
            return Err(MatrixError::challenge(challenge(self.stage, &session)));
        };
        match self.check(server, auth).await {
            Ok(proved) => {
                server.challenges.end(session);
                Ok(proved)
            }
            Err(error) => Err(error.with_all(challenge(self.stage, session))),
        }
    }

    async fn check(
        &self,
        server: &Homeserver,
        auth: &Map<String, Value>,
    ) -> Result<Option<String>, MatrixError> {
        let refuse = |message: &str| MatrixError::forbidden(message).status(http::StatusCode::UNAUTHORIZED);
        // Only a session: the stage may have been completed elsewhere; none of ours can be.
        let Some(stage) = auth.optional_text("type")? else {
            return Err(refuse("complete a stage of one of the flows"));
        };
        if stage != self.stage.name() {
            return Err(refuse("this stage is in none of the flows"));
        }
        match self.stage {
            Stage::Dummy => Ok(None),
            Stage::RegistrationToken => {
                let token = auth.text("token")?;
                if server.config.registration.tokens.iter().any(|known| known == token) {
                    Ok(None)
                } else {
                    Err(refuse("registration token is not valid"))
                }
            }
            Stage::Password => {
                let claimed = claimed_user(server, auth)?;
                if self.user_id.is_some_and(|user_id| user_id != claimed) {
                    return Err(MatrixError::forbidden("authenticate as the user of the access token"));
                }
                if !password_matches(server, &claimed, auth.text("password")?).await? {
                    return Err(refuse("user or password is wrong"));
                }
                let user_id = claimed.clone();
                let account = server.store.read(move |c| accounts::find(c, &user_id)).await?;
                if account.is_some_and(|account| account.locked) {
                    return Err(MatrixError::locked());
                }
                Ok(Some(claimed))
            }
        }
    }
}

/// The user that `identifier`, or the older `user`, names; as a whole user id.
///
/// client-server-api/#identifier-types
pub(super) fn claimed_user(server: &Homeserver, fields: &Map<String, Value>) -> Result<String, MatrixError> {
    let named = match fields.optional_object("identifier")? {
        None => fields.text("user")?,
        Some(identifier) => match identifier.text("type")? {
            "m.id.user" => identifier.text("user")?,
            "m.id.thirdparty" | "m.id.phone" => {
                return Err(MatrixError::forbidden("no account has this address: use a user id"));
            }
            _ => return Err(MatrixError::unknown("identifier must be of type m.id.user")),
        },
    };
    // No localpart here has capitals, so whoever types some means the one without.
    let named = named.to_lowercase();
    Ok(if named.starts_with('@') { named } else { server.user_id(&named) })
}

/// Whether an account exists, has a password, and this is it.
pub(super) async fn password_matches(
    server: &Homeserver,
    user_id: &str,
    password: &str,
) -> Result<bool, MatrixError> {
    let user_id = user_id.to_owned();
    let account = server.store.read(move |connection| accounts::find(connection, &user_id)).await?;
    match account.and_then(|account| account.password_hash) {
        Some(hash) => Ok(password::verify(hash, password.to_owned()).await?),
        None => Ok(false),
    }
}

fn challenge(stage: Stage, session: &str) -> Map<String, Value> {
    let mut challenge = Map::new();
    challenge.insert("flows".to_owned(), json!([{"stages": [stage.name()]}]));
    challenge.insert("params".to_owned(), json!({}));
    challenge.insert("session".to_owned(), session.into());
    challenge
}

/// A password stage that was completed and named nobody can only be our mistake.
pub(super) fn nobody() -> MatrixError {
    MatrixError::internal("the password stage named no user")
}
