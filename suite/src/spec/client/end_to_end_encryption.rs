//! `client-server-api/#key-distribution`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Key, Sync, User},
    verdict::{Stop, Verdict},
};

/// The identity keys of a device are shown as they were uploaded, with the display name of the device beside them.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysquery", level = Must, severity = Interop)]
async fn device_keys_are_shown_as_uploaded(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    alice.rename_device(alice.device_id(), "kitchen tablet").await?;
    let uploaded = alice.device_keys(&Key::new()?)?;
    alice.upload_keys(json!({"device_keys": uploaded})).await?;

    let answer = bob.query_keys(&alice).await?;
    let mut shown = answer.at("/device_keys")[alice.id()][alice.device_id()].clone();
    let name = shown["unsigned"]["device_display_name"].clone();
    answer.must(name == "kitchen tablet", "the display name in unsigned", || name.to_string())?;
    if let Some(shown) = shown.as_object_mut() {
        shown.remove("unsigned");
    }
    answer.must(shown == uploaded, format!("the keys {uploaded}"), || shown.to_string())
}

/// A query that names devices of a user shows these, and one with an empty list all that have keys.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysquery", level = Must, severity = Interop)]
async fn query_chooses_devices(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = alice.logs_in().await?;
    for device in [&alice, &phone] {
        device.publishes_device_keys().await?;
    }
    let (tablet, phone) = (alice.device_id(), phone.device_id());

    let [both, one] = [bob.query_keys(&alice).await?, bob.query_device_keys(alice.id(), &[phone]).await?];
    for (answer, device, expected) in
        [(&both, tablet, true), (&both, phone, true), (&one, phone, true), (&one, tablet, false)]
    {
        let shown = &answer.at("/device_keys")[alice.id()];
        let expectation = format!("{} of {device}", if expected { "the keys" } else { "no keys" });
        answer.must(shown.get(device).is_some() == expected, expectation, || shown.to_string())?;
    }
    Ok(())
}

/// A user or a device that the server does not know is missing from the answer, and is no failure.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysquery", level = Must, severity = Interop)]
async fn unknown_devices_are_missing(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    alice.publishes_device_keys().await?;

    let answer = bob.query_device_keys(alice.id(), &["NOSUCHDEVICE"]).await?;
    answer.must_not_mention("NOSUCHDEVICE")?;
    answer.must_not_mention(alice.device_id())?;
    let nobody = format!("@{}:{}", hs.unused_localpart(), hs.name());
    let answer = bob.query_device_keys(&nobody, &[]).await?;
    let shown = &answer.at("/device_keys")[&nobody];
    let missing = shown.as_object().is_none_or(serde_json::Map::is_empty);
    answer.must(missing, "no keys of a user who does not exist", || shown.to_string())?;
    let failures = answer.at("/failures");
    answer.must(failures.as_object().is_none_or(serde_json::Map::is_empty), "no failures", || {
        failures.to_string()
    })
}

/// Identity keys of another user or device than those of the access token are not published.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysupload_request_devicekeys",
    level = Must,
    severity = Security,
    each = strangers
)]
async fn keys_of_others_are_refused(hs: &Homeserver, whose: &'static str) -> Verdict {
    let [eve, alice, bob] = hs.users().await?;
    let phone = eve.logs_in().await?;
    let victim = if whose == "another user" { &alice } else { &phone };
    let keys = victim.device_keys(&Key::new()?)?;

    eve.upload_keys(json!({"device_keys": keys})).must_be_refused().await?;

    let answer = bob.query_keys(victim).await?;
    let shown = &answer.at("/device_keys")[victim.id()];
    answer.must(shown.get(victim.device_id()).is_none(), "no keys of this device", || shown.to_string())
}

fn strangers() -> [&'static str; 2] {
    ["another user", "another device"]
}

/// The number of one-time keys that wait to be claimed is told after an upload, and in `/sync` as they are claimed.
#[conformance(
    spec = "client-server-api/#e2e-extensions-to-sync",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/e2e-extensions-to-sync/2"]
)]
async fn one_time_keys_are_counted(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;

    let answer = alice.upload_keys(json!({"one_time_keys": one_time_keys(&alice, &key, 0..3)?})).await?;
    answer.must_hold("/one_time_key_counts/signed_curve25519", 3)?;
    alice.initial_sync().await?.answer().must_hold("/device_one_time_keys_count/signed_curve25519", 3)?;

    bob.claim_key(&alice).await?;
    let count = |sync: &Sync| sync.answer().at("/device_one_time_keys_count/signed_curve25519").as_u64();
    alice
        .sync_showing("two keys that are left", || alice.sync_request(), |sync| count(sync) == Some(2))
        .await?;
    let answer = alice.upload_keys(json!({})).await?;
    answer.must_hold("/one_time_key_counts/signed_curve25519", 2)
}

