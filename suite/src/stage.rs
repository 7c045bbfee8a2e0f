//! The set that all contracts of a run share: users and rooms, built when the first contract asks for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    cast::{Answer, Homeserver, User},
    path,
    scene::Scene,
    verdict::{Stop, Verdict},
};

/// How long building the set, or answering one question for all, may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The shared set, and what was found out about the server for all contracts.
#[derive(Debug, Default)]
pub struct Stage {
    set: OnceCell<Result<Set, Stop>>,
    locked: OnceCell<Result<Sanctioned, Stop>>,
    suspended: OnceCell<Result<Sanctioned, Stop>>,
    answered: Mutex<HashMap<String, Arc<OnceCell<Verdict>>>>,
}

/// What stands on the shared set.
#[derive(Clone, Debug)]
pub struct Set {
    /// Owns the room. Contracts look at what is hers and change nothing of it.
    pub alice: User,
    /// Is a member of nothing.
    pub bob: User,
    /// Writes: whatever a contract changes, it changes in her name.
    pub carol: User,
    /// A token that was good until its session was logged out.
    pub logged_out: String,
    /// Where contracts read.
    pub alices: Estate,
    /// Where contracts write.
    pub carols: Estate,
    /// What is alice's, with a room of hers that guests may enter.
    pub open: Estate,
}

/// What an administrator has done to a user: `client-server-api/#account-moderation`.
#[derive(Clone, Copy, Debug)]
pub enum Sanction {
    /// The account cannot be used.
    Lock,
    /// The account cannot be used for what reaches others.
    Suspension,
}

/// A user who is locked or suspended, and what requests of theirs can name.
#[derive(Clone, Debug)]
pub struct Sanctioned {
    /// The user.
    pub user: User,
    /// What is the user's. Its event was sent by somebody else.
    pub estate: Estate,
    /// The same with a room that the user may join.
    pub open_to_them: Estate,
    /// The same with a room on which the user may knock.
    pub knockable: Estate,
}

/// What a user has, so that a request can name it.
#[derive(Clone, Debug)]
pub struct Estate {
    /// A public room.
    pub room: String,
    /// The alias of the room.
    pub alias: String,
    /// A message in the room.
    pub event: String,
    /// A filter.
    pub filter: String,
    /// A version of the key backup.
    pub backup: String,
    /// The media id of a small text.
    pub media: String,
    /// A token of the sync stream.
    pub batch: String,
}

impl Stage {
    /// The set; built at the first call. Its calls show up in the scene of no test.
    pub async fn set(&self, hs: &Homeserver) -> Result<Set, Stop> {
        let build = || async { Set::build(&hs.with_scene(Scene::new(LIMIT))).await };
        let set = self.set.get_or_init(build).await.clone()?;
        Ok(set.on(hs))
    }

    /// A user under that sanction, whom all contracts share.
    pub async fn sanctioned(&self, hs: &Homeserver, sanction: Sanction) -> Result<Sanctioned, Stop> {
        let shared = match sanction {
            Sanction::Lock => &self.locked,
            Sanction::Suspension => &self.suspended,
        };
        let build = || self.newly_sanctioned(hs, sanction);
        Ok(shared.get_or_init(build).await.clone()?.on(hs))
    }

    /// Another user under that sanction.
    pub async fn newly_sanctioned(&self, hs: &Homeserver, sanction: Sanction) -> Result<Sanctioned, Stop> {
        let set = self.set(hs).await?;
        let apart = hs.with_scene(Scene::new(LIMIT));
        Ok(Sanctioned::build(&apart, &set.on(&apart), sanction).await?.on(hs))
    }

    /// The answer to a question that many contracts ask. It is put once in the run, on a scene of its own.
    pub async fn once<F>(&self, question: &str, hs: &Homeserver, put: impl FnOnce(Homeserver) -> F) -> Verdict
    where
        F: Future<Output = Verdict>,
    {
        let answer = {
            let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            answered.entry(question.to_owned()).or_default().clone()
        };
        answer.get_or_init(|| put(hs.with_scene(Scene::new(LIMIT)))).await.clone()
    }
}

