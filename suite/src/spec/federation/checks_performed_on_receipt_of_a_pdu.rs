//! `server-server-api/#checks-performed-on-receipt-of-a-pdu`

use protocol::{RoomVersion, canonical_json::Form};
use serde_json::json;
use suite_attribute::conformance;

use super::room_versions;
use crate::{
    cast::{
        Homeserver, Remote, User,
        remote::{Draft, Pdu, Room},
    },
    registry::Case,
    verdict::{Stop, Verdict},
};

/// Sends something that must not be shown, and something after it that must.
async fn must_stay_hidden(remote: &Remote, room: &Room, reader: &User, hidden: &Pdu) -> Verdict {
    remote.transmit(&[hidden]).await?;
    let later = remote.send(room.message("all is well")).await?;
    reader.must_not_be_shown(room, hidden, &later).await
}

/// What is wrong with the signature of an event.
fn signature_defects() -> impl Iterator<Item = &'static str> {
    ["none", "of another server", "that does not match", "of an unpublished key"].into_iter()
}

/// An event that its sender's server has not signed is dropped.
#[conformance(
    spec = "server-server-api/#validating-hashes-and-signatures-on-received-events",
    level = Must,
    severity = Security,
    each = signature_defects,
    proves = ["server-server-api/validating-hashes-and-signatures-on-received-events/1"]
)]
async fn badly_signed_event_is_dropped(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (remote, stranger) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room_with(&alice).await?;
    let name = remote.name().to_owned();
    let draft = room.message("forged");
    let forged = match defect {
        "none" => draft.tampered(|event| event["signatures"] = json!({})),
        "of another server" => draft.signed_by(&stranger),
        "that does not match" => draft.tampered(move |event| {
            event["signatures"][&name]["ed25519:remote"] = json!(protocol::base64::encode([7; 64]));
        }),
        _ => draft.tampered(move |event| {
            let signature = event["signatures"][&name]["ed25519:remote"].clone();
            event["signatures"][&name] = json!({"ed25519:unpublished": signature});
        }),
    };
    must_stay_hidden(&remote, &room, &alice, &forged.build()?).await
}

/// In every room version, an event with a wrong signature is dropped and the next one is taken.
#[conformance(
    spec = "server-server-api/#checks-performed-on-receipt-of-a-pdu",
    level = Must,
    severity = Security,
    each = room_versions,
    proves = ["server-server-api/checks-performed-on-receipt-of-a-pdu/1"]
)]
async fn wrong_signature_drops(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let name = remote.name().to_owned();
    let forged = room.message("forged").tampered(move |event| {
        event["signatures"][&name]["ed25519:remote"] = json!(protocol::base64::encode([7; 64]));
    });
    must_stay_hidden(&remote, &room, &alice, &forged.build()?).await
}

/// Of an event whose content hash is wrong, only what a redaction leaves is used.
#[conformance(
    spec = "server-server-api/#checks-performed-on-receipt-of-a-pdu",
    level = Must,
    severity = Security,
    each = room_versions,
    proves = ["server-server-api/validating-hashes-and-signatures-on-received-events/5"]
)]
async fn wrong_hash_redacts(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let altered = room.message("true").tampered(|event| event["content"]["body"] = json!("false")).build()?;

    remote.transmit(&[&altered]).await?;

    alice.sees_event(room.id(), altered.id()).await?;
    alice.event(room.id(), altered.id()).await?.must_hold("/content", json!({}))
}

/// An event that its own auth events do not permit is rejected.
#[conformance(
    spec = "server-server-api/#rejection",
    level = Must,
    severity = Security,
    each = room_versions
)]
async fn event_of_an_outsider_is_rejected(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let intrusion = room.message("I am no member").by(&remote.user("outsider")).build()?;
    must_stay_hidden(&remote, &room, &alice, &intrusion).await
}