/// A one-time key is given out once, and no key when there is none left.
#[conformance(
    spec = "client-server-api/#one-time-and-fallback-keys",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/one-time-and-fallback-keys/1",
        "client-server-api/post_matrixclientv3keysclaim/1",
        "client-server-api/post_matrixclientv3keysclaim/2",
    ]
)]
async fn one_time_key_is_claimed_once(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    let uploaded = one_time_keys(&alice, &key, 0..2)?;
    alice.upload_keys(json!({"one_time_keys": uploaded})).await?;

    let (answer, first) = bob.claim_key(&alice).await?;
    let known = |claimed: &Value| {
        claimed.as_object().is_some_and(|claimed| {
            claimed.len() == 1 && claimed.iter().all(|(name, key)| uploaded.get(name) == Some(key))
        })
    };
    answer.must(known(&first), "one of the keys that were uploaded", || first.to_string())?;
    let (answer, second) = carol.claim_key(&alice).await?;
    answer.must(known(&second) && second != first, "the other key", || second.to_string())?;
    let (answer, third) = bob.claim_key(&alice).await?;
    let none = third.as_object().is_none_or(serde_json::Map::is_empty);
    answer.must(none, "no key", || third.to_string())
}

/// Claims that come at the same time get different keys.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysclaim",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/one-time-and-fallback-keys/1",
        "client-server-api/post_matrixclientv3keysclaim/1",
    ]
)]
async fn simultaneous_claims_differ(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    alice.upload_keys(json!({"one_time_keys": one_time_keys(&alice, &key, 0..12)?})).await?;

    let claims =
        (0..12).map(|number| if number % 2 == 0 { &bob } else { &carol }).map(|one| one.claim_key(&alice));
    let claimed = futures_util::future::try_join_all(claims).await?;

    let mut names = std::collections::BTreeSet::new();
    for (answer, claimed) in &claimed {
        let name = claimed.as_object().and_then(|claimed| claimed.keys().next()).cloned().unwrap_or_default();
        answer.must(!name.is_empty(), "a key", || claimed.to_string())?;
        answer.must(names.insert(name.clone()), "a key that no other claim got", || name.clone())?;
    }
    Ok(())
}

/// A client that sends its keys again, before it has heard that they were taken, is not refused.
///
/// The text does not say that the same keys may come twice; over HTTP a client cannot do otherwise when an answer is lost.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysupload", level = May, severity = Interop)]
async fn same_keys_may_come_twice(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    let keys = one_time_keys(&alice, &key, 0..20)?;

    let uploads = (0..4).map(|_| alice.upload_keys(json!({"one_time_keys": keys})).answer());
    for answer in futures_util::future::try_join_all(uploads).await? {
        answer.must_succeed()?.must_hold("/one_time_key_counts/signed_curve25519", 20)?;
    }
    Ok(())
}

/// Of one-time keys of which some are known, those that are new are added.
///
/// As with the same keys once more, the text does not say so; what was known may have been taken while its answer was lost.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysupload", level = May, severity = Interop)]
async fn new_keys_may_come_with_known_ones(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    let keys = one_time_keys(&alice, &key, 0..4)?;
    let first: serde_json::Map<String, Value> = keys
        .as_object()
        .into_iter()
        .flatten()
        .take(2)
        .map(|(name, key)| (name.clone(), key.clone()))
        .collect();
    alice.upload_keys(json!({"one_time_keys": first})).await?;

    let answer = alice.upload_keys(json!({"one_time_keys": keys})).answer().await?.must_succeed()?;
    answer.must_hold("/one_time_key_counts/signed_curve25519", 4)
}

/// One-time keys are given out in the order in which they were uploaded.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysclaim", level = Must, severity = Interop)]
async fn keys_are_claimed_in_the_order_of_upload(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    // Against the order of their names.
    let numbers = [7, 5, 6, 2];
    for number in numbers {
        let one = one_time_keys(&alice, &key, number..number + 1)?;
        alice.upload_keys(json!({"one_time_keys": one})).await?;
    }

    for number in numbers {
        let (answer, claimed) = bob.claim_key(&alice).await?;
        let name = key_name(number);
        answer.must(claimed.get(&name).is_some(), name, || claimed.to_string())?;
    }
    Ok(())
}