impl Set {
    async fn build(hs: &Homeserver) -> Result<Self, Stop> {
        let [alice, bob, carol, dave] = hs.users().await?;
        let (alices, carols) = tokio::try_join!(Estate::of(&alice), Estate::of(&carol))?;
        dave.post("/_matrix/client/v3/logout", json!({})).await?;
        let room = alice.create_room(open_room()).await?;
        let event = alice.say(&room, "the open stage").await?;
        let open = Estate { room, event, ..alices.clone() };
        Ok(Set { logged_out: dave.token().to_owned(), alice, bob, carol, alices, carols, open })
    }

    /// The same set in the scene of another test.
    fn on(self, hs: &Homeserver) -> Self {
        let on = |user: &User| user.on(hs.clone());
        Set { alice: on(&self.alice), bob: on(&self.bob), carol: on(&self.carol), ..self }
    }
}

impl Sanctioned {
    async fn build(hs: &Homeserver, set: &Set, sanction: Sanction) -> Result<Self, Stop> {
        let administrator = hs.administrator().await?;
        let user = hs.user("trudy").await?;
        let mut estate = Estate::of(&user).await?;
        set.carol.join(&estate.room).await?;
        estate.event = set.carol.say(&estate.room, "not the user's own").await?;
        let knocking =
            json!([{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}]);
        let door = set.carol.create_room(json!({"initial_state": knocking})).await?;
        let (action, body) = match sanction {
            Sanction::Lock => ("lock", json!({"locked": true})),
            Sanction::Suspension => ("suspend", json!({"suspended": true})),
        };
        administrator.put(path!("/_matrix/client/v1/admin/{}/{}", action, user.id()), body).await?;
        Ok(Sanctioned {
            open_to_them: Estate { room: set.alices.room.clone(), ..estate.clone() },
            knockable: Estate { room: door, ..estate.clone() },
            user,
            estate,
        })
    }

    /// The same in the scene of another test.
    fn on(self, hs: &Homeserver) -> Self {
        Sanctioned { user: self.user.on(hs.clone()), ..self }
    }
}

impl Estate {
    async fn of(user: &User) -> Result<Self, Stop> {
        let alias = format!("{}-stage", user.localpart());
        let room = user.create_room(json!({"preset": "public_chat", "room_alias_name": alias})).await?;
        let event = user.say(&room, "the shared stage").await?;
        let batch = user.initial_sync().await?.next_batch().to_owned();
        let filter = user.post(user.own_path("/filter"), json!({})).answer().await?;
        let backup = Self::new_backup(user).await?;
        let upload = user.request(Method::POST, "/_matrix/media/v3/upload");
        let upload = upload.header("content-type", "text/plain").bytes("the shared stage").answer().await?;
        user.put(user.own_path("/account_data/org.determinant.stage"), json!({"shared": true}))
            .answer()
            .await?;
        Ok(Estate {
            alias: format!("#{alias}:{}", user.homeserver().name()),
            filter: word(&filter, "/filter_id"),
            media: word(&upload, "/content_uri"),
            room,
            event,
            backup,
            batch,
        })
    }

    /// The version of a new key backup of the user.
    pub async fn new_backup(user: &User) -> Result<String, Stop> {
        let backup = json!({"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": PUBLIC_KEY}});
        Ok(word(&user.post("/_matrix/client/v3/room_keys/version", backup).answer().await?, "/version"))
    }
}

/// `client-server-api/#guest-access`
fn open_room() -> Value {
    json!({
        "preset": "public_chat",
        "initial_state": [
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "can_join"}},
            {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "world_readable"}},
        ],
    })
}

/// A Curve25519 public key in unpadded base64; nobody has its private half.
const PUBLIC_KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo";

/// The last segment of what stands there. A server that does not serve the operation gives none; requests then name
/// something that does not exist.
fn word(answer: &Answer, pointer: &str) -> String {
    let found = answer.at(pointer).as_str().and_then(|found| found.rsplit('/').next());
    found.unwrap_or("determinant").to_owned()
}
