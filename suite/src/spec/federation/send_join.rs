//! `server-server-api/#put_matrixfederationv2send_joinroomideventid`: joins without members, and joins that fail.

use serde_json::Value;
use suite_attribute::conformance;

use super::event_ids;
use crate::{
    cast::{
        Homeserver,
        remote::{Question, Reply},
    },
    verdict::Verdict,
};

/// A joining server that can do without members is given those by whom a nameless room is called, with what they rest on.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Should,
    severity = Usability,
    since = "v1.6",
    proves = [
        "server-server-api/put_matrixfederationv2send_joinroomideventid/3",
        "server-server-api/put_matrixfederationv2send_joinroomideventid/4"
    ]
)]
async fn heroes_are_not_omitted(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    let (first, remote) = (hs.remote().await?, hs.remote().await?);
    first.joins(&room, "carol").await?;
    let dave = remote.user("dave");
    let template = remote.make_join(&room, &dave)?.await?;
    let version = template.version;
    let join = template.build()?;

    let answer = remote.hand_in("send_join", &room, &join)?.query("omit_members", "true").await?;

    let state = answer.must_have_list("/state")?;
    for hero in [alice.id(), &first.user("carol")] {
        let is_hero = |event: &&Value| event["type"] == "m.room.member" && event["state_key"] == hero;
        answer.must(state.iter().any(|event| is_hero(&event)), format!("the member {hero}"), || {
            "not among the state".to_owned()
        })?;
    }
    let mut given = event_ids(&answer, "/state", version)?;
    given.extend(event_ids(&answer, "/auth_chain", version)?);
    let held = remote.hold(&room, version, &dave, &join, &answer)?;
    let absent: Vec<String> =
        held.auth_events_of_all().into_iter().filter(|id| !given.contains(id)).collect();
    answer.must(absent.is_empty(), "every auth event of the state", || format!("without {absent:?}"))
}

/// A refusal of a join by the other server is passed on to the user.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv2send_joinroomideventid",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/put_matrixfederationv2send_joinroomideventid/11"]
)]
async fn refusal_is_passed_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    remote.answers(Question::SendJoin, Reply::error(400, "M_UNABLE_TO_AUTHORISE_JOIN"));
    alice.join_via(room.id(), &remote).must_refuse(400, "M_UNABLE_TO_AUTHORISE_JOIN").await.map(drop)
}

/// A user who was invited by a server that has left the room meanwhile joins it through another one.
#[conformance(
    spec = "server-server-api/#joining-rooms",
    level = Should,
    severity = Usability,
    proves = ["server-server-api/joining-rooms/2"]
)]
async fn inviting_server_may_have_left(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (inviting, resident) = (hs.remote().await?, hs.remote().await?);
    let room = resident.room()?;
    let theirs = room.shared_with(&inviting, &inviting.user("erin"));
    theirs.add(theirs.member(theirs.speaker(), "join"))?;
    inviting.invites(&theirs, &alice).await?;
    alice.sees("the invite", |sync| !sync.invited(room.id()).is_null()).await?;
    inviting.answers(Question::MakeJoin, Reply::error(404, "M_NOT_FOUND"));

    alice.join_via(room.id(), &resident).await?;

    resident.is_asked(Question::SendJoin).await?;
    alice.sees("the room", |sync| !sync.joined(room.id()).is_null()).await.map(drop)
}
