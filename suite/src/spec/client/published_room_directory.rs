//! `client-server-api/#published-room-directory`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// Searches until so many rooms are found: the text lets a server publish in its own time.
async fn search(user: &User, term: &str, count: usize) -> Result<Answer, Stop> {
    search_for(user, json!({"generic_search_term": term}), |list| found(list) == count).await
}

async fn search_for(user: &User, filter: Value, shown: impl Fn(&Answer) -> bool) -> Result<Answer, Stop> {
    let body = json!({"filter": filter});
    let ask = || user.post("/_matrix/client/v3/publicRooms", body.clone());
    user.homeserver().eventually("the rooms that are published, and no others", ask, shown).await
}

fn found(list: &Answer) -> usize {
    list.at("/chunk").as_array().map_or(0, Vec::len)
}

/// A word that stands in the name of no other test's room.
fn unique_word(user: &User) -> String {
    format!("{}directory", user.localpart())
}

/// A published room is found by its name and listed with what the directory promises of it.
#[conformance(spec = "client-server-api/#post_matrixclientv3publicrooms", level = Must, severity = Usability)]
async fn published_room_is_listed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let word = unique_word(&alice);
    let body = json!({
        "visibility": "public",
        "preset": "public_chat",
        "name": format!("The {word}"),
        "topic": "rooms and their names",
        "room_alias_name": word,
    });
    let room = alice.create_room(body).await?;
    bob.join(&room).await?;

    let complete = |list: &Answer| found(list) == 1 && list.at("/chunk/0/num_joined_members") == 2;
    let list = search_for(&bob, json!({"generic_search_term": word}), complete).await?;
    list.must_hold("/chunk/0/room_id", room)?;
    list.must_hold("/chunk/0/name", format!("The {word}"))?;
    list.must_hold("/chunk/0/topic", "rooms and their names")?;
    list.must_hold("/chunk/0/canonical_alias", format!("#{word}:{}", hs.name()))?;
    list.must_hold("/chunk/0/world_readable", false)?;
    list.must_hold("/chunk/0/guest_can_join", false)?;
    // An absent join rule means public.
    let rule = list.at("/chunk/0/join_rule");
    list.must(rule.is_null() || rule == "public", "the join rule public", || rule.to_string())
}

/// A room is found by a word of its topic as well.
#[conformance(spec = "client-server-api/#post_matrixclientv3publicrooms", level = May, severity = Usability)]
async fn topic_is_searched(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let word = unique_word(&alice);
    let topic = format!("all about {word}");
    let room =
        alice.create_room(json!({"visibility": "public", "preset": "public_chat", "topic": topic})).await?;

    search(&bob, &word, 1).await?.must_hold("/chunk/0/room_id", room)
}

/// The list that can be had without a search describes a room as the search does.
#[conformance(spec = "client-server-api/#get_matrixclientv3publicrooms", level = Must, severity = Usability)]
async fn both_lists_describe_a_room_alike(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let word = unique_word(&alice);
    let room =
        alice.create_room(json!({"visibility": "public", "preset": "public_chat", "name": word})).await?;
    for user in [&bob, &carol] {
        user.join(&room).await?;
    }
    let complete = |list: &Answer| found(list) == 1 && list.at("/chunk/0/num_joined_members") == 3;
    let searched = search_for(&bob, json!({"generic_search_term": word}), complete).await?;
    let expected = searched.at("/chunk/0");

    let mut since = None;
    loop {
        let mut ask = bob.get("/_matrix/client/v3/publicRooms").query("limit", "50");
        if let Some(since) = &since {
            ask = ask.query("since", since);
        }
        let page = ask.await?;
        let rooms: Vec<_> = page
            .must_have_list("/chunk")?
            .iter()
            .filter(|listed| listed["room_id"] == room.as_str())
            .collect();
        if let Some(listed) = rooms.first() {
            page.must(rooms.len() == 1, "the room once", || format!("{} times", rooms.len()))?;
            return page.must(*listed == expected, format!("{expected}"), || listed.to_string());
        }
        let next = page.at("/next_batch").as_str();
        page.must(next.is_some(), "the room, or a token for more rooms", || "neither".to_owned())?;
        since = next.map(str::to_owned);
    }
}

