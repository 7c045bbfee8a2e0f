//! `server-server-api/#server-access-control-lists-acls`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Remote, User, remote::Room},
    path,
    registry::Case,
    verdict::{Stop, Verdict},
};

fn list(allow: &[&str], deny: &[&str]) -> Value {
    json!({"allow": allow, "deny": deny, "allow_ip_literals": true})
}

/// A room that the user has joined through a remote, whose list denies the remote access.
async fn denied(hs: &Homeserver, version: &'static RoomVersion) -> Result<(User, Remote, Room), Stop> {
    denied_by(hs, version, list(&["*"], &[hs.target().whereabouts.name()])).await
}

/// A room with that list. The remote sets it: all servers of a run have one name but for the port, and some servers let
/// nobody deny them.
async fn denied_by(
    hs: &Homeserver,
    version: &'static RoomVersion,
    acl: Value,
) -> Result<(User, Remote, Room), Stop> {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room_of(version)?;
    room.add(room.state_event("m.room.server_acl", "", acl))?;
    remote.admit(&alice, &room).await?;
    Ok((alice, remote, room))
}

/// The endpoints that must be protected.
fn endpoints() -> impl Iterator<Item = &'static str> {
    [
        "v1/make_join",
        "v1/make_leave",
        "v1/make_knock",
        "v2/send_join",
        "v2/send_leave",
        "v1/send_knock",
        "v1/invite",
        "v2/invite",
        "v1/state",
        "v1/state_ids",
        "v1/backfill",
        "v1/event_auth",
        "v1/get_missing_events",
    ]
    .into_iter()
}

/// A server that the room's list denies is refused at every protected endpoint.
#[conformance(
    spec = "server-server-api/#server-access-control-lists-acls",
    level = Must,
    severity = Security,
    each = endpoints,
    proves = [
        "server-server-api/server-access-control-lists-acls/1",
        "server-server-api/server-access-control-lists-acls/2",
        "server-server-api/server-access-control-lists-acls/3",
        "client-server-api/mroomserver_acl/3",
    ]
)]
async fn denied_server_is_refused(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    // The older endpoint of invites takes events of the oldest format only.
    let version =
        if endpoint == "v1/invite" { &protocol::room_version::V1 } else { &protocol::room_version::V11 };
    let (alice, remote, room) = denied(hs, version).await?;
    let user = remote.user("erin");
    let base = format!("/_matrix/federation/{endpoint}");
    let last = room.extremities().first().cloned().unwrap_or_default();
    let member = |membership: &str| room.member(&user, membership).build();
    let of_room = format!("{base}{}", path!("/{}", room.id()));
    let call = match endpoint {
        "v1/make_join" | "v1/make_knock" | "v1/make_leave" => {
            let versions = RoomVersion::ALL.iter().map(|version| format!("ver={}", version.id));
            let versions = versions.collect::<Vec<_>>().join("&");
            remote.get(format!("{of_room}{}?{versions}", path!("/{}", user)))?
        }
        "v2/send_join" | "v2/send_leave" | "v1/send_knock" => {
            let membership = endpoint.rsplit('_').next().unwrap_or_default();
            let pdu = member(membership)?;
            remote.put(format!("{of_room}{}", path!("/{}", pdu.id())), pdu.value())?
        }
        "v1/invite" | "v2/invite" => {
            let (invite, body) = remote.invitation(&room, &alice)?;
            let body = if endpoint == "v1/invite" { invite.value() } else { body };
            remote.put(format!("{of_room}{}", path!("/{}", invite.id())), body)?
        }
        "v1/state" | "v1/state_ids" => remote.get(of_room)?.query("event_id", &last),
        "v1/backfill" => remote.get(of_room)?.query("v", &last).query("limit", "10"),
        "v1/event_auth" => remote.get(format!("{of_room}{}", path!("/{}", last)))?,
        _ => remote.post(of_room, json!({"earliest_events": [], "latest_events": [last], "limit": 10}))?,
    };
    call.must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// Events from a server that the room's list denies are ignored, and the answer says so of each.
#[conformance(
    spec = "server-server-api/#server-access-control-lists-acls",
    level = Must,
    severity = Security,
    proves = [
        "server-server-api/server-access-control-lists-acls/4",
        "server-server-api/server-access-control-lists-acls/5",
        "server-server-api/server-access-control-lists-acls/6",
        "client-server-api/server-behaviour-20/1",
    ]
)]
async fn events_of_a_denied_server_are_ignored(hs: &Homeserver) -> Verdict {
    let (alice, remote, room) = denied(hs, &protocol::room_version::V11).await?;
    let denied = room.message("let me in").build()?;
    let answer = remote.transmit(&[&denied]).await?;
    let error = &answer.at("/pdus")[denied.id()]["error"];
    answer.must(error.is_string(), "an error for the event", || answer.json().to_string())?;
    alice.event(room.id(), denied.id()).must_be(404).await.map(drop)
}

/// The ephemeral data units that belong to a room.
fn ephemeral() -> impl Iterator<Item = &'static str> {
    ["m.typing", "m.receipt"].into_iter()
}

