//! A way to a server that can be closed.

use std::{net::IpAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use url::Url;

use crate::verdict::Stop;

/// A listener by which others know a server, and which passes on to it what they say, unless it is closed.
#[derive(Debug)]
pub(super) struct Gate {
    port: u16,
    is_open: watch::Sender<bool>,
    listener: Option<TcpListener>,
    porter: Option<JoinHandle<()>>,
}

impl Gate {
    /// A gate at this address that leads nowhere yet; port 0 takes a free one.
    pub(super) async fn build(at: (IpAddr, u16)) -> Result<Self, Stop> {
        let fault = |error: std::io::Error| Stop::Fault(format!("no gate: {error}"));
        let listener = TcpListener::bind(at).await.map_err(fault)?;
        let port = listener.local_addr().map_err(fault)?.port();
        Ok(Gate { port, is_open: watch::Sender::new(true), listener: Some(listener), porter: None })
    }

    /// The port by which others know the server.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Leads to a server from now on.
    pub(super) fn lead_to(&mut self, server: &Url) {
        let Some(listener) = self.listener.take() else { return };
        let host: Arc<str> = server.host_str().unwrap_or("localhost").into();
        let port = server.port_or_known_default().unwrap_or(8448);
        let is_open = self.is_open.subscribe();
        self.porter = Some(tokio::spawn(async move {
            while let Ok((visitor, _)) = listener.accept().await {
                let (host, is_open) = (Arc::clone(&host), is_open.clone());
                tokio::spawn(async move { pass(visitor, &host, port, is_open).await });
            }
        }));
    }

    /// Closes it: connections break off, and no new one lasts.
    pub(super) fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// Opens it again.
    pub(super) fn open(&self) {
        self.is_open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
        if let Some(porter) = &self.porter {
            porter.abort();
        }
    }
}

/// Passes a visitor on until either side ends, or the gate is closed.
async fn pass(mut visitor: TcpStream, host: &str, port: u16, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect((host, port)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut visitor, &mut server) => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
}
