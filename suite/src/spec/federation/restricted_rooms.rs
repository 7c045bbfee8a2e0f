//! `server-server-api/#restricted-rooms`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Answer, Homeserver, Remote, User,
        remote::{Question, Reply, Room},
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// The room versions that know restricted rooms.
fn versions() -> impl Iterator<Item = &'static RoomVersion> {
    RoomVersion::ALL.into_iter().filter(|version| version.restricted)
}

fn rule(rooms: &[&str]) -> Value {
    let allow: Vec<Value> =
        rooms.iter().map(|room| json!({"type": "m.room_membership", "room_id": room})).collect();
    json!({"join_rule": "restricted", "allow": allow})
}

async fn restricted(alice: &User, version: &RoomVersion, rooms: &[&str]) -> Result<String, Stop> {
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": rule(rooms)});
    alice.create_room(json!({"room_version": version.id, "initial_state": [rule]})).await
}

/// A user of another server who is in a room that the rule names joins, in the name of a user who could invite.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Must,
    severity = Interop,
    each = versions,
    since = "v1.2",
    proves = [
        "server-server-api/get_matrixfederationv1make_joinroomiduserid/4",
        "server-server-api/put_matrixfederationv2send_joinroomideventid/6",
        "server-server-api/put_matrixfederationv2send_joinroomideventid/8",
    ]
)]
async fn member_of_the_other_room_is_let_in(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let club = alice.public_room_with(&[]).await?;
    let room = restricted(&alice, version, &[&club]).await?;
    let remote = hs.remote().await?;
    remote.joins(&club, "dave").await?;
    let dave = remote.user("dave");
    let template = remote.make_join(&room, &dave)?.await?;
    let authoriser = template.event["content"]["join_authorised_via_users_server"].clone();
    must(authoriser == alice.id(), format!("the join in the name of {}", alice.id()), || {
        authoriser.to_string()
    })?;
    let join = template.build()?;

    let answer = remote.hand_in("send_join", &room, &join)?.await?;

    let event = answer.at("/event").as_object().cloned().unwrap_or_default();
    let mut keys = hs.signing_keys().await?.ring.clone();
    keys.trust(remote.name(), remote.key().id().clone(), remote.key().verify_key());
    let verified = protocol::event::verify(&event, version, &keys);
    answer
        .must(verified.is_ok(), "the join with the signatures of both servers", || format!("{verified:?}"))?;
    alice.sees("the join", |sync| sync.has_membership(&room, &dave, "join")).await.map(drop)
}

/// A user of another server who is in none of the rooms that the rule names is not let in.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Must,
    severity = Security,
    each = versions,
    since = "v1.2",
    proves = ["server-server-api/restricted-rooms/1"]
)]
async fn outsider_is_not_let_in(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let club = alice.public_room_with(&[]).await?;
    let room = restricted(&alice, version, &[&club]).await?;
    let remote = hs.remote().await?;
    remote.make_join(&room, &remote.user("dave"))?.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// A server that is in none of the rooms that the rule names says that it cannot tell.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Must,
    severity = Interop,
    since = "v1.2",
    proves = ["server-server-api/get_matrixfederationv1make_joinroomiduserid/6"]
)]
async fn condition_that_cannot_be_checked_is_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = restricted(&alice, &protocol::room_version::V11, &["!unknown:elsewhere.example"]).await?;
    let remote = hs.remote().await?;
    let call = remote.make_join(&room, &remote.user("dave"))?;
    call.must_refuse(400, "M_UNABLE_TO_AUTHORISE_JOIN").await.map(drop)
}

