//! `client-server-api/#server-side-search`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// Searches for messages until this one is found; `criteria` are laid over the defaults.
async fn search(user: &User, term: &str, criteria: Value, wanted: &str) -> Result<Answer, Stop> {
    let mut room_events = json!({"search_term": term, "keys": ["content.body"]});
    if let (Some(room_events), Value::Object(criteria)) = (room_events.as_object_mut(), criteria) {
        room_events.extend(criteria);
    }
    let body = json!({"search_categories": {"room_events": room_events}});
    let ask = || user.post("/_matrix/client/v3/search", body.clone());
    user.homeserver().eventually(wanted, ask, |answer| found(answer).contains(&wanted)).await
}

const RESULTS: &str = "/search_categories/room_events/results";

fn found(answer: &Answer) -> Vec<&str> {
    let results = answer.at(RESULTS).as_array().map_or(&[][..], Vec::as_slice);
    results.iter().filter_map(|result| result["result"]["event_id"].as_str()).collect()
}

/// Messages are found by a word of theirs, in the rooms of the user only.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3search",
    level = Must,
    severity = Security,
    proves = ["client-server-api/security-considerations-9/1"]
)]
async fn messages_of_one_s_rooms_are_found(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let word = format!("quince{}", hs.unique());
    let (hers, other) = (alice.create_room(json!({})).await?, eve.create_room(json!({})).await?);
    eve.say(&other, &format!("another {word} tree")).await?;
    alice.say(&hers, "a pear tree").await?;
    let event_id = alice.say(&hers, &format!("a {word} tree")).await?;

    let answer = search(&alice, &word, json!({}), &event_id).await?;
    let came = found(&answer);
    answer.must(came == [&event_id], "the message of the user's own room", || format!("{came:?}"))?;
    answer.must_hold("/search_categories/room_events/results/0/result/room_id", hers)
}

/// One search goes through several rooms, such as an upgraded one and its replacement.
#[conformance(spec = "client-server-api/#post_matrixclientv3search", level = Must, severity = Usability)]
async fn several_rooms_are_searched(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = format!("quince{}", hs.unique());
    let mut sent = Vec::new();
    for room in [alice.create_room(json!({})).await?, alice.create_room(json!({})).await?] {
        let event_id = alice.say(&room, &format!("a {word} tree")).await?;
        sent.push((room, event_id));
    }
    let rooms: Vec<&String> = sent.iter().map(|(room, _)| room).collect();
    let filter = json!({"filter": {"rooms": rooms}, "order_by": "recent"});

    search(&alice, &word, filter.clone(), &sent[0].1).await?;
    let answer = search(&alice, &word, filter, &sent[1].1).await?;
    let came = found(&answer);
    answer.must(came == [&sent[1].1, &sent[0].1], "the messages of both rooms", || format!("{came:?}"))
}

/// Results come latest first where that is asked for, and the next batch continues them.
#[conformance(spec = "client-server-api/#post_matrixclientv3search", level = Must, severity = Usability)]
async fn recent_results_come_first(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let word = format!("quince{}", hs.unique());
    let mut sent = Vec::new();
    for number in 0..3 {
        sent.push(alice.say(&room, &format!("{word} number {number}")).await?);
    }
    sent.reverse();

    let all = search(&alice, &word, json!({"order_by": "recent"}), &sent[0]).await?;
    let came = found(&all);
    all.must(came == sent, format!("{sent:?}"), || format!("{came:?}"))
}

