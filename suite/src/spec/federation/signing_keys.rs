//! `server-server-api/#get_matrixkeyv2server`: how long keys of other servers hold, and how often they are asked for.

use http::Method;
use protocol::{RoomVersion, keys::SigningKey, room_version};
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::room_versions;
use crate::{
    cast::{
        Call, Homeserver, Remote,
        remote::{Pdu, Question, Room, resigned},
    },
    path,
    verdict::{Stop, Verdict, must},
};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Has a remote say that its keys are valid until then.
fn set_validity(remote: &Remote, until_ms: u64) {
    let (name, key) = (remote.name().to_owned(), remote.key().clone());
    remote.alters(Question::ServerKeys, move |document| {
        document["valid_until_ts"] = json!(until_ms);
        *document = resigned(document.clone(), &name, &key);
    });
}

/// The names of the server's keys hold nothing but letters, digits and underscores.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Must,
    severity = Interop,
    proves = [
        "server-server-api/get_matrixkeyv2server/5",
        "server-server-api/get_matrixkeyv2server/10"
    ]
)]
async fn keys_have_plain_names(hs: &Homeserver) -> Verdict {
    let answer = hs.federation_request(Method::GET, "/_matrix/key/v2/server")?.await?;
    for section in ["/verify_keys", "/old_verify_keys"] {
        for id in answer.at(section).as_object().into_iter().flat_map(|keys| keys.keys()) {
            let version = id.split_once(':').map_or("", |(_, version)| version);
            let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
            let right = !version.is_empty() && version.chars().all(is_plain);
            answer.must(right, "key ids of an algorithm, a colon and [a-zA-Z0-9_]", || id.clone())?;
        }
    }
    Ok(())
}

/// A server that signs with keys that it does not publish is not asked for them again with every request.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Should,
    severity = Security,
    proves = ["server-server-api/get_matrixkeyv2server/3"]
)]
async fn keys_are_not_asked_for_again_and_again(hs: &Homeserver) -> Verdict {
    const REQUESTS: usize = 20;
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let profile = path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id());
    remote.get(profile.clone())?.await?;
    for number in 0..REQUESTS {
        let key = SigningKey::generate(&format!("unpublished{number}"))
            .map_err(|error| Stop::Fault(error.to_string()))?;
        let seal = remote.seal(move |mut header| {
            header.key = key.id().clone();
            header.to_string()
        });
        remote.get(profile.clone())?.sealed(seal).must_be_refused().await?;
    }
    let asked = remote.asked(Question::ServerKeys).len();
    must(asked < REQUESTS, format!("fewer than {REQUESTS} questions for keys"), || format!("{asked}"))
}

/// The room versions in which keys hold for ever, and the others.
fn old_versions() -> impl Iterator<Item = &'static RoomVersion> {
    room_versions().filter(|version| !version.enforces_key_validity)
}

fn newer_versions() -> impl Iterator<Item = &'static RoomVersion> {
    room_versions().filter(|version| version.enforces_key_validity)
}

/// A room of a remote with a user of another remote, whose keys were valid until an hour ago; what that user says now, and what
/// was said after it.
async fn late_message(
    hs: &Homeserver,
    version: &'static RoomVersion,
) -> Result<(crate::cast::User, Room, Pdu, Pdu), Stop> {
    let [alice] = hs.users().await?;
    let (remote, late) = (hs.remote().await?, hs.remote().await?);
    let now = Room::now_ms();
    set_validity(&late, now - HOUR_MS);
    let room = remote.room_of_version_with(version, &alice).await?;
    let theirs = room.shared_with(&late, &late.user("dave"));
    let join = theirs.member(theirs.speaker(), "join").with("origin_server_ts", json!(now - 2 * HOUR_MS));
    let join = theirs.add(join)?;
    remote.deliver(&join).await?;
    alice.sees("dave", |sync| sync.has_membership(room.id(), theirs.speaker(), "join")).await?;
    let message = theirs.message("signed too late").build()?;
    remote.transmit(&[&message]).await?;
    let later = remote.send(room.message("all is well")).await?;
    Ok((alice, room, message, later))
}

/// In rooms of versions 1 to 4, an event counts although its key was valid no longer.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Must,
    severity = Interop,
    each = old_versions,
    proves = ["server-server-api/get_matrixkeyv2server/7"]
)]
async fn old_rooms_ignore_how_long_keys_hold(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, room, message, _) = late_message(hs, version).await?;
    alice.sees_event(room.id(), message.id()).await.map(drop)
}

/// In rooms since version 5, an event does not count when its key was valid no longer.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Must,
    severity = Security,
    each = newer_versions,
    proves = ["server-server-api/get_matrixkeyv2server/8"]
)]
async fn keys_do_not_outlive_their_time(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, room, message, later) = late_message(hs, version).await?;
    alice.must_not_be_shown(&room, &message, &later).await
}

