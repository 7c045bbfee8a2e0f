//! `server-server-api/#knocking-rooms`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{distort, is_distorted, misformatted, proposal_defects, spoil};
use crate::{
    cast::{
        Homeserver, User,
        remote::{Question, Reply},
    },
    path,
    verdict::{Stop, Verdict},
};

/// The room versions in which users can knock.
fn versions() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(|version| version.knock)
}

async fn knockable(hs: &Homeserver, version: &RoomVersion) -> Result<(User, String), Stop> {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}});
    let room = alice
        .create_room(json!({"room_version": version.id, "name": "behind a door", "initial_state": [rule]}));
    let room = room.await?;
    Ok((alice, room))
}

/// A user of another server knocks, is seen knocking, and is shown which room it is.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Must,
    severity = Interop,
    each = versions,
    since = "v1.1"
)]
async fn user_of_another_server_can_knock(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, room) = knockable(hs, version).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let template = remote.make_knock(&room, &dave)?.await?;
    let knock = template.build()?;

    let answer = remote.hand_in("send_knock", &room, &knock)?.await?;

    let state = answer.must_have_list("/knock_room_state")?;
    let named = state.iter().any(|event| event["content"]["name"] == "behind a door");
    answer.must(named, "the name of the room in knock_room_state", || json!(state).to_string())?;
    alice.sees("the knock", |sync| sync.has_membership(&room, &dave, "knock")).await.map(drop)
}

/// What a knocking server is shown of the room holds its create event.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Must,
    severity = Interop,
    since = "v1.16",
    proves = [
        "server-server-api/put_matrixfederationv1send_knockroomideventid/3",
        "client-server-api/mroommember/16",
    ]
)]
async fn knocking_server_is_shown_the_create_event(hs: &Homeserver) -> Verdict {
    let (_, room) = knockable(hs, hs.usual_room_version()).await?;
    let remote = hs.remote().await?;
    let knock = remote.make_knock(&room, &remote.user("dave"))?.await?.build()?;
    let answer = remote.hand_in("send_knock", &room, &knock)?.await?;
    let state = answer.must_have_list("/knock_room_state")?;
    let create = state.iter().any(|event| event["type"] == "m.room.create");
    answer.must(create, "m.room.create in knock_room_state", || json!(state).to_string())
}

/// Nobody knocks on a room whose rule does not let them.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_knockroomiduserid",
    level = Must,
    severity = Security,
    since = "v1.1"
)]
async fn knock_on_a_private_room_is_forbidden(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    remote.make_knock(&room, &remote.user("dave"))?.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// Nobody knocks on a room that the server does not know.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_knockroomiduserid",
    level = Must,
    severity = Interop,
    since = "v1.1"
)]
async fn unknown_room_is_not_found(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let room = format!("!unknown:{}", hs.name());
    remote.make_knock(&room, &remote.user("dave"))?.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A server that does not know the room's version is told so when it wants to knock.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_knockroomiduserid",
    level = Must,
    severity = Interop,
    since = "v1.1",
    proves = ["server-server-api/get_matrixfederationv1make_knockroomiduserid/5"]
)]
async fn unknown_room_version_is_told(hs: &Homeserver) -> Verdict {
    let version = hs.usual_room_version();
    let (_, room) = knockable(hs, version).await?;
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/make_knock/{}/{}", room, remote.user("dave"));
    let call = remote.get(path)?.query("ver", "org.determinant.unknown");
    let answer = call.must_refuse(400, "M_INCOMPATIBLE_ROOM_VERSION").await?;
    answer.must_hold("/room_version", version.id)
}

/// What makes an event no knock of a user of the sending server.
fn defects() -> impl Iterator<Item = &'static str> {
    [
        "type",
        "membership",
        "sender of another server",
        "state_key of another user",
        "no state_key",
        "signature",
    ]
    .into_iter()
}

/// What is handed in as a knock is taken only if it is one, of a user of the sending server, and signed.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Must,
    severity = Security,
    each = defects,
    since = "v1.1",
    proves = ["server-server-api/put_matrixfederationv1send_knockroomideventid/1"]
)]
async fn no_other_event_passes_for_a_knock(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (alice, room) = knockable(hs, hs.usual_room_version()).await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let template = remote.make_knock(&room, &remote.user("dave"))?.await?;
    let stranger = other.user("dave");
    let mut knock = template.build_with(|event| spoil(event, defect, &stranger))?;
    if defect == "signature" {
        knock = knock.tampered(|event| event["signatures"] = json!({}));
    }

    remote.hand_in("send_knock", &room, &knock)?.must_be_refused().await?;

    let members = alice.members(&room).await?;
    let count = members.must_have_list("/chunk")?.len();
    members.must(count == 1, "one member as before", || format!("{count} members"))
}

