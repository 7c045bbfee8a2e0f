//! User-interactive authentication: client-server-api/#user-interactive-authentication-api.

mod fallback;
mod stage;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

pub(super) use self::fallback::{completion, routes};
pub(super) use self::stage::{Stage, claimed_user, password_matches};
use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::request::Fields;
use crate::store::validations::Validation;
use crate::store::{accounts, oauth};
use crate::token;

/// How long a challenge waits for its answer.
const LIFETIME_MS: i64 = 15 * 60 * 1000;

/// The challenges that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Mutex<HashMap<String, Challenge>>);

#[derive(Debug)]
struct Challenge {
    /// What is to be allowed: the operation and, where one is known, the user. An answer to one
    /// challenge must not open another door.
    purpose: String,
    begun_ms: i64,
    progress: Progress,
}

/// What has been done of a challenge.
#[derive(Debug, Clone, Default)]
struct Progress {
    completed: Vec<Stage>,
    proved: Proved,
}

/// What the completed stages have proved.
#[derive(Debug, Clone, Default)]
pub(super) struct Proved {
    /// The user who is there, if a stage proves that.
    pub(super) user_id: Option<String>,
    /// The addresses that the user reads.
    pub(super) addresses: Vec<Validation>,
}

impl Challenges {
    fn begin(&self, purpose: &str) -> String {
        let session = token::opaque(24);
        let now_ms = now_ms();
        let mut challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.retain(|_, challenge| challenge.begun_ms + LIFETIME_MS > now_ms);
        let challenge =
            Challenge { purpose: purpose.to_owned(), begun_ms: now_ms, progress: Progress::default() };
        challenges.insert(session.clone(), challenge);
        session
    }

    fn progress(&self, session: &str, purpose: &str) -> Option<Progress> {
        let challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.get(session).filter(|challenge| challenge.purpose == purpose).map(|it| it.progress.clone())
    }

    /// Notes that a stage was completed; says whether there is such a challenge.
    fn complete(&self, session: &str, stage: Stage, proved: Proved) -> bool {
        let mut challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(challenge) = challenges.get_mut(session) else { return false };
        let progress = &mut challenge.progress;
        if !progress.completed.contains(&stage) {
            progress.completed.push(stage);
            progress.proved.user_id = proved.user_id.or(progress.proved.user_id.take());
            progress.proved.addresses.extend(proved.addresses);
        }
        true
    }

    /// Notes that a user has completed a stage on a page, if the challenge is theirs; says whether it is.
    pub(super) fn approve(&self, session: &str, stage: Stage, user_id: &str) -> bool {
        let is_theirs = {
            let challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            challenges.get(session).is_some_and(|it| it.purpose.ends_with(&format!(" {user_id}")))
        };
        let proved = Proved { user_id: Some(user_id.to_owned()), ..Proved::default() };
        is_theirs && self.complete(session, stage, proved)
    }

    /// What is to be allowed, in the words of the operation.
    pub(super) fn operation(&self, session: &str) -> Option<String> {
        let challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.get(session)?.purpose.split(' ').next().map(str::to_owned)
    }

    fn end(&self, session: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }
}

/// A request that is to be allowed.
pub(super) struct Attempt<'a> {
    /// The operation, under any name that no other operation has.
    pub(super) operation: &'static str,
    /// The flows, each of which is enough.
    pub(super) flows: Vec<Vec<Stage>>,
    /// Whose operation it is, when an access token says so.
    pub(super) user_id: Option<&'a str>,
    /// The request's body, with `auth` in it.
    pub(super) body: &'a Map<String, Value>,
}

impl<'a> Attempt<'a> {
    /// An attempt at what a user's password allows.
    pub(super) fn with_password(
        operation: &'static str,
        user_id: Option<&'a str>,
        body: &'a Map<String, Value>,
    ) -> Self {
        Self { operation, flows: vec![vec![Stage::Password]], user_id, body }
    }

