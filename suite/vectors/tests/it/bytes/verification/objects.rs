//! Signed JSON that is no event (appendices/#checking-for-a-signature). The signatures are those of the appendix's
//! own test vectors.

use super::*;

pub(super) fn vectors() -> Vec<Vector> {
    let of_empty = json!({"signatures": {"domain": {KEY: EMPTY}}});
    let of_data = json!({"one": 1, "two": "Two", "signatures": {"domain": {KEY: DATA}}});
    let with = |object: &Value, property: &str, value: Value| {
        let mut object = object.clone();
        object[property] = value;
        object
    };
    let mut countersigned = of_data.clone();
    *signature_of(&mut countersigned, OTHER, KEY) = bad_signature();
    let cases = [
        ("empty", "The appendix's signature of an empty object fits.", of_empty.clone(), "domain", true),
        ("data", "The appendix's signature of an object with data fits.", of_data.clone(), "domain", true),
        ("exchanged", "A signature fits one object.", with(&of_empty, "one", json!(1)), "domain", false),
        ("changed", "A value is signed.", with(&of_data, "one", json!(2)), "domain", false),
        (
            "null",
            "Whether there is a property is signed.",
            with(&of_data, "three", Value::Null),
            "domain",
            false,
        ),
        ("type", "The type of a value is signed.", with(&of_data, "one", json!("1")), "domain", false),
        (
            "unsigned",
            "Unsigned data is not signed.",
            with(&of_data, "unsigned", json!({"age": 1})),
            "domain",
            true,
        ),
        (
            "hashes",
            "Outside of events, hashes are data.",
            with(&of_data, "hashes", json!({})),
            "domain",
            false,
        ),
        ("countersigned", "Other signatures are not signed.", countersigned.clone(), "domain", true),
        ("badly-countersigned", "A bad signature by the entity itself counts.", countersigned, OTHER, false),
        ("another", "An entity that did not sign did not sign.", of_data.clone(), OTHER, false),
        (
            "no-signatures",
            "An object without signatures is not signed.",
            json!({"one": 1, "two": "Two"}),
            "domain",
            false,
        ),
        ("case", "Names of entities are case-sensitive.", of_data, "DOMAIN", false),
    ];
    cases
        .into_iter()
        .map(|(name, says, object, server_name, valid)| of_object(name, says, &object, server_name, valid))
        .collect()
}

fn of_object(name: &str, says: &str, object: &Value, server_name: &str, valid: bool) -> Vector {
    let domain = Key { key: PUBLIC_KEY.to_owned(), valid_until_ts: None, expired_ts: None };
    let mut keys = published_keys([OTHER]);
    for name in ["domain", "DOMAIN"] {
        keys.insert(name.to_owned(), BTreeMap::from([(KEY.to_owned(), domain.clone())]));
    }
    let server_name = Some(server_name.to_owned());
    let question = Question::Verify(Verify { room_version: None, json: text(object), server_name, keys });
    let mut vector = case(format!("verify/object/{name}"), says, question, Answer::valid(valid));
    vector.specification = Some("appendices/#checking-for-a-signature".to_owned());
    vector
}

/// The public half of the key in appendices/#cryptographic-test-vectors.
const PUBLIC_KEY: &str = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI";
/// Its signature of an empty object.
const EMPTY: &str = "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ";
/// Its signature of `{"one":1,"two":"Two"}`.
const DATA: &str = "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw";
