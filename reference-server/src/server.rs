//! Starting and ending a server: its listeners, and nothing about Matrix.

mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::middleware;
use axum::serve::ListenerExt;
use protocol::identifiers::{IdentifierError, ServerName};
use protocol::keys::KeyError;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::delivery::Delivery;
use crate::homeserver::Homeserver;
use crate::request::read_remainder;
use crate::store::StoreError;
use crate::{application_service, client, delivery, federation, misbehave, presence, pusher};

/// Starts a server. It answers when this returns.
///
/// # Errors
/// When the name is none, a listener's address is taken, the certificate can not be used, or the
/// data folder can not be opened or belongs to another server.
pub async fn start(config: Config) -> Result<Running, StartError> {
    ServerName::parse(&config.server_name)
        .map_err(|source| StartError::Name { name: config.server_name.clone(), source })?;
    if !config.misbehave.is_empty() {
        misbehave::commit(&config.misbehave);
    }
    let client = listen(config.client.listen).await?;
    let client_address = client.local_addr()?;
    let federation = match &config.federation {
        None => None,
        Some(settings) => Some(tls::Listener::start(listen(settings.listen).await?, settings)?),
    };
    let federation_address = federation.as_ref().map(tls::Listener::address);

    let base_url = config.client.base_url.clone().unwrap_or_else(|| format!("http://{client_address}"));
    let (close, closing) = watch::channel(false);
    let (delivery, outlet) = Delivery::new();
    let server = Arc::new(Homeserver::open(config, base_url, delivery, closing.clone()).await?);

    tokio::spawn(presence::watch(Arc::downgrade(&server)));
    pusher::start_all(&server).await?;
    delivery::start(&server, outlet).await?;
    client::register_senders(&server).await?;
    client::sso_client_login::keep_icons(&server).await?;
    application_service::start_all(&server);
    let mut tasks = JoinSet::new();
    let client = client.tap_io(|stream| {
        // Answers are small and waited for: never hold one back to fill a packet.
        let _ = stream.set_nodelay(true);
    });
    let router = client::router(&server).layer(middleware::from_fn(read_remainder));
    let with_addresses = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(client, with_addresses).with_graceful_shutdown(end(closing.clone()));
    tasks.spawn(told(served.into_future()));
    if let Some(federation) = federation {
        let router = federation::router(&server).layer(middleware::from_fn(read_remainder));
        let served = axum::serve(federation, router).with_graceful_shutdown(end(closing));
        tasks.spawn(told(served.into_future()));
    }
    Ok(Running { client_address, federation_address, close, tasks })
}

/// A server that is up. Dropped, it ends at once; [`Running::shut_down`] lets it finish its answers.
#[derive(Debug)]
pub struct Running {
    client_address: SocketAddr,
    federation_address: Option<SocketAddr>,
    close: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Where clients come in, with the port that was really taken.
    pub fn client_address(&self) -> SocketAddr {
        self.client_address
    }

    /// Where other servers come in, if they do.
    pub fn federation_address(&self) -> Option<SocketAddr> {
        self.federation_address
    }

    /// Takes no more connections, answers the requests that are there, and ends.
    pub async fn shut_down(mut self) {
        let _ = self.close.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Address { address, source })
}

/// Waits until the server is to end. An error means that it was dropped, which is an end as well.
async fn end(mut closing: watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Logs why a listener ended, if it was not asked to.
async fn told(served: impl Future<Output = io::Result<()>>) {
    if let Err(error) = served.await {
        tracing::error!("listener ended: {error}");
    }
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The server name is not in the grammar.
    #[error("{name:?} can not be a server name: {source}")]
    Name {
        /// The name.
        name: String,
        /// The rule that it breaks.
        source: IdentifierError,
    },
    /// A listener's address can not be had.
    #[error("can not listen on {address}: {source}; choose another address or port 0 for a free one")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate or its key can not be used.
    #[error("certificate {}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data folder belongs to a server of another name.
    #[error("data folder belongs to {owner}, this server is {name}: use another folder")]
    OtherServersData {
        /// Whose data it is.
        owner: String,
        /// The name that was asked for.
        name: String,
    },
    /// The registration of an application service can not be used.
    #[error("application service {}: {reason}", path.display())]
    ApplicationService {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The icon of an identity provider is none.
    #[error("identity provider {0:?}: its icon must be a data URL such as data:image/png;base64,…")]
    Icon(String),
    /// E-mail can not be sent this way.
    #[error("mail: {0}")]
    Mail(String),
    /// The data folder can not be opened.
    #[error("{0}")]
    Data(String),
    /// The signing key can not be made or is damaged.
    #[error("signing key: {0}")]
    Key(#[from] KeyError),
    /// The operating system refused something else.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Data(error.to_string())
    }
}
