//! Invites that redeem an `m.room.third_party_invite` (server-server-api/#verifying-the-invite).

use protocol::keys::VerifyKey;
use protocol::{Object, base64, signatures};
use serde_json::Value;

use super::super::{Rule, reject, reject_if};
use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken};
use crate::state::StateLookup;

pub(super) fn check(event: &Pdu, target: &str, invite: &Value, state: &impl StateLookup) -> Result<(), Rule> {
    let Some(signed) = invite.get("signed") else { return reject(Rule::ThirdPartyUnsigned) };
    let (Some(user_id), Some(token)) = (signed.get("mxid"), signed.get("token")) else {
        return reject(Rule::ThirdPartyIncomplete);
    };
    reject_if(user_id.as_str() != Some(target), Rule::ThirdPartyOtherTarget)?;
    // What is no string is the state key of nothing.
    let offer = token.as_str().and_then(|token| state.find("m.room.third_party_invite", token));
    let Some(offer) = offer else { return reject(Rule::ThirdPartyToken) };
    reject_if(event.sender() != offer.sender(), Rule::ThirdPartyOtherSender)?;
    let is_signed =
        signed.as_object().is_some_and(|signed| public_keys(offer).any(|key| is_signed_with(signed, &key)));
    reject_if(!is_signed, Rule::ThirdPartySignature)
}

/// `public_key` and every entry of `public_keys`, in either alphabet of base64.
fn public_keys(offer: &Pdu) -> impl Iterator<Item = VerifyKey> {
    let listed = offer.content("public_keys").and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter_map(|entry| entry.get("public_key")?.as_str());
    let listed = listed.filter(|_| !mistaken(Mistake::ThirdPartyListedKeysIgnored));
    offer.content_str("public_key").into_iter().chain(listed).filter_map(|text| {
        let bytes = base64::decode(text).or_else(|_| base64::decode_url_safe(text)).ok()?;
        VerifyKey::from_bytes(&bytes.try_into().ok()?).ok()
    })
}

/// Whether any signature in the block is by the key; under whose name and id does not matter.
fn is_signed_with(signed: &Object, key: &VerifyKey) -> bool {
    let Some(by_entity) = signed.get("signatures").and_then(Value::as_object) else { return false };
    let Ok(message) = signatures::signed_text(signed, protocol::canonical_json::Form::Lenient) else {
        return false;
    };
    let mut texts = by_entity.values().filter_map(Value::as_object).flat_map(Object::values);
    texts.any(|text| {
        let signature = text.as_str().and_then(|text| base64::decode(text).ok());
        signature.is_some_and(|signature| key.verifies(message.as_bytes(), &signature))
    })
}
