//! `server-server-api/#joining-rooms`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::{distort, event_formats, event_ids, is_distorted, proposal_defects, room_versions, spoil, texts};
use crate::{
    cast::{
        Homeserver, User,
        remote::{Question, Reply},
    },
    path,
    verdict::{Stop, Verdict, must},
};

async fn public_room(hs: &Homeserver, version: &RoomVersion) -> Result<(User, String), Stop> {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat", "room_version": version.id})).await?;
    Ok((alice, room))
}

/// A user joins a room of another server through that server, and both sides see what the other says.
#[conformance(
    spec = "server-server-api/#joining-rooms",
    level = Must,
    severity = Interop,
    each = room_versions,
    proves = ["server-server-api/joining-rooms/1"]
)]
async fn room_of_another_server_can_be_joined(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;

    let heard = remote.send(room.message("from the other server")).await?;
    alice.sees_event(room.id(), heard.id()).await?;
    alice.say(room.id(), "to the other server").await?;
    let theirs =
        |event: &Value| event["content"]["body"] == "to the other server" && event["sender"] == alice.id();
    remote.sees_event("the message", theirs).await.map(drop)
}

/// A user of another server joins a room, and both sides see what the other says.
#[conformance(spec = "server-server-api/#joining-rooms", level = Must, severity = Interop, each = room_versions)]
async fn user_of_another_server_can_join(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, id) = public_room(hs, version).await?;
    let remote = hs.remote().await?;

    let room = remote.joins(&id, "dave").await?;

    alice.sees("the join", |sync| sync.has_membership(&id, room.speaker(), "join")).await?;
    let heard = remote.send(room.message("from the other server")).await?;
    alice.sees_event(&id, heard.id()).await?;
    alice.say(&id, "to the other server").await?;
    let theirs = |event: &Value| event["content"]["body"] == "to the other server";
    remote.sees_event("the message", theirs).await.map(drop)
}

/// The event that is proposed to a joining server is the join of that user in that room, placed at its end.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn join_is_proposed(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, room) = public_room(hs, version).await?;
    let last = alice.say(&room, "the end so far").await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");

    let answer = remote.make_join(&room, &dave)?.answer().await?.must_succeed()?;

    answer.must_hold("/room_version", version.id)?;
    answer.must_hold("/event/type", "m.room.member")?;
    answer.must_hold("/event/room_id", room.as_str())?;
    answer.must_hold("/event/sender", dave.as_str())?;
    answer.must_hold("/event/state_key", dave.as_str())?;
    answer.must_hold("/event/content/membership", "join")?;
    let previous = answer.at("/event/prev_events").to_string();
    answer.must(previous.contains(&last), format!("{last} in prev_events"), || previous.clone())?;
    let depth = answer.at("/event/depth").as_i64().unwrap_or_default();
    answer.must(depth > 1, "a depth after that of the room", || depth.to_string())
}

/// A server that does not know the room's version is told so, and which it is.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/get_matrixfederationv1make_joinroomiduserid/8"]
)]
async fn unknown_room_version_is_told(hs: &Homeserver) -> Verdict {
    let version = hs.usual_room_version();
    let (_, room) = public_room(hs, version).await?;
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/make_join/{}/{}", room, remote.user("dave"));
    let call = remote.get(path)?.query("ver", "org.determinant.unknown");
    let answer = call.must_refuse(400, "M_INCOMPATIBLE_ROOM_VERSION").await?;
    answer.must_hold("/room_version", version.id)
}

/// Nobody joins a room that the server does not know.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Interop
)]
async fn unknown_room_is_not_found(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let room = format!("!unknown:{}", hs.name());
    remote.make_join(&room, &remote.user("dave"))?.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// Nobody joins a private room without an invite.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Security
)]
async fn uninvited_join_is_forbidden(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    remote.make_join(&room, &remote.user("dave"))?.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// A server prepares joins for its own users only.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Security,
    proves = ["server-server-api/get_matrixfederationv1make_joinroomiduserid/3"]
)]
async fn join_for_a_user_of_another_server_is_refused(hs: &Homeserver) -> Verdict {
    let (_, room) = public_room(hs, hs.usual_room_version()).await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    remote.make_join(&room, &other.user("dave"))?.must_be_refused().await.map(drop)
}

/// What makes an event no join of a user of the sending server.
fn join_defects() -> impl Iterator<Item = &'static str> {
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

/// What is handed in as a join is taken only if it is one, of a user of the sending server, and signed.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Must,
    severity = Security,
    each = join_defects,
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/1"]
)]
async fn no_other_event_passes_for_a_join(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (alice, room) = public_room(hs, hs.usual_room_version()).await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let dave = remote.user("dave");
    let template = remote.make_join(&room, &dave)?.await?;
    let stranger = other.user("dave");
    let mut join = template.build_with(|event| spoil(event, defect, &stranger))?;
    if defect == "signature" {
        join = join.tampered(|event| event["signatures"] = json!({}));
    }

    remote.hand_in("send_join", &room, &join)?.must_be_refused().await?;

    let members = alice.members(&room).await?;
    let count = members.must_have_list("/chunk")?.len();
    members.must(count == 1, "one member as before", || format!("{count} members"))
}