/// When a device has no one-time keys, its fallback key is given out, again and again, and the device is told that it was.
#[conformance(
    spec = "client-server-api/#one-time-and-fallback-keys",
    level = Must,
    severity = Interop,
    since = "v1.2"
)]
async fn fallback_key_stands_in(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    alice.initial_sync().await?.answer().must_hold(UNUSED, json!([]))?;
    let fallback = json!({"signed_curve25519:fallback": alice.signed_curve25519(&key, true)?});
    let upload = json!({"one_time_keys": one_time_keys(&alice, &key, 0..1)?, "fallback_keys": fallback});
    alice.upload_keys(upload).await?;
    sees_unused(&alice, json!(["signed_curve25519"])).await?;

    let (answer, claimed) = bob.claim_key(&alice).await?;
    answer.must(claimed.get(key_name(0)).is_some(), "the one-time key first", || claimed.to_string())?;
    for claimer in [&bob, &carol] {
        let (answer, claimed) = claimer.claim_key(&alice).await?;
        answer.must(claimed == fallback, format!("the fallback key {fallback}"), || claimed.to_string())?;
    }
    sees_unused(&alice, json!([])).await
}

/// A new fallback key takes the place of the one before, and is unused.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3keysupload",
    level = Must,
    severity = Interop,
    since = "v1.2"
)]
async fn fallback_key_is_replaced(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let key = alice.publishes_device_keys().await?;
    for name in ["signed_curve25519:first", "signed_curve25519:second"] {
        let fallback = json!({name: alice.signed_curve25519(&key, true)?});
        alice.upload_keys(json!({"fallback_keys": fallback})).await?;
        sees_unused(&alice, json!(["signed_curve25519"])).await?;

        let (answer, claimed) = bob.claim_key(&alice).await?;
        answer.must(claimed == fallback, format!("the fallback key {fallback}"), || claimed.to_string())?;
    }
    Ok(())
}

/// A claim for a device that does not exist gets nothing, and is no failure.
#[conformance(spec = "client-server-api/#post_matrixclientv3keysclaim", level = Must, severity = Interop)]
async fn claim_of_an_unknown_device_is_empty(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let (answer, claimed) = bob.claim_key(&alice).await?;
    let none = claimed.as_object().is_none_or(serde_json::Map::is_empty);
    answer.must(none, "no key of a device that has none", || claimed.to_string())?;
    let failures = answer.at("/failures");
    answer.must(failures.as_object().is_none_or(serde_json::Map::is_empty), "no failures", || {
        failures.to_string()
    })
}

/// A device that logs out is deleted, and its keys are shown and given out no more.
#[conformance(spec = "client-server-api/#post_matrixclientv3logout", level = Must, severity = Security)]
async fn keys_go_with_the_device(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let key = phone.publishes_device_keys().await?;
    phone.upload_keys(json!({"one_time_keys": one_time_keys(&phone, &key, 0..1)?})).await?;
    let shown = bob.query_keys(&alice).await?;
    let keys = &shown.at("/device_keys")[alice.id()];
    shown.must(keys.get(phone.device_id()).is_some(), "the keys of the device", || keys.to_string())?;

    phone.log_out().await?;

    bob.query_keys(&alice).await?.must_not_mention(phone.device_id())?;
    let (answer, claimed) = bob.claim_key(&phone).await?;
    let none = claimed.as_object().is_none_or(serde_json::Map::is_empty);
    answer.must(none, "no key of a device that is gone", || claimed.to_string())
}

const UNUSED: &str = "/device_unused_fallback_key_types";

/// Syncs until these are the algorithms of the device whose fallback key was not given out. A server need not wake a
/// client for that.
async fn sees_unused(user: &User, types: Value) -> Verdict {
    let what = format!("{types} at {UNUSED}");
    let shown = |sync: &Sync| *sync.answer().at(UNUSED) == types;
    user.sync_showing(&what, || user.sync_request(), shown).await.map(drop)
}

fn one_time_keys(user: &User, key: &Key, numbers: std::ops::Range<u32>) -> Result<Value, Stop> {
    let mut keys = json!({});
    for number in numbers {
        keys[key_name(number)] = user.signed_curve25519(key, false)?;
    }
    Ok(keys)
}

fn key_name(number: u32) -> String {
    format!("signed_curve25519:key{number}")
}
