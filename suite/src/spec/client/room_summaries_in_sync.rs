//! Who is in a room, in short: `client-server-api/#get_matrixclientv3sync_response-200_roomsummary`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::Verdict,
};

/// Nothing makes a summary depend on how members are loaded.
fn loadings() -> [&'static str; 2] {
    ["all members", "lazily"]
}

fn filter_of(loading: &str) -> &'static str {
    match loading {
        "lazily" => r#"{"room":{"state":{"lazy_load_members":true}}}"#,
        _ => r#"{"room":{"state":{"lazy_load_members":false}}}"#,
    }
}

/// A room without a name is summed up by its heroes, who are other members, and by how many members it has.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Must,
    severity = Usability,
    each = loadings,
    proves = [
        "client-server-api/get_matrixclientv3sync/12",
        "client-server-api/get_matrixclientv3sync/14",
        "client-server-api/get_matrixclientv3sync/16",
    ]
)]
async fn nameless_room_has_heroes_and_counts(hs: &Homeserver, loading: &'static str) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    alice.invite(&room, &carol).await?;

    let invited = |sync: &Sync| sync.has_membership(&room, carol.id(), "invite");
    let ask = || alice.sync_request().query("filter", filter_of(loading));
    let sync = alice.sync_showing("the invite of the third member", ask, invited).await?;
    must_count(&sync, &room, 2, 1)?;
    let heroes = &sync.joined(&room)["summary"]["m.heroes"];
    let mut came: Vec<&str> = heroes.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    came.sort_unstable();
    let mut others = [bob.id(), carol.id()];
    others.sort_unstable();
    sync.answer().must(came == others, "the other members as heroes", || heroes.to_string())
}

/// The counts of members are told again when they change.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Must,
    severity = Usability,
    each = loadings
)]
async fn changed_counts_are_told(hs: &Homeserver, loading: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({"invite": [bob.id()]})).await?;
    let ask = || alice.sync_request().query("filter", filter_of(loading));
    let invited = |sync: &Sync| sync.has_membership(&room, bob.id(), "invite");
    let since = alice.sync_showing("the invite", ask, invited).await?.next_batch().to_owned();

    bob.join(&room).await?;

    let joined = |sync: &Sync| sync.has_membership(&room, bob.id(), "join");
    let sync = alice.sync_showing("the join", || ask().query("since", &since), joined).await?;
    must_count(&sync, &room, 2, 0)
}

/// When all others have left, the heroes of a nameless room are those who were there.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Should,
    severity = Usability,
    each = loadings,
    proves = ["client-server-api/get_matrixclientv3sync/15"]
)]
async fn departed_members_become_heroes(hs: &Homeserver, loading: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    bob.leave(&room).await?;

    let left = |sync: &Sync| sync.has_membership(&room, bob.id(), "leave");
    let ask = || alice.sync_request().query("filter", filter_of(loading));
    let sync = alice.sync_showing("the leave", ask, left).await?;
    let heroes = &sync.joined(&room)["summary"]["m.heroes"];
    sync.answer().must(*heroes == json!([bob.id()]), "the user who has left as hero", || heroes.to_string())
}

/// Of many members, the heroes are the first five, in the order in which they came.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3sync_response-200_roomsummary",
    level = Should,
    severity = Usability,
    each = loadings,
    proves = ["client-server-api/get_matrixclientv3sync/13"]
)]
async fn first_members_are_the_heroes(hs: &Homeserver, loading: &'static str) -> Verdict {
    let users: [User; 8] = hs.users().await?;
    let [alice, others @ ..] = &users;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    // Against the order of their names.
    for other in others.iter().rev() {
        other.join(&room).await?;
    }

    let last = &others[0];
    let joined = |sync: &Sync| sync.has_membership(&room, last.id(), "join");
    let ask = || alice.sync_request().query("filter", filter_of(loading));
    let sync = alice.sync_showing("the last join", ask, joined).await?;
    let expected: Vec<&str> = others.iter().rev().map(User::id).take(5).collect();
    let heroes = &sync.joined(&room)["summary"]["m.heroes"];
    sync.answer().must(*heroes == json!(expected), format!("{expected:?} as heroes"), || heroes.to_string())
}

fn must_count(sync: &Sync, room: &str, joined: u64, invited: u64) -> Verdict {
    let summary = &sync.joined(room)["summary"];
    let told = (summary["m.joined_member_count"].as_u64(), summary["m.invited_member_count"].as_u64());
    let expected = format!("{joined} joined and {invited} invited members in the summary");
    sync.answer().must(told == (Some(joined), Some(invited)), expected, || summary.to_string())
}
