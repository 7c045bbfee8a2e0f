//! Where the neighbours of a launched server listen: its configuration has to name them before they are there.

use std::{
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

use super::{TargetError, process::port};

/// Listeners on loopback, each of which is taken once.
#[derive(Debug)]
pub struct Neighbours {
    application_service: Place,
    mail: Place,
    text_messages: Place,
    openid: Place,
}

#[derive(Debug)]
struct Place {
    port: u16,
    listener: Mutex<Option<TcpListener>>,
}

impl Neighbours {
    /// Holds a free port for each.
    pub(super) fn prepare() -> Result<Self, TargetError> {
        Ok(Neighbours {
            application_service: Place::free()?,
            mail: Place::free()?,
            text_messages: Place::free()?,
            openid: Place::free()?,
        })
    }

    /// The variables that name them.
    pub(super) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("application_service_port", self.application_service.port.to_string()),
            ("mail_port", self.mail.port.to_string()),
            ("text_message_port", self.text_messages.port.to_string()),
            ("openid_port", self.openid.port.to_string()),
        ]
    }

    /// Where the application service listens.
    pub(crate) fn application_service(&self) -> Option<TcpListener> {
        self.application_service.take()
    }

    /// Where the mail relay listens.
    pub(crate) fn mail(&self) -> Option<TcpListener> {
        self.mail.take()
    }

    /// Where the gateway for text messages listens.
    pub(crate) fn text_messages(&self) -> Option<TcpListener> {
        self.text_messages.take()
    }

    /// Where the OpenID provider listens, and its port.
    pub(crate) fn openid(&self) -> Option<(TcpListener, u16)> {
        self.openid.take().map(|listener| (listener, self.openid.port))
    }
}

impl Place {
    fn free() -> Result<Self, TargetError> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .map_err(|error| TargetError::Unreachable(format!("no port for a neighbour: {error}")))?;
        Ok(Place { port: port(&listener)?, listener: Mutex::new(Some(listener)) })
    }

    fn take(&self) -> Option<TcpListener> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
