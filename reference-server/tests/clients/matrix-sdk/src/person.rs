//! Somebody with a client that keeps what it hears.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use matrix_sdk::config::SyncSettings;
use matrix_sdk::deserialized_responses::EncryptionInfo;
use matrix_sdk::encryption::EncryptionSettings;
use matrix_sdk::ruma::api::client::account::register::v3::Request as Registration;
use matrix_sdk::ruma::api::client::uiaa::{AuthData, Dummy};
use matrix_sdk::ruma::events::room::message::{
    MessageType, OriginalSyncRoomMessageEvent, RoomMessageEventContent,
};
use matrix_sdk::ruma::{OwnedEventId, OwnedUserId, RoomId, TransactionId};
use matrix_sdk::{Client, Room, RoomState};

const PASSWORD: &str = "a password of this test";

/// How often everybody syncs before something that has to happen counts as not happening.
const ROUNDS: usize = 30;

/// How long a sync waits for news.
const WAIT: Duration = Duration::from_millis(300);

/// A person, on one device.
pub(crate) struct Person {
    pub(crate) client: Client,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A message, and whether it came encrypted.
#[derive(Clone)]
struct Heard {
    message: MessageType,
    decrypted: bool,
}

impl Person {
    /// A new account, and its first device, which sets up cross-signing.
    pub(crate) async fn arrives(homeserver: &str, name: &str) -> Result<Self> {
        let name = format!("{name}-{}", TransactionId::new().as_str().to_lowercase());
        let client = client(homeserver).await?;
        let mut registration = Registration::new();
        registration.username = Some(name.clone());
        registration.password = Some(PASSWORD.to_owned());
        registration.inhibit_login = true;
        let Err(challenge) = client.matrix_auth().register(registration.clone()).await else {
            bail!("registration asks for no authentication");
        };
        let challenge = challenge.as_uiaa_response().context("the stages of registration")?;
        let mut dummy = Dummy::new();
        dummy.session = challenge.session.clone();
        registration.auth = Some(AuthData::Dummy(dummy));
        client.matrix_auth().register(registration).await.context("registration")?;
        Self::with(client, &name).await
    }

    /// The same person on another device.
    pub(crate) async fn logs_in(&self, homeserver: &str) -> Result<Self> {
        Self::with(client(homeserver).await?, self.id().localpart()).await
    }

    async fn with(client: Client, name: &str) -> Result<Self> {
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let ears = Arc::clone(&heard);
        client.add_event_handler(
            move |event: OriginalSyncRoomMessageEvent, encryption: Option<EncryptionInfo>| {
                let message = Heard { message: event.content.msgtype, decrypted: encryption.is_some() };
                ears.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                std::future::ready(())
            },
        );
        let login = client.matrix_auth().login_username(name, PASSWORD);
        login.initial_device_display_name("matrix-sdk").await.context("login")?;
        client.encryption().wait_for_e2ee_initialization_tasks().await;
        let person = Self { client, heard };
        person.sync().await?;
        Ok(person)
    }

    pub(crate) fn id(&self) -> OwnedUserId {
        self.client.user_id().expect("logged in").to_owned()
    }

    pub(crate) async fn sync(&self) -> Result<()> {
        self.client.sync_once(SyncSettings::default().timeout(WAIT)).await.context("sync")?;
        Ok(())
    }

    /// A room that the person is in.
    pub(crate) fn joined(&self, room: &RoomId) -> Result<Room> {
        let found = self.client.get_room(room).filter(|room| room.state() == RoomState::Joined);
        found.with_context(|| format!("{} is not in {room}", self.id()))
    }

    pub(crate) async fn say(&self, room: &RoomId, message: RoomMessageEventContent) -> Result<OwnedEventId> {
        let sent = self.joined(room)?.send(message).await.context("a message")?;
        Ok(sent.response.event_id)
    }

    /// Whether the person has read this, and it had come encrypted.
    pub(crate) fn has_decrypted(&self, text: &str) -> bool {
        self.heard().iter().any(|heard| heard.decrypted && heard.message.body() == text)
    }

    /// The first file that came.
    pub(crate) fn file(&self) -> Option<MessageType> {
        self.heard()
            .into_iter()
            .map(|heard| heard.message)
            .find(|message| matches!(message, MessageType::File(_)))
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn client(homeserver: &str) -> Result<Client> {
    let settings = EncryptionSettings { auto_enable_cross_signing: true, ..EncryptionSettings::default() };
    let builder = Client::builder().homeserver_url(homeserver).with_encryption_settings(settings);
    builder.build().await.context("a client")
}

/// Everybody syncs until it holds.
pub(crate) async fn until(what: &str, people: &[&Person], holds: impl Fn() -> bool) -> Result<()> {
    for _ in 0..ROUNDS {
        if holds() {
            return Ok(());
        }
        for person in people {
            person.sync().await?;
        }
    }
    bail!("not within {ROUNDS} syncs: {what}")
}
