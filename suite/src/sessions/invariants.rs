//! What has to fit together, whatever was done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    action::{CLIENTS, ROOMS, USERS},
    client::{Client, Piece, Room},
    playing::Stage,
};
use crate::{
    cast::{Answer, User},
    path,
    verdict::{Stop, Verdict, must},
};

/// Something that has to hold at the end of every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// The state that a client has accumulated is that of `/state`: `client-server-api/#syncing`.
    State,
    /// The pieces of a timeline, with gaps filled by `/messages`, are the whole history, once: `client-server-api/#syncing`.
    Timeline,
    /// Members see what the history visibility grants them, and nobody sees anything else:
    /// `client-server-api/#room-history-visibility`.
    Visibility,
    /// Messages to devices come once, and those who share an encrypted room hear of new keys:
    /// `client-server-api/#send-to-device-messaging`, `client-server-api/#tracking-the-device-list-for-a-user`.
    Devices,
    /// The summary of a room counts its members: `client-server-api/#get_matrixclientv3sync`.
    Counts,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::State, Self::Timeline, Self::Visibility, Self::Devices, Self::Counts];
}

pub(super) async fn check(invariant: Invariant, stage: &Stage) -> Verdict {
    match invariant {
        Invariant::Devices => return devices(stage).await,
        Invariant::Visibility => return visibility(stage).await,
        _ => {}
    }
    for (number, client) in stage.clients.iter().enumerate() {
        let (client, joined) = (client.lock().await, stage.model.lock().await.joined[number / CLIENTS]);
        for room in (0..ROOMS).filter(|room| joined[*room]) {
            let room_id = &stage.rooms[room];
            let known = client.view.rooms.get(room_id).cloned().unwrap_or_default();
            match invariant {
                Invariant::State => state(&client, room_id, &known).await?,
                Invariant::Timeline => timeline(&client, room_id, &known).await?,
                _ => counts(&client, room_id, &known).await?,
            }
        }
    }
    Ok(())
}

async fn state(client: &Client, room_id: &str, known: &Room) -> Verdict {
    let answer = client.user.all_state(room_id).await?;
    let mut actual = BTreeMap::new();
    for event in answer.json().as_array().into_iter().flatten() {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        actual.insert((text("type"), text("state_key")), text("event_id"));
    }
    for (place, event_id) in &actual {
        // A client that loads members lazily is told of those whom it needs, and need not hear of the others.
        let wanted = !(client.is_lazy && place.0 == "m.room.member");
        let has = known.state.get(place);
        answer.must(
            !wanted || has == Some(event_id),
            format!("a client whose state is that of /state, with {event_id} as {place:?}"),
            || format!("{} for the client with {has:?}", client.user.id()),
        )?;
    }
    let invented = known.state.keys().find(|place| !actual.contains_key(*place));
    answer.must(invented.is_none(), "no state that /state does not have", || format!("{invented:?}"))
}

async fn timeline(client: &Client, room_id: &str, known: &Room) -> Verdict {
    let (whole, answer) = history(&client.user, room_id, client.view.token.as_deref()).await?;
    let whole: Vec<&str> = whole.iter().filter_map(|event| event["event_id"].as_str()).collect();
    let twice = |events: &[&str]| {
        let mut seen = BTreeSet::new();
        events.iter().find(|event| !seen.insert(**event)).map(|event| (*event).to_owned())
    };
    let repeated = twice(&whole);
    answer
        .must(repeated.is_none(), "a history that has every event once", || format!("{repeated:?} twice"))?;
    let pieced = pieced_together(client, room_id, &known.pieces).await?;
    let pieced: Vec<&str> = pieced.iter().map(String::as_str).collect();
    let repeated = twice(&pieced);
    let told = |what: String| format!("{what}, for {} with the pieces {:?}", client.user.id(), known.pieces);
    answer.must(repeated.is_none(), "pieces of a timeline that have every event once", || {
        told(format!("{repeated:?} twice"))
    })?;
    let lost = whole.iter().find(|event| !pieced.contains(event));
    answer.must(lost.is_none(), "a timeline whose pieces and gaps are the whole history", || {
        told(format!("{lost:?} is in /messages alone"))
    })?;
    let Some(invented) = pieced.iter().find(|event| !whole.contains(event)) else { return Ok(()) };
    let path = path!("/_matrix/client/v3/rooms/{}/event/{}", room_id, invented);
    let event = client.user.get(path).answer().await?;
    answer.must(false, "a history that has every event of a timeline", || {
        told(format!("{invented} is not in /messages, and by itself {}", event.json()))
    })
}

