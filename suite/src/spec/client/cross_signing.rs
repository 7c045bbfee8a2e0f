//! `client-server-api/#cross-signing`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::user_interactive_authentication::{attempt, challenge};
use crate::{
    cast::{Answer, CrossSigningKeys, Homeserver, Key, User},
    verdict::{Stop, Verdict},
};

/// The master key and the self-signing key of a user are shown to everybody, the user-signing key to its owner only.
#[conformance(
    spec = "client-server-api/#cross-signing",
    level = Must,
    severity = Security,
    since = "v1.1"
)]
async fn keys_are_shown_to_those_concerned(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let keys = alice.publishes_cross_signing_keys().await?;

    let [own, others] = [alice.query_keys(&alice).await?, bob.query_keys(&alice).await?];
    let uploaded = keys.upload(&alice)?;
    for (answer, kind) in [
        (&own, "master_key"),
        (&others, "master_key"),
        (&own, "self_signing_key"),
        (&others, "self_signing_key"),
        (&own, "user_signing_key"),
    ] {
        let (shown, expected) = (&answer.json()[format!("{kind}s")][alice.id()], &uploaded[kind]);
        let is_kept = expected.as_object().into_iter().flatten().all(|(name, value)| shown[name] == *value);
        answer.must(is_kept, format!("the {kind} as it was uploaded: {expected}"), || shown.to_string())?;
    }
    others.must_not_mention(&keys.user_signing.public())
}

/// A first set of keys is taken without further authentication, and so is the same set again.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysdevice_signingupload",
    level = Must,
    severity = Usability,
    since = "v1.11"
)]
async fn same_keys_are_taken_again(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = CrossSigningKeys::new()?;
    let body = keys.upload(&alice)?;
    alice.upload_cross_signing_keys(body.clone()).must_be(200).await?;

    alice.upload_cross_signing_keys(body).must_be(200).await?;

    must_show(&alice.query_keys(&alice).await?, "master_keys", &alice, &keys.master)
}

/// Other keys are taken from a user who authenticates again, and from nobody else.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysdevice_signingupload",
    level = Must,
    severity = Security,
    since = "v1.11",
    each = replaced,
    proves = [
        "client-server-api/post_matrixclientv3keysdevice_signingupload/1",
        "client-server-api/post_matrixclientv3keysdevice_signingupload/2",
    ]
)]
async fn replacement_is_authenticated(hs: &Homeserver, which: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let old = alice.publishes_cross_signing_keys().await?;
    let new = match which {
        "all" => CrossSigningKeys::new()?,
        _ => CrossSigningKeys { self_signing: Key::new()?, ..old.clone() },
    };
    let body = new.upload(&alice)?;
    let target = "/_matrix/client/v3/keys/device_signing/upload";

    let challenge = challenge(&alice, Method::POST, target, &body).await?;
    let shown = bob.query_keys(&alice).await?;
    must_show(&shown, "master_keys", &alice, &old.master)?;
    must_show(&shown, "self_signing_keys", &alice, &old.self_signing)?;

    attempt(&alice, Method::POST, target, &body, alice.password_stage(&challenge)).await?.must_be(200)?;
    let shown = bob.query_keys(&alice).await?;
    must_show(&shown, "master_keys", &alice, &new.master)?;
    must_show(&shown, "self_signing_keys", &alice, &new.self_signing)
}

fn replaced() -> [&'static str; 2] {
    ["all", "self-signing key"]
}

/// A self-signing key and a user-signing key have to be signed by the master key.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysdevice_signingupload",
    level = Must,
    severity = Security,
    since = "v1.1",
    each = signed,
    proves = [
        "client-server-api/post_matrixclientv3keysdevice_signingupload/4",
        "client-server-api/post_matrixclientv3keysdevice_signingupload/5",
        "client-server-api/post_matrixclientv3keysdevice_signingupload/6",
    ]
)]
async fn wrong_signature_is_refused(hs: &Homeserver, usage: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = CrossSigningKeys::new()?;
    let mut body = keys.upload(&alice)?;
    let (forger, key) = (Key::new()?, Key::new()?);
    let mut forged = alice.cross_signing_key(usage, &key, None)?;
    // By another key, under the name of the master key.
    forger.sign(&mut forged, alice.id(), &keys.master.id())?;
    body[format!("{usage}_key")] = forged;

    alice.upload_cross_signing_keys(body).must_refuse(400, "M_INVALID_SIGNATURE").await?;

    alice.query_keys(&alice).await?.must_not_mention(&key.public())
}

fn signed() -> [&'static str; 2] {
    ["self_signing", "user_signing"]
}

