//! Servers that a room asks about every event: server-server-api/#policy-servers.

use std::time::Duration;

use http::{Method, StatusCode};
use protocol::event;
use protocol::identifiers::server_name_of;
use protocol::keys::VerifyKey;
use serde_json::Value;

use super::requests::PeerError;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::timeline::{Record, Timeline};

/// How long a policy server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The policy server of a room, and its key; none where what stands there is no key, so that nothing is signed with it.
struct PolicyServer {
    name: String,
    key: Option<VerifyKey>,
}

impl PolicyServer {
    /// That of a room, if it uses one (server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room).
    fn of(record: &Record) -> Option<Self> {
        let state = record.history.now();
        let policy = state.find("m.room.policy", "")?;
        let name = policy.content_str("via")?.to_owned();
        let key = policy.content("public_keys")?.get("ed25519")?.as_str()?;
        let key = VerifyKey::from_base64(key).ok();
        let is_there = record.has_server(&name) || commits(Fault::AbsentPolicyServersUsed);
        is_there.then_some(Self { name, key })
    }

    fn has_signed(&self, pdu: &Pdu) -> bool {
        let Some(key) = &self.key else { return false };
        event::verify_policy_signature(pdu.object(), pdu.version(), &self.name, key).is_ok()
    }

    /// Asks the policy server for its signature.
    async fn ask(&self, server: &Homeserver, pdu: &Pdu) -> Result<Pdu, PeerError> {
        let object = Value::Object(pdu.object().clone());
        let answer = server
            .ask_within(TIMEOUT, &self.name, Method::POST, "/_matrix/policy/v1/sign", Some(&object))
            .await?;
        let signatures = answer.get(&self.name).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut signed = pdu.object().clone();
        let all = signed.entry("signatures").or_insert_with(|| Value::Object(protocol::Object::new()));
        if let Some(all) = all.as_object_mut() {
            // Where the policy server is the sender's own, its other signatures stay.
            let own = all.entry(self.name.clone()).or_insert_with(|| Value::Object(protocol::Object::new()));
            if let Some(own) = own.as_object_mut() {
                own.extend(signatures);
            }
        }
        Pdu::with_id(pdu.event_id().to_owned(), signed, pdu.version())
            .map_err(|error| PeerError::useless(&self.name, error))
    }
}

/// An event of another server as it is to be kept, and whether it is unwanted: the policy server of its room, if that uses
/// one, has not signed it and does not sign it now.
pub(super) async fn judge(server: &Homeserver, room: &Timeline, pdu: Pdu) -> (Pdu, bool) {
    if pdu.is_state("m.room.policy", "") || commits(Fault::UnsignedByPolicyShown) {
        return (pdu, false);
    }
    let Some(policy_server) = PolicyServer::of(&room.record()) else { return (pdu, false) };
    if policy_server.has_signed(&pdu) {
        return (pdu, false);
    }
    match policy_server.ask(server, &pdu).await {
        Ok(signed) if policy_server.has_signed(&signed) => (signed, false),
        Ok(_) => (pdu, true),
        Err(error) => {
            tracing::info!("event {}: {error}", pdu.event_id());
            (pdu, true)
        }
    }
}

/// Has an event signed that is to be sent, if the room uses a policy server.
pub(crate) async fn sign(server: &Homeserver, room: &Timeline, pdu: Pdu) -> Result<Pdu, MatrixError> {
    if pdu.is_state("m.room.policy", "") || server_name_of(pdu.sender()) != Some(server.name()) {
        return Ok(pdu);
    }
    let Some(policy_server) = PolicyServer::of(&room.record()) else { return Ok(pdu) };
    let signed = match policy_server.ask(server, &pdu).await {
        Ok(signed) => signed,
        Err(_) if commits(Fault::PolicyRefusalsIgnored) => return Ok(pdu),
        Err(error) => return Err(told(error)),
    };
    if policy_server.has_signed(&signed) || commits(Fault::PolicySignaturesUnchecked) {
        Ok(signed)
    } else {
        Err(MatrixError::forbidden("the policy server of the room has not signed the event"))
    }
}

/// What a client is told when the policy server fails: its own error as it is
/// (server-server-api/#validating-policy-server-signatures). A complaint about this server's own signature is none of the
/// client's business, which would take it for one about its token.
fn told(error: PeerError) -> MatrixError {
    match error {
        PeerError::Refused { status, body: Value::Object(mut body), .. }
            if status != StatusCode::UNAUTHORIZED =>
        {
            let mut text = |name: &str| match body.remove(name) {
                Some(Value::String(text)) => text,
                _ => String::new(),
            };
            let (code, message) = (text("errcode"), text("error"));
            MatrixError::foreign(status, code, message).with_all(body)
        }
        error => error.into(),
    }
}

/// Whether events of a room have to be signed before they are sent.
pub(crate) fn is_used(record: &Record) -> bool {
    PolicyServer::of(record).is_some()
}