/// The events of a room from the pieces of its timeline, with `/messages` where there may be more between two of them.
async fn pieced_together(client: &Client, room_id: &str, pieces: &[Piece]) -> Result<Vec<String>, Stop> {
    let mut events: Vec<String> = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        if (number == 0 || piece.has_gap)
            && let Some(prev_batch) = &piece.prev_batch
        {
            let mut before = Vec::new();
            let mut from = Some(prev_batch.clone());
            'gap: while let Some(token) = from {
                let page =
                    client.user.messages(room_id, "b").query("from", &token).query("limit", "3").await?;
                for event_id in page.event_ids("/chunk") {
                    if events.iter().any(|known| known == event_id) {
                        break 'gap;
                    }
                    before.push(event_id.to_owned());
                }
                from = page.at("/end").as_str().filter(|end| *end != token).map(str::to_owned);
            }
            events.extend(before.into_iter().rev());
        }
        let known: BTreeSet<String> =
            if piece.may_overlap { events.iter().cloned().collect() } else { BTreeSet::new() };
        events.extend(piece.events.iter().filter(|event| !known.contains(*event)).cloned());
    }
    Ok(events)
}

/// The whole history of a room as a user reads it, oldest first.
async fn history(user: &User, room_id: &str, from: Option<&str>) -> Result<(Vec<Value>, Answer), Stop> {
    let mut events = Vec::new();
    let mut from = from.map(str::to_owned);
    loop {
        let mut request = user.messages(room_id, "b").query("limit", "7");
        if let Some(from) = &from {
            request = request.query("from", from);
        }
        let page = request.await?;
        events.extend(page.must_have_list("/chunk")?.iter().cloned());
        match page.at("/end").as_str().filter(|end| Some(*end) != from.as_deref()) {
            Some(end) => from = Some(end.to_owned()),
            None => {
                events.reverse();
                return Ok((events, page));
            }
        }
    }
}

/// `client-server-api/#room-history-visibility`, judged by the history that the first user reads, who was always there.
async fn visibility(stage: &Stage) -> Verdict {
    for (room, room_id) in stage.rooms.iter().enumerate() {
        let (whole, answer) = history(&stage.users[0], room_id, None).await?;
        for number in 0..USERS {
            let user = &stage.users[number];
            let sent = stage.model.lock().await.sent[number][room].clone();
            let order: Vec<&str> = whole.iter().filter_map(|event| event["event_id"].as_str()).collect();
            let places: Vec<_> =
                sent.iter().map(|event_id| order.iter().position(|event| event == event_id)).collect();
            let in_order = places.iter().all(Option::is_some) && places.is_sorted();
            answer.must(in_order, "everything that a user sent, in the order of sending", || {
                format!("{sent:?} of {} at {places:?}", user.id())
            })?;
            let granted = granted(&whole, user.id());
            for client in 0..CLIENTS {
                let client = stage.clients[number * CLIENTS + client].lock().await;
                let seen = client.ever_seen.get(room_id).cloned().unwrap_or_default();
                let leaked = seen.iter().find(|event| !granted.contains(event.as_str()));
                must(leaked.is_none(), "nothing in a timeline that the history visibility forbids", || {
                    format!("{leaked:?}, which {} may not see", user.id())
                })?;
            }
            if !stage.model.lock().await.joined[number][room] {
                continue;
            }
            let (read, answer) = history(user, room_id, None).await?;
            let read: BTreeSet<&str> = read.iter().filter_map(|event| event["event_id"].as_str()).collect();
            answer.must(
                read == granted,
                "all that the history visibility grants a member, and nothing else",
                || {
                    let missing: Vec<_> = granted.difference(&read).collect();
                    let leaked: Vec<_> = read.difference(&granted).collect();
                    format!("for {} without {missing:?} and with {leaked:?}", user.id())
                },
            )?;
        }
    }
    Ok(())
}

