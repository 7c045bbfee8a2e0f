//! A user of the homeserver, logged in on one device.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, Call, Homeserver, Sync};
use crate::{
    path,
    registration::Account,
    verdict::{Stop, Verdict},
};

/// A user, logged in on one device. Cheap to clone; clones share their place in the sync stream.
#[derive(Clone, Debug)]
pub struct User {
    hs: Homeserver,
    account: Arc<Account>,
    position: Arc<Mutex<Option<String>>>,
}

impl User {
    pub(crate) fn new(hs: Homeserver, account: Account) -> Self {
        User { hs, account: Arc::new(account), position: Arc::default() }
    }

    /// The same session in another scene.
    pub(crate) fn on(&self, hs: Homeserver) -> Self {
        User { hs, account: self.account.clone(), position: self.position.clone() }
    }

    /// The full user id.
    pub fn id(&self) -> &str {
        &self.account.user_id
    }

    /// The part of the user id between `@` and the first colon.
    pub fn localpart(&self) -> &str {
        self.id().trim_start_matches('@').split(':').next().unwrap_or_default()
    }

    /// The access token of this session.
    pub fn token(&self) -> &str {
        &self.account.access_token
    }

    /// The device of this session.
    pub fn device_id(&self) -> &str {
        &self.account.device_id
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.account.password
    }

    /// The homeserver, in the scene of the same test.
    pub fn homeserver(&self) -> &Homeserver {
        &self.hs
    }

    /// A request with the user's token; awaiting it requires a success.
    pub fn request(&self, method: Method, target: impl Into<String>) -> Call {
        self.hs.request(method, target).token(self.token())
    }

    /// GET with the user's token.
    pub fn get(&self, target: impl Into<String>) -> Call {
        self.request(Method::GET, target)
    }

    /// POST with the user's token.
    pub fn post(&self, target: impl Into<String>, body: Value) -> Call {
        self.request(Method::POST, target).json(&body)
    }

    /// PUT with the user's token.
    pub fn put(&self, target: impl Into<String>, body: Value) -> Call {
        self.request(Method::PUT, target).json(&body)
    }

    /// DELETE with the user's token.
    pub fn delete(&self, target: impl Into<String>) -> Call {
        self.request(Method::DELETE, target)
    }

    /// The user's own path prefix: `/_matrix/client/v3/user/{userId}` and what follows.
    pub fn own_path(&self, rest: &str) -> String {
        format!("{}{rest}", path!("/_matrix/client/v3/user/{}", self.id()))
    }

    /// Logs in with the password on a new device: the same user, another session.
    pub async fn logs_in(&self) -> Result<User, Stop> {
        self.logs_in_with(json!({})).await
    }