/// A join in the name of a user who could invite is rejected unless that user's server has signed it.
#[conformance(
    spec = "client-server-api/#mroommember",
    level = Must,
    severity = Security,
    each = signers,
    since = "v1.2",
    proves = ["client-server-api/mroommember/9"]
)]
async fn authorising_server_has_to_sign(hs: &Homeserver, signer: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room_of_version_with(&protocol::room_version::V11, &alice).await?;
    remote.send(room.state_event("m.room.join_rules", "", rule(&["!unknown:elsewhere.example"]))).await?;
    let dave = other.user("dave");
    let content = json!({"membership": "join", "join_authorised_via_users_server": room.speaker()});
    let join = room.state_event("m.room.member", &dave, content).by(&dave).signed_by(&other);
    if signer == "both" {
        let join = remote.send(join.signed_also_by(&remote)).await?;
        return alice.sees_event(room.id(), join.id()).await.map(drop);
    }
    let join = join.build()?;
    remote.transmit(&[&join]).await?;
    let later = remote.send(room.message("all is well")).await?;
    alice.must_not_be_shown(&room, &join, &later).await
}

fn signers() -> impl Iterator<Item = &'static str> {
    ["both", "only the server of the user"].into_iter()
}

/// A user who was invited joins a restricted room without meeting its condition.
#[conformance(spec = "client-server-api/#restricted-rooms", level = Must, severity = Interop)]
async fn invited_user_needs_no_condition(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = restricted(&alice, &protocol::room_version::V11, &["!unknown:elsewhere.example"]).await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), json!({"user_id": dave})).await?;
    remote.joins(&room, "dave").await?;
    alice.sees("the join", |sync| sync.has_membership(&room, &dave, "join")).await.map(drop)
}

/// A user joins a restricted room of another server, which signs the join as well.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Must,
    severity = Interop,
    each = versions,
    since = "v1.2",
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/5"]
)]
async fn restricted_room_of_another_server_is_joined(
    hs: &Homeserver,
    version: &'static RoomVersion,
) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let club = remote.room_of_version_with(version, &alice).await?;
    let room = remote.room_by_rule(version, "invite")?;
    room.add(room.state_event("m.room.join_rules", "", rule(&[club.id()])))?;

    remote.admit(&alice, &room).await?;

    let membership = alice.state(room.id(), "m.room.member", alice.id()).await?;
    membership.must_hold("/join_authorised_via_users_server", room.speaker())?;
    let said = alice.say(room.id(), "let in").await?;
    remote.sees_event(&said, |event| event["content"]["body"] == "let in").await.map(drop)
}

/// In a room that another server made, a user of this server who may invite lets local users in who meet the condition.
#[conformance(
    spec = "client-server-api/#restricted-rooms",
    level = Must,
    severity = Interop,
    each = versions,
    since = "v1.2"
)]
async fn local_member_lets_local_users_in(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice, bob] = hs.users().await?;
    let club = alice.public_room_with(&[&bob]).await?;
    let remote = hs.remote().await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let mut levels = json!({"users": {alice.id(): 100}, "invite": 50});
    if !version.privileged_creators {
        levels["users"][room.speaker()] = json!(100);
    }
    remote.send(room.state_event("m.room.power_levels", "", levels)).await?;
    let rule = remote.send(room.state_event("m.room.join_rules", "", rule(&[&club]))).await?;
    alice.sees_event(room.id(), rule.id()).await?;

    bob.join(room.id()).await?;

    let membership = alice.state(room.id(), "m.room.member", bob.id()).await?;
    membership.must_hold("/join_authorised_via_users_server", alice.id())
}

/// The ends of a handshake at which a server decides whether it lets somebody in.
fn endpoints() -> impl Iterator<Item = &'static str> {
    ["make_join", "send_join"].into_iter()
}

/// A room of a remote with a rule, in which a user of the server has this power to invite, and a user of another remote who
/// wants to come in.
async fn room_elsewhere(
    hs: &Homeserver,
    rooms: &[&str],
    power: i64,
) -> Result<(User, Remote, Room, Remote), Stop> {
    let [alice] = hs.users().await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room_of_version_with(&protocol::room_version::V11, &alice).await?;
    let levels = json!({"users": {room.speaker(): 100, alice.id(): power}, "invite": 50});
    remote.send(room.state_event("m.room.power_levels", "", levels)).await?;
    let rule = remote.send(room.state_event("m.room.join_rules", "", rule(rooms))).await?;
    alice.sees_event(room.id(), rule.id()).await?;
    Ok((alice, remote, room, other))
}

