//! What all requests share.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::keys::SigningKey;
use tokio::sync::watch;

use crate::application_service::ApplicationServices;
use crate::client::oauth::Grants;
use crate::client::registration_by_secret::Nonces;
use crate::client::sso_client_login::Logins;
use crate::client::syncing::ToldMembers;
use crate::client::user_interactive_authentication::Challenges;
use crate::clock::now_ms;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::federation::key_server::KeyCache;
use crate::federation::spaces::Hierarchies;
use crate::federation::transactions::Received;
use crate::media::Contents;
use crate::outgoing::Outgoing;
use crate::password::Cost;
use crate::presence::Presences;
use crate::preview::Previews;
use crate::rate_limits::RateLimits;
use crate::server::StartError;
use crate::store::{Store, events, server};
use crate::stream::Stream;
use crate::timeline::{Timeline, Timelines};
use crate::typing::Typing;
use crate::unread::Unread;
use crate::validation::Mailer;

/// One homeserver: its name, its keys, what it keeps, and what is in the air.
#[derive(Debug)]
pub(crate) struct Homeserver {
    /// What it was told at its start.
    pub(crate) config: Config,
    /// The address clients are told to use.
    pub(crate) base_url: String,
    /// What it signs events and requests with.
    pub(crate) signing_key: SigningKey,
    /// What it keeps.
    pub(crate) store: Store,
    /// The bytes of media.
    pub(crate) contents: Contents,
    /// The way to other servers.
    pub(crate) outgoing: Outgoing,
    /// The way to what the operator has named: it may be on this machine, or in its network.
    pub(crate) trusted: reqwest::Client,
    /// The application services.
    pub(crate) application_services: ApplicationServices,
    /// The way to people's mailboxes, if there is one.
    pub(crate) mailer: Option<Mailer>,
    /// The keys of other servers.
    pub(crate) keys: KeyCache,
    /// What other servers have told of their spaces.
    pub(crate) hierarchies: Hierarchies,
    /// What other servers have sent last.
    pub(crate) received: Received,
    /// What is sent to other servers.
    pub(crate) delivery: Delivery,
    /// The rooms.
    pub(crate) timelines: Timelines,
    /// Where everything that happens is placed.
    pub(crate) stream: Arc<Stream>,
    /// Who is typing.
    pub(crate) typing: Typing,
    /// Who is there.
    pub(crate) presences: Presences,
    /// What the pages say that users have asked about.
    pub(crate) previews: Previews,
    /// How much users have not read.
    pub(crate) unread: Unread,
    /// The members that devices which load them lazily have been told of.
    pub(crate) told_members: ToldMembers,
    /// User-interactive authentication that has begun.
    pub(crate) challenges: Challenges,
    /// What users have allowed clients, and these have not fetched yet.
    pub(crate) grants: Grants,
    /// Logins at identity providers that have begun.
    pub(crate) logins: Logins,
    /// Registration by the operator's secret that has begun.
    pub(crate) nonces: Nonces,
    /// How often somebody may ask.
    pub(crate) rate_limits: RateLimits,
    /// Turns true when the server is to end; who waits for something stops waiting.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Homeserver {
    /// Opens the store and finds or makes what is in it.
    pub(crate) async fn open(
        config: Config,
        base_url: String,
        delivery: Delivery,
        closing: watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let store = Store::open(config.data.as_deref(), config.durability)?;
        let contents = Contents::open(config.data.as_deref())?;
        claim_name(&store, &config.server_name).await?;
        let signing_key = signing_key(&store).await?;
        let (timelines, last) = store.read(|c| Ok((Timelines::load(c)?, events::last_position(c)?))).await?;
        let trusted = Outgoing::trusted(&config.outgoing)?;
        // Typing notices and presence take places that nothing keeps. The clock is ahead of them, so that
        // a token from before a restart never stands for something that it has not seen.
        let last = if config.data.is_some() { last.max(now_ms()) } else { last };
        Ok(Self {
            base_url,
            signing_key,
            store,
            contents,
            outgoing: Outgoing::new(&config.outgoing)?,
            application_services: ApplicationServices::read(
                &config.application_services,
                &config.server_name,
                &trusted,
            )?,
            trusted,
            mailer: config.mail.as_ref().map(Mailer::new).transpose()?,
            keys: KeyCache::default(),
            hierarchies: Hierarchies::default(),
            received: Received::default(),
            delivery,
            timelines,
            stream: Arc::new(Stream::after(last)),
            typing: Typing::default(),
            presences: Presences::default(),
            previews: Previews::default(),
            unread: Unread::default(),
            told_members: ToldMembers::default(),
            challenges: Challenges::default(),
            grants: Grants::default(),
            logins: Logins::default(),
            nonces: Nonces::default(),
            rate_limits: RateLimits::new(&config.rate_limits),
            closing,
            config,
        })
    }

    /// The name behind the colon.
    pub(crate) fn name(&self) -> &str {
        &self.config.server_name
    }

    /// The user id of a localpart here.
    pub(crate) fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name())
    }

    /// The other servers in a room.
    pub(crate) fn others_in(&self, room: &Timeline) -> BTreeSet<String> {
        let record = room.record();
        record.servers().filter(|name| *name != self.name()).map(str::to_owned).collect()
    }

    /// The other servers that share a room with a user.
    pub(crate) fn others_with(&self, user_id: &str) -> BTreeSet<String> {
        let mut others = self.timelines.servers_with(user_id);
        others.remove(self.name());
        others
    }

    /// The cost of a new password.
    pub(crate) fn password_cost(&self) -> Cost {
        let passwords = &self.config.passwords;
        Cost { memory_kib: passwords.memory_kib, iterations: passwords.iterations }
    }
}

/// A database belongs to one server name for ever: its ids carry the name.
async fn claim_name(store: &Store, name: &str) -> Result<(), StartError> {
    match store.read(|connection| server::get(connection, "name")).await? {
        Some(owner) if owner == name => Ok(()),
        Some(owner) => Err(StartError::OtherServersData { owner, name: name.to_owned() }),
        None => {
            let name = name.to_owned();
            Ok(store.write(move |connection| server::set(connection, "name", &name)).await?)
        }
    }
}

async fn signing_key(store: &Store) -> Result<SigningKey, StartError> {
    let kept = store.read(|c| Ok((server::get(c, "key_version")?, server::get(c, "key_seed")?))).await?;
    if let (Some(version), Some(seed)) = kept {
        return Ok(SigningKey::from_base64_seed(&version, &seed)?);
    }
    let key = SigningKey::generate(&crate::token::opaque(6))?;
    let (version, seed) = (key.id().version().to_owned(), key.to_base64_seed());
    store
        .write(move |connection| {
            server::set(connection, "key_version", &version)?;
            server::set(connection, "key_seed", &seed)
        })
        .await?;
    Ok(key)
}
