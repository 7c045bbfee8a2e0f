//! The history of a room: `client-server-api/#get_matrixclientv3roomsroomidmessages`.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// Sends numbered messages; gives their event ids, oldest first.
async fn say_numbers(user: &User, room: &str, count: usize) -> Result<Vec<String>, Stop> {
    let mut sent = Vec::new();
    for number in 0..count {
        sent.push(user.say(room, &format!("message {number}")).await?);
    }
    Ok(sent)
}

/// Follows the tokens from page to page; gives the event ids in the order they came. The last page has no
/// `end`.
async fn all_pages(user: &User, room: &str, direction: &str, limit: usize) -> Result<Vec<String>, Stop> {
    let mut came = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut request = user.messages(room, direction).query("limit", limit.to_string());
        if let Some(from) = &from {
            request = request.query("from", from);
        }
        let page = request.await?;
        let events = page.event_ids("/chunk");
        page.must(events.len() <= limit, format!("at most {limit} events"), || {
            format!("{} events", events.len())
        })?;
        came.extend(events.into_iter().map(str::to_owned));
        match page.at("/end").as_str() {
            None => return Ok(came),
            Some(end) => {
                page.must(from.as_deref() != Some(end), "a token that leads further", || {
                    "the token of this page".into()
                })?;
                from = Some(end.to_owned());
            }
        }
    }
}

/// Backwards, the latest event comes first; forwards, the first event of the room does.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/get_matrixclientv3roomsroomidmessages/2"]
)]
async fn direction_decides_order_and_start(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let sent = say_numbers(&alice, &room, 3).await?;

    let backwards = hs.page_with(&sent[2], || alice.messages(&room, "b").query("limit", "3")).await?;
    let came = backwards.event_ids("/chunk");
    backwards
        .must(came.iter().rev().eq(sent.iter()), "the latest first", || format!("{came:?}, sent {sent:?}"))?;
    let forwards = hs.page_with(&sent[2], || alice.messages(&room, "f").query("limit", "100")).await?;
    forwards.must_hold("/chunk/0/type", "m.room.create")?;
    let came = forwards.event_ids("/chunk");
    forwards.must(came.len() > 3 && came[came.len() - 3..] == sent, "the latest last", || format!("{came:?}"))
}

/// A page begins where it was asked to.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Interop,
    each = directions
)]
async fn page_begins_where_it_was_asked_to(hs: &Homeserver, direction: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    say_numbers(&alice, &room, 3).await?;
    let page = || alice.messages(&room, direction).query("limit", "2");
    let from = page().await?.must_have_text("/end")?;

    page().query("from", &from).await?.must_hold("/start", from)
}

/// Pages in either direction, followed until no `end` is given, show every event once and in order.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Interop,
    each = directions
)]
async fn pages_lose_and_repeat_nothing(hs: &Homeserver, direction: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let sent = say_numbers(&alice, &room, 5).await?;
    let whole = hs.page_with(&sent[4], || alice.messages(&room, direction).query("limit", "100")).await?;
    let expected = whole.event_ids("/chunk");

    let came = all_pages(&alice, &room, direction, 4).await?;
    whole.must(came == expected, "the same events page by page", || format!("{came:?}, at once {expected:?}"))
}

fn directions() -> [&'static str; 2] {
    ["b", "f"]
}

/// The token of a `/sync` leads on to what came after it.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Interop
)]
async fn token_of_a_sync_leads_on(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let before = alice.say(&room, "before").await?;
    let token = alice.sees_event(&room, &before).await?.next_batch().to_owned();
    let after = say_numbers(&alice, &room, 2).await?;

    let ask = || alice.messages(&room, "f").query("from", &token);
    let page = hs.page_with(&after[1], ask).await?;
    let came = page.event_ids("/chunk");
    page.must(came == [&after[0], &after[1]], format!("{after:?}"), || format!("{came:?}"))
}

/// Without a limit, ten events are given.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Usability
)]
async fn default_limit_is_ten(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let sent = say_numbers(&alice, &room, 8).await?;

    let page = hs.page_with(&sent[7], || alice.messages(&room, "b")).await?;
    let count = page.must_have_list("/chunk")?.len();
    page.must(count <= 10, "no more than ten events", || format!("{count}"))?;
    page.must_have_text("/start")?;
    page.must_have_text("/end").map(|_| ())
}

/// Events are given up to the token in `to`, and not beyond.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Interop
)]
async fn to_ends_the_page(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let early = alice.say(&room, "early").await?;
    let token = alice.sees_event(&room, &early).await?.next_batch().to_owned();
    let late = say_numbers(&alice, &room, 2).await?;

    let backwards = || alice.messages(&room, "b").query("to", &token).query("limit", "50");
    let page = hs.page_with(&late[1], backwards).await?;
    let came = page.event_ids("/chunk");
    page.must(came.iter().rev().eq(late.iter()), format!("{late:?} backwards"), || format!("{came:?}"))?;
    let forwards = || alice.messages(&room, "f").query("from", &token).query("limit", "50");
    let forwards = hs.page_with(&late[1], forwards).await?;
    let came = forwards.event_ids("/chunk");
    forwards.must(came == late, format!("{late:?}, without {early}"), || format!("{came:?}"))
}