/// Asks the server to let a user of a remote in, at one end of the handshake, in the name of somebody.
async fn ask_in(other: &Remote, room: &Room, authoriser: &str, endpoint: &str) -> Result<Answer, Stop> {
    let dave = other.user("dave");
    if endpoint == "make_join" {
        return other.make_join(room.id(), &dave)?.answer().await;
    }
    let theirs = room.shared_with(other, &dave);
    let content = json!({"membership": "join", "join_authorised_via_users_server": authoriser});
    let join = theirs.state_event("m.room.member", &dave, content).build()?;
    other.hand_in(endpoint, room.id(), &join)?.answer().await
}

/// A server of which nobody in the room may invite says that another one has to be asked.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Should,
    severity = Interop,
    since = "v1.2",
    each = endpoints,
    proves = [
        "server-server-api/restricted-rooms/2",
        "server-server-api/get_matrixfederationv1make_joinroomiduserid/7",
        "server-server-api/put_matrixfederationv2send_joinroomideventid/14"
    ]
)]
async fn join_that_cannot_be_granted_is_told(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    let [bob] = hs.users().await?;
    let club = bob.public_room_with(&[]).await?;
    let (alice, _remote, room, other) = room_elsewhere(hs, &[&club], 0).await?;
    other.joins(&club, "dave").await?;
    let answer = ask_in(&other, &room, alice.id(), endpoint).await?;
    answer.must_refuse(400, "M_UNABLE_TO_GRANT_JOIN").map(drop)
}

/// A server that is in none of the rooms that the rule names says, of a join that it is handed, that it cannot tell.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Must,
    severity = Interop,
    since = "v1.2",
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/13"]
)]
async fn sent_join_that_cannot_be_checked_is_told(hs: &Homeserver) -> Verdict {
    let (alice, _remote, room, other) = room_elsewhere(hs, &["!unknown:elsewhere.example"], 50).await?;
    let answer = ask_in(&other, &room, alice.id(), "send_join").await?;
    answer.must_refuse(400, "M_UNABLE_TO_AUTHORISE_JOIN").map(drop)
}

/// A join that the server vouches for reaches the other servers of the room with its signature.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Must,
    severity = Interop,
    each = versions,
    since = "v1.2",
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/7"]
)]
async fn join_is_signed_before_it_is_told(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    hs.must_offer(version)?;
    let [alice] = hs.users().await?;
    let club = alice.public_room_with(&[]).await?;
    let room = restricted(&alice, version, &[&club]).await?;
    let (first, second) = (hs.remote().await?, hs.remote().await?);
    for (remote, user) in [(&first, "carol"), (&second, "dave")] {
        remote.joins(&club, user).await?;
        remote.joins(&room, user).await?;
    }
    let dave = second.user("dave");
    let join = |event: &Value| event["state_key"] == dave.as_str() && event["room_id"] == room.as_str();
    let told = first.sees_event("the join of dave", join).await?;
    let signed = told["signatures"][hs.name()].is_object();
    must(signed, format!("the join with a signature of {}", hs.name()), || told.to_string())
}

/// A user of another server who has left the room that the rule names is not let in.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Must,
    severity = Security,
    since = "v1.2",
    proves = ["server-server-api/restricted-rooms/1"]
)]
async fn departed_member_of_the_other_room_is_not_let_in(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let club = alice.public_room_with(&[]).await?;
    let room = restricted(&alice, &protocol::room_version::V11, &[&club]).await?;
    let remote = hs.remote().await?;
    let held = remote.joins(&club, "dave").await?;
    let dave = remote.user("dave");
    remote.send(held.member(&dave, "leave")).await?;
    alice.sees("the leave", |sync| sync.has_membership(&club, &dave, "leave")).await?;

    remote.make_join(&room, &dave)?.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// Where conditions are malformed, no user of another server is let in by them.
#[conformance(
    spec = "client-server-api/#restricted-rooms",
    level = Must,
    severity = Security,
    since = "v1.2"
)]
async fn malformed_conditions_let_nobody_in(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let club = alice.public_room_with(&[]).await?;
    let room = alice.room_of_version_with(Some("11"), &[]).await?;
    let remote = hs.remote().await?;
    remote.joins(&club, "dave").await?;
    for allow in [json!("m.room_membership"), json!(["not an object", {"room_id": club}])] {
        let rules = json!({"join_rule": "restricted", "allow": allow});
        // A server may as well refuse to set them.
        alice.set_state(&room, "m.room.join_rules", "", rules).answer().await?;
        remote.make_join(&room, &remote.user("dave"))?.must_be_refused().await?;
    }
    Ok(())
}

