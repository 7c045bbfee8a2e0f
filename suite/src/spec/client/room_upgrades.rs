//! `client-server-api/#room-upgrades`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

fn upgrade(user: &User, room: &str, version: &str) -> Call<String> {
    user.post(path!("/_matrix/client/v3/rooms/{}/upgrade", room), json!({"new_version": version}))
        .reading(|answer| answer.must_have_text("/replacement_room"))
}

/// A room of version 10, to be upgraded to 11.
async fn old_room(hs: &Homeserver, alice: &User, mut body: serde_json::Value) -> Result<String, Stop> {
    hs.must_offer(&protocol::room_version::V10)?;
    hs.must_offer(&protocol::room_version::V11)?;
    body["room_version"] = json!("10");
    alice.create_room(body).await
}

/// The replacement of an upgraded room has the new version and names the old room, which points to it by a
/// tombstone.
#[conformance(spec = "client-server-api/#room-upgrades", level = Must, severity = Interop)]
async fn rooms_point_to_each_other(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let old = old_room(hs, &alice, json!({"creation_content": {"type": "org.determinant.kind"}})).await?;

    let new = upgrade(&alice, &old, "11").await?;

    let create = alice.state(&new, "m.room.create", "").await?;
    create.must_hold("/room_version", "11")?;
    create.must_hold("/predecessor/room_id", old.as_str())?;
    create.must_hold("/type", "org.determinant.kind")?;
    alice.state(&old, "m.room.tombstone", "").await?.must_hold("/replacement_room", new)
}

/// The replacement has the name, topic, power levels and rules of the old room.
#[conformance(spec = "client-server-api/#room-upgrades", level = Should, severity = Usability)]
async fn state_is_transferred(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let body = json!({
        "name": "the name",
        "topic": "the topic",
        "initial_state": [
            {"type": "m.room.avatar", "content": {"url": "mxc://example.org/avatar"}},
            {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
            {"type": "m.room.guest_access", "content": {"guest_access": "forbidden"}},
            {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}},
            {"type": "m.room.join_rules", "content": {"join_rule": "public"}},
            {"type": "m.room.server_acl", "content": {"allow": ["*"], "deny": ["evil.example.org"]}},
        ],
        "power_level_content_override": {"users": {alice.id(): 100, bob.id(): 42}, "invite": 7},
    });
    let old = old_room(hs, &alice, body).await?;
    let before = alice.all_state(&old).await?;

    let new = upgrade(&alice, &old, "11").await?;

    let after = alice.all_state(&new).await?;
    let differs = |kind: &&&str| after.state_content(kind, "") != before.state_content(kind, "");
    let different: Vec<&&str> = TRANSFERRED.iter().filter(differs).collect();
    after.must(different.is_empty(), "the state of the old room", || {
        format!("other contents of {different:?}")
    })
}

const TRANSFERRED: [&str; 9] = [
    "m.room.avatar",
    "m.room.encryption",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.name",
    "m.room.power_levels",
    "m.room.server_acl",
    "m.room.topic",
];

/// A replacement of version 12 is named after its create event, which names the old room, and the old room points to it.
#[conformance(spec = "client-server-api/#room-upgrades", level = Must, severity = Interop, since = "v1.16")]
async fn version_12_can_be_upgraded_to(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V12)?;
    let [alice] = hs.users().await?;
    let old = old_room(hs, &alice, json!({})).await?;

    let new = upgrade(&alice, &old, "12").await?;

    let create = alice.state(&new, "m.room.create", "").query("format", "event").await?;
    create.must_hold("/content/room_version", "12")?;
    create.must_hold("/content/predecessor/room_id", old.as_str())?;
    create.must_hold("/event_id", format!("${}", new.trim_start_matches('!')))?;
    alice.state(&old, "m.room.tombstone", "").await?.must_hold("/replacement_room", new)
}

/// The replacement has none of the memberships of the old room but that of who upgraded it, and no state of which it matters
/// who has sent it.
#[conformance(
    spec = "client-server-api/#room-upgrades",
    level = Should,
    severity = Security,
    proves = ["client-server-api/server-behaviour-21/2", "client-server-api/server-behaviour-21/3"]
)]
async fn what_is_personal_stays(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let body = json!({
        "preset": "public_chat",
        "power_level_content_override": {"users": {alice.id(): 100}, "state_default": 0},
    });
    let old = old_room(hs, &alice, body).await?;
    bob.join(&old).await?;
    bob.set_state(&old, "org.determinant.personal", "", json!({"by": bob.id()})).await?;

    let new = upgrade(&alice, &old, "11").await?;

    let state = alice.all_state(&new).await?;
    let carried = |event: &&Value| {
        event["type"] == "org.determinant.personal"
            || (event["type"] == "m.room.member"
                && event["state_key"] != alice.id()
                && event["content"]["membership"] == "join")
    };
    let carried: Vec<&Value> = state.json().as_array().into_iter().flatten().filter(carried).collect();
    state.must(carried.is_empty(), "nothing that is bob's", || format!("{carried:?}"))
}

