//! Unread counts: `client-server-api/#receiving-notifications`. The rooms are public, because an invite would be a
//! notification of its own.

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, Sync, User},
    path,
    verdict::Verdict,
};

/// The unread notifications and highlights of a joined room; `None` where the response says nothing of them.
fn unread(sync: &Sync, room: &str) -> Option<(u64, u64)> {
    let counts = &sync.joined(room)["unread_notifications"];
    Some((counts["notification_count"].as_u64()?, counts["highlight_count"].as_u64()?))
}

/// The count of unread notifications comes with the event that changes it.
#[conformance(
    spec = "client-server-api/#receiving-notifications",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/receiving-notifications/1", "client-server-api/server-behaviour-9/1"]
)]
async fn count_comes_with_the_event(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    for count in 1..=2 {
        let event_id = alice.say(&room, "something to read").await?;
        let sync = bob.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
        let unread = unread(&sync, &room);
        let expected = format!("{count} unread notifications and no highlight");
        sync.answer().must(unread == Some((count, 0)), expected, || format!("{unread:?}"))?;
    }
    Ok(())
}

/// What a user sends counts as read for that user.
#[conformance(spec = "client-server-api/#receiving-notifications", level = Must, severity = Usability)]
async fn own_events_do_not_count(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;

    let event_id = alice.say(&room, "my own words").await?;

    let sync = alice.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
    let unread = unread(&sync, &room);
    sync.answer()
        .must(unread.is_none_or(|unread| unread == (0, 0)), "no notification", || format!("{unread:?}"))
}

/// A message that mentions the user counts as a highlight too.
#[conformance(
    spec = "client-server-api/#_m_rule_is_user_mention",
    level = Must,
    severity = Usability,
    since = "v1.7"
)]
async fn mention_is_a_highlight(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    let content = json!({"msgtype": "m.text", "body": "look", "m.mentions": {"user_ids": [bob.id()]}});
    let event_id = alice.send(&room, "m.room.message", content).await?;

    let sync = bob.sees("the mention", |sync| sync.has_event(&room, &event_id)).await?;
    let unread = unread(&sync, &room);
    sync.answer().must(unread == Some((1, 1)), "one notification, highlighted", || format!("{unread:?}"))
}

/// A receipt, public or private, marks the notifications up to its event as read, and none of those after.
#[conformance(
    spec = "client-server-api/#marking-notifications-as-read",
    level = Must,
    severity = Usability,
    each = receipts,
    proves = ["client-server-api/marking-notifications-as-read/1"]
)]
async fn receipt_marks_as_read(hs: &Homeserver, kind: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let (first, second) = (alice.say(&room, "first").await?, alice.say(&room, "second").await?);
    let sync = bob.sees("the second message", |sync| sync.has_event(&room, &second)).await?;
    let both = unread(&sync, &room);
    sync.answer().must(both == Some((2, 0)), "two unread messages", || format!("{both:?}"))?;

    let since = sync.next_batch();
    let ask = || bob.sync_request().query("since", since);
    bob.receipt(&room, kind, &first).await?;
    bob.sync_showing("one unread message", ask, |sync| unread(sync, &room) == Some((1, 0))).await?;
    bob.receipt(&room, kind, &second).await?;
    bob.sync_showing("no unread message", ask, |sync| unread(sync, &room) == Some((0, 0))).await?;
    Ok(())
}

fn receipts() -> [&'static str; 2] {
    ["m.read", "m.read.private"]
}

/// Where the filter asks for it, the notifications of a thread are counted apart from those of the main
/// timeline.
#[conformance(
    spec = "client-server-api/#receiving-notifications",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn threads_are_counted_apart(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let root = alice.say(&room, "root").await?;
    let mut last = root.clone();
    for number in 0..2 {
        let relation = json!({"rel_type": "m.thread", "event_id": root});
        let reply = json!({"msgtype": "m.text", "body": format!("reply {number}"), "m.relates_to": relation});
        last = alice.send(&room, "m.room.message", reply).await?;
    }
    let whole = |sync: &Sync| sync.has_event(&room, &last);

    let filter = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;
    let apart = || bob.sync_request().query("filter", filter);
    let sync = bob.sync_showing("the last message", apart, whole).await?;
    let main = unread(&sync, &room);
    sync.answer()
        .must(main == Some((1, 0)), "one notification in the main timeline", || format!("{main:?}"))?;
    let thread = &sync.joined(&room)["unread_thread_notifications"][&root];
    let two = thread["notification_count"] == 2 && thread["highlight_count"] == 0;
    sync.answer().must(two, "two notifications in the thread", || thread.to_string())?;
    let together = bob.sync_showing("the last message", || bob.sync_request(), whole).await?;
    let all = unread(&together, &room);
    together.answer().must(all == Some((3, 0)), "three notifications where threads are not asked for", || {
        format!("{all:?}")
    })
}