/// Without a master key there are no other keys.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysdevice_signingupload",
    level = Must,
    severity = Interop,
    since = "v1.1"
)]
async fn master_key_comes_first(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = CrossSigningKeys::new()?;
    let mut body = keys.upload(&alice)?;
    if let Some(body) = body.as_object_mut() {
        body.remove("master_key");
    }

    alice.upload_cross_signing_keys(body).must_refuse(400, "M_MISSING_PARAM").await?;

    alice.query_keys(&alice).await?.must_not_mention(&keys.self_signing.public())
}

/// A public key that is the id of a device of the user is no cross-signing key.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysdevice_signingupload",
    level = Must,
    severity = Security,
    since = "v1.1",
    proves = ["client-server-api/cross-signing/1"]
)]
async fn key_is_not_named_like_a_device(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = CrossSigningKeys::new()?;
    let phone = alice.logs_in_with(json!({"device_id": keys.master.public()})).await?;
    if phone.device_id() != keys.master.public() {
        return Err(Stop::Observed("a public key cannot be the id of a device".to_owned()));
    }

    alice.upload_cross_signing_keys(keys.upload(&alice)?).must_refuse(403, "M_FORBIDDEN").await?;

    let answer = alice.query_keys(&alice).await?;
    let shown = &answer.at("/master_keys")[alice.id()];
    answer.must(shown.is_null(), "no master key", || shown.to_string())
}

/// No device gets the public key of a cross-signing key of its user as its id.
#[conformance(
    spec = "client-server-api/#key-and-signature-security",
    level = Must,
    severity = Security,
    since = "v1.1",
    proves = [
        "client-server-api/cross-signing/1",
        "client-server-api/key-and-signature-security/5",
        "client-server-api/post_matrixclientv3login/3",
    ]
)]
async fn device_is_not_named_like_a_key(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    let named = keys.master.public();
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": alice.id()},
        "password": alice.password(),
        "device_id": named,
    });

    let answer = hs.post("/_matrix/client/v3/login", body).answer().await?;
    let device = answer.at("/device_id");
    answer.must(*device != named, "a refusal, or another device id", || device.to_string())?;

    alice.devices().await?.must_not_mention(&named)
}

/// The signature of the self-signing key on a device of its user is shown to others.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keyssignaturesupload",
    level = Must,
    severity = Interop,
    since = "v1.1"
)]
async fn signature_on_a_device_is_shown(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let device_key = Key::new()?;
    let mut device = alice.device_keys(&device_key)?;
    alice.upload_keys(json!({"device_keys": device})).await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    keys.self_signing.sign(&mut device, alice.id(), &keys.self_signing.id())?;

    let answer = alice.upload_signature(&alice, alice.device_id(), device.clone()).await?;
    must_have_no_failures(&answer)?;

    let shown = bob.query_keys(&alice).await?;
    let signatures = &shown.at("/device_keys")[alice.id()][alice.device_id()]["signatures"];
    let expected = &device["signatures"];
    shown.must(signatures == expected, format!("the signatures {expected}"), || signatures.to_string())
}

/// The signature of a device on the master key of its user is shown to others.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysquery",
    level = Must,
    severity = Interop,
    since = "v1.1"
)]
async fn signature_of_a_device_is_shown(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let device_key = alice.publishes_device_keys().await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    let mut master = alice.cross_signing_key("master", &keys.master, None)?;
    device_key.sign(&mut master, alice.id(), &alice.device_key_id())?;

    let answer = alice.upload_signature(&alice, &keys.master.public(), master.clone()).await?;
    must_have_no_failures(&answer)?;

    let shown = bob.query_keys(&alice).await?;
    must_carry(&shown, &alice, &alice, &alice.device_key_id(), true)
}

/// Whose master key a user has signed is shown to that user, and to nobody else.
#[conformance(
    spec = "client-server-api/#key-and-signature-security",
    level = Must,
    severity = Security,
    since = "v1.1"
)]
async fn signature_on_another_user_is_confidential(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let hers = alice.publishes_cross_signing_keys().await?;
    let his = bob.publishes_cross_signing_keys().await?;
    let mut master = bob.cross_signing_key("master", &his.master, None)?;
    hers.user_signing.sign(&mut master, alice.id(), &hers.user_signing.id())?;

    let answer = alice.upload_signature(&bob, &his.master.public(), master).await?;
    must_have_no_failures(&answer)?;

    let key_id = hers.user_signing.id();
    must_carry(&alice.query_keys(&bob).await?, &bob, &alice, &key_id, true)?;
    must_carry(&bob.query_keys(&bob).await?, &bob, &alice, &key_id, false)?;
    must_carry(&carol.query_keys(&bob).await?, &bob, &alice, &key_id, false)
}

