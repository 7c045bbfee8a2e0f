//! `client-server-api/#room-tagging`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, Sync, User},
    path,
    verdict::Verdict,
};

/// A tag that is added to a room is listed with its order, and one that is removed is not listed any more.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag",
    level = Must,
    severity = Usability
)]
async fn are_listed_until_removed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    tag(&alice, &room, "m.favourite", json!({"order": 0.25})).await?;
    tag(&alice, &room, "u.Nächste Woche", json!({})).await?;
    let both = tags(&alice, &room).await?;
    both.must_hold("/tags/m.favourite/order", 0.25)?;
    both.must_have("/tags/u.Nächste Woche")?;

    alice.delete(tag_path(&alice, &room, "m.favourite")).await?;

    let one = tags(&alice, &room).await?;
    one.must_lack("/tags/m.favourite")?;
    one.must_have("/tags/u.Nächste Woche").map(drop)
}

/// A tag that is added again has its new order.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag",
    level = Must,
    severity = Usability
)]
async fn order_can_be_changed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    tag(&alice, &room, "m.lowpriority", json!({"order": 0.25})).await?;
    tag(&alice, &room, "m.lowpriority", json!({"order": 0.75})).await?;

    tags(&alice, &room).await?.must_hold("/tags/m.lowpriority/order", 0.75)
}

/// A room without tags has an empty list of them.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridroomsroomidtags",
    level = Must,
    severity = Interop
)]
async fn untagged_room_has_none(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let answer = tags(&alice, &room).await?;
    let none = answer.at("/tags").as_object().is_none_or(serde_json::Map::is_empty);
    answer.must(none, "no tags", || answer.at("/tags").to_string())
}

/// A name of more than 255 bytes makes no tag, and one of 255 does.
#[conformance(
    spec = "client-server-api/#events-14",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/events-14/2"]
)]
async fn names_are_limited(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let longest = format!("u.{}", "t".repeat(253));
    let too_long = format!("{longest}t");

    tag(&alice, &room, &longest, json!({})).await?;
    tag(&alice, &room, &too_long, json!({})).must_be_refused().await?;

    let answer = tags(&alice, &room).await?;
    answer.must_have(&format!("/tags/{longest}"))?;
    answer.must_lack(&format!("/tags/{too_long}"))
}

/// The tags of a room reach every session of the user as one `m.tag` event, when they are added and when they are removed.
#[conformance(spec = "client-server-api/#room-tagging", level = Must, severity = Usability)]
async fn reach_every_session(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let room = alice.create_room(json!({})).await?;
    phone.initial_sync().await?;

    tag(&alice, &room, "m.favourite", json!({"order": 0.5})).await?;
    phone.sees("the tag", |sync| shown(sync, &room) == Some(&json!({"m.favourite": {"order": 0.5}}))).await?;
    let beginning = alice.initial_sync().await?;
    let found = shown(&beginning, &room);
    let tagged = found == Some(&json!({"m.favourite": {"order": 0.5}}));
    beginning.answer().must(tagged, "the tag in an initial sync", || format!("{found:?}"))?;

    alice.delete(tag_path(&alice, &room, "m.favourite")).await?;
    phone.sees("no tag any more", |sync| shown(sync, &room) == Some(&json!({}))).await.map(drop)
}

/// The tags of a user are invisible to the other members of the room.
#[conformance(spec = "client-server-api/#room-tagging", level = Must, severity = Security)]
async fn are_seen_by_their_owner_only(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    tag(&alice, &room, "u.secret of alice", json!({})).await?;

    tags(&bob, &room).await?.must_not_mention("u.secret of alice")?;
    bob.must_never_see("alice's tag", |sync| sync.mentions("u.secret of alice")).await
}

/// The tags of another user can be neither read nor changed.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridroomsroomidtags",
    level = Must,
    severity = Security,
    proves = [
        "client-server-api/get_matrixclientv3useruseridroomsroomidtags/1",
        "client-server-api/put_matrixclientv3useruseridroomsroomidtagstag/1",
        "client-server-api/delete_matrixclientv3useruseridroomsroomidtagstag/1",
    ]
)]
async fn belong_to_their_owner(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.room_with(&[&eve]).await?;
    tag(&alice, &room, "u.of alice", json!({})).await?;
    let list = alice.own_path(&path!("/rooms/{}/tags", room));

    eve.get(list).must_be_refused().await?;
    eve.put(tag_path(&alice, &room, "u.of eve"), json!({})).must_be_refused().await?;
    eve.delete(tag_path(&alice, &room, "u.of alice")).must_be_refused().await?;

    let answer = tags(&alice, &room).await?;
    answer.must_have("/tags/u.of alice")?;
    answer.must_lack("/tags/u.of eve")
}

fn tag(user: &User, room: &str, name: &str, content: Value) -> Call {
    user.put(tag_path(user, room, name), content)
}

fn tags(user: &User, room: &str) -> Call {
    user.get(user.own_path(&path!("/rooms/{}/tags", room)))
}

fn tag_path(user: &User, room: &str, name: &str) -> String {
    user.own_path(&path!("/rooms/{}/tags/{}", room, name))
}

fn shown<'a>(sync: &'a Sync, room: &str) -> Option<&'a Value> {
    let mut events = sync.room_account_data(room).iter();
    events.find(|event| event["type"] == "m.tag").map(|event| &event["content"]["tags"])
}