/// The events that a user was notified of are listed, latest first, with what has become of them.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3notifications",
    level = Must,
    severity = Usability
)]
async fn notifications_are_listed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let (first, second) = (alice.say(&room, "first").await?, alice.say(&room, "second").await?);
    bob.receipt(&room, "m.read", &first).await?;

    let list = || bob.get("/_matrix/client/v3/notifications").query("limit", "2");
    let read = |list: &crate::cast::Answer| list.at("/notifications/1/read") == true;
    let listed = hs.eventually("the first message as read", list, read).await?;
    listed.must_hold("/notifications/0/event/event_id", second)?;
    listed.must_hold("/notifications/0/read", false)?;
    listed.must_hold("/notifications/0/room_id", room)?;
    listed.must_hold("/notifications/1/event/event_id", first)
}

/// A receipt for a thread marks the events of this thread as read, and none outside of it.
#[conformance(
    spec = "client-server-api/#threaded-read-receipts",
    level = Must,
    severity = Usability,
    since = "v1.4"
)]
async fn receipt_for_a_thread_leaves_the_others_unread(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let root = alice.say(&room, "root").await?;
    let relation = json!({"rel_type": "m.thread", "event_id": root});
    let reply = json!({"msgtype": "m.text", "body": "reply", "m.relates_to": relation});
    let reply = alice.send(&room, "m.room.message", reply).await?;
    bob.sees_event(&room, &reply).await?;

    let path = path!("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", room, reply);
    bob.post(path, json!({"thread_id": root})).await?;

    let filter = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;
    let ask = || bob.sync_request().query("filter", filter);
    let is_read = |sync: &Sync| {
        let thread = &sync.joined(&room)["unread_thread_notifications"][&root]["notification_count"];
        thread.is_null() || *thread == 0
    };
    let sync = bob.sync_showing("no unread event in the thread", ask, is_read).await?;
    let main = unread(&sync, &room);
    sync.answer().must(main == Some((1, 0)), "one notification in the main timeline", || format!("{main:?}"))
}

/// Only those whose power suffices can notify a whole room.
#[conformance(
    spec = "client-server-api/#user-and-room-mentions",
    level = Must,
    severity = Usability,
    since = "v1.7"
)]
async fn mention_of_the_room_needs_power(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let content = json!({"msgtype": "m.text", "body": "look", "m.mentions": {"room": true}});

    for (sender, reader, highlights) in [(&alice, &bob, 1), (&bob, &alice, 0)] {
        reader.catches_up(&room).await?;
        let event_id = sender.send(&room, "m.room.message", content.clone()).await?;
        let sync = reader.sees("the mention", |sync| sync.has_event(&room, &event_id)).await?;
        let unread = unread(&sync, &room);
        let expected = format!("one notification and {highlights} highlights");
        sync.answer().must(unread == Some((1, highlights)), expected, || format!("{unread:?}"))?;
    }
    Ok(())
}

/// The pattern of a content rule matches whole words of the body, regardless of case.
#[conformance(
    spec = "client-server-api/#push-rules",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/push-rules/3"]
)]
async fn patterns_match_whole_words(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let rule = json!({"pattern": "ample", "actions": ["notify", {"set_tweak": "highlight"}]});
    bob.put("/_matrix/client/v3/pushrules/global/content/org.determinant.ample", rule).await?;
    bob.catches_up(&room).await?;

    for (body, expected) in [("an example", (1, 0)), ("Ample, space", (2, 1))] {
        let event_id = alice.say(&room, body).await?;
        let sync = bob.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
        let unread = unread(&sync, &room);
        let told = format!("{expected:?} notifications and highlights after {body:?}");
        sync.answer().must(unread == Some(expected), told, || format!("{unread:?}"))?;
    }
    Ok(())
}

/// Of a public and a private receipt, the one that is ahead decides what has been read.
#[conformance(
    spec = "client-server-api/#marking-notifications-as-read",
    level = Must,
    severity = Usability,
    since = "v1.4",
    each = receipts,
    proves = ["client-server-api/marking-notifications-as-read/2"]
)]
async fn receipt_that_is_ahead_decides(hs: &Homeserver, ahead: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    let (first, second) = (alice.say(&room, "first").await?, alice.say(&room, "second").await?);
    let behind = if ahead == "m.read" { "m.read.private" } else { "m.read" };
    bob.sees_event(&room, &second).await?;

    bob.receipt(&room, ahead, &second).await?;
    bob.receipt(&room, behind, &first).await?;

    let third = alice.say(&room, "third").await?;
    let sync = bob.sees("the third message", |sync| sync.has_event(&room, &third)).await?;
    let unread = unread(&sync, &room);
    sync.answer().must(unread == Some((1, 0)), "the third message alone unread", || format!("{unread:?}"))
}