/// An event without the power for it is rejected, and the state stays as it was.
#[conformance(
    spec = "server-server-api/#rejection",
    level = Must,
    severity = Security,
    each = room_versions,
    proves = ["server-server-api/rejection/3"]
)]
async fn state_without_power_is_rejected(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let dave = remote.user("dave");
    remote.send(room.member(&dave, "join")).await?;
    remote.send(room.state_event("m.room.topic", "", json!({"topic": "as agreed"}))).await?;
    let usurped = room.state_event("m.room.topic", "", json!({"topic": "as dave says"})).by(&dave).build()?;

    must_stay_hidden(&remote, &room, &alice, &usurped).await?;

    alice.state(room.id(), "m.room.topic", "").await?.must_hold("/topic", "as agreed")
}

/// What an event's auth events should not hold.
fn auth_event_defects() -> impl Iterator<Item = &'static str> {
    ["of another room", "twice the same", "beyond the selection", "of a rejected event"].into_iter()
}

/// An event is rejected when its auth events are not those that the rules select.
#[conformance(
    spec = "rooms/v11/#authorisation-rules",
    level = Must,
    severity = Security,
    each = auth_event_defects
)]
async fn auth_events_must_be_those_selected(hs: &Homeserver, defect: &'static str) -> Verdict {
    let version = &protocol::room_version::V11;
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let id_of = |room: &Room, kind: &str, key: &str| {
        let found = room.state(kind, key).map(|event| event.id().to_owned());
        found.ok_or_else(|| Stop::Fault(format!("the room of the test has no {kind}")))
    };
    let create = id_of(&room, "m.room.create", "")?;
    let levels = id_of(&room, "m.room.power_levels", "")?;
    let member = id_of(&room, "m.room.member", room.speaker())?;
    let odd = match defect {
        "of another room" => {
            let other = remote.room_of_version_with(version, &alice).await?;
            id_of(&other, "m.room.power_levels", "")?
        }
        "twice the same" => member.clone(),
        "beyond the selection" => id_of(&room, "m.room.history_visibility", "")?,
        _ => {
            let join =
                room.member(&remote.user("outsider"), "invite").by(&remote.user("stranger")).build()?;
            room.keep_any(&join);
            remote.transmit(&[&join]).await?;
            join.id().to_owned()
        }
    };
    let mut auth_events = vec![create.as_str(), levels.as_str(), member.as_str()];
    if defect == "of another room" {
        auth_events[1] = &odd;
    } else {
        auth_events.push(&odd);
    }
    let event = room.message("wrongly authorized").authorized_by(&auth_events).build()?;
    must_stay_hidden(&remote, &room, &alice, &event).await
}

/// An event that refers to a rejected one is judged on its own.
#[conformance(
    spec = "server-server-api/#rejection",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/rejection/2"]
)]
async fn child_of_a_rejected_event_is_accepted(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let rejected = room.message("I am no member").by(&remote.user("outsider")).build()?;
    room.keep_any(&rejected);
    remote.transmit(&[&rejected]).await?;

    let child = room.add(room.message("after what was rejected").after(&[&rejected]))?;
    remote.deliver(&child).await?;

    alice.must_not_be_shown(&room, &rejected, &child).await?;
    alice.event(room.id(), child.id()).await.map(drop)
}

/// The server's own events do not refer to an event that it rejected.
#[conformance(
    spec = "server-server-api/#rejection",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/rejection/1"]
)]
async fn nothing_new_refers_to_a_rejected_event(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    let rejected = room.message("I am no member").by(&remote.user("outsider")).build()?;
    remote.transmit(&[&rejected]).await?;
    let mark = remote.send(room.message("judged by now")).await?;
    alice.sees_event(room.id(), mark.id()).await?;

    alice.say(room.id(), "after it").await?;

    let said = remote.sees_event("after it", |event| event["content"]["body"] == "after it").await?;
    let refers = said["prev_events"].to_string().contains(rejected.id());
    crate::verdict::must(!refers, "prev_events without the rejected event", || {
        said["prev_events"].to_string()
    })
}