/// Whoever joins the replacement is notified there as they were of the old room.
#[conformance(
    spec = "client-server-api/#room-upgrades",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-21/5"]
)]
async fn push_rules_follow_their_user(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let old = old_room(hs, &alice, json!({"preset": "public_chat"})).await?;
    bob.join(&old).await?;
    let rule = path!("/_matrix/client/v3/pushrules/global/room/{}", old);
    bob.put(rule, json!({"actions": ["notify", {"set_tweak": "sound", "value": "default"}]})).await?;

    let new = upgrade(&alice, &old, "11").await?;
    bob.join(&new).await?;

    let is_the_same = |answer: &Answer| {
        let rules = answer.at("/room").as_array().cloned().unwrap_or_default();
        rules.iter().any(|rule| rule["rule_id"] == new.as_str() && rule["actions"][1]["value"] == "default")
    };
    let rules = || bob.get("/_matrix/client/v3/pushrules/global/");
    hs.eventually("the rule of the old room", rules, is_the_same).await.map(drop)
}

/// Whoever joins the replacement finds the tags there that they gave the old room.
#[conformance(
    spec = "client-server-api/#room-upgrades",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-21/5"]
)]
async fn tags_follow_their_user(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let old = old_room(hs, &alice, json!({"preset": "public_chat"})).await?;
    bob.join(&old).await?;
    let tag = |room: &str| bob.own_path(&path!("/rooms/{}/tags/{}", room, "u.work"));
    bob.put(tag(&old), json!({"order": 0.5})).await?;

    let new = upgrade(&alice, &old, "11").await?;
    bob.join(&new).await?;

    let tags = || bob.get(bob.own_path(&path!("/rooms/{}/tags", new)));
    let tagged = |tags: &Answer| tags.at("/tags/u.work/order") == 0.5;
    hs.eventually("the tag of the old room", tags, tagged).await.map(drop)
}

/// The local aliases of the old room lead to the replacement.
#[conformance(spec = "client-server-api/#room-upgrades", level = Must, severity = Usability)]
async fn aliases_move(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let localpart = format!("{}-moves", alice.localpart());
    let old = old_room(hs, &alice, json!({"room_alias_name": localpart})).await?;

    let new = upgrade(&alice, &old, "11").await?;

    let alias = format!("#{localpart}:{}", hs.name());
    alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).await?.must_hold("/room_id", new)
}

/// Ordinary members can no longer speak in the old room.
#[conformance(
    spec = "client-server-api/#room-upgrades",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/server-behaviour-21/4"]
)]
async fn old_room_falls_silent(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let old = old_room(hs, &alice, json!({"preset": "public_chat"})).await?;
    bob.join(&old).await?;

    upgrade(&alice, &old, "11").await?;

    bob.say(&old, "is anybody here?").must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// A version that the server does not support is refused, and the room stays as it is.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidupgrade",
    level = Must,
    severity = Interop
)]
async fn unsupported_version_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    upgrade(&alice, &room, "org.determinant.none").must_refuse(400, "M_UNSUPPORTED_ROOM_VERSION").await?;
    alice.state(&room, "m.room.tombstone", "").must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// A member without the power level for a tombstone cannot upgrade the room.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidupgrade",
    level = Must,
    severity = Security
)]
async fn power_level_is_required(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let old = old_room(hs, &alice, json!({"preset": "public_chat"})).await?;
    bob.join(&old).await?;

    upgrade(&bob, &old, "11").must_refuse(403, "M_FORBIDDEN").await?;
    alice.state(&old, "m.room.tombstone", "").must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// The additional creators named in the request are those of the replacement of version 12.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidupgrade",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["client-server-api/server-behaviour-21/1"]
)]
async fn additional_creators_are_those_of_the_request(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V12)?;
    let [alice, bob, carol] = hs.users().await?;
    let body = json!({"room_version": "12", "creation_content": {"additional_creators": [bob.id()]}});
    let old = alice.create_room(body).await?;

    let body = json!({"new_version": "12", "additional_creators": [carol.id()]});
    let answer = alice.post(path!("/_matrix/client/v3/rooms/{}/upgrade", old), body).await?;

    let new = answer.must_have_text("/replacement_room")?;
    let create = alice.state(&new, "m.room.create", "").await?;
    create.must_hold("/additional_creators", json!([carol.id()]))
}
