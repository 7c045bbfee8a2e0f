//! Proving that somebody reads what is sent to an address: a token goes there and comes back.
//!
//! The sessions are those of identity servers (identity-service-api/#establishing-associations); this server validates
//! the addresses of its own accounts itself.

mod canonical;
mod mail;
mod text_message;

use crate::clock::now_ms;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::store::addresses::{Address, Medium};
use crate::store::validations::{self, Validation};
use crate::token;

pub(crate) use self::canonical::{email, msisdn};
pub(crate) use self::mail::Mailer;

/// How long after its last modification a session can be used (identity-service-api/#establishing-associations).
const LIFETIME_MS: i64 = 24 * 60 * 60 * 1000;

/// Wrong tokens that a session bears: a token of six digits must not be found by trying.
const MAX_FAILURES: i64 = 10;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Request {
    /// The address.
    pub(crate) address: Address,
    /// The client's secret.
    pub(crate) client_secret: String,
    /// A number that grows with every wish to have the token sent again.
    pub(crate) send_attempt: i64,
    /// Where a browser goes from the link.
    pub(crate) next_link: Option<String>,
}

/// Whether anything can be sent to addresses of a medium.
pub(crate) fn is_offered(server: &Homeserver, medium: Medium) -> bool {
    match medium {
        Medium::Email => server.mailer.is_some(),
        Medium::Msisdn => server.config.text_messages.is_some(),
    }
}

/// Whether accounts may have an address.
pub(crate) fn is_permitted(server: &Homeserver, Address { medium, address }: &Address) -> bool {
    let (mail, text_messages) = (&server.config.mail, &server.config.text_messages);
    match medium {
        Medium::Email => {
            let domain = address.rsplit('@').next().unwrap_or_default();
            !mail.iter().any(|mail| mail.refused_domains.iter().any(|refused| refused == domain))
        }
        Medium::Msisdn => {
            let begins = |refused: &String| address.starts_with(refused);
            !text_messages.iter().any(|gateway| gateway.refused_prefixes.iter().any(begins))
        }
    }
}

/// Sends a token, unless this attempt or a later one has been made already, and gives the id of the session.
pub(crate) async fn begin(server: &Homeserver, request: Request) -> Result<String, MatrixError> {
    let now_ms = now_ms();
    let (secret, address) = (request.client_secret.clone(), request.address.clone());
    let known = server.store.read(move |c| validations::of_address(c, &secret, &address)).await?;
    let known = known.filter(|known| known.modified_ms + LIFETIME_MS > now_ms);
    if let Some(known) = &known
        && known.send_attempt >= request.send_attempt
    {
        return Ok(known.session.clone());
    }
    let token = match request.address.medium {
        Medium::Email => token::opaque(24),
        Medium::Msisdn => token::digits(6),
    };
    let validation = Validation {
        session: known.map_or_else(|| token::opaque(24), |known| known.session),
        client_secret: request.client_secret,
        address: request.address,
        token_digest: token::digest(&token),
        send_attempt: request.send_attempt,
        next_link: request.next_link,
        modified_ms: now_ms,
        validated_ms: None,
        failures: 0,
    };
    let (session, kept) = (validation.session.clone(), validation.clone());
    // Kept before it is sent: the token may come back at once.
    server
        .store
        .write(move |connection| {
            validations::forget_before(connection, now_ms - LIFETIME_MS)?;
            validations::set(connection, &kept)
        })
        .await?;
    match validation.address.medium {
        Medium::Email => mail::send_token(server, &validation, &token).await?,
        Medium::Msisdn => text_message::send_token(server, &validation, &token).await?,
    }
    Ok(session)
}

/// Takes a token that came back; gives the session if it was the right one.
pub(crate) async fn submit(
    server: &Homeserver,
    session: &str,
    client_secret: &str,
    token: &str,
) -> Result<Option<Validation>, MatrixError> {
    let digest = token::digest(token);
    let (session, client_secret) = (session.to_owned(), client_secret.to_owned());
    let now_ms = now_ms();
    let validation = server
        .store
        .write(move |connection| {
            let Some(mut validation) = validations::find(connection, &session, &client_secret)? else {
                return Ok(None);
            };
            if validation.failures >= MAX_FAILURES || validation.modified_ms + LIFETIME_MS <= now_ms {
                return Ok(None);
            }
            let is_right = validation.token_digest == digest;
            if !is_right {
                validation.failures += 1;
            } else if validation.validated_ms.is_none() {
                validation.validated_ms = Some(now_ms);
                validation.modified_ms = now_ms;
            }
            validations::set(connection, &validation)?;
            Ok(is_right.then_some(validation))
        })
        .await?;
    Ok(validation)
}

/// The session with this id and secret, if the token has come back in it.
pub(crate) async fn validated(
    server: &Homeserver,
    session: &str,
    client_secret: &str,
) -> Result<Option<Validation>, MatrixError> {
    let (session, client_secret) = (session.to_owned(), client_secret.to_owned());
    let found = server.store.read(move |c| validations::find(c, &session, &client_secret)).await?;
    let now_ms = now_ms();
    let good = |found: &Validation| found.validated_ms.is_some() && found.modified_ms + LIFETIME_MS > now_ms;
    Ok(found.filter(good))
}

/// The address at which the token of a session can be given back (client-server-api/#post_matrixclientv3registeremailrequesttoken).
pub(crate) fn submit_url(server: &Homeserver, medium: Medium) -> String {
    format!("{}{SUBMIT_PATH}/{}", server.base_url.trim_end_matches('/'), medium.name())
}

/// The path below which tokens come back; the text leaves it to the server.
pub(crate) const SUBMIT_PATH: &str = "/_determinant/validation";
