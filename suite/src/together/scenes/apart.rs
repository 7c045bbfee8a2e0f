//! Servers that were cut off from each other, and whether they agree again.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::{come, room};
use crate::{
    cast::{Answer, Sync, User},
    together::Pair,
    verdict::{Stop, Verdict},
};

pub(super) async fn apart(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    pair.company.close();
    let said_by = async |user: &User| {
        let mut said = Vec::new();
        for number in 0..8 {
            said.push(user.say(&room, &format!("alone {number}")).await?);
        }
        Ok::<_, Stop>(said)
    };
    let (by_alice, by_bob) = (said_by(&alice).await?, said_by(&bob).await?);
    pair.company.open();
    // Servers that have given up for a while are heard of, and hear, with the next event.
    nudge(&alice, &bob, &room, &by_alice).await?;
    nudge(&bob, &alice, &room, &by_bob).await
}

/// Speaks until the other is shown what was said before. A server that was unreachable is tried again after a while only, and the
/// next event is what makes the other fetch what it lacks.
pub(super) async fn nudge(from: &User, to: &User, room: &str, said: &[String]) -> Verdict {
    from.say(room, "there again").await?;
    let history = || to.messages(room, "b").query("limit", "100");
    let in_order = |answer: &Answer| {
        let ids = answer.event_ids("/chunk");
        let shown: Vec<&str> =
            ids.into_iter().rev().filter(|id| said.iter().any(|wanted| wanted == id)).collect();
        shown == said.iter().map(String::as_str).collect::<Vec<_>>()
    };
    to.homeserver().eventually("what was said meanwhile, in its order", history, in_order).await.map(drop)
}

/// Of all servers that there are, not of two.
pub(super) async fn converge(pair: &Pair<'_>) -> Verdict {
    let [alice] = pair.host.users().await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    let mut all = vec![alice.clone()];
    for other in pair.company.others_than(&pair.host) {
        let [user] = other.users().await?;
        come(&user, &room, &pair.host).await?;
        alice.sees_membership(&room, &user, "join").await?;
        all.push(user);
    }
    let level = if is_infinite(&alice, &room).await? { 99 } else { 100 };
    alice.empower(&room, level, &all[1..].iter().collect::<Vec<_>>()).await?;
    let empowered = |sync: &Sync| {
        sync.timeline(&room).iter().any(|event| {
            event["type"] == "m.room.power_levels"
                && all[1..].iter().all(|user| event["content"]["users"][user.id()] == level)
        })
    };
    for user in &all[1..] {
        user.sees("the new power levels", empowered).await?;
    }
    for round in 0..3 {
        if round == 2 {
            pair.company.close();
        }
        try_join_all(all.iter().map(|user| changes(user, &room, round))).await?;
    }
    pair.company.open();
    settle(&all, &room).await
}

/// Whether creators have more power than any level (rooms/v12/#authorisation-rules).
async fn is_infinite(user: &User, room: &str) -> Result<bool, Stop> {
    let create = user.state(room, "m.room.create", "").await?;
    let version = protocol::RoomVersion::find(create.at("/room_version").as_str().unwrap_or("1"));
    Ok(version.is_some_and(|version| version.privileged_creators))
}

/// Changes of state that others make as well, at the same time.
async fn changes(user: &User, room: &str, round: usize) -> Verdict {
    let changes = [
        ("m.room.topic", "", json!({"topic": format!("{} {round}", user.id())})),
        ("m.room.name", "", json!({"name": format!("{} {round}", user.id())})),
        ("m.room.join_rules", "", json!({"join_rule": if round == 1 { "invite" } else { "public" }})),
        ("org.determinant.note", "shared", json!({"by": user.id(), "round": round})),
        (
            "m.room.guest_access",
            "",
            json!({"guest_access": if round == 0 { "can_join" } else { "forbidden" }}),
        ),
    ];
    for (kind, key, content) in changes {
        user.set_state(room, kind, key, content).await?;
    }
    Ok(())
}

/// What is said so that others hear of what somebody has.
const QUESTION: &str = "what do we have?";

/// Waits until all have the same state and the same events: each speaks in turn, so that what the others have is referred to.
/// Nobody's power was doubted at any time, so that there are no events that one server keeps from its users and another shows.
async fn settle(users: &[User], room: &str) -> Verdict {
    let deadline = tokio::time::Instant::now() + users[0].homeserver().patience();
    loop {
        for user in users {
            user.say(room, QUESTION).await?;
        }
        let states = try_join_all(users.iter().map(|user| state(user, room))).await?;
        let timelines = try_join_all(users.iter().map(|user| timeline(user, room))).await?;
        let (in_state, in_timeline) = (difference(&states), difference(&timelines));
        if in_state.is_none() && in_timeline.is_none() {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            let (what, differing) = match in_state {
                Some(differing) => ("state", format!("{differing:?}")),
                None => ("events in the timeline", format!("{:?}", in_timeline.unwrap_or_default())),
            };
            return Err(Stop::unmet(
                format!("the same {what} at every server"),
                format!("these differ: {differing}"),
            ));
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
}

/// What not all of these have.
fn difference<T: Ord + Clone>(all: &[BTreeSet<T>]) -> Option<Vec<T>> {
    let differing = all.windows(2).find(|pair| pair[0] != pair[1])?;
    Some(differing[0].symmetric_difference(&differing[1]).cloned().collect())
}

/// The events of a room as a user can read them, back to its beginning: type and event id. Questions that are still under way are left
/// out.
async fn timeline(user: &User, room: &str) -> Result<BTreeSet<(String, String)>, Stop> {
    let mut events = BTreeSet::new();
    let mut from: Option<String> = None;
    loop {
        let call = user.messages(room, "b").query("limit", "100");
        let page = match &from {
            Some(from) => call.query("from", from).await?,
            None => call.await?,
        };
        for event in page.must_have_list("/chunk")? {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            if event["content"]["body"] != QUESTION {
                events.insert((text("type"), text("event_id")));
            }
        }
        match page.at("/end").as_str() {
            Some(end) if from.as_deref() != Some(end) => from = Some(end.to_owned()),
            _ => return Ok(events),
        }
    }
}

/// The state of a room as a user is shown it: type, state key and event id.
async fn state(user: &User, room: &str) -> Result<BTreeSet<(String, String, String)>, Stop> {
    let answer = user.all_state(room).await?;
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let events = answer.json().as_array().into_iter().flatten();
    Ok(events.map(|event| (text(event, "type"), text(event, "state_key"), text(event, "event_id"))).collect())
}