/// A rule applies only where all of its conditions hold. A property is matched as a whole and a body by its words, both
/// regardless of case; the room says who may notify it; and a condition that the server does not know never holds.
#[conformance(
    spec = "client-server-api/#conditions-1",
    level = Must,
    severity = Usability,
    each = conditions,
    proves = [
        "client-server-api/conditions-1/1",
        "client-server-api/conditions-1/2",
        "client-server-api/conditions-1/3",
        "client-server-api/conditions-1/5",
        "client-server-api/conditions-1/8",
        "client-server-api/get_matrixclientv3pushrules/1",
        "client-server-api/get_matrixclientv3pushrules/5",
    ]
)]
async fn conditions_decide(hs: &Homeserver, condition: &'static str) -> Verdict {
    let matches = |key: &str, pattern: &str| json!({"kind": "event_match", "key": key, "pattern": pattern});
    let may_notify = json!({"kind": "sender_notification_permission", "key": "room"});
    let message = matches("type", "m.room.message");
    let (conditions, level, applies) = match condition {
        "all hold" => (json!([message, matches("content.subject", "l?nch*")]), 50, true),
        "one does not hold" => (json!([message, matches("content.subject", "dinner*")]), 50, false),
        "whole value" => (json!([matches("content.subject", "LUNCH PLANS")]), 50, true),
        "part of a value" => (json!([matches("content.subject", "plans")]), 50, false),
        "word of the body" => (json!([matches("content.body", "CAKE")]), 50, true),
        "part of a word of the body" => (json!([matches("content.body", "cak")]), 50, false),
        "sender may notify" => (json!([may_notify]), 0, true),
        "sender may not notify" => (json!([may_notify]), 50, false),
        _ => (json!([{"kind": "org.determinant.unknown"}]), 50, false),
    };
    let [alice, bob] = hs.users().await?;
    let levels = json!({"notifications": {"room": level}});
    let body = json!({"preset": "public_chat", "power_level_content_override": levels});
    let room = alice.create_room(body).await?;
    bob.join(&room).await?;
    let rule = json!({"conditions": conditions, "actions": ["notify", {"set_tweak": "highlight"}]});
    let set = alice.put("/_matrix/client/v3/pushrules/global/override/org.determinant.rule", rule);
    match condition {
        // The server may refuse it in the first place.
        "unknown" => drop(set.answer().await?),
        _ => drop(set.await?),
    }
    alice.catches_up(&room).await?;

    let content = json!({"msgtype": "m.text", "body": "no cake, a lie", "subject": "Lunch plans"});
    let event_id = bob.send(&room, "m.room.message", content).await?;

    let sync = alice.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
    let unread = unread(&sync, &room);
    let expected = (1, u64::from(applies));
    let told = format!("{expected:?} notifications and highlights");
    sync.answer().must(unread == Some(expected), told, || format!("{unread:?}"))
}

fn conditions() -> [&'static str; 9] {
    [
        "all hold",
        "one does not hold",
        "whole value",
        "part of a value",
        "word of the body",
        "part of a word of the body",
        "sender may notify",
        "sender may not notify",
        "unknown",
    ]
}

/// The actions that earlier releases knew are ignored: a rule with nothing else does nothing.
#[conformance(
    spec = "client-server-api/#historical-actions",
    level = Must,
    severity = Usability,
    since = "v1.7",
    proves = ["client-server-api/historical-actions/1", "client-server-api/historical-actions/2"]
)]
async fn historical_actions_are_ignored(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.public_room_with(&[&bob]).await?;
    bob.catches_up(&room).await?;

    for (actions, expected) in
        [(json!(["dont_notify"]), 0), (json!(["coalesce"]), 0), (json!(["dont_notify", "notify"]), 1)]
    {
        set_rule_about_all(&bob, &actions).await?;
        let event_id = alice.say(&room, "something to read").await?;
        let sync = bob.sees("the message", |sync| sync.has_event(&room, &event_id)).await?;
        let count = unread(&sync, &room).unwrap_or_default().0;
        let told = format!("{expected} notifications after {actions}");
        sync.answer().must(count == expected, told, || count.to_string())?;
    }
    Ok(())
}

/// Makes a rule that applies to every event before all others, or gives it other actions.
fn set_rule_about_all(user: &User, actions: &Value) -> Call {
    let rule = json!({"conditions": [], "actions": actions});
    user.put("/_matrix/client/v3/pushrules/global/override/org.determinant.all", rule)
}
