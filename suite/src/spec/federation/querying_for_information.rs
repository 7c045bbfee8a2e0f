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

/// Another server is refused the profile of a user whose server name is none.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Cosmetic,
    proves = ["server-server-api/get_matrixfederationv1queryprofile/2"]
)]
async fn profile_on_a_misnamed_server_is_refused(hs: &Homeserver) -> Verdict {
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", "@dave:localhost:http");
    remote.get(path)?.must_be_refused().await.map(drop)
}

/// A user looks at the profile of somebody on another server, which is asked.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Usability,
    proves = ["server-server-api/get_matrixfederationv1queryprofile/1"]
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
    proves = ["client-server-api/room-aliases/1", "server-server-api/get_matrixfederationv1querydirectory/1"]
)]
async fn alias_of_another_server_is_looked_up(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    let alias = remote.alias("meeting");
    remote.name_room(&alias, &room);
    let answer = alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).await?;
    answer.must_hold("/room_id", room.id())?;
    let asked = remote.is_asked(Question::Directory).await?;
    must(asked.parameter("room_alias") == alias, format!("a question for {alias}"), || asked.target.clone())
}

/// Everything of a profile that users have made public is given to other servers.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Should,
    severity = Interop,
    since = "v1.16",
    proves = [
        "server-server-api/get_matrixfederationv1queryprofile/6",
        "server-server-api/get_matrixfederationv1queryprofile/10"
    ]
)]
async fn whole_profile_is_given(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let fields = [
        ("displayname", json!("Alice")),
        ("avatar_url", json!("mxc://example.org/alice")),
        ("m.tz", json!("Europe/London")),
        ("org.determinant.motto", json!({"text": "carry on"})),
    ];
    for (name, value) in &fields {
        alice.set_profile_field(name, value.clone()).await?;
    }
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id());
    let answer = remote.get(path)?.await?;
    for (name, value) in fields {
        answer.must_hold(&format!("/{name}"), value)?;
    }
    Ok(())
}

/// What a profile does not have is left out for other servers, or null.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = unset_fields,
    proves = [
        "server-server-api/get_matrixfederationv1queryprofile/7",
        "server-server-api/get_matrixfederationv1queryprofile/8",
        "server-server-api/get_matrixfederationv1queryprofile/9"
    ]
)]
async fn unset_field_is_left_out(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    for name in ["displayname", "avatar_url", "m.tz"] {
        let value = if name == "avatar_url" { "mxc://example.org/alice" } else { "Europe/London" };
        alice.set_profile_field(name, json!(value)).await?;
    }
    alice.delete(path!("/_matrix/client/v3/profile/{}/{}", alice.id(), field)).await?;
    let remote = hs.remote().await?;
    let path = path!("/_matrix/federation/v1/query/profile?user_id={}", alice.id());
    let answer = remote.get(path)?.await?;
    let other = if field == "displayname" { "/avatar_url" } else { "/displayname" };
    answer.must_have_text(other)?;
    let left = answer.at(&format!("/{field}"));
    answer.must(left.is_null(), format!("no {field}"), || left.to_string())
}

fn unset_fields() -> impl Iterator<Item = &'static str> {
    ["displayname", "avatar_url", "m.tz"].into_iter()
}

/// A profile of another server that names a time zone which nobody knows is shown all the same.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1queryprofile",
    level = Must,
    severity = Usability,
    since = "v1.16",
    each = time_zones,
    proves = ["server-server-api/get_matrixfederationv1queryprofile/11"]
)]
async fn unknown_time_zone_is_borne(hs: &Homeserver, time_zone: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    remote.answers(Question::Profile, Reply::json(json!({"displayname": "Dave", "m.tz": time_zone})));
    alice.profile(&remote.user("dave")).await?.must_hold("/displayname", "Dave")
}

fn time_zones() -> impl Iterator<Item = &'static str> {
    ["Mars/Olympus_Mons", ""].into_iter()
}