/// Typing notices and receipts from a server that the room's list denies are ignored.
#[conformance(
    spec = "server-server-api/#server-access-control-lists-acls",
    level = Must,
    severity = Security,
    each = ephemeral,
    since = "v1.13",
    proves = [
        "server-server-api/server-access-control-lists-acls/7",
        "server-server-api/server-access-control-lists-acls/8",
        "server-server-api/server-access-control-lists-acls/9",
    ]
)]
async fn ephemeral_data_of_a_denied_server_is_ignored(hs: &Homeserver, kind: &'static str) -> Verdict {
    let (alice, remote, room) = denied(hs, &protocol::room_version::V11).await?;
    let said = alice.say(room.id(), "read me").await?;
    alice.sees_event(room.id(), &said).await?;
    let dave = room.speaker();
    let content = match kind {
        "m.typing" => json!({"room_id": room.id(), "user_id": dave, "typing": true}),
        _ => {
            let read = json!({ dave: {"event_ids": [said], "data": {"ts": Room::now_ms()}} });
            json!({ room.id(): {"m.read": read} })
        }
    };
    remote.transmit_edu(kind, content).await?;
    alice
        .must_never_see("ephemeral data of the denied server", |sync| {
            sync.ephemeral_content(room.id(), kind).is_some_and(|content| content.to_string().contains(dave))
        })
        .await
}

/// A list, and whether it denies this name, which every remote has but for its port.
#[derive(Clone)]
struct List {
    name: &'static str,
    content: fn(&str) -> Value,
    denies: bool,
}

impl Case for List {
    fn label(&self) -> String {
        self.name.to_owned()
    }
}

/// A name with question marks for its fourth character and its last.
fn questionable(name: &str) -> String {
    format!("{}?{}?", &name[..3], &name[4..name.len() - 1])
}

fn lists() -> impl Iterator<Item = List> {
    let list = |name, content, denies| List { name, content, denies };
    [
        list("denied by name", |name| self::list(&["*"], &[name]), true),
        list("denied by a star", |name| self::list(&["*"], &[&format!("{}*", &name[..5])]), true),
        list("denied by question marks", |name| self::list(&["*"], &[&questionable(name)]), true),
        list("denied in another case", |name| self::list(&["*"], &[&name.to_uppercase()]), true),
        list("denied by everything", |_| self::list(&["*"], &["*"]), true),
        list("not allowed", |_| self::list(&["example.org"], &[]), true),
        list("nobody allowed", |_| self::list(&[], &[]), true),
        list("allow is absent", |_| json!({"deny": []}), true),
        list("allowed by name", |name| self::list(&[name], &[]), false),
        list("allowed by a star", |name| self::list(&[&format!("*{}", &name[5..])], &[]), false),
        list("denied with a port", |name| self::list(&["*"], &[&format!("{name}:*")]), false),
        list("denied by a part", |name| self::list(&["*"], &[&name[..5]]), false),
        list(
            "denied by one question mark too many",
            |name| self::list(&["*"], &[&format!("{name}?")]),
            false,
        ),
        list("address literals denied", |_| json!({"allow": ["*"], "allow_ip_literals": false}), false),
    ]
    .into_iter()
}

/// Names are matched by globs without regard to case, and without their port.
#[conformance(
    spec = "client-server-api/#mroomserver_acl",
    level = Must,
    severity = Security,
    each = lists,
    proves = ["client-server-api/mroomserver_acl/2"]
)]
async fn names_are_matched_by_globs(hs: &Homeserver, list: List) -> Verdict {
    let (_alice, remote, room) =
        denied_by(hs, &protocol::room_version::V11, (list.content)(hs.target().whereabouts.name())).await?;
    let call = remote.make_join(room.id(), &remote.user("erin"))?;
    if list.denies {
        return call.must_refuse(403, "M_FORBIDDEN").await.map(drop);
    }
    call.answer().await?.must_succeed()?.must_hold("/event/type", "m.room.member")
}

/// Whether lists admit servers that are called by an address.
fn literals() -> impl Iterator<Item = &'static str> {
    ["denied", "allowed", "not mentioned"].into_iter()
}

/// A server that is called by an IP address is refused where the list denies those, and only there.
#[conformance(
    spec = "client-server-api/#mroomserver_acl",
    level = Must,
    severity = Security,
    each = literals,
    proves = ["server-server-api/server-access-control-lists-acls/1"]
)]
async fn addresses_are_denied_as_names(hs: &Homeserver, literals: &'static str) -> Verdict {
    const PORT: u16 = 8449;
    let [alice] = hs.users().await?;
    let host = hs.new_host()?;
    let remote = hs.remote_called(&host.at(PORT).to_string()).await?;
    remote.listens(host.at(PORT), &host.address.to_string())?;
    let room = remote.room_of(&protocol::room_version::V11)?;
    let mut acl = json!({"allow": ["*"]});
    if literals != "not mentioned" {
        acl["allow_ip_literals"] = json!(literals == "allowed");
    }
    room.add(room.state_event("m.room.server_acl", "", acl))?;
    remote.admit(&alice, &room).await?;
    let last = room.extremities().first().cloned().unwrap_or_default();
    let call = remote.get(path!("/_matrix/federation/v1/state_ids/{}", room.id()))?.query("event_id", last);
    match literals {
        "denied" => call.must_refuse(403, "M_FORBIDDEN").await.map(drop),
        _ => call.await?.must_have_list("/pdu_ids").map(drop),
    }
}