/// What is handed in as a join and is none is refused as a wrong parameter.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Should,
    severity = Interop,
    each = join_defects,
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/2"]
)]
async fn what_is_no_join_is_a_wrong_parameter(hs: &Homeserver, defect: &'static str) -> Verdict {
    let (_, room) = public_room(hs, hs.usual_room_version()).await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let template = remote.make_join(&room, &remote.user("dave"))?.await?;
    let stranger = other.user("dave");
    let mut join = template.build_with(|event| spoil(event, defect, &stranger))?;
    if defect == "signature" {
        join = join.tampered(|event| event["signatures"] = json!({}));
    }
    let answer = remote.hand_in("send_join", &room, &join)?.answer().await?;
    let code = answer.errcode().unwrap_or_default().to_owned();
    answer.must(code == "M_INVALID_PARAM", "M_INVALID_PARAM", || answer.exchange().response.in_short())
}

/// Who is banned cannot join through another server either.
#[conformance(spec = "server-server-api/#joining-rooms", level = Must, severity = Security)]
async fn banned_user_cannot_join(hs: &Homeserver) -> Verdict {
    let (alice, room) = public_room(hs, hs.usual_room_version()).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let prepared = remote.make_join(&room, &dave)?.await?.build()?;
    alice.post(path!("/_matrix/client/v3/rooms/{}/ban", room), json!({"user_id": dave})).await?;

    remote.make_join(&room, &dave)?.must_refuse(403, "M_FORBIDDEN").await?;
    // A join from before the ban may be taken into the history; it must not undo the ban.
    remote.hand_in("send_join", &room, &prepared)?.answer().await?;

    alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "ban")
}

/// A joining server is given the state before the join, and the auth chains of all of it.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Must,
    severity = Interop,
    each = event_formats
)]
async fn joining_server_is_given_the_state(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let (alice, room) = public_room(hs, version).await?;
    alice.set_state(&room, "m.room.topic", "", json!({"topic": "part of the state"})).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let join = remote.make_join(&room, &dave)?.await?.build()?;

    let answer = remote.hand_in("send_join", &room, &join)?.await?;

    let state = answer.must_have_list("/state")?;
    for kind in ["m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.topic", "m.room.member"]
    {
        let found = state.iter().any(|event| event["type"] == kind);
        answer.must(found, format!("{kind} in the state"), || "none".to_owned())?;
    }
    let theirs = state.iter().any(|event| event["state_key"] == dave.as_str());
    answer.must(!theirs, "the state before the join", || "the join in it".to_owned())?;
    let mut given = event_ids(&answer, "/state", version)?;
    given.extend(event_ids(&answer, "/auth_chain", version)?);
    let held = remote.hold(&room, version, &dave, &join, &answer)?;
    let absent: Vec<String> =
        held.auth_events_of_all().into_iter().filter(|id| !given.contains(id)).collect();
    answer.must(absent.is_empty(), "every auth event of the state", || format!("without {absent:?}"))
}

/// A joining server that can do without members is told which servers are in the room when they are left out.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Must,
    severity = Interop,
    since = "v1.6",
    proves = [
        "server-server-api/put_matrixfederationv2send_joinroomideventid/9",
        "server-server-api/put_matrixfederationv2send_joinroomideventid/10",
    ]
)]
async fn omission_of_members_is_told(hs: &Homeserver) -> Verdict {
    let (_, room) = public_room(hs, hs.usual_room_version()).await?;
    let first = hs.remote().await?;
    first.joins(&room, "carol").await?;
    let remote = hs.remote().await?;
    let join = remote.make_join(&room, &remote.user("dave"))?.await?.build()?;

    let answer = remote.hand_in("send_join", &room, &join)?.query("omit_members", "true").await?;

    if answer.at("/members_omitted") != &json!(true) {
        let carol = answer
            .must_have_list("/state")?
            .iter()
            .any(|event| event["state_key"] == first.user("carol").as_str());
        return answer.must(carol, "all members, as none are said to be left out", || "not all".to_owned());
    }
    let servers = texts(&answer, "/servers_in_room")?;
    let expected = [hs.name().to_owned(), first.name().to_owned()].into();
    answer.must(servers == expected, format!("the servers {expected:?}"), || format!("{servers:?}"))
}