/// A token for more results leads to more results; a server that does not page gives none.
#[conformance(
    spec = "client-server-api/#pagination",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/pagination/2"]
)]
async fn token_leads_to_more_results(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let word = format!("quince{}", hs.unique());
    let mut expected = Vec::new();
    for number in 0..3 {
        expected.push(alice.say(&room, &format!("{word} number {number}")).await?);
    }
    search(&alice, &word, json!({"order_by": "recent"}), &expected[2]).await?;
    expected.reverse();

    let criteria = json!({"search_term": word, "order_by": "recent", "filter": {"limit": 2}});
    let body = json!({"search_categories": {"room_events": criteria}});
    let mut came: Vec<String> = Vec::new();
    let mut next: Option<String> = None;
    // The last page may be empty, where the server cannot know that it was the last.
    for _ in 0..=expected.len() {
        let mut call = alice.post("/_matrix/client/v3/search", body.clone());
        if let Some(next) = &next {
            call = call.query("next_batch", next);
        }
        let page = call.await?;
        came.extend(found(&page).into_iter().map(str::to_owned));
        next = page.at("/search_categories/room_events/next_batch").as_str().map(str::to_owned);
        let so_far = expected.starts_with(&came);
        page.must(so_far, format!("{expected:?} in pages"), || format!("{came:?}"))?;
        if next.is_none() {
            return page.must(came == expected, format!("{expected:?} in all"), || format!("{came:?}"));
        }
    }
    Err(Stop::unmet("a last page", format!("a token behind {came:?}")))
}

/// The filter narrows the rooms, senders and number of the results.
#[conformance(spec = "client-server-api/#post_matrixclientv3search", level = Must, severity = Usability)]
async fn results_are_filtered(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let (one, two) = (alice.room_with(&[&bob]).await?, alice.create_room(json!({})).await?);
    let word = format!("quince{}", hs.unique());
    let hers = alice.say(&one, &word).await?;
    let his = bob.say(&one, &word).await?;
    let elsewhere = alice.say(&two, &word).await?;

    for (filter, expected) in [
        (json!({"rooms": [two]}), &elsewhere),
        (json!({"senders": [bob.id()]}), &his),
        (json!({"rooms": [one], "not_senders": [bob.id()]}), &hers),
    ] {
        let answer = search(&alice, &word, json!({"filter": filter}), expected).await?;
        let came = found(&answer);
        answer.must(came == [expected], format!("{expected} by {filter}"), || format!("{came:?}"))?;
    }
    Ok(())
}

/// A result comes with the events before and after it where that is asked for.
#[conformance(spec = "client-server-api/#post_matrixclientv3search", level = Must, severity = Usability)]
async fn context_is_given_on_request(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let word = format!("quince{}", hs.unique());
    let before = alice.say(&room, "before").await?;
    let event_id = alice.say(&room, &word).await?;
    let after = alice.say(&room, "after").await?;
    alice.sees_event(&room, &after).await?;

    let criteria = json!({"event_context": {"before_limit": 1, "after_limit": 1}});
    let answer = search(&alice, &word, criteria, &event_id).await?;
    let context = format!("{RESULTS}/0/context");
    answer.must_hold(&format!("{context}/events_before/0/event_id"), before)?;
    answer.must_hold(&format!("{context}/events_after/0/event_id"), after)
}

/// A redacted message is not found any more.
#[conformance(spec = "client-server-api/#redactions", level = Must, severity = Security)]
async fn redacted_message_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let word = format!("quince{}", hs.unique());
    let (kept, redacted) = (alice.say(&room, &word).await?, alice.say(&room, &word).await?);

    let redaction = alice.redact(&room, &redacted).await?;
    alice.sees_event(&room, &redaction).await?;

    let answer = search(&alice, &word, json!({}), &kept).await?;
    let came = found(&answer);
    answer.must(came == [&kept], "the message that was not redacted", || format!("{came:?}"))
}

/// The words by which messages were found are told, so that a client can highlight them.
#[conformance(spec = "client-server-api/#post_matrixclientv3search", level = Should, severity = Usability)]
async fn words_to_highlight_are_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let word = format!("quince{}", hs.unique());
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, &format!("a {word} tree")).await?;

    let answer = search(&alice, &word, json!({}), &event_id).await?;
    let highlights = answer.at("/search_categories/room_events/highlights");
    let told = highlights.as_array().is_some_and(|words| words.iter().any(|told| *told == json!(word)));
    answer.must(told, "the word that was searched for among the highlights", || highlights.to_string())
}