    /// Allows the request, and says what was proved; or refuses it with a challenge.
    pub(super) async fn allow(mut self, server: &Homeserver) -> Result<Proved, MatrixError> {
        self.offer_providers(server).await?;
        let purpose = format!("{} {}", self.operation, self.user_id.unwrap_or_default());
        let auth = self.body.optional_object("auth")?;
        let session = match auth {
            Some(auth) => auth.optional_text("session")?,
            None => None,
        };
        // A client that knows the first stage may complete it without being asked: it has no session then.
        let begun = match auth {
            Some(auth) if session.is_none() && auth.contains_key("type") => {
                Some(server.challenges.begin(&purpose))
            }
            _ => None,
        };
        // Without a session that we gave out for this purpose, the client has to begin.
        let session = begun.as_deref().or(session);
        let known = session.filter(|session| server.challenges.progress(session, &purpose).is_some());
        let (Some(auth), Some(session)) = (auth, known) else {
            let session = server.challenges.begin(&purpose);
            return Err(MatrixError::challenge(self.challenge(server, &session, &Progress::default())));
        };
        // Only a session: a stage was completed elsewhere (client-server-api/#fallback).
        if auth.contains_key("type")
            && let Err(error) = self.take(server, session, auth).await
        {
            let progress = server.challenges.progress(session, &purpose).unwrap_or_default();
            return Err(error.with_all(self.challenge(server, session, &progress)));
        }
        let progress = server.challenges.progress(session, &purpose).unwrap_or_default();
        let is_enough = |flow: &Vec<Stage>| flow.iter().all(|stage| progress.completed.contains(stage));
        if !self.flows.iter().any(is_enough) && !commits(Fault::StagesNotNeeded) {
            return Err(MatrixError::challenge(self.challenge(server, session, &progress)));
        }
        server.challenges.end(session);
        Ok(progress.proved)
    }

    /// Who has an account at an identity provider can prove there who is asking, and has to who has no password
    /// (client-server-api/#sso-during-user-interactive-authentication).
    async fn offer_providers(&mut self, server: &Homeserver) -> Result<(), MatrixError> {
        let by_password = self.flows.iter().position(|flow| *flow == [Stage::Password]);
        let (Some(by_password), Some(user_id)) = (by_password, self.user_id) else { return Ok(()) };
        if server.config.identity_providers.is_empty() {
            return Ok(());
        }
        let user_id = user_id.to_owned();
        let read = move |c: &rusqlite::Connection| {
            let account = accounts::find(c, &user_id)?;
            Ok((oauth::has_provider(c, &user_id)?, account.is_some_and(|it| it.password_hash.is_some())))
        };
        match server.store.read(read).await? {
            (true, true) => self.flows.push(vec![Stage::Sso]),
            (true, false) => self.flows[by_password] = vec![Stage::Sso],
            (false, _) => {}
        }
        Ok(())
    }

    async fn take(
        &self,
        server: &Homeserver,
        session: &str,
        auth: &Map<String, Value>,
    ) -> Result<(), MatrixError> {
        let kind = auth.text("type")?;
        let stage = self.flows.iter().flatten().copied().find(|stage| stage.name() == kind);
        let stage = stage.ok_or_else(|| stage::refuse("this stage is in none of the flows"))?;
        let proved = stage.check(server, self.user_id, auth).await?;
        server.challenges.complete(session, stage, proved);
        Ok(())
    }

    fn challenge(&self, server: &Homeserver, session: &str, progress: &Progress) -> Map<String, Value> {
        let flow = |flow: &Vec<Stage>| json!({"stages": flow.iter().map(|it| it.name()).collect::<Vec<_>>()});
        let mut challenge = Map::new();
        let flows: Vec<Value> = self.flows.iter().map(flow).collect();
        challenge.insert("flows".to_owned(), flows.into());
        let stages = self.flows.iter().flatten();
        let params: Map<String, Value> =
            stages.filter_map(|it| Some((it.name().to_owned(), it.params(server, session)?))).collect();
        challenge.insert("params".to_owned(), params.into());
        challenge.insert("session".to_owned(), session.into());
        if !progress.completed.is_empty() {
            let completed: Vec<&str> = progress.completed.iter().map(|stage| stage.name()).collect();
            challenge.insert("completed".to_owned(), completed.into());
        }
        challenge
    }
}

/// A stage that proves who is there was completed and named nobody: that can only be our mistake.
pub(super) fn nobody() -> MatrixError {
    MatrixError::internal("the stage named no user")
}
