//! The set that all contracts of a run share: users and a room, built when the first contract asks for them.

use std::time::Duration;

use serde_json::json;
use tokio::sync::OnceCell;

use crate::{
    cast::{Homeserver, User},
    scene::Scene,
    verdict::Stop,
};

/// The shared set. Contracts may look at it but change nothing of it.
#[derive(Debug, Default)]
pub struct Stage {
    set: OnceCell<Result<Set, Stop>>,
}

/// What stands on the shared set.
#[derive(Clone, Debug)]
pub struct Set {
    /// Owns the room.
    pub alice: User,
    /// Is a member of nothing.
    pub bob: User,
    /// A public room of alice.
    pub room: String,
    /// The alias of the room.
    pub alias: String,
    /// A message in the room.
    pub event: String,
}

impl Stage {
    /// The set; built at the first call. Its calls show up in the scene of no test.
    pub async fn set(&self, hs: &Homeserver) -> Result<Set, Stop> {
        let build = || async {
            let apart = hs.with_scene(Scene::new(Duration::from_secs(120)));
            Set::build(&apart).await
        };
        let set = self.set.get_or_init(build).await.clone()?;
        Ok(Set { alice: set.alice.on(hs.clone()), bob: set.bob.on(hs.clone()), ..set })
    }
}

impl Set {
    async fn build(hs: &Homeserver) -> Result<Self, Stop> {
        let [alice, bob] = hs.users().await?;
        let alias_localpart = format!("{}-stage", alice.localpart());
        let room = alice.create_room(json!({"preset": "public_chat", "room_alias_name": alias_localpart})).await?;
        let event = alice.say(&room, "the shared stage").await?;
        let alias = format!("#{alias_localpart}:{}", hs.name());
        Ok(Set { alice, bob, room, alias, event })
    }
}
