//! Which keys count, and what becomes of signatures by others.

use super::*;

pub(super) fn vectors() -> Vec<Vector> {
    [unfit(), several(), encoded(), ended()].into_iter().flatten().collect()
}

/// A server's key under another id or of another server, and none at all.
fn unfit() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "6", "12"] {
        let event = signed_message(version);
        let mut unsigned = event.clone();
        unsigned["signatures"] = json!({});
        let foreign = signed(version, message(version), &[OTHER]);
        let cases = [
            (
                "wrong-key",
                "A signature by another key under the same id is bad.",
                &event,
                keys_of(KEY, OTHER),
            ),
            (
                "unknown-key",
                "A signature by an unknown key is skipped, and none is left.",
                &event,
                keys_of("ed25519:2", HOME),
            ),
            ("no-keys", "Without keys nothing is known.", &event, Keys::new()),
            ("unsigned", "The sender's server must sign.", &unsigned, home_keys()),
            ("signed-by-another", "Another server does not sign for the sender's.", &foreign, both_keys()),
        ];
        let cases = cases.into_iter().map(|(name, says, event, keys)| {
            vector(version, &format!("keys/{name}"), says, event, keys, Invalid)
        });
        vectors.extend(cases);
    }
    vectors
}

/// Several signatures by the sender's server.
fn several() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "5", "12"] {
        let event = signed_message(version);
        let mut both_known = home_keys();
        both_known.get_mut(HOME).and_then(|keys| keys.insert("ed25519:2".to_owned(), public_key(OTHER)));
        let with = |key_id: &str, signature: Value| {
            let mut event = event.clone();
            *signature_of(&mut event, HOME, key_id) = signature;
            event
        };
        let mut only_unknown_algorithm = with("rot13:1", bad_signature());
        only_unknown_algorithm["signatures"][HOME].as_object_mut().map(|keys| keys.remove(KEY));
        let cases = [
            (
                "both-good",
                "All signatures by known keys fit.",
                with("ed25519:2", second_signature(version)),
                both_known.clone(),
                Intact,
            ),
            (
                "one-bad",
                "All signatures by known keys must fit.",
                with("ed25519:2", bad_signature()),
                both_known,
                Invalid,
            ),
            (
                "one-unknown",
                "A signature by an unknown key is skipped.",
                with("ed25519:2", bad_signature()),
                home_keys(),
                Intact,
            ),
            (
                "policy-server",
                "The key of a policy server is not published, and skipped.",
                with("ed25519:policy_server", bad_signature()),
                home_keys(),
                Intact,
            ),
            (
                "unknown-algorithm",
                "A signature of an unknown algorithm is skipped.",
                with("rot13:1", bad_signature()),
                home_keys(),
                Intact,
            ),
            (
                "only-unknown-algorithm",
                "A signature of an unknown algorithm is not enough.",
                only_unknown_algorithm,
                home_keys(),
                Invalid,
            ),
        ];
        let cases = cases.into_iter().map(|(name, says, event, keys, verdict)| {
            vector(version, &format!("several/{name}"), says, &event, keys, verdict)
        });
        vectors.extend(cases);
    }
    vectors
}

/// The signature that the message would have if another server's key were the second of the sender's.
fn second_signature(version: &str) -> Value {
    signed(version, message(version), &[OTHER])["signatures"][OTHER][KEY].clone()
}

/// How a signature is written.
fn encoded() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "12"] {
        let event = signed_message(version);
        let signature = event["signatures"][HOME][KEY].as_str().unwrap_or_default().to_owned();
        let mut shortened = base64::decode(&signature).unwrap_or_default();
        shortened.pop();
        let cases = [
            ("padded", "Base64 may be padded.", json!(format!("{signature}==")), Intact),
            ("not-base64", "A signature is base64.", json!("&&&&"), Invalid),
            ("number", "A signature is a string.", json!(1), Invalid),
            ("empty", "A signature is not empty.", json!(""), Invalid),
            ("too-short", "A signature has 64 bytes.", json!(base64::encode(shortened)), Invalid),
        ];
        for (name, says, signature, verdict) in cases {
            let mut event = event.clone();
            *signature_of(&mut event, HOME, KEY) = signature;
            vectors.push(vector(version, &format!("encoding/{name}"), says, &event, home_keys(), verdict));
        }
    }
    vectors
}

/// Keys that end; the message is of 1,000,000 ms.
fn ended() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for version in ["1", "4", "5", "6", "12"] {
        let enforced = !matches!(version, "1" | "4");
        let before = if enforced { Invalid } else { Intact };
        let cases = [
            ("valid-until/before", "valid_until_ts counts since room version 5.", until(999_999), before),
            ("valid-until/at", "valid_until_ts may equal the event's time.", until(1_000_000), Intact),
            (
                "expired/before",
                "A key that expired before the event does not count.",
                expired(999_999),
                Invalid,
            ),
            ("expired/after", "A key that expired after the event counts.", expired(1_000_001), Intact),
        ];
        let event = signed_message(version);
        let cases = cases.into_iter().map(|(name, says, key, verdict)| {
            vector(version, &format!("keys/{name}"), says, &event, with_home_key(key), verdict)
        });
        vectors.extend(cases);
    }
    let mut keys = with_home_key(public_key(HOME));
    let ended = Key { expired_ts: Some(1), ..public_key(OTHER) };
    keys.get_mut(HOME).and_then(|keys| keys.insert("ed25519:2".to_owned(), ended));
    let mut event = signed_message("12");
    *signature_of(&mut event, HOME, "ed25519:2") = bad_signature();
    let says = "A signature by an expired key is skipped.";
    vectors.push(vector("12", "keys/expired/skipped", says, &event, keys, Intact));
    vectors
}

fn until(valid_until_ts: u64) -> Key {
    Key { valid_until_ts: Some(valid_until_ts), ..public_key(HOME) }
}

fn expired(expired_ts: u64) -> Key {
    Key { expired_ts: Some(expired_ts), ..public_key(HOME) }
}

fn with_home_key(key: Key) -> Keys {
    Keys::from([(HOME.to_owned(), BTreeMap::from([(KEY.to_owned(), key)]))])
}

/// Keys in which the home server has one key only: that of `owner`, under this id.
fn keys_of(key_id: &str, owner: &str) -> Keys {
    Keys::from([(HOME.to_owned(), BTreeMap::from([(key_id.to_owned(), public_key(owner))]))])
}

fn public_key(owner: &str) -> Key {
    let key = server_key(owner).verify_key().to_base64();
    Key { key, valid_until_ts: None, expired_ts: None }
}
