//! Invites by address that wait for whoever has it: `identity-service-api/#invitation-storage`.

use protocol::keys::SigningKey;

use super::{Refusal, sessions::Address};

/// An invite that waits.
#[derive(Clone, Debug)]
pub(super) struct Invite {
    pub(super) token: String,
    pub(super) room_id: String,
    pub(super) sender: String,
    address: Address,
    /// Made for this invite alone; the public part, in unpadded base64.
    ephemeral_key: String,
}

/// The invites that an identity server keeps.
#[derive(Debug, Default)]
pub(super) struct Invites(Vec<Invite>);

impl Invites {
    /// Keeps one; gives its token and the public part of its ephemeral key.
    pub(super) fn keep(
        &mut self,
        address: &Address,
        room_id: String,
        sender: String,
    ) -> Result<(String, String), Refusal> {
        let key = SigningKey::generate("ephemeral");
        let key = key.map_err(|_| Refusal(500, "M_UNKNOWN", "no key could be made"))?;
        let ephemeral_key = key.verify_key().to_base64();
        let token = format!("token-{:016x}", rand::random::<u64>());
        let invite = Invite {
            token: token.clone(),
            room_id,
            sender,
            address: address.clone(),
            ephemeral_key: ephemeral_key.clone(),
        };
        self.0.push(invite);
        Ok((token, ephemeral_key))
    }

    /// Those for an address.
    pub(super) fn waiting_for(&self, address: &Address) -> Vec<Invite> {
        self.0.iter().filter(|invite| invite.address == *address).cloned().collect()
    }

    /// Who has sent the invite of a token.
    pub(super) fn sender_of(&self, token: &str) -> Option<String> {
        self.0.iter().find(|invite| invite.token == token).map(|invite| invite.sender.clone())
    }

    /// Whether an ephemeral key is that of one of them.
    pub(super) fn has_key(&self, public_key: &str) -> bool {
        self.0.iter().any(|invite| invite.ephemeral_key == public_key)
    }
}

/// An address of which others see no more than where it might be: `f…@e…`.
pub(super) fn redacted(address: &str) -> String {
    let parts = address.split('@').map(|part| format!("{}…", part.chars().next().unwrap_or_default()));
    parts.collect::<Vec<_>>().join("@")
}

#[cfg(test)]
mod tests {
    #[test]
    fn little_is_shown_of_an_address() {
        assert_eq!(super::redacted("foo@bar.example"), "f…@b…");
    }
}