/// A room in which a member of the remote was banned, and an event of theirs that evades it by referring to the past.
async fn evasion(hs: &Homeserver, version: &'static RoomVersion) -> Result<(User, Remote, Room, Pdu), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let dave = remote.user("dave");
    let join = remote.send(room.member(&dave, "join")).await?;
    alice.sees_event(room.id(), join.id()).await?;
    let draft = room.message("you cannot ban me").by(&dave).after(&[&join]);
    let evading = draft.build()?;
    let ban = remote.send(room.member(&dave, "ban")).await?;
    alice.sees_event(room.id(), ban.id()).await?;
    remote.transmit(&[&evading]).await?;
    // A server may answer before it has judged; what it was sent afterwards shows that it has.
    let mark = remote.send(room.message("judged by now")).await?;
    alice.sees_event(room.id(), mark.id()).await?;
    Ok((alice, remote, room, evading))
}

/// An event that the current state does not permit is kept from users: who is banned does not get round it by referring
/// to the time before.
#[conformance(
    spec = "server-server-api/#soft-failure",
    level = Should,
    severity = Security,
    each = room_versions,
    proves = [
        "server-server-api/soft-failure/2",
        "server-server-api/soft-failure/3",
    ]
)]
async fn evasion_of_a_ban_is_not_shown(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, remote, room, evading) = evasion(hs, version).await?;
    let later = remote.send(room.message("all is well")).await?;
    alice.must_not_be_shown(&room, &evading, &later).await
}

/// The server's own events do not refer to an event that was soft-failed.
#[conformance(
    spec = "server-server-api/#soft-failure",
    level = Should,
    severity = Security,
    proves = ["server-server-api/soft-failure/4"]
)]
async fn nothing_new_refers_to_a_soft_failed_event(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, evading) = evasion(hs, hs.usual_room_version()).await?;
    alice.say(room.id(), "after it").await?;
    let said = remote.sees_event("after it", |event| event["content"]["body"] == "after it").await?;
    let refers = said["prev_events"].to_string().contains(evading.id());
    crate::verdict::must(!refers, "prev_events without the soft-failed event", || {
        said["prev_events"].to_string()
    })
}

/// An event that was soft-failed is given to servers that ask for it.
#[conformance(
    spec = "server-server-api/#soft-failure",
    level = Should,
    severity = Interop,
    proves = ["server-server-api/soft-failure/6"]
)]
async fn soft_failed_event_is_given_to_servers(hs: &Homeserver) -> Verdict {
    let (_, remote, _, evading) = evasion(hs, hs.usual_room_version()).await?;
    let answer = remote.get(crate::path!("/_matrix/federation/v1/event/{}", evading.id()))?.await?;
    answer.must_hold("/pdus/0/content/body", "you cannot ban me")
}

/// An event after a soft-failed one is taken as usual.
#[conformance(spec = "server-server-api/#soft-failure", level = Should, severity = Interop)]
async fn child_of_a_soft_failed_event_is_accepted(hs: &Homeserver) -> Verdict {
    let (alice, remote, room, evading) = evasion(hs, hs.usual_room_version()).await?;
    room.keep_any(&evading);
    let tip = room.extremities();
    let tip = tip.iter().filter_map(|id| room.pdu(id)).collect::<Vec<_>>();
    let mut parents: Vec<&Pdu> = tip.iter().collect();
    parents.push(&evading);
    let merge = room.add(room.message("both branches").after(&parents))?;

    remote.deliver(&merge).await?;

    alice.sees_event(room.id(), merge.id()).await.map(drop)
}

/// A way in which an event breaks the format of its room version.
#[derive(Clone, Copy)]
struct Defect {
    name: &'static str,
    version: &'static RoomVersion,
    spoil: fn(Draft) -> Draft,
}

impl Case for Defect {
    fn label(&self) -> String {
        format!("{}, v{}", self.name, self.version.id)
    }
}