/// A room that is not published is in no list.
#[conformance(spec = "client-server-api/#published-room-directory", level = Must, severity = Security)]
async fn private_room_is_not_listed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    alice.create_room(json!({"preset": "public_chat", "visibility": "private", "name": word})).await?;
    let published = json!({"preset": "public_chat", "visibility": "public", "name": format!("other {word}")});
    let published = alice.create_room(published).await?;

    // The second room shows that the directory has caught up.
    search(&alice, &word, 1).await?.must_hold("/chunk/0/room_id", published)
}

/// The visibility of a room in the directory can be read and changed.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3directorylistroomroomid",
    level = Must,
    severity = Interop
)]
async fn visibility_can_be_changed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    let room = alice.create_room(json!({"preset": "public_chat", "name": word})).await?;
    let path = path!("/_matrix/client/v3/directory/list/room/{}", room);

    alice.get(&path).await?.must_hold("/visibility", "private")?;
    alice.put(&path, json!({"visibility": "public"})).await?;
    alice.get(&path).await?.must_hold("/visibility", "public")?;
    search(&alice, &word, 1).await?.must_hold("/chunk/0/room_id", room)?;
    alice.put(&path, json!({"visibility": "private"})).await?;
    search(&alice, &word, 0).await?.must_hold("/chunk", json!([]))
}

/// The visibility of a room that the server does not know is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3directorylistroomroomid",
    level = Must,
    severity = Interop
)]
async fn unknown_room_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let path = path!("/_matrix/client/v3/directory/list/room/{}", format!("!nowhere:{}", hs.name()));

    alice.get(&path).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// A room that the server does not know cannot be published.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3directorylistroomroomid",
    level = Must,
    severity = Interop
)]
async fn unknown_room_cannot_be_published(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let path = path!("/_matrix/client/v3/directory/list/room/{}", format!("!nowhere:{}", hs.name()));

    alice.put(&path, json!({"visibility": "public"})).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// Somebody outside the room cannot publish it.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3directorylistroomroomid",
    level = May,
    severity = Security
)]
async fn outsiders_cannot_publish(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    let path = path!("/_matrix/client/v3/directory/list/room/{}", room);
    eve.put(&path, json!({"visibility": "public"})).must_be_refused().await?;
    alice.get(&path).await?.must_hold("/visibility", "private")
}

/// The directory lists the rooms with the most members first, and of a search only what it is for.
#[conformance(spec = "client-server-api/#post_matrixclientv3publicrooms", level = Must, severity = Usability)]
async fn largest_rooms_come_first(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let word = unique_word(&alice);
    let mut rooms = Vec::new();
    for name in [format!("{word} one"), format!("{word} two"), format!("{word} three"), "other".to_owned()] {
        let body = json!({"visibility": "public", "preset": "public_chat", "name": name});
        rooms.push(alice.create_room(body).await?);
    }
    bob.join(&rooms[1]).await?;

    let sized =
        |list: &Answer| found(list) == 3 && list.json().to_string().contains("\"num_joined_members\":2");
    let list = search_for(&alice, json!({"generic_search_term": word}), sized).await?;
    list.must_hold("/chunk/0/room_id", rooms[1].as_str())?;
    list.must_not_mention(&rooms[3])
}

/// Pages of the directory, followed by their tokens, show every room once.
#[conformance(spec = "client-server-api/#post_matrixclientv3publicrooms", level = Must, severity = Interop)]
async fn pages_show_every_room_once(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    let mut rooms = Vec::new();
    for number in 0..3 {
        let name = format!("{word} {number}");
        rooms.push(alice.create_room(json!({"visibility": "public", "name": name})).await?);
    }

    search(&alice, &word, 3).await?;
    let mut came = Vec::new();
    let mut body = json!({"limit": 1, "filter": {"generic_search_term": word}});
    loop {
        let page = alice.post("/_matrix/client/v3/publicRooms", body.clone()).await?;
        let chunk = page.must_have_list("/chunk")?;
        page.must(chunk.len() <= 1, "no more rooms than the limit", || format!("{} rooms", chunk.len()))?;
        came.extend(chunk.iter().filter_map(|room| room["room_id"].as_str()).map(str::to_owned));
        match page.at("/next_batch").as_str() {
            Some(next) if came.len() <= rooms.len() => body["since"] = json!(next),
            _ => {
                came.sort_unstable();
                rooms.sort_unstable();
                return page.must(came == rooms, format!("{rooms:?} over all pages"), || format!("{came:?}"));
            }
        }
    }
}

