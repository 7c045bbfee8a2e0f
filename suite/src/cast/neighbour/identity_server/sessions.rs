//! Validation sessions: whoever repeats what was sent to an address has the address
//! (`identity-service-api/#establishing-associations`).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::Refusal;

/// How long a session counts after it was opened or validated.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How many digits a text message has its reader type.
const CODE_BELOW: u32 = 1_000_000;

/// What people can be reached by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) medium: String,
    pub(super) address: String,
}

/// What an identity server has written to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The e-mail address or telephone number.
    pub to: String,
    /// Its text.
    pub text: String,
    /// What its reader has to repeat: the token of a validation session, or of an invite.
    pub token: String,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) address: Address,
    /// Where whoever opens the link of an e-mail is led afterwards.
    pub(super) next_link: Option<String>,
    /// Since the Unix epoch, in milliseconds.
    pub(super) validated_at_ms: Option<u64>,
    client_secret: String,
    token: String,
    send_attempt: i64,
    modified: Instant,
}

/// The sessions of an identity server, by their ids.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<String, Session>);

impl Sessions {
    /// Opens a session, or goes on with the one that the client has opened before; gives its id, and the token, where that
    /// has to be sent: once for every attempt.
    pub(super) fn open(
        &mut self,
        address: Address,
        client_secret: &str,
        send_attempt: i64,
        next_link: Option<String>,
    ) -> (String, Option<String>) {
        let known = self.0.iter_mut().find(|(_, session)| {
            session.address == address && session.client_secret == client_secret && !session.has_expired()
        });
        if let Some((sid, session)) = known {
            let again = send_attempt > session.send_attempt;
            session.send_attempt = session.send_attempt.max(send_attempt);
            return (sid.clone(), again.then(|| session.token.clone()));
        }
        let token = match address.medium.as_str() {
            "msisdn" => format!("{:06}", rand::random::<u32>() % CODE_BELOW),
            _ => format!("{:016x}", rand::random::<u64>()),
        };
        let session = Session {
            address,
            next_link,
            validated_at_ms: None,
            client_secret: client_secret.to_owned(),
            token: token.clone(),
            send_attempt,
            modified: Instant::now(),
        };
        let sid = format!("session-{:016x}", rand::random::<u64>());
        self.0.insert(sid.clone(), session);
        (sid, Some(token))
    }

    /// The session that a client knows both parts of.
    pub(super) fn find(&mut self, sid: &str, client_secret: &str) -> Result<&mut Session, Refusal> {
        let session = self.0.get_mut(sid).filter(|session| session.client_secret == client_secret);
        let session =
            session.ok_or(Refusal(404, "M_NO_VALID_SESSION", "no session has this sid and client_secret"))?;
        if session.has_expired() {
            return Err(Refusal(400, "M_SESSION_EXPIRED", "a session counts for 24 hours"));
        }
        Ok(session)
    }

    /// The session, where its address was validated.
    pub(super) fn validated(&mut self, sid: &str, client_secret: &str) -> Result<&Session, Refusal> {
        let session = self.find(sid, client_secret)?;
        match session.validated_at_ms {
            Some(_) => Ok(session),
            None => Err(Refusal(400, "M_SESSION_NOT_VALIDATED", "nobody has shown to have the address")),
        }
    }
}

impl Session {
    /// Takes what its reader found in the message.
    pub(super) fn submit(&mut self, token: &str, now_ms: u64) -> Result<(), Refusal> {
        if token != self.token {
            return Err(Refusal(400, "M_TOKEN_INCORRECT", "another token was sent to the address"));
        }
        self.validated_at_ms = Some(now_ms);
        self.modified = Instant::now();
        Ok(())
    }

    fn has_expired(&self) -> bool {
        self.modified.elapsed() >= LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, LIFETIME, Sessions};

    fn address() -> Address {
        Address { medium: "email".to_owned(), address: "alice@example.org".to_owned() }
    }

    #[test]
    fn whoever_repeats_the_token_has_the_address() {
        let mut sessions = Sessions::default();
        let (sid, token) = sessions.open(address(), "secret", 1, None);
        let token = token.expect("the first attempt is sent");
        assert_eq!(sessions.validated(&sid, "secret").unwrap_err().1, "M_SESSION_NOT_VALIDATED");
        assert_eq!(sessions.find(&sid, "another").unwrap_err().1, "M_NO_VALID_SESSION");
        let session = sessions.find(&sid, "secret").expect("it is there");
        assert_eq!(session.submit("wrong", 1).unwrap_err().1, "M_TOKEN_INCORRECT");
        session.submit(&token, 7).expect("it was sent");
        assert_eq!(sessions.validated(&sid, "secret").expect("validated").validated_at_ms, Some(7));
    }

    #[test]
    fn an_attempt_is_sent_once() {
        let mut sessions = Sessions::default();
        let (sid, first) = sessions.open(address(), "secret", 1, None);
        assert_eq!(sessions.open(address(), "secret", 1, None), (sid.clone(), None));
        assert_eq!(sessions.open(address(), "secret", 2, None), (sid.clone(), first));
        let (other, _) = sessions.open(address(), "another secret", 1, None);
        assert_ne!(sid, other);
    }

    #[test]
    fn a_session_counts_for_a_day() {
        let mut sessions = Sessions::default();
        let (sid, _) = sessions.open(address(), "secret", 1, None);
        sessions.0.get_mut(&sid).expect("a session").modified -= LIFETIME;
        assert_eq!(sessions.find(&sid, "secret").unwrap_err().1, "M_SESSION_EXPIRED");
    }
}
