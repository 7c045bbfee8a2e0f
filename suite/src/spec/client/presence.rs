//! `client-server-api/#presence`

use std::time::Instant;

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, Sync, User},
    path,
    verdict::{Stop, Verdict, must},
};

/// The presence that a user sets can be read by those who share a room with them.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3presenceuseridstatus",
    level = Must,
    severity = Usability,
    needs = "presence"
)]
async fn can_be_read_by_roommates(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    alice.room_with(&[&bob]).await?;
    set(&alice, json!({"presence": "online", "status_msg": "in a meeting"})).await?;

    let presence = bob.get(status_path(&alice)).await?;
    presence.must_hold("/presence", "online")?;
    presence.must_hold("/status_msg", "in a meeting")?;
    // Somebody who is not reachable is not active.
    set(&alice, json!({"presence": "unavailable"})).await?;
    let presence = bob.get(status_path(&alice)).await?;
    let active = presence.at("/currently_active");
    presence.must(*active != true, "nobody who is active", || active.to_string())
}

/// A change of presence reaches those who share a room with the user, and nobody else.
#[conformance(spec = "client-server-api/#presence", level = Must, severity = Usability, needs = "presence")]
async fn reaches_roommates_only(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;
    let message = format!("meeting {}", alice.localpart());

    set(&alice, json!({"presence": "unavailable", "status_msg": message})).await?;

    let shown = |event: &Value| {
        event["type"] == "m.presence"
            && event["sender"] == alice.id()
            && event["content"]["presence"] == "unavailable"
            && event["content"]["currently_active"] != true
            && event["content"]["status_msg"] == message
    };
    bob.sees("alice being unavailable", |sync| sync.presence().iter().any(shown)).await?;
    eve.must_never_see("the presence of alice", |sync| sync.mentions(alice.id())).await
}

/// The presence of users is told whichever room it is that is shared with each.
#[conformance(spec = "client-server-api/#presence", level = Must, severity = Usability, needs = "presence")]
async fn roommates_of_different_rooms_are_told(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    for other in [&bob, &carol] {
        let room = alice.room_with(&[other]).await?;
        alice.catches_up(&room).await?;
    }
    let since = alice.sync().await?.next_batch().to_owned();

    for other in [&bob, &carol] {
        set(other, json!({"presence": "unavailable", "status_msg": "different"})).await?;
    }

    for other in [&bob, &carol] {
        let ask = || alice.sync_request().query("since", &since);
        let shown =
            |event: &Value| event["sender"] == other.id() && event["content"]["status_msg"] == "different";
        let told = |sync: &Sync| sync.presence().iter().any(shown);
        alice.sync_showing(&format!("the presence of {}", other.id()), ask, told).await?;
    }
    Ok(())
}

/// The presence of whoever joins a room is told to its members.
///
/// Presence "is published to all users who share a room"; that the server has to tell it at the join, the text does not say.
#[conformance(spec = "client-server-api/#presence", level = May, severity = Usability, needs = "presence")]
async fn presence_comes_with_a_join(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    alice.catches_up(&room).await?;
    set(&bob, json!({"presence": "online", "status_msg": "on the way"})).await?;

    bob.join(&room).await?;

    let shown = |event: &Value| event["sender"] == bob.id() && event["content"]["status_msg"] == "on the way";
    alice.sees("the presence of bob", |sync| sync.presence().iter().any(shown)).await.map(drop)
}

/// The time since a user was last active is up to date in every presence event: it grows while the user does nothing.
#[conformance(
    spec = "client-server-api/#last-active-ago",
    level = Must,
    severity = Usability,
    needs = "presence",
    proves = ["client-server-api/last-active-ago/2"]
)]
async fn time_of_last_activity_is_up_to_date(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    alice.room_with(&[&bob]).await?;
    let before = Instant::now();
    set(&alice, json!({"presence": "online"})).await?;

    let ago_ms = |sync: &Sync| {
        let told = sync.presence().iter().find(|event| event["sender"] == alice.id());
        told.and_then(|event| event["content"]["last_active_ago"].as_u64())
    };
    let sync = bob.sync_showing(
        "the presence of alice",
        || bob.sync_request(),
        |sync| sync.presence().iter().any(|event| event["sender"] == alice.id()),
    );
    let Some(first_ms) = ago_ms(&sync.await?) else {
        return Err(Stop::NotApplicable("the server does not tell when users were active".to_owned()));
    };
    let elapsed_ms = u64::try_from(before.elapsed().as_millis()).unwrap_or(u64::MAX);
    let expected = format!("at most {elapsed_ms} ms since alice was active");
    must(first_ms <= elapsed_ms, expected, || format!("{first_ms} ms"))?;

    let later = |sync: &Sync| ago_ms(sync).is_some_and(|later_ms| later_ms >= first_ms + MOMENT_MS);
    let what = format!("alice as active at least {} ms ago", first_ms + MOMENT_MS);
    bob.sync_showing(&what, || bob.sync_request(), later).await.map(drop)
}

/// What a stale time is told from a current one by.
const MOMENT_MS: u64 = 300;

/// A user cannot set the presence of another one.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3presenceuseridstatus",
    level = Must,
    severity = Security,
    needs = "presence"
)]
async fn belongs_to_its_user(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    alice.room_with(&[&eve]).await?;
    set(&alice, json!({"presence": "online", "status_msg": "set by alice"})).await?;

    let forged = json!({"presence": "offline", "status_msg": "set by eve"});
    eve.put(status_path(&alice), forged).must_be_refused().await?;

    alice.get(status_path(&alice)).await?.must_hold("/status_msg", "set by alice")
}

/// Nobody is told of the presence of a user who does not exist.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3presenceuseridstatus",
    level = Must,
    severity = Interop,
    needs = "presence"
)]
async fn presence_of_nobody_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let nobody = format!("@{}:{}", hs.unused_localpart(), hs.name());
    let answer = alice.get(path!("/_matrix/client/v3/presence/{}/status", nobody)).answer().await?;
    // Whether strangers are told that a user does not exist is up to the server.
    match answer.status().as_u16() {
        403 => answer.must_refuse(403, "M_FORBIDDEN").map(drop),
        _ => answer.must_be(404).map(drop),
    }
}

/// A sync marks its user as online, unless it asks for something else.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync",
    level = Must,
    severity = Usability,
    needs = "presence",
    each = syncs
)]
async fn syncing_marks_the_user(hs: &Homeserver, set_presence: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let sync = alice.sync_request();
    let (sync, expected) = match set_presence {
        "omitted" => (sync, "online"),
        state => (sync.query("set_presence", state), state),
    };
    sync.await?;

    let status = || alice.get(status_path(&alice));
    let presence = hs.eventually(expected, status, |answer| answer.at("/presence") == expected).await?;
    presence.must_hold("/presence", expected)
}

fn syncs() -> [&'static str; 4] {
    ["omitted", "online", "unavailable", "offline"]
}

/// A presence that is none of the defined ones is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3presenceuseridstatus",
    level = Should,
    severity = Interop,
    needs = "presence"
)]
async fn unknown_presence_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    set(&alice, json!({"presence": "out to lunch"})).must_be_refused().await?;
    alice.get(status_path(&alice)).await?.must_not_mention("out to lunch")
}

fn set(user: &User, body: Value) -> Call {
    user.put(status_path(user), body)
}

fn status_path(user: &User) -> String {
    path!("/_matrix/client/v3/presence/{}/status", user.id())
}
