//! `server-server-api/#querying-for-information`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver,
        remote::{Question, Reply},
    },
    path,
    verdict::{Verdict, must},
};

/// A user's profile is given to other servers.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/get_matrixfederationv1queryprofile/4"]
)]
async fn profile_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.set_profile_field("displayname", json!("Alice")).await?;
    alice.set_profile_field("avatar_url", json!("mxc://example.org/alice")).await?;
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id());
    let answer = remote.get(path)?.await?;
    answer.must_hold("/displayname", "Alice")?;
    answer.must_hold("/avatar_url", "mxc://example.org/alice")
}

/// When one field of a profile is asked for, no other is given.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Interop,
    proves = [
        "server-server-api/get_matrixfederationv1queryprofile/3",
        "server-server-api/get_matrixfederationv1queryprofile/5",
    ]
)]
async fn one_field_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.set_profile_field("displayname", json!("Alice")).await?;
    alice.set_profile_field("avatar_url", json!("mxc://example.org/alice")).await?;
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id());
    let answer = remote.get(path)?.query("field", "avatar_url").await?;
    answer.must_hold("/avatar_url", "mxc://example.org/alice")?;
    answer.must_lack("/displayname")
}

/// The profile of nobody is not found.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Interop
)]
async fn profile_of_nobody_is_not_found(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let nobody = format!("@{}:{}", hs.unused_localpart(), hs.name());
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", nobody);
    remote.get(path)?.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A server gives the profiles of its own users only.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/get_matrixfederationv1queryprofile/2"]
)]
async fn profile_of_another_server_is_refused(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", remote.user("dave"));
    remote.get(path)?.must_be_refused().await.map(drop)
}

/// A user looks at the profile of somebody on another server, which is asked.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Usability
)]
async fn profile_of_another_server_is_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    let profile = json!({"displayname": "Dave, far away", "avatar_url": "mxc://example.org/dave"});
    remote.answers(Question::Profile, Reply::json(profile));

    let answer = alice.profile(&dave).await?;

    answer.must_hold("/displayname", "Dave, far away")?;
    let asked = remote.is_asked(Question::Profile).await?;
    must(asked.parameter("user_id") == dave, format!("a question for {dave}"), || asked.target.clone())
}

/// The profile of somebody whom the other server does not know is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3profileuserid",
    level = Must,
    severity = Usability
)]
async fn unknown_profile_of_another_server_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.answers(Question::Profile, Reply::error(404, "M_NOT_FOUND"));
    alice.profile(&remote.user("nobody")).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A room alias leads other servers to the room, and to servers that are in it.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1querydirectory",
    level = Must,
    severity = Interop
)]
async fn alias_is_resolved(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    // Any text is an alias, not only Latin letters.
    let alias = format!("#žluťoučký-{}:{}", hs.unique(), hs.name());
    alice.name_room(&alias, &room).await?;
    let remote = hs.remote().await?;
    let answer = remote.get("/_matrix/federation/v1/query/directory")?.query("room_alias", &alias).await?;
    answer.must_hold("/room_id", room.as_str())?;
    let servers = super::texts(&answer, "/servers")?;
    answer.must(servers.contains(hs.name()), format!("{} among the servers", hs.name()), || {
        format!("{servers:?}")
    })
}

/// An alias that nobody made is not found.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1querydirectory",
    level = Must,
    severity = Interop
)]
async fn unknown_alias_is_not_found(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let alias = format!("#{}:{}", hs.unused_localpart(), hs.name());
    let call = remote.get("/_matrix/federation/v1/query/directory")?.query("room_alias", &alias);
    call.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A user looks up an alias of another server, which is asked.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1querydirectory",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/room-aliases/1"]
)]
async fn alias_of_another_server_is_looked_up(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let alias = remote.alias("meeting");
    remote.name_room(&alias, &room);
    let answer = alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).await?;
    answer.must_hold("/room_id", room.id())?;
    remote.is_asked(Question::Directory).await.map(drop)
}
