//! The homeserver under test, as one test sees it.

use std::{sync::Arc, time::Duration};

use http::Method;
use protocol::RoomVersion;
use tokio::{sync::RwLockReadGuard, time::Instant};

use super::{Answer, Call, User};
use crate::{judge::Judge, scene::Scene, target::Target, trial::Trial, verdict::Stop};

/// How long a question rests before it is put again.
const PAUSE: Duration = Duration::from_millis(50);

/// The homeserver under test. Cheap to clone; every test has its own scene.
#[derive(Clone, Debug)]
pub struct Homeserver {
    trial: Arc<Trial>,
    scene: Arc<Scene>,
}

impl Homeserver {
    pub(crate) fn new(trial: Arc<Trial>, scene: Arc<Scene>) -> Self {
        Homeserver { trial, scene }
    }

    /// The same server with another scene.
    pub(crate) fn with_scene(&self, scene: Arc<Scene>) -> Self {
        Homeserver { trial: self.trial.clone(), scene }
    }

    pub(crate) fn trial(&self) -> &Arc<Trial> {
        &self.trial
    }

    pub(crate) fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// The server name: the domain of its user ids.
    pub fn name(&self) -> &str {
        &self.trial.server_name
    }

    /// What the target file says of it.
    pub fn target(&self) -> &Target {
        &self.trial.target
    }

    /// What the run saw of every operation so far.
    pub fn judge(&self) -> &Judge {
        &self.trial.judge
    }

    /// Stops it and starts it again, once nobody is left who must not be interrupted. A server that does not come up again has lost
    /// what it was given.
    pub(crate) async fn restart(&self) -> Result<(), Stop> {
        self.target().restart().await.map_err(|error| Stop::Fault(error.to_string()))
    }

    /// As long as it is kept, nobody restarts it.
    pub(crate) async fn uninterrupted(&self) -> RwLockReadGuard<'_, ()> {
        self.target().uninterrupted.read().await
    }

    /// How long a test waits for something to be observed.
    pub fn patience(&self) -> Duration {
        self.trial.patience
    }

    /// Puts a question again until the answer shows it, where the server may take a moment and there is no `/sync` to
    /// wait for; `what` completes the sentence "an answer that shows …".
    pub async fn eventually(
        &self,
        what: &str,
        ask: impl Fn() -> Call,
        shown: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, Stop> {
        let deadline = Instant::now() + self.patience();
        loop {
            let answer = ask().await?;
            let holds = shown(&answer);
            if holds || Instant::now() > deadline {
                let expected = format!("within {} s, an answer that shows {what}", self.patience().as_secs());
                answer.must(holds, expected, || "none that did".to_owned())?;
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Puts a question for a page of events again until the page holds this event.
    pub async fn page_with(&self, event_id: &str, ask: impl Fn() -> Call) -> Result<Answer, Stop> {
        self.eventually(event_id, ask, |page| page.event_ids("/chunk").contains(&event_id)).await
    }

    /// A number that no other caller of this run gets, for names that must be unique.
    pub fn unique(&self) -> String {
        self.trial.unique()
    }

    /// A request without an access token; awaiting it requires a success.
    pub fn request(&self, method: Method, target: impl Into<String>) -> Call {
        Call::new(self.trial.client.clone(), self.scene.clone(), method, target.into())
    }

    /// GET without an access token.
    pub fn get(&self, target: impl Into<String>) -> Call {
        self.request(Method::GET, target)
    }

    /// POST without an access token.
    pub fn post(&self, target: impl Into<String>, body: serde_json::Value) -> Call {
        self.request(Method::POST, target).json(&body)
    }

    /// PUT without an access token.
    pub fn put(&self, target: impl Into<String>, body: serde_json::Value) -> Call {
        self.request(Method::PUT, target).json(&body)
    }

    /// A new user, logged in, whose localpart begins with the run's prefix.
    pub async fn user(&self, name: &str) -> Result<User, Stop> {
        self.trial.registrar.register(self, name).await
    }

    /// A new administrator of the server, logged in; the test does not apply where the target has no way to make one.
    pub async fn administrator(&self) -> Result<User, Stop> {
        self.trial.registrar.register_administrator(self).await
    }

    /// New users, logged in, registered at the same time.
    pub async fn users<const N: usize>(&self) -> Result<[User; N], Stop> {
        const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi"];
        let registrations = (0..N).map(|number| self.user(NAMES[number % NAMES.len()]));
        let users = futures_util::future::try_join_all(registrations).await?;
        users
            .try_into()
            .map_err(|_| Stop::Fault("the number of users is not the number asked for".to_owned()))
    }

    /// The room versions that the server offers: `client-server-api/#mroom_versions-capability`.
    pub fn offers_room_version(&self, version: &RoomVersion) -> bool {
        self.trial.room_versions.iter().any(|offered| offered == version.id)
    }

    /// Stops the test where the server does not offer the room version.
    pub fn must_offer(&self, version: &RoomVersion) -> Result<(), Stop> {
        if self.offers_room_version(version) {
            return Ok(());
        }
        Err(Stop::NotApplicable(format!("the server does not offer room version {}", version.id)))
    }

    /// The default room version of the server.
    pub fn default_room_version(&self) -> &str {
        &self.trial.default_room_version
    }
}
