//! Servers that a room asks about every event: server-server-api/#policy-servers.

use std::time::Duration;

use http::Method;
use protocol::event;
use protocol::identifiers::server_name_of;
use protocol::keys::VerifyKey;
use serde_json::Value;

use super::requests::PeerError;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::timeline::{Record, Timeline};

/// How long a policy server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The policy server of a room, and its key.
struct PolicyServer {
    name: String,
    key: VerifyKey,
}

impl PolicyServer {
    /// That of a room, if it uses one (server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room).
    fn of(record: &Record) -> Option<Self> {
        let state = record.history.now();
        let policy = state.find("m.room.policy", "")?;
        let name = policy.content_str("via")?.to_owned();
        let key = policy.content("public_keys")?.get("ed25519")?.as_str()?;
        let key = VerifyKey::from_base64(key).ok()?;
        record.has_server(&name).then_some(Self { name, key })
    }

    fn has_signed(&self, pdu: &Pdu) -> bool {
        event::verify_policy_signature(pdu.object(), pdu.version(), &self.name, &self.key).is_ok()
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

/// Whether the policy server of a room, if it uses one, has signed an event or does so now.
pub(super) async fn agrees(server: &Homeserver, room: &Timeline, pdu: &Pdu) -> bool {
    if pdu.is_state("m.room.policy", "") {
        return true;
    }
    let Some(policy_server) = PolicyServer::of(&room.record()) else { return true };
    if policy_server.has_signed(pdu) {
        return true;
    }
    match policy_server.ask(server, pdu).await {
        Ok(signed) => policy_server.has_signed(&signed),
        Err(error) => {
            tracing::info!("event {}: {error}", pdu.event_id());
            false
        }
    }
}

/// Has an event signed that is to be sent, if the room uses a policy server.
pub(crate) async fn sign(server: &Homeserver, room: &Timeline, pdu: Pdu) -> Result<Pdu, MatrixError> {
    if pdu.is_state("m.room.policy", "") || server_name_of(pdu.sender()) != Some(server.name()) {
        return Ok(pdu);
    }
    let Some(policy_server) = PolicyServer::of(&room.record()) else { return Ok(pdu) };
    let signed = policy_server.ask(server, &pdu).await?;
    if policy_server.has_signed(&signed) {
        Ok(signed)
    } else {
        Err(MatrixError::forbidden("the policy server of the room has not signed the event"))
    }
}

/// Whether events of a room have to be signed before they are sent.
pub(crate) fn is_used(record: &Record) -> bool {
    PolicyServer::of(record).is_some()
}