/// A page of the directory leads back to the one before.
#[conformance(spec = "client-server-api/#post_matrixclientv3publicrooms", level = Must, severity = Usability)]
async fn pages_lead_back(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    for number in 0..2 {
        alice.create_room(json!({"visibility": "public", "name": format!("{word} {number}")})).await?;
    }
    search(&alice, &word, 2).await?;
    let page = |since: Option<String>| {
        let mut body = json!({"limit": 1, "filter": {"generic_search_term": word}});
        if let Some(since) = since {
            body["since"] = json!(since);
        }
        alice.post("/_matrix/client/v3/publicRooms", body)
    };

    let first = page(None).await?;
    let second = page(Some(first.must_have_text("/next_batch")?)).await?;
    let back = page(Some(second.must_have_text("/prev_batch")?)).await?;

    back.must_hold("/chunk/0/room_id", first.at("/chunk/0/room_id").clone())
}

/// The directory is listed without a filter too, no more rooms at once than asked for. While rooms come and go, a page may
/// repeat one, so nothing else is done meanwhile.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3publicrooms",
    level = Must,
    severity = Interop,
    exclusive
)]
async fn list_respects_the_limit(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    for number in 0..2 {
        alice.create_room(json!({"visibility": "public", "name": format!("{word} {number}")})).await?;
    }
    search(&alice, &word, 2).await?;

    let list = alice.get("/_matrix/client/v3/publicRooms").query("limit", "1").await?;
    let chunk = list.must_have_list("/chunk")?;
    list.must(chunk.len() == 1, "one room, and a token for more", || format!("{} rooms", chunk.len()))?;
    let token = list.must_have_text("/next_batch")?;
    let next = alice.get("/_matrix/client/v3/publicRooms").query("limit", "1").query("since", token).await?;
    let (first, second) = (list.at("/chunk/0/room_id"), next.at("/chunk/0/room_id"));
    next.must(second.is_string() && first != second, "another room on the next page", || second.to_string())
}

/// A room that can be knocked on is listed with its join rule.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3publicrooms",
    level = Must,
    severity = Usability,
    each = rules_to_knock
)]
async fn join_rule_is_listed(hs: &Homeserver, join_rule: &'static str) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    let rule = json!({"type": "m.room.join_rules", "content": {"join_rule": join_rule, "allow": []}});
    let body = json!({"visibility": "public", "name": word, "room_version": "11", "initial_state": [rule]});
    alice.create_room(body).await?;

    search(&alice, &word, 1).await?.must_hold("/chunk/0/join_rule", join_rule)
}

fn rules_to_knock() -> [&'static str; 2] {
    ["knock", "knock_restricted"]
}

/// The directory can be searched for rooms of a type, `null` standing for rooms without one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3publicrooms",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn rooms_are_filtered_by_type(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = unique_word(&alice);
    let plain = alice.create_room(json!({"visibility": "public", "name": word})).await?;
    let body = json!({"visibility": "public", "name": word, "creation_content": {"type": "m.space"}});
    let space = alice.create_room(body).await?;

    for (kind, expected) in [(json!("m.space"), &space), (Value::Null, &plain)] {
        let filter = json!({"generic_search_term": word, "room_types": [kind]});
        let list = search_for(&alice, filter, |list| found(list) == 1).await?;
        let rooms = list.must_have_list("/chunk")?;
        list.must(
            rooms.len() == 1 && rooms[0]["room_id"] == expected.as_str(),
            format!("{expected} only"),
            || format!("{rooms:?}"),
        )?;
        let told = list.at("/chunk/0/room_type");
        list.must(*told == kind, format!("the room type {kind}"), || told.to_string())?;
    }
    Ok(())
}
