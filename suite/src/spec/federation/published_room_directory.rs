//! `server-server-api/#published-room-directory`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, remote::Question},
    path,
    verdict::{Verdict, must},
};

const PUBLIC_ROOMS: &str = "/_matrix/federation/v1/publicRooms";

fn entry<'a>(answer: &'a Answer, room: &str) -> Option<&'a Value> {
    answer.at("/chunk").as_array()?.iter().find(|entry| entry["room_id"] == room)
}

/// The two ways to ask for the directory.
fn ways() -> impl Iterator<Item = &'static str> {
    ["get", "post"].into_iter()
}

/// Another server is given the published rooms, as users are.
#[conformance(
    spec = "server-server-api/#published-room-directory",
    level = Must,
    severity = Usability,
    each = ways
)]
async fn directory_is_given(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let body =
        json!({"preset": "public_chat", "visibility": "public", "name": "for everyone", "topic": "open"});
    let room = alice.create_room(body).await?;
    let remote = hs.remote().await?;
    let ask = || {
        let call = match way {
            "get" => remote.get(PUBLIC_ROOMS).map(|call| call.query("limit", "1000")),
            _ => remote.post(PUBLIC_ROOMS, json!({"limit": 1000})),
        };
        call.unwrap_or_else(|_| hs.get(PUBLIC_ROOMS))
    };

    let answer = hs.eventually("the room", ask, |answer| entry(answer, &room).is_some()).await?;

    let entry = entry(&answer, &room).cloned().unwrap_or_default();
    let right =
        entry["name"] == "for everyone" && entry["topic"] == "open" && entry["num_joined_members"] == 1;
    answer.must(right, "its name, its topic and its one member", || entry.to_string())
}

/// A search term narrows the directory down for other servers as well.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1publicrooms",
    level = Must,
    severity = Usability
)]
async fn directory_can_be_searched(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let term = format!("needle{}", hs.unique());
    let make = |name: String| {
        alice.create_room(json!({"visibility": "public", "preset": "public_chat", "name": name}))
    };
    let wanted = make(term.clone()).await?;
    let other = make("haystack".to_owned()).await?;
    let remote = hs.remote().await?;
    let ask = || {
        let body = json!({"limit": 1000, "filter": {"generic_search_term": term}});
        remote.post(PUBLIC_ROOMS, body).unwrap_or_else(|_| hs.get(PUBLIC_ROOMS))
    };
    let answer = hs.eventually("the room", ask, |answer| entry(answer, &wanted).is_some()).await?;
    answer.must(entry(&answer, &other).is_none(), "no room of another name", || "one".to_owned())
}

/// A private room is not in the directory that other servers are given.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1publicrooms",
    level = Must,
    severity = Security
)]
async fn private_room_is_not_listed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let remote = hs.remote().await?;
    remote.get(PUBLIC_ROOMS)?.query("limit", "1000").await?.must_not_mention(&room)
}

/// A user looks at the directory of another server.
#[conformance(
    spec = "server-server-api/#published-room-directory",
    level = Must,
    severity = Usability
)]
async fn directory_of_another_server_is_shown(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    room.add(room.state_event("m.room.name", "", json!({"name": "far away"})))?;
    remote.publish(&room);

    let answer = alice.get("/_matrix/client/v3/publicRooms").query("server", remote.name()).await?;

    let entry = entry(&answer, room.id()).cloned().unwrap_or_default();
    answer.must(entry["name"] == "far away", "the room of the other server", || answer.json().to_string())
}

/// A user searches the directory of another server.
#[conformance(
    spec = "server-server-api/#post_matrixfederationv1publicrooms",
    level = Must,
    severity = Usability
)]
async fn directory_of_another_server_is_searched(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let room = remote.room()?;
    remote.publish(&room);
    // What else is asked for goes to the other server as well, and has to keep its type on the way.
    let body = json!({"filter": {"generic_search_term": "far"}, "limit": 20, "include_all_networks": true});

    let answer = alice.post(path!("/_matrix/client/v3/publicRooms?server={}", remote.name()), body).await?;

    let asked = remote.is_asked(Question::SearchPublicRooms).await?;
    let term = asked.json["filter"]["generic_search_term"].clone();
    must(term == "far", "the search term", || asked.json.to_string())?;
    answer.must(entry(&answer, room.id()).is_some(), "what the other server found", || {
        answer.json().to_string()
    })
}

/// Another server is shown the rooms of this server's directory, and none that another server lists.
#[conformance(
    spec = "server-server-api/#get_matrixfederationv1publicrooms",
    level = Should,
    severity = Usability,
    each = ways,
    proves = ["server-server-api/get_matrixfederationv1publicrooms/1"]
)]
async fn rooms_of_other_directories_are_not_given(hs: &Homeserver, way: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let elsewhere = remote.room_with(&alice).await?;
    remote.publish(&elsewhere);
    alice.get("/_matrix/client/v3/publicRooms").query("server", remote.name()).await?;
    let own = alice.create_room(json!({"preset": "public_chat", "visibility": "public"})).await?;
    let ask = || {
        let call = match way {
            "get" => remote.get(PUBLIC_ROOMS).map(|call| call.query("limit", "1000")),
            _ => remote.post(PUBLIC_ROOMS, json!({"limit": 1000})),
        };
        call.unwrap_or_else(|_| hs.get(PUBLIC_ROOMS))
    };

    let answer = hs.eventually("the room", ask, |answer| entry(answer, &own).is_some()).await?;

    let listed = entry(&answer, elsewhere.id()).is_some();
    answer.must(!listed, "only rooms of this server's directory", || "one of another".to_owned())
}