/// A user knocks on a room of another server, and sees which room it is.
#[conformance(
    spec = "server-server-api/#knocking-rooms",
    level = Must,
    severity = Interop,
    each = versions,
    since = "v1.1",
    proves = ["server-server-api/knocking-rooms/1"]
)]
async fn room_of_another_server_can_be_knocked_on(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(version, "knock")?;
    room.add(room.state_event("m.room.name", "", json!({"name": "behind a door"})))?;

    let knock = alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name());
    knock.await?;

    let asked = remote.is_asked(Question::SendKnock).await?;
    let knocks = asked.json["content"]["membership"] == "knock" && asked.json["sender"] == alice.id();
    crate::verdict::must(knocks, "the knock of the user", || asked.json.to_string())?;
    let named = |state: &Value| state["content"]["name"] == "behind a door";
    let sync = alice
        .sees("the room knocked on", |sync| named(sync.stripped_state(room.id(), "m.room.name", "")))
        .await;
    sync.map(drop)
}

/// A user takes a knock back, and the other server is told.
#[conformance(
    spec = "server-server-api/#knocking-rooms",
    level = May,
    severity = Interop,
    since = "v1.1"
)]
async fn knock_can_be_taken_back(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "knock")?;
    alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name()).await?;
    alice.sees("the knock", |sync| !sync.knocked(room.id()).is_null()).await?;

    alice.leave(room.id()).await?;

    let asked = remote.is_asked(Question::SendLeave).await?;
    crate::verdict::must(asked.json["sender"] == alice.id(), "the leave of the user", || {
        asked.json.to_string()
    })
}

/// A refused knock is told to the user.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Must,
    severity = Usability,
    since = "v1.1"
)]
async fn refused_knock_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "knock")?;
    remote.answers(Question::SendKnock, Reply::error(403, "M_FORBIDDEN"));
    let call = alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name());
    call.must_be_refused().await.map(drop)
}

/// What is handed in as a knock and is none is refused as a wrong parameter.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Should,
    severity = Interop,
    each = defects,
    since = "v1.1",
    proves = ["server-server-api/put_matrixfederationv1send_knockroomideventid/2"]
)]
async fn what_is_no_knock_is_a_wrong_parameter(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (_, room) = knockable(hs, hs.usual_room_version()).await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let template = remote.make_knock(&room, &remote.user("dave"))?.await?;
    let stranger = other.user("dave");
    let mut knock = template.build_with(|event| spoil(event, defect, &stranger))?;
    if defect == "signature" {
        knock = knock.tampered(|event| event["signatures"] = json!({}));
    }
    let answer = remote.hand_in("send_knock", &room, &knock)?.answer().await?;
    let code = answer.errcode().unwrap_or_default().to_owned();
    answer.must(code == "M_INVALID_PARAM", "M_INVALID_PARAM", || answer.exchange().response.in_short())
}

/// A server prepares knocks for users of the server that asks only.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_knockroomiduserid",
    level = Must,
    severity = Security,
    since = "v1.1",
    proves = ["server-server-api/get_matrixfederationv1make_knockroomiduserid/3"]
)]
async fn knock_for_a_user_of_another_server_is_refused(hs: &Homeserver) -> Verdict {
    let (_, room) = knockable(hs, hs.usual_room_version()).await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    remote.make_knock(&room, &other.user("dave"))?.must_be_refused().await.map(drop)
}

/// A knock proposed to the server for something else than what was asked for goes no further.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_knockroomiduserid",
    level = Must,
    severity = Security,
    since = "v1.1",
    each = proposal_defects,
    proves = [
        "server-server-api/get_matrixfederationv1make_knockroomiduserid/1",
        "server-server-api/get_matrixfederationv1make_knockroomiduserid/2"
    ]
)]
async fn wrong_proposal_is_discarded(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "knock")?;
    let mallory = remote.user("mallory");
    remote.alters(Question::MakeKnock, move |body| distort(&mut body["event"], defect, &mallory));

    let call = alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name());
    let answer = call.answer().await?;

    answer.must(!answer.status().is_success(), "a failure of the knock", || {
        answer.exchange().response.in_short()
    })?;
    remote.must_not_have_seen("event that was not asked for, signed by the server", |asked| {
        asked.question == Some(Question::SendKnock)
            && is_distorted(&asked.json, defect, room.id(), alice.id(), "knock")
    })
}

/// A user is told that nobody can knock on a room because the server does not know its version.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_knockroomiduserid",
    level = Should,
    severity = Usability,
    since = "v1.1",
    proves = ["server-server-api/get_matrixfederationv1make_knockroomiduserid/4"]
)]
async fn incompatible_version_is_passed_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "knock")?;
    let refusal = Reply::error(400, "M_INCOMPATIBLE_ROOM_VERSION");
    remote.answers(Question::MakeKnock, refusal.altered(|body| body["room_version"] = json!("99")));
    let call = alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name());
    call.must_refuse(400, "M_INCOMPATIBLE_ROOM_VERSION").await.map(drop)
}

