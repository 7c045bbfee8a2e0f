//! "If `content` has a `third_party_invite` property": invites by an identity server's proof.

use protocol::keys::VerifyKey;
use protocol::{Object, base64, signatures};
use serde_json::Value;

use super::{Case, Flow};
use crate::event::Event;
use crate::rule::Rule;

impl Case<'_> {
    pub(super) fn third_party_invite(&self, target: &str, invite: &Value) -> Flow {
        let is_banned = self.membership_of(target) == Some("ban");
        self.reject_if(Rule::ThirdPartyBanned, is_banned, format!("{target} is banned"))?;
        let Some(signed) = invite.get("signed") else {
            return self.reject(Rule::ThirdPartyUnsigned, "the third-party invite has nothing signed");
        };
        let (Some(mxid), Some(token)) = (signed.get("mxid"), signed.get("token")) else {
            return self.reject(Rule::ThirdPartyProperties, "signed lacks mxid or token");
        };
        let why = format!("the proof is for {mxid}");
        self.reject_if(Rule::ThirdPartyTarget, mxid.as_str() != Some(target), why)?;
        let offer = token.as_str().and_then(|token| self.state.get("m.room.third_party_invite", token));
        let Some(offer) = offer else {
            return self
                .reject(Rule::ThirdPartyToken, format!("the state has no third-party invite {token}"));
        };
        let same_sender = self.event.sender() == offer.sender();
        self.reject_if(Rule::ThirdPartySender, !same_sender, format!("{} made the offer", offer.sender()))?;
        let is_proven =
            signed.as_object().is_some_and(|signed| self.is_signed_by_any(signed, &public_keys(offer)));
        self.allow_if(Rule::ThirdPartySignature, is_proven)?;
        self.reject(Rule::ThirdPartyOtherwise, "no signature matches a public key of the third-party invite")
    }

    /// Whether any signature in `signed`, whoever made it and whatever its key is called, matches any of the
    /// keys.
    fn is_signed_by_any(&self, signed: &Object, keys: &[VerifyKey]) -> bool {
        let Ok(text) = signatures::signed_text(signed, self.version.canonical_json) else { return false };
        let by_entity = signed.get("signatures").and_then(Value::as_object);
        let by_key = by_entity.into_iter().flat_map(Object::values).filter_map(Value::as_object);
        let mut signatures = by_key.flat_map(Object::values).filter_map(Value::as_str);
        signatures.any(|signature| {
            let signature = base64::decode(signature).unwrap_or_default();
            keys.iter().any(|key| key.verifies(text.as_bytes(), &signature))
        })
    }
}

/// `public_key`, and the `public_key` of every entry of `public_keys`, in either alphabet of base64
/// (client-server-api/#mroomthird_party_invite). What is no key can match no signature.
fn public_keys(offer: &Event) -> Vec<VerifyKey> {
    let list = offer.content("public_keys").and_then(Value::as_array);
    let listed = list.into_iter().flatten().filter_map(|entry| entry.get("public_key"));
    let texts = offer.content("public_key").into_iter().chain(listed).filter_map(Value::as_str);
    texts.filter_map(public_key).collect()
}

fn public_key(text: &str) -> Option<VerifyKey> {
    let bytes = base64::decode(text).or_else(|_| base64::decode_url_safe(text)).ok()?;
    VerifyKey::from_bytes(&bytes.try_into().ok()?).ok()
}
