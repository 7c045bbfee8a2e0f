//! Telling push gateways: push-gateway-api/#homeserver-behaviour.
//!
//! Each pusher is a task that reads on from where it has come to, which is kept: what happens while a gateway does
//! not answer, or while the server is down, is pushed later.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::push_rules::Verdict;
use crate::rooms::state::StateLookup;
use crate::store::StoreError;
use crate::store::pushers::{self, Pusher};
use crate::stream::Position;
use crate::timeline::{Entry, Timeline};
use crate::unread::{self, Rules};

/// How long a gateway that fails is left alone: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How often a notification is tried, over about an hour, before it is given up.
const ATTEMPTS: u32 = 20;

/// Events that are judged at a time.
const BATCH: usize = 100;

/// Sets all pushers to work.
pub(crate) async fn start_all(server: &Arc<Homeserver>) -> Result<(), StoreError> {
    for id in server.store.read(pushers::ids).await? {
        start(server, id);
    }
    Ok(())
}

/// Sets one pusher to work, until it is removed or the server ends.
pub(crate) fn start(server: &Arc<Homeserver>, id: i64) {
    tokio::spawn(run(Arc::downgrade(server), id));
}

async fn run(server: Weak<Homeserver>, id: i64) {
    loop {
        let (mut bell, mut closing) = {
            let Some(server) = server.upgrade() else { return };
            let Ok(Some(pusher)) = find(&server, id).await else { return };
            let mut bell = server.stream.bell(&pusher.user_id);
            bell.borrow_and_update();
            match push(&server, &pusher).await {
                Ok(Course::On) => {}
                Ok(Course::Over) => return,
                Err(error) => tracing::error!("pusher {id} stumbled: {}", error.message()),
            }
            (bell, server.closing.clone())
        };
        tokio::select! {
            // An error means that another bell hangs there now, or that the server has ended.
            _ = bell.changed() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

/// Whether there is more to do for a pusher.
enum Course {
    On,
    Over,
}

async fn find(server: &Homeserver, id: i64) -> Result<Option<Pusher>, MatrixError> {
    Ok(server.store.read(move |connection| pushers::find(connection, id)).await?)
}

/// Pushes what has happened since the pusher's position.
async fn push(server: &Homeserver, pusher: &Pusher) -> Result<Course, MatrixError> {
    let until = server.stream.settled().await;
    let rules = Rules::of(server, &pusher.user_id);
    let mut due = Vec::new();
    let mut busy = false;
    for room in server.timelines.of_user(&pusher.user_id) {
        if room.record().last > pusher.position {
            busy = true;
            collect(server, pusher, &room, until, &mut due).await?;
        }
    }
    due.sort_by_key(|(_, entry)| entry.position);
    for (room, entry) in due {
        let unmatched = Verdict { actions: &[], highlights: false };
        let matched = rules.judge(&room, &entry).await?;
        let verdict = matched.or_else(|| commits(Fault::UnmatchedEventsPushed).then_some(unmatched));
        let Some(verdict) = verdict else { continue };
        let notification = describe(server, pusher, &room, &entry, verdict).await?;
        if let Course::Over = deliver(server, pusher, &notification).await? {
            return Ok(Course::Over);
        }
        advance(server, pusher.id, entry.position).await?;
    }
    if busy {
        advance(server, pusher.id, until).await?;
    }
    Ok(Course::On)
}

async fn advance(server: &Homeserver, id: i64, position: Position) -> Result<(), MatrixError> {
    Ok(server.store.write(move |connection| pushers::advance(connection, id, position)).await?)
}

/// Adds what others have sent to a room that the user is in.
async fn collect(
    server: &Homeserver,
    pusher: &Pusher,
    room: &Arc<Timeline>,
    until: Position,
    due: &mut Vec<(Arc<Timeline>, Entry)>,
) -> Result<(), MatrixError> {
    let mut since = pusher.position;
    loop {
        let batch = room.since(&server.store, since, BATCH).await?;
        let exhausted = batch.len() < BATCH;
        for entry in batch {
            if entry.position > until {
                return Ok(());
            }
            since = entry.position;
            let record = room.record();
            // An invite concerns somebody who is not inside yet.
            let own = entry.pdu.state_key() == Some(&pusher.user_id);
            let inside = record.history.at(entry.position).membership(&pusher.user_id) == "join";
            let others = entry.pdu.sender() != pusher.user_id || commits(Fault::OwnEventsPushed);
            if others && (own || inside && record.may_see(&entry, &pusher.user_id)) {
                due.push((Arc::clone(room), entry));
            }
        }
        if exhausted {
            return Ok(());
        }
    }
}

/// The body of the request about an event.
async fn describe(
    server: &Homeserver,
    pusher: &Pusher,
    room: &Timeline,
    entry: &Entry,
    verdict: Verdict<'_>,
) -> Result<Value, MatrixError> {
    let mut data = pusher.settings.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    data.remove("url");
    if commits(Fault::PusherDataCut) {
        data.clear();
    }
    let is_brief = data.get("format").and_then(Value::as_str) == Some("event_id_only")
        && !commits(Fault::NotificationFormatIgnored);
    let tweaks = tweaks(verdict.actions);
    let is_urgent = tweaks.contains_key("sound") || verdict.highlights;
    let mut notification = json!({
        "event_id": entry.pdu.event_id(),
        "room_id": room.room_id(),
        "counts": counts(server, &pusher.user_id, entry.position).await?,
        "prio": if is_urgent { "high" } else { "low" },
        "devices": [{
            "app_id": pusher.app_id,
            "pushkey": pusher.pushkey,
            "pushkey_ts": pusher.set_ms / 1000,
            "data": data,
            "tweaks": tweaks,
        }],
    });
    if !is_brief {
        let record = room.record();
        let state = record.history.at(entry.position);
        let says = |event_type: &str, state_key: &str, name: &str| {
            state.find(event_type, state_key).and_then(|event| event.content_str(name)).map(Value::from)
        };
        let sender = entry.pdu.sender();
        let target = entry.pdu.is_state("m.room.member", &pusher.user_id);
        for (name, value) in [
            ("type", Some(entry.pdu.event_type().into())),
            ("sender", Some(sender.into())),
            ("content", entry.pdu.object().get("content").cloned()),
            ("sender_display_name", says("m.room.member", sender, "displayname")),
            ("room_name", says("m.room.name", "", "name")),
            ("room_alias", says("m.room.canonical_alias", "", "alias")),
            ("user_is_target", target.then_some(Value::Bool(true))),
        ] {
            if let Some(value) = value {
                notification[name] = value;
            }
        }
    }
    Ok(json!({"notification": notification}))
}

/// How much the user has not read in all rooms; nothing where that is nothing.
async fn counts(server: &Homeserver, user_id: &str, until: Position) -> Result<Value, MatrixError> {
    let mut total = 0;
    for room in server.timelines.of_user(user_id) {
        let Some(joined) = room.record().history.joined(user_id) else { continue };
        total += unread::count(server, &room, user_id, joined, until).await?.total().notified;
    }
    Ok(match total {
        _ if commits(Fault::ZeroCountsPushed) => json!({"unread": total, "missed_calls": 0}),
        _ if commits(Fault::UnreadCountsNotPushed) => json!({}),
        0 => json!({}),
        _ => json!({"unread": total}),
    })
}

/// What the rule changes about the notification (client-server-api/#actions).
fn tweaks(actions: &[Value]) -> Map<String, Value> {
    let tweak = |action: &Value| {
        let name = action.get("set_tweak")?.as_str()?.to_owned();
        Some((name, action.get("value").cloned().unwrap_or(Value::Bool(true))))
    };
    actions.iter().filter_map(tweak).collect()
}

/// Sends a notification until the gateway takes it, it is given up, or there is nobody left to send it for.
async fn deliver(server: &Homeserver, pusher: &Pusher, notification: &Value) -> Result<Course, MatrixError> {
    let mut pause = FIRST_PAUSE;
    let mut closing = server.closing.clone();
    for _ in 0..ATTEMPTS {
        match attempt(server, pusher, notification).await {
            Ok(rejected) if rejected.contains(&pusher.pushkey) && !commits(Fault::RejectedPushkeysKept) => {
                let Pusher { user_id, app_id, pushkey, .. } = pusher.clone();
                server.store.write(move |c| pushers::remove(c, &user_id, &app_id, &pushkey)).await?;
                return Ok(Course::Over);
            }
            Ok(_) => return Ok(Course::On),
            Err(reason) => tracing::info!("push gateway of pusher {}: {reason}", pusher.id),
        }
        if commits(Fault::FailedNotificationsLost) {
            return Ok(Course::On);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = closing.wait_for(|closing| *closing) => return Ok(Course::Over),
        }
        if !commits(Fault::NotificationPausesConstant) {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if find(server, pusher.id).await?.is_none() {
            return Ok(Course::Over);
        }
    }
    Ok(Course::On)
}

/// The push keys that the gateway rejects; the error is for the log.
async fn attempt(server: &Homeserver, pusher: &Pusher, notification: &Value) -> Result<Vec<String>, String> {
    let url = pusher.settings.get("data").and_then(|data| data.get("url")?.as_str()).unwrap_or_default();
    let url = server.outgoing.check_gateway(url)?;
    let answer = server.outgoing.client.post(url).json(notification).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
    let body: Value = answer.json().await.map_err(|error| error.to_string())?;
    let rejected = body.get("rejected").and_then(Value::as_array);
    Ok(rejected.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}