/// A signature that does not fit is told as a failure with `M_INVALID_SIGNATURE`, and is not shown.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keyssignaturesupload",
    level = Must,
    severity = Security,
    since = "v1.1"
)]
async fn bad_signature_fails(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let mut device = alice.device_keys(&Key::new()?)?;
    alice.upload_keys(json!({"device_keys": device})).await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    // By another key, under the name of the self-signing key.
    Key::new()?.sign(&mut device, alice.id(), &keys.self_signing.id())?;

    let answer = alice.upload_signature(&alice, alice.device_id(), device).await?;
    let failure = &answer.at("/failures")[alice.id()][alice.device_id()];
    answer.must(failure["errcode"] == "M_INVALID_SIGNATURE", "M_INVALID_SIGNATURE for this key", || {
        answer.at("/failures").to_string()
    })?;

    let shown = bob.query_keys(&alice).await?;
    let signatures = &shown.at("/device_keys")[alice.id()][alice.device_id()]["signatures"][alice.id()];
    let absent = signatures.get(keys.self_signing.id()).is_none();
    shown.must(absent, "no signature by the self-signing key", || signatures.to_string())
}

/// A signature is taken on the key that the server has, and on no other object in its place.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keyssignaturesupload",
    level = Must,
    severity = Security,
    since = "v1.1",
    proves = ["client-server-api/post_matrixclientv3keyssignaturesupload/1"]
)]
async fn another_object_is_not_signed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let mut device = alice.device_keys(&Key::new()?)?;
    alice.upload_keys(json!({"device_keys": device})).await?;
    let keys = alice.publishes_cross_signing_keys().await?;
    device["algorithms"] = json!(["m.megolm.v1.aes-sha2"]);
    keys.self_signing.sign(&mut device, alice.id(), &keys.self_signing.id())?;

    let answer = alice.upload_signature(&alice, alice.device_id(), device).answer().await?;
    if answer.status().is_success() {
        let failure = &answer.at("/failures")[alice.id()][alice.device_id()];
        answer.must(failure["errcode"].is_string(), "a failure for this key", || {
            answer.at("/failures").to_string()
        })?;
    }

    let shown = bob.query_keys(&alice).await?;
    let device = &shown.at("/device_keys")[alice.id()][alice.device_id()];
    let signed = device["signatures"][alice.id()].get(keys.self_signing.id()).is_some();
    let kept = device["algorithms"].as_array().is_some_and(|algorithms| algorithms.len() == 2);
    shown.must(kept && !signed, "the device as it was uploaded", || device.to_string())
}

/// A cross-signing key is taken only as an object with exactly one public key, under its own name.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysdevice_signingupload",
    level = Must,
    severity = Security,
    since = "v1.1",
    each = defective_keys,
    proves = ["client-server-api/post_matrixclientv3keysdevice_signingupload/3"]
)]
async fn object_holds_one_key(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let key = Key::new()?;
    let mut master = alice.cross_signing_key("master", &key, None)?;
    let other = Key::new()?;
    match defect {
        "no key" => master["keys"] = json!({}),
        "two keys" => master["keys"][other.id()] = json!(other.public()),
        _ => master["keys"] = json!({(other.id()): key.public()}),
    }

    let answer = alice.upload_cross_signing_keys(json!({"master_key": master})).answer().await?;
    // The server may ask for authentication before it looks at the keys.
    let answer = if answer.exchange().response.is_authentication_challenge() {
        let body = json!({"master_key": master, "auth": alice.password_stage(&answer)});
        alice.upload_cross_signing_keys(body).answer().await?
    } else {
        answer
    };
    answer.must_be_refused()?;
    alice.query_keys(&alice).await?.must_not_mention(&key.public())
}

fn defective_keys() -> [&'static str; 3] {
    ["no key", "two keys", "the name of another key"]
}

fn must_show(answer: &Answer, section: &str, user: &User, key: &Key) -> Verdict {
    let shown = &answer.json()[section][user.id()]["keys"];
    let expected = json!({key.id(): key.public()});
    answer.must(*shown == expected, format!("{expected} in {section}"), || shown.to_string())
}

/// Requires that the master key of a user carries a signature of somebody, or does not.
fn must_carry(answer: &Answer, user: &User, signer: &User, key_id: &str, carried: bool) -> Verdict {
    let signatures = &answer.at("/master_keys")[user.id()]["signatures"];
    let expected = format!(
        "{} signature by {key_id} of {} on the master key",
        if carried { "the" } else { "no" },
        signer.id()
    );
    let found = signatures[signer.id()].get(key_id).is_some_and(Value::is_string);
    answer.must(found == carried, expected, || signatures.to_string())
}

fn must_have_no_failures(answer: &Answer) -> Verdict {
    let failures = answer.at("/failures");
    let none = failures.as_object().is_none_or(|failures| {
        failures.values().all(|of_user| of_user.as_object().is_some_and(serde_json::Map::is_empty))
    });
    answer.must(none, "no failures", || failures.to_string())
}