    /// Logs in with the password and with these fields in the body as well.
    pub async fn logs_in_with(&self, fields: Value) -> Result<User, Stop> {
        let mut body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.id()},
            "password": self.password(),
        });
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        let answer = self.hs.post("/_matrix/client/v3/login", body).await?;
        let account = Account {
            user_id: answer.must_have_text("/user_id")?,
            access_token: answer.must_have_text("/access_token")?,
            device_id: answer.must_have_text("/device_id")?,
            password: self.password().to_owned(),
        };
        Ok(User::new(self.hs.clone(), account))
    }

    /// The `auth` object that completes the password stage of user-interactive authentication.
    pub fn password_stage(&self, challenge: &Answer) -> Value {
        json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.id()},
            "password": self.password(),
            "session": challenge.at("/session"),
        })
    }

    /// `POST` that the server protects by user-interactive authentication: meets the challenge with the password.
    pub async fn post_authenticated(&self, target: &str, body: Value) -> Result<Answer, Stop> {
        self.authenticated(Method::POST, target, body).await
    }

    /// A request that the server protects by user-interactive authentication: meets the challenge with the password.
    pub async fn authenticated(&self, method: Method, target: &str, mut body: Value) -> Result<Answer, Stop> {
        let challenge = self.request(method.clone(), target).json(&body).answer().await?;
        if challenge.status().as_u16() != 401 {
            return challenge.must_succeed();
        }
        body["auth"] = self.password_stage(&challenge);
        self.request(method, target).json(&body).await
    }

    /// A `/sync` that the caller completes with query parameters; it does not move the user's place in the stream.
    pub fn sync_request(&self) -> Call<Sync> {
        self.get("/_matrix/client/v3/sync").reading(|answer| Ok(Sync::new(answer)))
    }

    /// Everything from the beginning; the user's place in the stream is behind it.
    pub async fn initial_sync(&self) -> Result<Sync, Stop> {
        let sync = self.sync_request().await?;
        self.move_to(&sync)?;
        Ok(sync)
    }

    /// What has come since the user's place in the stream, without waiting; from the beginning at first.
    pub async fn sync(&self) -> Result<Sync, Stop> {
        self.sync_within(0).await
    }

    /// Waits until a `/sync` shows it; `what` completes the sentence "a /sync that shows …".
    pub async fn sees(&self, what: &str, shown: impl Fn(&Sync) -> bool) -> Result<Sync, Stop> {
        let deadline = Instant::now() + self.hs.patience();
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis();
            let sync = self.sync_within(left.min(5_000)).await?;
            if shown(&sync) {
                sync.answer().must(true, what, String::new)?;
                return Ok(sync);
            }
            if left == 0 {
                let expected = format!(
                    "within {} s, a /sync of {} that shows {what}",
                    self.hs.patience().as_secs(),
                    self.id()
                );
                return Err(Stop::unmet_by(sync.answer().exchange(), expected, "none of them did"));
            }
        }
    }

    /// Puts a one-shot `/sync` again until it shows the mark by which the test knows that the stream has reached what was
    /// written before: a server may answer a write a moment earlier. All else is then required of that very answer.
    ///
    /// The caller leaves `timeout` out. Every repetition has another one, of a few milliseconds, so that no cache of
    /// identical requests answers it.
    pub async fn sync_showing(
        &self,
        what: &str,
        ask: impl Fn() -> Call<Sync>,
        shown: impl Fn(&Sync) -> bool,
    ) -> Result<Sync, Stop> {
        let repetition = AtomicU32::new(1);
        let ask = || {
            let timeout_ms = repetition.fetch_add(1, Ordering::Relaxed);
            ask().query("timeout", timeout_ms.to_string()).reading(Ok)
        };
        let answer = self.hs.eventually(what, ask, |answer| shown(&Sync::new(answer.clone()))).await?;
        Ok(Sync::new(answer))
    }

    /// Waits until a `/sync` shows this event in the timeline of a joined room.
    pub async fn sees_event(&self, room: &str, event_id: &str) -> Result<Sync, Stop> {
        self.sees(event_id, |sync| sync.has_event(room, event_id)).await
    }

    /// Waits until a `/sync` shows this membership of a user in a joined room.
    pub async fn sees_membership(&self, room: &str, user: &User, membership: &str) -> Result<Sync, Stop> {
        let what = format!("the membership {membership} of {}", user.id());
        self.sees(&what, |sync| sync.has_membership(room, user.id(), membership)).await
    }

    /// Leaves a mark in a joined room and waits until a `/sync` shows it: the user's place in the stream is then behind
    /// everything that was sent before.
    pub async fn catches_up(&self, room: &str) -> Result<Sync, Stop> {
        let mark = self.send(room, "org.determinant.mark", json!({})).await?;
        self.sees_event(room, &mark).await
    }

    /// Requires that no `/sync` shows it up to a mark that the user sets now: everything that others did before has
    /// reached the user by then, if it reaches the user at all. `what` completes "no /sync that shows …".
    pub async fn must_never_see(&self, what: &str, shown: impl Fn(&Sync) -> bool) -> Verdict {
        let mark = self.hs.unique();
        self.put(self.own_path("/account_data/org.determinant.mark"), json!({"mark": mark})).await?;
        let deadline = Instant::now() + self.hs.patience();
        while Instant::now() < deadline {
            let sync = self.sync_within(1_000).await?;
            sync.answer()
                .must(!shown(&sync), format!("no /sync that shows {what}"), || "one that does".to_owned())?;
            let marked =
                |event: &&Value| event["type"] == "org.determinant.mark" && event["content"]["mark"] == mark;
            if sync.account_data().iter().any(|event| marked(&event)) {
                return Ok(());
            }
        }
        let expected = "global account data in a /sync of its owner (the mark that ends this observation)";
        Err(Stop::unmet(expected, "none within the time limit"))
    }

    /// The token of the user's place in the sync stream.
    pub fn position(&self) -> Option<String> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn sync_within(&self, timeout_ms: u128) -> Result<Sync, Stop> {
        let mut request = self.sync_request();
        if let Some(since) = self.position() {
            request = request.query("since", since).query("timeout", timeout_ms.to_string());
        }
        let sync = request.await?;
        self.move_to(&sync)?;
        Ok(sync)
    }

    fn move_to(&self, sync: &Sync) -> Verdict {
        let next = sync.answer().must_have_text("/next_batch")?;
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(())
    }
}