/// Keys hold for seven days from now at most, whatever their server says.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Must,
    severity = Security,
    proves = ["server-server-api/get_matrixkeyv2server/9"]
)]
async fn keys_hold_for_a_week_at_most(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let now = Room::now_ms();
    set_validity(&remote, now + 30 * DAY_MS);
    let room = remote.room_of_version_with(&room_version::V11, &alice).await?;
    let at = |days: u64| json!(now + days * DAY_MS);
    let soon = remote.send(room.message("in five days").with("origin_server_ts", at(5))).await?;
    alice.sees_event(room.id(), soon.id()).await?;
    let far = room.message("in ten days").with("origin_server_ts", at(10)).build()?;
    remote.transmit(&[&far]).await?;
    let later = remote.send(room.message("all is well")).await?;
    alice.must_not_be_shown(&room, &far, &later).await
}

/// The ways to ask a notary.
fn ways() -> impl Iterator<Item = &'static str> {
    ["get", "post"].into_iter()
}

/// Asks a notary for the keys of a remote, which are to be valid until then.
fn ask(hs: &Homeserver, way: &str, remote: &Remote, until_ms: Option<u64>) -> Result<Call, Stop> {
    match way {
        "get" => {
            let call =
                hs.federation_request(Method::GET, path!("/_matrix/key/v2/query/{}", remote.name()))?;
            Ok(match until_ms {
                Some(until_ms) => call.query("minimum_valid_until_ts", until_ms.to_string()),
                None => call,
            })
        }
        _ => {
            let criteria = match until_ms {
                Some(until_ms) => json!({"minimum_valid_until_ts": until_ms}),
                None => json!({}),
            };
            let body = json!({"server_keys": {remote.name(): {remote.key().id().as_str(): criteria}}});
            Ok(hs.federation_request(Method::POST, "/_matrix/key/v2/query")?.json(&body))
        }
    }
}

/// Until when the keys that a notary returned are valid.
fn validity(answer: &Value) -> u64 {
    let all = answer["server_keys"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter_map(|keys| keys["valid_until_ts"].as_u64()).max().unwrap_or_default()
}

/// Asks a notary again until what it returns is valid as long as it has to be.
async fn must_hold_until(
    hs: &Homeserver,
    way: &str,
    remote: &Remote,
    asked_ms: Option<u64>,
    until_ms: u64,
) -> Verdict {
    ask(hs, way, remote, asked_ms).map(drop)?;
    let call = || ask(hs, way, remote, asked_ms).unwrap_or_else(|_| hs.get("/"));
    let what = format!("keys that are valid until {until_ms}");
    hs.eventually(&what, call, |answer| validity(answer.json()) >= until_ms).await.map(drop)
}

/// A notary looks for keys that are valid as long as it was asked for.
#[conformance(
    spec = "server-server-api/#querying-keys-through-another-server",
    level = Should,
    severity = Interop,
    each = ways,
    proves = [
        "server-server-api/post_matrixkeyv2query/4",
        "server-server-api/get_matrixkeyv2queryservername/2"
    ]
)]
async fn notary_looks_for_keys_that_hold(hs: &Homeserver, way: &'static str) -> Verdict {
    let remote = hs.remote().await?;
    let now = Room::now_ms();
    set_validity(&remote, now + HOUR_MS);
    must_hold_until(hs, way, &remote, Some(now), now).await?;
    set_validity(&remote, now + 3 * DAY_MS);
    must_hold_until(hs, way, &remote, Some(now + 2 * DAY_MS), now + 2 * DAY_MS).await
}

/// A notary that is asked for no time looks for keys that are valid now.
#[conformance(
    spec = "server-server-api/#querying-keys-through-another-server",
    level = Must,
    severity = Interop,
    each = ways,
    proves = [
        "server-server-api/post_matrixkeyv2query/5",
        "server-server-api/get_matrixkeyv2queryservername/3"
    ]
)]
async fn notary_looks_for_keys_that_hold_now(hs: &Homeserver, way: &'static str) -> Verdict {
    let remote = hs.remote().await?;
    let soon = Room::now_ms() + 2000;
    set_validity(&remote, soon);
    ask(hs, way, &remote, None)?.await?;
    set_validity(&remote, soon + DAY_MS);
    must_hold_until(hs, way, &remote, None, soon + DAY_MS).await
}

/// A notary does not ask for keys again that are in the first half of their life.
#[conformance(
    spec = "server-server-api/#get_matrixkeyv2server",
    level = Should,
    severity = Usability,
    each = ways,
    proves = ["server-server-api/get_matrixkeyv2server/1"]
)]
async fn notary_keeps_keys(hs: &Homeserver, way: &'static str) -> Verdict {
    let remote = hs.remote().await?;
    for _ in 0..3 {
        ask(hs, way, &remote, Some(Room::now_ms()))?.await?;
    }
    let asked = remote.asked(Question::ServerKeys).len();
    must(asked == 1, "one question for the keys", || format!("{asked}"))
}