/// A join through this server is told to the other servers of the room.
#[conformance(
    spec = "server-server-api/#joining-rooms",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/joining-rooms/4"]
)]
async fn join_is_told_to_other_servers(hs: &Homeserver) -> Verdict {
    let (_, room) = public_room(hs, hs.usual_room_version()).await?;
    let (first, second) = (hs.remote().await?, hs.remote().await?);
    first.joins(&room, "carol").await?;
    second.joins(&room, "dave").await?;
    let dave = second.user("dave");
    let join =
        |event: &Value| event["state_key"] == dave.as_str() && event["content"]["membership"] == "join";
    first.sees_event("the join of dave", join).await.map(drop)
}

/// A join proposed to the server for something else than what was asked for goes no further.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Security,
    each = proposal_defects,
    proves = [
        "server-server-api/get_matrixfederationv1make_joinroomiduserid/1",
        "server-server-api/get_matrixfederationv1make_joinroomiduserid/2",
        "server-server-api/joining-rooms/3",
    ]
)]
async fn wrong_proposal_is_discarded(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let mallory = remote.user("mallory");
    remote.alters(Question::MakeJoin, move |body| distort(&mut body["event"], defect, &mallory));

    let answer = alice.join_via(room.id(), &remote).answer().await?;

    answer.must(!answer.status().is_success(), "a failure of the join", || {
        answer.exchange().response.in_short()
    })?;
    remote.must_not_have_seen("event that was not asked for, signed by the server", |asked| {
        asked.question == Some(Question::SendJoin)
            && is_distorted(&asked.json, defect, room.id(), alice.id(), "join")
    })
}

/// Where one server cannot help to join, another one is asked.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3joinroomidoralias",
    level = Should,
    severity = Usability
)]
async fn another_server_is_tried(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (broken, remote) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room()?;
    broken.answers(Question::MakeJoin, Reply::error(500, "M_UNKNOWN"));

    let call = alice.join(room.id()).query("via", broken.name()).query("via", remote.name());
    call.query("server_name", broken.name()).query("server_name", remote.name()).await?;

    remote.is_asked(Question::SendJoin).await?;
    alice.sees("the room", |sync| !sync.joined(room.id()).is_null()).await.map(drop)
}

/// A user is told that a room cannot be joined because the server does not know its version.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/get_matrixfederationv1make_joinroomiduserid/5"]
)]
async fn incompatible_version_is_passed_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let refusal = Reply::error(400, "M_INCOMPATIBLE_ROOM_VERSION");
    remote.answers(Question::MakeJoin, refusal.altered(|body| body["room_version"] = json!("99")));
    let answer = alice.join_via(room.id(), &remote).must_refuse(400, "M_INCOMPATIBLE_ROOM_VERSION").await?;
    answer.must_hold("/room_version", "99")
}

/// A mistake that another server finds in the server's own join is not blamed on the user.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Should,
    severity = Usability,
    since = "v1.16",
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/12"]
)]
async fn own_mistakes_are_not_passed_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    remote.answers(Question::SendJoin, Reply::error(400, "M_INVALID_PARAM"));
    let answer = alice.join_via(room.id(), &remote).answer().await?;
    answer.must(answer.status().is_server_error(), "a 5xx", || answer.exchange().response.in_short())
}

/// A room of another server is joined by its alias, which that server is asked about.
#[conformance(spec = "server-server-api/#joining-rooms", level = Must, severity = Interop)]
async fn room_can_be_joined_by_its_alias(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let alias = remote.alias("meeting");
    remote.name_room(&alias, &room);

    alice.join(&alias).await?.must_hold("/room_id", room.id())?;

    let asked = remote.is_asked(Question::Directory).await?;
    must(asked.parameter("room_alias") == alias, format!("a question for {alias}"), || asked.target.clone())?;
    alice.sees("the room", |sync| !sync.joined(room.id()).is_null()).await.map(drop)
}

/// What comes instead of a proper answer.
fn faults() -> impl Iterator<Item = &'static str> {
    ["nothing", "garbage", "half an answer", "an endless answer", "an empty object", "a list"].into_iter()
}

/// A server that answers a join with nonsense makes it fail, and nothing else.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Security,
    each = faults
)]
async fn nonsense_makes_the_join_fail(hs: &Homeserver, fault: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let reply = match fault {
        "nothing" => Reply::nothing(),
        "garbage" => Reply::garbage(),
        "half an answer" => Reply::json(json!({"state": [], "auth_chain": []})).broken_off(),
        "an endless answer" => Reply::endless(),
        "an empty object" => Reply::json(json!({})),
        _ => Reply::json(json!([])),
    };
    remote.answers(Question::SendJoin, reply);

    let answer = alice.join_via(room.id(), &remote).answer().await?;

    answer.must(!answer.status().is_success(), "a failure of the join", || {
        answer.exchange().response.in_short()
    })?;
    let words = answer.errcode().is_some();
    answer.must(words, "a standard error response", || answer.json().to_string())?;
    alice.get("/_matrix/client/v3/joined_rooms").await?.must_hold("/joined_rooms", json!([]))
}
