//! Signatures of devices and users on JSON objects: appendices/#signing-json.
//!
//! The ids of these keys end in device ids and in public keys, which the ids of server keys can not.

use protocol::base64;
use protocol::canonical_json::Form;
use protocol::keys::VerifyKey;
use protocol::signatures::signed_text;
use serde_json::{Map, Value, json};

use crate::store::cross_signing::Signature;

/// Whether an object carries a good signature by this key of a user.
pub(super) fn is_signed_by(
    object: &Map<String, Value>,
    user_id: &str,
    key_id: &str,
    public_key: &str,
) -> bool {
    let signature =
        signature_by(object, user_id, key_id).and_then(|signature| base64::decode(signature).ok());
    let (Some(signature), Ok(key), Ok(text)) =
        (signature, VerifyKey::from_base64(public_key), signed_text(object, Form::Strict))
    else {
        return false;
    };
    key.verifies(text.as_bytes(), &signature)
}

/// The signature in an object by this key of a user.
pub(super) fn signature_by<'a>(
    object: &'a Map<String, Value>,
    user_id: &str,
    key_id: &str,
) -> Option<&'a str> {
    object.get("signatures")?.get(user_id)?.get(key_id)?.as_str()
}

/// Adds to a key the signatures that came after it, and leaves those of its owner and of the viewer: whom others have
/// verified is nobody else's concern (client-server-api/#key-and-signature-security).
pub(super) fn show_signatures(
    key: &mut Map<String, Value>,
    target: &str,
    owner: &str,
    viewer: &str,
    signatures: &[Signature],
) {
    let mut shown = match key.remove("signatures") {
        Some(signatures @ Value::Object(_)) => signatures,
        _ => json!({}),
    };
    for Signature { signer, key_id, signature, .. } in signatures.iter().filter(|s| s.target == target) {
        if !shown[signer].is_object() {
            shown[signer] = json!({});
        }
        shown[signer][key_id] = signature.as_str().into();
    }
    if let Value::Object(by_signer) = &mut shown {
        by_signer.retain(|signer, _| signer == owner || signer == viewer);
    }
    key.insert("signatures".to_owned(), shown);
}

/// Whether two objects are the same but for what signatures do not cover.
pub(super) fn is_same_but_for_signatures(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    match (signed_text(one, Form::Strict), signed_text(other, Form::Strict)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use protocol::base64;
    use protocol::canonical_json::Form;
    use protocol::keys::SigningKey;
    use protocol::signatures::signed_text;
    use serde_json::{Map, Value, json};

    use super::{is_signed_by, show_signatures};
    use crate::store::cross_signing::Signature;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            _ => Map::new(),
        }
    }

    #[test]
    fn ids_of_keys_may_be_base64() {
        let key = SigningKey::generate("1").expect("a key");
        let public_key = key.verify_key().to_base64();
        let mut signed = object(json!({"usage": ["master"], "unsigned": {"not": "covered"}}));
        let text = signed_text(&signed, Form::Strict).expect("canonical JSON");
        let key_id = format!("ed25519:{public_key}");
        let signature = base64::encode(key.sign(text.as_bytes()));
        signed.insert("signatures".to_owned(), json!({"@a:b": {(key_id.as_str()): signature}}));
        assert!(is_signed_by(&signed, "@a:b", &key_id, &public_key));
        assert!(!is_signed_by(&signed, "@other:b", &key_id, &public_key));
        signed.insert("usage".to_owned(), json!(["self_signing"]));
        assert!(!is_signed_by(&signed, "@a:b", &key_id, &public_key));
    }

    #[test]
    fn signatures_of_third_parties_are_not_shown() {
        let by = |signer: &str| Signature {
            target: "T".to_owned(),
            signer: signer.to_owned(),
            key_id: "ed25519:K".to_owned(),
            signature: "later".to_owned(),
        };
        let mut key = object(json!({"signatures": {"@owner:a": {"ed25519:T": "own"}, "@eve:a": {"x": "y"}}}));
        show_signatures(&mut key, "T", "@owner:a", "@viewer:a", &[by("@owner:a"), by("@viewer:a")]);
        let expected = json!({
            "@owner:a": {"ed25519:T": "own", "ed25519:K": "later"},
            "@viewer:a": {"ed25519:K": "later"},
        });
        assert_eq!(key["signatures"], expected);
    }
}