/// The filter decides which events are given, by type, sender and the presence of a URL.
#[conformance(spec = "client-server-api/#filtering", level = Must, severity = Interop, each = filters)]
async fn filter_is_applied(hs: &Homeserver, filter: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let text = alice.say(&room, "text").await?;
    let apple = alice.send(&room, "org.determinant.fruit.apple", json!({})).await?;
    let pear =
        bob.send(&room, "org.determinant.fruit.pear", json!({"url": "mxc://example.org/pear"})).await?;
    alice.sees_event(&room, &pear).await?;

    let (filter, expected) = match filter {
        "types" => (json!({"types": ["m.room.message"]}), vec![&text]),
        "types with a wildcard" => (json!({"types": ["org.determinant.fruit.*"]}), vec![&pear, &apple]),
        "not_types over types" => {
            let filter = json!({"types": ["org.determinant.*"], "not_types": ["org.determinant.fruit.a*"]});
            (filter, vec![&pear])
        }
        "senders" => (json!({"senders": [bob.id()], "not_types": ["m.room.*"]}), vec![&pear]),
        "not_senders over senders" => {
            let senders = json!([alice.id(), bob.id()]);
            (json!({"senders": senders, "not_senders": [bob.id()], "not_types": ["m.room.*"]}), vec![&apple])
        }
        "contains_url" => (json!({"contains_url": true}), vec![&pear]),
        "no url" => (json!({"contains_url": false, "types": ["org.determinant.*"]}), vec![&apple]),
        other => return Err(Stop::Fault(format!("no filter is called {other}"))),
    };
    let page = alice.messages(&room, "b").query("limit", "50").query("filter", filter.to_string()).await?;
    let came = page.event_ids("/chunk");
    page.must(came == expected, format!("{expected:?} by {filter}"), || format!("{came:?}"))
}

fn filters() -> [&'static str; 7] {
    [
        "types",
        "types with a wildcard",
        "not_types over types",
        "senders",
        "not_senders over senders",
        "contains_url",
        "no url",
    ]
}

/// With lazy loading, the membership of the senders of the given events is among the state.
#[conformance(spec = "client-server-api/#lazy-loading-room-members", level = Must, severity = Usability)]
async fn members_are_loaded_lazily(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let room = alice.room_with(&[&bob, &carol]).await?;
    let last = bob.say(&room, "only mine").await?;

    let filter = json!({"lazy_load_members": true, "include_redundant_members": true});
    let ask = || alice.messages(&room, "b").query("limit", "1").query("filter", filter.to_string());
    let page = hs.page_with(&last, ask).await?;
    let members = members(&page);
    page.must(members.contains(&bob.id()), "the membership of the sender", || format!("{members:?}"))
}

fn members(page: &Answer) -> Vec<&str> {
    let state = page.at("/state").as_array().map_or(&[][..], Vec::as_slice);
    let members = state.iter().filter(|event| event["type"] == "m.room.member");
    members.filter_map(|event| event["state_key"].as_str()).collect()
}

/// Somebody who is not a member reads no history.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages",
    level = Must,
    severity = Security
)]
async fn outsiders_read_nothing(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.public_room_with(&[]).await?;
    alice.say(&room, "not for outsiders").await?;

    eve.messages(&room, "b").must_refuse(403, "M_FORBIDDEN").await?;
    eve.messages(&format!("!nowhere:{}", hs.name()), "b").must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// An event tells the membership that the reader had when it was sent.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidmessages_response-200_unsigneddata",
    level = Should,
    severity = Usability,
    since = "v1.11",
    proves = ["client-server-api/definition-clientevent/2"]
)]
async fn events_tell_the_reader_s_membership(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let before = alice.say(&room, "before the invite").await?;
    alice.invite(&room, &bob).await?;
    let invited = alice.say(&room, "during the invite").await?;
    bob.join(&room).await?;
    let joined = alice.say(&room, "after the join").await?;

    let page = hs.page_with(&joined, || bob.messages(&room, "b").query("limit", "50")).await?;
    for (event_id, membership) in [(before, "leave"), (invited, "invite"), (joined, "join")] {
        let mut events = page.must_have_list("/chunk")?.iter();
        let event = events.find(|event| event["event_id"] == event_id.as_str()).unwrap_or(&Value::Null);
        let told = &event["unsigned"]["membership"];
        page.must(told == membership, format!("the membership {membership} with {event_id}"), || {
            told.to_string()
        })?;
    }
    Ok(())
}
