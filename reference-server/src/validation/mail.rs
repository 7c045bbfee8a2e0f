//! E-mail.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::submit_url;
use crate::config;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::server::StartError;
use crate::store::validations::Validation;

/// The way to the relay.
#[derive(Debug)]
pub(crate) struct Mailer {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// A relay and a sender, from the configuration.
    pub(crate) fn new(settings: &config::Mail) -> Result<Self, StartError> {
        let invalid = |what: &str, reason: String| StartError::Mail(format!("{what}: {reason}"));
        let from = settings.from.parse().map_err(|error| invalid("from", format!("{error}")))?;
        let relay = AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.relay)
            .map_err(|error| invalid("relay", error.to_string()))?;
        Ok(Self { relay: relay.build(), from })
    }

    async fn send(&self, to: &str, subject: String, text: String) -> Result<(), String> {
        let to = to.parse().map_err(|error| format!("{error}"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| error.to_string())?;
        self.relay.send(message).await.map(drop).map_err(|error| error.to_string())
    }
}

/// Sends a link that gives the token back.
pub(super) async fn send_token(
    server: &Homeserver,
    validation: &Validation,
    token: &str,
) -> Result<(), MatrixError> {
    let Some(mailer) = &server.mailer else { return Err(MatrixError::internal("there is no mail relay")) };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let link = format!(
        "{}?sid={}&client_secret={}&token={token}",
        submit_url(server, validation.address.medium),
        encoded(&validation.session),
        encoded(&validation.client_secret),
    );
    let name = server.name();
    let text = format!(
        "Somebody, you we hope, wants to use this address on {name}.\r\n\r\nTo confirm that it is yours, open\r\n\r\n\
         {link}\r\n\r\nIf it was not you, do nothing.\r\n"
    );
    let sent =
        mailer.send(&validation.address.address, format!("Confirm your address on {name}"), text).await;
    sent.map_err(|reason| MatrixError::internal(format!("mail relay: {reason}")))
}
