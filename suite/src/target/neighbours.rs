//! Where the neighbours of a launched server listen: its configuration has to name them before they are there.

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::Path,
    sync::{Mutex, PoisonError},
};

use super::{Names, TargetError, Whereabouts, process::port};

/// Listeners where the server reaches them, each of which is taken once.
#[derive(Debug)]
pub struct Neighbours {
    whereabouts: Whereabouts,
    application_service: Place,
    mail: Place,
    text_messages: Place,
    openid: Place,
    captcha: Place,
    turn: TurnPlace,
    names: Names,
}

/// Where the TURN server of a run listens, by UDP on loopback, and what it shares with the homeserver, which only passes on to
/// clients where it is.
#[derive(Debug)]
pub(crate) struct TurnPlace {
    port: u16,
    secret: String,
    /// Keeps the port until the server takes it.
    socket: Mutex<Option<UdpSocket>>,
}

#[derive(Debug)]
struct Place {
    port: u16,
    listener: Mutex<Option<TcpListener>>,
}

impl Neighbours {
    /// Holds a free port for each.
    pub(super) fn prepare(whereabouts: Whereabouts) -> Result<Self, TargetError> {
        let place = || Place::free(&whereabouts);
        Ok(Neighbours {
            application_service: place()?,
            mail: place()?,
            text_messages: place()?,
            openid: place()?,
            captcha: place()?,
            turn: TurnPlace::free()?,
            names: Names::open()?,
            whereabouts,
        })
    }

    /// The variables that name them.
    pub(super) fn variables(&self) -> [(&'static str, String); 10] {
        [
            ("run_host", self.whereabouts.plain_name().to_owned()),
            ("application_service_port", self.application_service.port.to_string()),
            ("mail_port", self.mail.port.to_string()),
            ("text_message_port", self.text_messages.port.to_string()),
            ("openid_port", self.openid.port.to_string()),
            ("captcha_port", self.captcha.port.to_string()),
            ("turn_port", self.turn.port.to_string()),
            ("turn_secret", self.turn.secret.clone()),
            ("nameserver", self.names.address().to_string()),
            ("https_port", self.names.https_port().to_string()),
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

    /// Where the captcha service listens.
    pub(crate) fn captcha(&self) -> Option<TcpListener> {
        self.captcha.take()
    }

    /// Where the OpenID provider listens, and its issuer.
    pub(crate) fn openid(&self) -> Option<(TcpListener, String)> {
        let issuer = format!("http://{}:{}", self.whereabouts.plain_name(), self.openid.port);
        self.openid.take().map(|listener| (listener, issuer))
    }
}

impl Neighbours {
    /// Where the TURN server listens, once it is started.
    pub(crate) fn turn(&self) -> &TurnPlace {
        &self.turn
    }

    /// The names of the run, of which the server only knows where it asks for them.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

impl TurnPlace {
    fn free() -> Result<Self, TargetError> {
        let failed =
            |error| TargetError::Unreachable(format!("no port for the TURN server of the run: {error}"));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = socket.local_addr().map_err(failed)?.port();
        let secret = format!("{:032x}", rand::random::<u128>());
        Ok(TurnPlace { port, secret, socket: Mutex::new(Some(socket)) })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Gives the port away: the server is about to listen there.
    pub(crate) fn release(&self) {
        drop(self.socket.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// What coturn is told. All that it writes goes to this folder.
    pub(crate) fn configuration(&self, folder: &Path) -> String {
        let TurnPlace { port, secret, .. } = self;
        let folder = folder.display();
        format!(
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\nrealm=determinant\n\
             use-auth-secret\nstatic-auth-secret={secret}\nno-tcp\nno-tls\nno-dtls\nno-cli\nrelay-threads=1\n\
             log-file=stdout\nuserdb={folder}/turndb\npidfile={folder}/turnserver.pid\n"
        )
    }
}

impl Place {
    fn free(whereabouts: &Whereabouts) -> Result<Self, TargetError> {
        let listener = whereabouts
            .listener()
            .map_err(|error| TargetError::Unreachable(format!("no port for a neighbour: {error}")))?;
        Ok(Place { port: port(&listener)?, listener: Mutex::new(Some(listener)) })
    }

    fn take(&self) -> Option<TcpListener> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