fn format_defects() -> impl Iterator<Item = Defect> {
    use protocol::room_version::{V1, V6, V11};
    let without = |name, spoil| [&V1, &V6, &V11].map(|version| Defect { name, version, spoil });
    let modern = |name, spoil| [Defect { name, version: &V11, spoil }];
    let defects = [
        without("no depth", |draft| draft.changed(|event| drop(event.remove("depth")))),
        without("no origin_server_ts", |draft| draft.changed(|event| drop(event.remove("origin_server_ts")))),
        without("too large", |draft| draft.with("content", json!({"body": "x".repeat(66_000)}))),
        without("type of 256 bytes", |draft| draft.with("type", json!("x".repeat(256)))),
    ];
    let strict = [
        modern("21 previous events", |draft| {
            draft.changed(|event| {
                let fill = (0..20)
                    .map(|number| json!(format!("${}", protocol::base64::encode_url_safe([number; 32]))));
                if let Some(previous) = event["prev_events"].as_array_mut() {
                    previous.extend(fill);
                }
            })
        }),
        modern("content is a string", |draft| draft.with("content", json!("text"))),
        modern("depth beyond 2^53", |draft| draft.with("depth", json!(9_007_199_254_740_992_i64))),
    ];
    defects.into_iter().flatten().chain(strict.into_iter().flatten())
}

/// An event that breaks the format of its room version is dropped.
#[conformance(
    spec = "server-server-api/#checks-performed-on-receipt-of-a-pdu",
    level = Must,
    severity = Interop,
    each = format_defects,
    proves = [
        "server-server-api/checks-performed-on-receipt-of-a-pdu/1",
        "server-server-api/checks-performed-on-receipt-of-a-pdu/2"
    ]
)]
async fn malformed_event_is_dropped(hs: &Homeserver, defect: Defect) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(defect.version, &alice).await?;
    let draft = (defect.spoil)(room.message("malformed"));
    // The strict form of canonical JSON cannot express all of these; who signs them anyway is not well-behaved.
    let malformed = draft.build_as(Form::Lenient)?;
    must_stay_hidden(&remote, &room, &alice, &malformed).await
}

/// An event with an id of more than 255 bytes is dropped, in the room versions where servers choose ids.
#[conformance(
    spec = "client-server-api/#size-limits",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/size-limits/6"]
)]
async fn overlong_event_id_is_dropped(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(&protocol::room_version::V1, &alice).await?;
    let id = format!("${}:{}", "x".repeat(255), remote.name());
    let overlong = room.message("overlong").with("event_id", json!(id)).build()?;
    must_stay_hidden(&remote, &room, &alice, &overlong).await
}

/// The room versions that enforce canonical JSON.
fn strict_versions() -> impl Iterator<Item = &'static RoomVersion> {
    room_versions().filter(|version| version.canonical_json == Form::Strict)
}

/// Numbers that canonical JSON does not have make an event invalid, since room version 6.
#[conformance(
    spec = "rooms/v6/#canonical-json",
    level = Must,
    severity = Interop,
    each = strict_versions
)]
async fn floats_are_dropped(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let draft = room.message("a number").with("content", json!({"body": "a number", "number": 1.5}));
    must_stay_hidden(&remote, &room, &alice, &draft.build_as(Form::Lenient)?).await
}

/// The room versions that do not enforce canonical JSON.
fn lenient_versions() -> impl Iterator<Item = &'static RoomVersion> {
    room_versions().filter(|version| version.canonical_json == Form::Lenient)
}

/// Numbers that canonical JSON does not have are no reason to drop an event before room version 6.
#[conformance(
    spec = "rooms/v1/#canonical-json",
    level = Must,
    severity = Interop,
    each = lenient_versions
)]
async fn floats_are_taken_in_old_rooms(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let content = json!({"msgtype": "m.text", "body": "a number", "number": 1.5});
    let event = remote.send(room.message("a number").with("content", content)).await?;
    alice.sees_event(room.id(), event.id()).await?;
    let number = alice.event(room.id(), event.id()).await?;
    let found = number.at("/content/number").clone();
    number.must(found == 1.5, "1.5 at /content/number", || found.to_string())
}