/// What a knocking server is shown of the room is events of the room's version.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = versions,
    proves = ["server-server-api/put_matrixfederationv1send_knockroomideventid/4"]
)]
async fn room_is_described_by_its_events(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (_, room) = knockable(hs, version).await?;
    let remote = hs.remote().await?;
    let knock = remote.make_knock(&room, &remote.user("dave"))?.await?.build()?;
    let answer = remote.hand_in("send_knock", &room, &knock)?.await?;
    answer.must_have_list("/knock_room_state")?;
    let problem = misformatted(answer.at("/knock_room_state"), version);
    answer.must(problem.is_none(), "events of the room's version", || problem.unwrap_or_default())
}

/// Of what another server shows of a room that was knocked on, clients are shown nothing that is no event.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1send_knockroomideventid",
    level = Should,
    severity = Security,
    since = "v1.1",
    proves = ["server-server-api/put_matrixfederationv1send_knockroomideventid/5"]
)]
async fn malformed_description_is_not_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "knock")?;
    room.add(room.state_event("m.room.name", "", json!({"name": "behind a door"})))?;
    remote.alters(Question::SendKnock, |body| {
        if let Some(state) = body["knock_room_state"].as_array_mut() {
            state.extend([
                json!("malformed-text"),
                json!({"type": "m.room.topic", "sender": "malformed-without-key", "content": {"topic": "malformed"}}),
                json!({"type": "m.room.avatar", "state_key": "", "content": "malformed"}),
            ]);
        }
    });

    alice.knock(room.id()).query("via", remote.name()).query("server_name", remote.name()).await?;

    let named = |state: &Value| state["content"]["name"] == "behind a door";
    let shown = |sync: &crate::cast::Sync| named(sync.stripped_state(room.id(), "m.room.name", ""));
    let sync = alice.sees("the room knocked on", shown).await?;
    sync.answer().must_not_mention("malformed")
}

/// A user of another server whose knock was denied knocks again, is invited then, and joins.
#[conformance(spec = "server-server-api/#knocking-rooms", level = Must, severity = Interop, each = versions, since = "v1.1")]
async fn knock_of_another_server_is_answered(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, room) = knockable(hs, version).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let verb = |verb: &str| format!("{}/{verb}", path!("/_matrix/client/v3/rooms/{}", room));
    for answer in ["kick", "invite"] {
        let knock = remote.make_knock(&room, &dave)?.await?.build()?;
        remote.hand_in("send_knock", &room, &knock)?.await?;
        // A knock may be repeated.
        let again = remote.make_knock(&room, &dave)?.await?.build()?;
        remote.hand_in("send_knock", &room, &again)?.await?;
        alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "knock")?;
        alice.post(verb(answer), json!({"user_id": dave})).await?;
    }

    remote.is_asked(Question::Invite).await?;
    remote.joins(&room, "dave").await?;
    alice.sees("the join", |sync| sync.has_membership(&room, &dave, "join")).await.map(drop)
}

/// Users of another server who are in the room, invited to it or banned from it cannot knock.
#[conformance(
    spec = "rooms/v11/#authorisation-rules",
    level = Must,
    severity = Security,
    since = "v1.1",
    each = relations
)]
async fn related_user_of_another_server_cannot_knock(hs: &Homeserver, relation: &'static str) -> Verdict {
    let (alice, room) = knockable(hs, hs.usual_room_version()).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let verb = |verb: &str| format!("{}/{verb}", path!("/_matrix/client/v3/rooms/{}", room));
    if relation == "ban" {
        alice.post(verb("ban"), json!({"user_id": dave})).await?;
    } else {
        alice.post(verb("invite"), json!({"user_id": dave})).await?;
    }
    if relation == "join" {
        remote.joins(&room, "dave").await?;
    }

    remote.make_knock(&room, &dave)?.must_refuse(403, "M_FORBIDDEN").await?;

    alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", relation)
}

fn relations() -> impl Iterator<Item = &'static str> {
    ["join", "invite", "ban"].into_iter()
}

/// A user of another server can knock on a room that lets in members of another one.
#[conformance(spec = "client-server-api/#mroomjoin_rules", level = Must, severity = Interop, since = "v1.3")]
async fn knock_restricted_can_be_knocked_on(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let rule = json!({"join_rule": "knock_restricted", "allow": []});
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": rule});
    let room = alice.create_room(json!({"room_version": "11", "initial_state": [rule]})).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    remote.make_join(&room, &dave)?.must_be_refused().await?;

    let knock = remote.make_knock(&room, &dave)?.await?.build()?;
    remote.hand_in("send_knock", &room, &knock)?.await?;

    alice.sees("the knock", |sync| sync.has_membership(&room, &dave, "knock")).await.map(drop)
}