/// The events of a history that a user may see, by the visibility and the membership when each was sent.
fn granted<'a>(history: &'a [Value], user_id: &str) -> BTreeSet<&'a str> {
    let joins = |event: &Value| {
        let is_own = event["type"] == "m.room.member" && event["state_key"] == user_id;
        is_own.then(|| event["content"]["membership"] == "join")
    };
    let mut granted = BTreeSet::new();
    let (mut visibility, mut is_joined) = ("shared", false);
    for (place, event) in history.iter().enumerate() {
        let was_joined = is_joined;
        is_joined = joins(event).unwrap_or(is_joined);
        let before = visibility;
        if event["type"] == "m.room.history_visibility" {
            visibility = event["content"]["history_visibility"].as_str().unwrap_or("shared");
        }
        let joins_later = history[place..].iter().any(|event| joins(event) == Some(true));
        // A change of the visibility or of the membership shows where either side of it would.
        let shows = |visibility: &str, is_joined: bool| is_joined || (visibility == "shared" && joins_later);
        if shows(before, was_joined) || shows(visibility, is_joined) {
            granted.extend(event["event_id"].as_str());
        }
    }
    granted
}

async fn devices(stage: &Stage) -> Verdict {
    let model = stage.model.lock().await;
    for (number, client) in stage.clients.iter().enumerate() {
        let client = client.lock().await;
        let (came, sent) = (&client.view.to_device, &model.to_device[number / CLIENTS]);
        let distinct: BTreeSet<&String> = came.iter().collect();
        // A client that went back may be told again, or not: it had shown that the message had arrived.
        must(client.went_back || distinct.len() == came.len(), "every message to a device once", || {
            format!("{came:?} for {}", client.user.id())
        })?;
        let stranger = came.iter().find(|id| !sent.contains(*id));
        must(stranger.is_none(), "no message that was not sent", || format!("{stranger:?}"))?;
        // Only the first two are in the encrypted room from the beginning, and the first never leaves.
        let shares = number / CLIENTS == 0 && model.joined[1][0];
        let told = client.view.changed.contains(stage.users[1].id());
        must(
            !shares || !model.published.contains(&1) || told,
            "to be told of the new keys of a member",
            || format!("{:?} for {}", client.view.changed, client.user.id()),
        )?;
    }
    Ok(())
}

async fn counts(client: &Client, room_id: &str, known: &Room) -> Verdict {
    let members = client.user.members(room_id).query("membership", "join").await?;
    let joined = members.must_have_list("/chunk")?.len() as u64;
    // A client that has not been told since a member joined would still show the number from before.
    members.must(
        known.joined_count.is_none_or(|count| count == joined),
        format!("a summary that counts {joined} joined members"),
        || format!("{:?} for {}", known.joined_count, client.user.id()),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOB: &str = "@bob:localhost";

    fn said(event_id: &str) -> Value {
        json!({"event_id": event_id, "type": "m.room.message", "content": {}})
    }

    fn member(event_id: &str, membership: &str) -> Value {
        json!({"event_id": event_id, "type": "m.room.member", "state_key": BOB, "content": {"membership": membership}})
    }

    fn visibility(event_id: &str, value: &str) -> Value {
        json!({"event_id": event_id, "type": "m.room.history_visibility", "content": {"history_visibility": value}})
    }

    #[test]
    fn shared_history_is_granted_to_whoever_joins_later() {
        let history = [said("a"), member("b", "join"), said("c"), member("d", "leave"), said("e")];
        assert_eq!(granted(&history, BOB), BTreeSet::from(["a", "b", "c", "d"]));
        let returns = [&history[..], &[member("f", "join")]].concat();
        assert_eq!(granted(&returns, BOB), BTreeSet::from(["a", "b", "c", "d", "e", "f"]));
    }

    #[test]
    fn history_for_members_is_granted_to_those_who_were_there() {
        let history = [
            said("a"),
            visibility("b", "joined"),
            said("c"),
            member("d", "join"),
            said("e"),
            member("f", "leave"),
            said("g"),
        ];
        assert_eq!(granted(&history, BOB), BTreeSet::from(["a", "b", "d", "e", "f"]));
    }
}