/// With `knock_restricted`, a user of another server is let in as with `restricted`.
#[conformance(
    spec = "client-server-api/#mroomjoin_rules",
    level = Must,
    severity = Interop,
    since = "v1.3"
)]
async fn knock_restricted_lets_members_in(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let club = alice.public_room_with(&[]).await?;
    let room = alice.room_of_version_with(Some("11"), &[]).await?;
    let mut rules = rule(&[&club]);
    rules["join_rule"] = json!("knock_restricted");
    alice.set_state(&room, "m.room.join_rules", "", rules).await?;
    let (member, stranger) = (hs.remote().await?, hs.remote().await?);
    member.joins(&club, "dave").await?;

    member.joins(&room, "dave").await?;

    alice.sees("the join", |sync| sync.has_membership(&room, &member.user("dave"), "join")).await?;
    stranger.make_join(&room, &stranger.user("dave"))?.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// In a room of which no local member may invite, a local user who meets the condition is let in by another server.
#[conformance(
    spec = "server-server-api/#restricted-rooms",
    level = Must,
    severity = Interop,
    since = "v1.2",
    each = restrictions
)]
async fn another_server_lets_local_users_in(hs: &Homeserver, restriction: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let remote = hs.remote().await?;
    let version = &protocol::room_version::V11;
    let club = remote.room_of_version_with(version, &bob).await?;
    let room = remote.room_of_version_with(version, &alice).await?;
    let levels = json!({"users": {room.speaker(): 100}, "invite": 50});
    remote.send(room.state_event("m.room.power_levels", "", levels)).await?;
    let mut rules = rule(&[club.id()]);
    rules["join_rule"] = json!(restriction);
    let rules = remote.send(room.state_event("m.room.join_rules", "", rules)).await?;
    alice.sees_event(room.id(), rules.id()).await?;

    bob.join_via(room.id(), &remote).await?;

    let membership = alice.state(room.id(), "m.room.member", bob.id()).await?;
    membership.must_hold("/join_authorised_via_users_server", room.speaker())
}

fn restrictions() -> impl Iterator<Item = &'static str> {
    ["restricted", "knock_restricted"].into_iter()
}

/// When a server cannot grant the join, the next one is asked.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1make_joinroomiduserid",
    level = Must,
    severity = Interop,
    since = "v1.2",
    each = refusals
)]
async fn next_server_is_asked(hs: &Homeserver, refusal: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let version = &protocol::room_version::V11;
    let club = remote.room_of_version_with(version, &alice).await?;
    let room = remote.room_by_rule(version, "invite")?;
    room.add(room.state_event("m.room.join_rules", "", rule(&[club.id()])))?;
    other.answers(Question::MakeJoin, Reply::error(400, refusal));

    let join = alice.join_via(room.id(), &other);
    join.query("via", remote.name()).query("server_name", remote.name()).await?;

    must(!other.asked(Question::MakeJoin).is_empty(), "a question to the first server", || {
        "none".to_owned()
    })?;
    let membership = alice.state(room.id(), "m.room.member", alice.id()).await?;
    membership.must_hold("/join_authorised_via_users_server", room.speaker())
}

fn refusals() -> impl Iterator<Item = &'static str> {
    ["M_UNABLE_TO_GRANT_JOIN", "M_UNABLE_TO_AUTHORISE_JOIN"].into_iter()
}
