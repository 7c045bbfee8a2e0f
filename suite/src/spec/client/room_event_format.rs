//! Events as clients get them: `client-server-api/#room-event-format`.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, Sync, User},
    path,
    verdict::{Stop, Verdict},
};

/// Wherever an event is told, it is the one that was sent, once in a list: with the id, type, sender, time, content and state
/// key that it has when it is asked for alone.
#[conformance(spec = "client-server-api/#room-event-format", level = Must, severity = Interop, each = endpoints)]
async fn events_are_the_same_everywhere(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    let story = Story::happens(hs).await?;
    let (reader, answer, tellings) = story.told_by(endpoint).await?;

    for telling in &tellings {
        telling.must_be_in(&answer)?;
    }
    let mut alone = HashMap::new();
    for event in events_in(answer.json()) {
        let id = event["event_id"].as_str().unwrap_or_default();
        let known = match alone.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(reader.event(&story.room, id).answer().await?),
        };
        // What somebody who has left may ask for alone is another question than what is told of the room.
        if endpoint == "sync of a left room" && known.status().is_client_error() {
            continue;
        }
        known.clone().must_be(200)?;
        must_be_the_same(&answer, event, known.json())?;
        if matches!(endpoint, "sync" | "event stream") {
            must_have_its_transaction(&answer, event, known.json())?;
        }
    }
    must_tell_once(&answer, answer.json())
}

fn endpoints() -> [&'static str; 18] {
    [
        "messages",
        "messages and who sent them",
        "context",
        "context of state",
        "relations",
        "relations of a type",
        "relations of two types",
        "threads",
        "search",
        "sync",
        "sync of a left room",
        "sync without messages",
        "state",
        "members",
        "notifications",
        "initial sync",
        "room initial sync",
        "event stream",
    ]
}

/// What a room has become by the end of a timeline is told with the events that did it, as they are when they are asked for
/// alone.
#[conformance(
    spec = "client-server-api/#room-event-format",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = sections
)]
async fn state_after_a_timeline_is_the_same(hs: &Homeserver, section: &'static str) -> Verdict {
    let story = Story::happens(hs).await?;
    let (reader, room) = (&story.bob, &story.room);
    let expected = if section == "join" { Some(story.state().await?) } else { None };
    if section == "leave" {
        reader.leave(room).await?;
    }
    let filter = json!({"room": {"include_leave": true, "timeline": {"limit": 1}}}).to_string();
    let ask = || reader.sync_request().query("filter", &filter).query("use_state_after", "true");
    let place = format!("/rooms/{section}/{room}/state_after/events");
    let told = |sync: &Sync| sync.answer().event_ids(&place).contains(&story.topics[1].as_str());
    let sync = reader.sync_showing("the topic", ask, told).await?;

    if let Some(expected) = expected {
        in_any_order(&place, expected).must_be_in(sync.answer())?;
    }
    for event in events_in(sync.answer().json()) {
        let id = event["event_id"].as_str().unwrap_or_default();
        must_be_the_same(sync.answer(), event, reader.event(room, id).await?.json())?;
    }
    must_tell_once(sync.answer(), sync.answer().json())
}

fn sections() -> [&'static str; 2] {
    ["join", "leave"]
}

/// An event that was withdrawn comes with the redaction that did it.
#[conformance(spec = "client-server-api/#redactions", level = Should, severity = Interop, each = where_redactions_are_told)]
async fn redaction_comes_with_its_event(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    let story = Story::happens(hs).await?;
    let (_, answer, _) = story.told_by(endpoint).await?;
    let [withdrawn, redaction] = &story.withdrawn;

    let told = events_in(answer.json()).into_iter().find(|event| event["event_id"] == withdrawn.as_str());
    let Some(told) = told else {
        return Err(Stop::NotApplicable("the event that was withdrawn is not told".to_owned()));
    };
    let because = &told["unsigned"]["redacted_because"];
    answer.must(
        because["event_id"] == redaction.as_str(),
        format!("{redaction} as /unsigned/redacted_because of {withdrawn}"),
        || because.to_string(),
    )
}

fn where_redactions_are_told() -> [&'static str; 8] {
    [
        "messages",
        "context",
        "context of state",
        "sync",
        "sync of a left room",
        "notifications",
        "initial sync",
        "room initial sync",
    ]
}

/// An event that is asked for alone is what its sender made it.
#[conformance(spec = "client-server-api/#room-event-format", level = Must, severity = Interop)]
async fn event_is_what_was_sent(hs: &Homeserver) -> Verdict {
    let story = Story::happens(hs).await?;
    let [first, topic] = &story.topics;

    let message = story.alice.event(&story.room, &story.said[4]).await?;
    message.must_hold("/event_id", story.said[4].as_str())?;
    message.must_hold("/content", story.content(4))?;
    message.must_hold("/unsigned/transaction_id", story.last_transaction.as_str())?;
    message.must_lack("/state_key")?;
    let state = story.alice.event(&story.room, topic).await?;
    state.must_hold("/event_id", topic.as_str())?;
    state.must_hold("/content", json!({"topic": "medlars"}))?;
    state.must_hold("/state_key", "")?;
    for (event, kind) in [(&message, "m.room.message"), (&state, "m.room.topic")] {
        event.must_hold("/type", kind)?;
        event.must_hold("/sender", story.alice.id())?;
        event.must_hold("/room_id", story.room.as_str())?;
    }
    // Either says what the event has replaced; both came with later releases than events themselves.
    if let Some(replaced) = state.json().pointer("/unsigned/replaces_state") {
        state.must(replaced == first, format!("that it replaces {first}"), || replaced.to_string())?;
    }
    state.must_hold("/unsigned/prev_content", json!({"topic": "fruit"}))?;
    let older = path!("/_matrix/client/v3/events/{}", story.said[4]);
    must_be_the_same(&message, message.json(), story.alice.get(older).await?.json())
}

/// The create event of a room of version 12, which does not name its room itself, is told to clients with the id of the room.
#[conformance(
    spec = "client-server-api/#room-event-format",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = where_the_beginning_is_told
)]
async fn create_event_names_its_room(hs: &Homeserver, endpoint: &'static str) -> Verdict {
    hs.must_offer(&protocol::room_version::V12)?;
    let [alice] = hs.users().await?;
    let room = alice.room_of_version_with(Some("12"), &[]).await?;
    let create = room.replacen('!', "$", 1);
    let said = alice.say(&room, "in the beginning").await?;

    let answer = match endpoint {
        "state" => alice.all_state(&room).await?,
        "one piece of state" => alice.state(&room, "m.room.create", "").query("format", "event").await?,
        "event" => alice.event(&room, &create).await?,
        "context" => alice.context(&room, &create).await?,
        "context of a later event" => alice.context(&room, &said).query("limit", "50").await?,
        _ => hs.page_with(&create, || alice.messages(&room, "b").query("limit", "50")).await?,
    };
    let told: Vec<&Value> =
        events_in(answer.json()).into_iter().filter(|event| event["event_id"] == create.as_str()).collect();
    answer.must(!told.is_empty(), format!("{create} somewhere"), || "nowhere".to_owned())?;
    let wrong = told.into_iter().find(|event| event["room_id"] != room.as_str());
    answer.must(wrong.is_none(), format!("{create} as an event of {room}"), || format!("{wrong:?}"))
}

fn where_the_beginning_is_told() -> [&'static str; 6] {
    ["messages", "context", "context of a later event", "event", "state", "one piece of state"]
}

/// The types of what alice does in the story.
const KINDS: [&str; 3] = ["m.room.message", "m.room.redaction", "m.room.topic"];

/// What has happened in a room of two: the topic was set twice, a message was withdrawn, then alice said five things in two
/// threads.
struct Story {
    alice: User,
    bob: User,
    room: String,
    /// A word that every message has.
    word: String,
    topics: [String; 2],
    /// A message that was redacted, and its redaction.
    withdrawn: [String; 2],
    /// The first message and its two replies, another message and its reply.
    said: [String; 5],
    /// The transaction identifier of the last one.
    last_transaction: String,
}

impl Story {
    async fn happens(hs: &Homeserver) -> Result<Self, Stop> {
        let [alice, bob] = hs.users().await?;
        let room = alice.room_with(&[&bob]).await?;
        let (word, last_transaction) = (format!("medlar{}", hs.unique()), hs.unique());
        let mut story = Story {
            alice,
            bob,
            room,
            word,
            topics: Default::default(),
            withdrawn: Default::default(),
            said: Default::default(),
            last_transaction,
        };
        for (number, words) in ["fruit", "medlars"].into_iter().enumerate() {
            let content = json!({"topic": words});
            story.topics[number] = story.alice.set_state(&story.room, "m.room.topic", "", content).await?;
        }
        let hasty = story.alice.say(&story.room, "a mistake").await?;
        story.withdrawn = [hasty.clone(), story.alice.redact(&story.room, &hasty).await?];
        for number in 0..story.said.len() {
            let transaction = if number == 4 { story.last_transaction.clone() } else { hs.unique() };
            let content = story.content(number);
            let send = story.alice.send_in(&story.room, "m.room.message", &transaction, content);
            story.said[number] = send.await?;
        }
        Ok(story)
    }

    /// The content of a message, which those that it replies to were sent before.
    fn content(&self, number: usize) -> Value {
        let mut content = json!({"msgtype": "m.text", "body": format!("{} {number}", self.word)});
        let root = [None, Some(0), Some(0), None, Some(3)].get(number).copied().flatten();
        if let Some(root) = root.and_then(|root: usize| self.said.get(root)) {
            content["m.relates_to"] = json!({"rel_type": "m.thread", "event_id": root});
        }
        content
    }

    /// Puts a question whose answer tells events of the story; gives who asked, and what has to be told where.
    async fn told_by(&self, endpoint: &str) -> Result<(&User, Answer, Vec<Telling>), Stop> {
        let (alice, room) = (&self.alice, self.room.as_str());
        let hs = alice.homeserver();
        let [one, two, three, four, five] = self.said.each_ref().map(String::as_str);
        let all: Vec<&str> =
            self.topics.iter().chain(&self.withdrawn).chain(&self.said).map(String::as_str).collect();
        let latest_first: Vec<&str> = all.iter().rev().copied().collect();
        let (answer, tellings) = match endpoint {
            "messages" => {
                let ask = || alice.messages(room, "b").query("limit", "9");
                (hs.page_with(five, ask).await?, vec![in_order("/chunk", &latest_first)])
            }
            "messages and who sent them" => {
                let ask = || {
                    let filter = r#"{"lazy_load_members":true,"types":["m.room.message"]}"#;
                    alice.messages(room, "b").query("limit", "5").query("filter", filter)
                };
                (hs.page_with(five, ask).await?, Vec::new())
            }
            "context" => {
                let ask = || alice.context(room, one).query("limit", "8");
                let shown = |context: &Answer| context.at("/events_after/3/event_id") == five;
                let tellings = vec![
                    in_order("/events_before", &latest_first[5..]),
                    in_order("/events_after", &[two, three, four, five]),
                    in_any_order("/state", self.state().await?),
                ];
                (hs.eventually(five, ask, shown).await?, tellings)
            }
            "context of state" => {
                let ask = || alice.context(room, &self.topics[0]).query("limit", "4");
                let answer = hs.eventually(five, ask, |context| context.at("/events_after/1").is_object());
                (answer.await?, vec![in_order("/events_after", &all[1..3])])
            }
            "relations" | "relations of a type" | "relations of two types" => {
                let kinds = match endpoint {
                    "relations" => "",
                    "relations of a type" => "/m.thread",
                    _ => "/m.thread/m.room.message",
                };
                let path = path!("/_matrix/client/v1/rooms/{}/relations/{}", room, one) + kinds;
                (hs.page_with(three, || alice.get(&path)).await?, vec![in_order("/chunk", &[three, two])])
            }
            "threads" => {
                let ask = || alice.get(path!("/_matrix/client/v1/rooms/{}/threads", room));
                (hs.page_with(four, ask).await?, vec![in_order("/chunk", &[four, one])])
            }
            "search" => {
                let criteria = json!({
                    "search_term": self.word, "keys": ["content.body"], "order_by": "recent",
                    "event_context": {"before_limit": 1, "after_limit": 1},
                });
                let body = json!({"search_categories": {"room_events": criteria}});
                let ask = || alice.post("/_matrix/client/v3/search", body.clone());
                let results = "/search_categories/room_events/results";
                let shown = |answer: &Answer| answer.json().pointer(&format!("{results}/4")).is_some();
                let context = |side: &str| format!("{results}/2/context/events_{side}");
                let tellings =
                    vec![in_order(&context("before"), &[two]), in_order(&context("after"), &[four])];
                (hs.eventually("all five", ask, shown).await?, tellings)
            }
            "sync" => {
                let ask = || alice.sync_request().query("filter", r#"{"room":{"timeline":{"limit":9}}}"#);
                let sync = alice.sync_showing(five, ask, |sync| sync.has_event(room, five)).await?;
                let tellings = vec![in_order(&format!("/rooms/join/{room}/timeline/events"), &all)];
                (sync.answer().clone(), tellings)
            }
            "sync without messages" => {
                let ask = || alice.sync_request().query("filter", r#"{"room":{"timeline":{"limit":1}}}"#);
                let sync = alice.sync_showing(five, ask, |sync| sync.has_event(room, five)).await?;
                let state = in_any_order(&format!("/rooms/join/{room}/state/events"), self.state().await?);
                (sync.answer().clone(), vec![state])
            }
            "sync of a left room" => {
                self.bob.leave(room).await?;
                let filter =
                    json!({"room": {"include_leave": true, "timeline": {"types": KINDS, "limit": 9}}});
                let ask = || self.bob.sync_request().query("filter", filter.to_string());
                let shown = |sync: &Sync| sync.left(room).to_string().contains(five);
                let sync = self.bob.sync_showing(five, ask, shown).await?;
                let tellings = vec![in_order(&format!("/rooms/leave/{room}/timeline/events"), &all)];
                return Ok((&self.bob, sync.answer().clone(), tellings));
            }
            "state" => (alice.all_state(room).await?, vec![in_any_order("", self.state().await?)]),
            "members" => {
                let answer = alice.members(room).await?;
                let events = self.state_of("m.room.member").await?;
                (answer, vec![in_any_order("/chunk", events)])
            }
            "notifications" => {
                let ask = || self.bob.get("/_matrix/client/v3/notifications");
                let shown = |answer: &Answer| answer.json().to_string().contains(five);
                let answer = hs.eventually(five, ask, shown).await?;
                for told in answer.must_have_list("/notifications")? {
                    let is_message = told["event"]["type"] == "m.room.message";
                    let is_new = told["room_id"] == room && (told["read"] == false || !is_message);
                    answer.must(is_new, format!("something unread in {room}"), || told.to_string())?;
                }
                return Ok((&self.bob, answer, Vec::new()));
            }
            "initial sync" => {
                let ask = || alice.get("/_matrix/client/v3/initialSync").query("limit", "9");
                let shown = |answer: &Answer| answer.event_ids("/rooms/0/messages/chunk").contains(&five);
                let answer = hs.eventually(five, ask, shown).await?;
                let rooms = answer.must_have_list("/rooms")?.len();
                answer.must(rooms == 1, "the one room of the user", || format!("{rooms}"))?;
                let tellings = vec![
                    in_any_order("/rooms/0/messages/chunk", all.iter().map(|id| (*id).to_owned()).collect()),
                    in_any_order("/rooms/0/state", self.state().await?),
                ];
                (answer, tellings)
            }
            "room initial sync" => {
                let path = path!("/_matrix/client/v3/rooms/{}/initialSync", room);
                let shown = |answer: &Answer| answer.event_ids("/messages/chunk").contains(&five);
                let answer = hs.eventually(five, || alice.get(&path), shown).await?;
                // How many events come is the server's to choose.
                (answer, vec![in_any_order("/state", self.state().await?)])
            }
            "event stream" => {
                let from = alice.get("/_matrix/client/v3/initialSync").await?.must_have_text("/end")?;
                let news = alice.say(room, "news").await?;
                let ask =
                    || alice.get("/_matrix/client/v3/events").query("from", &from).query("timeout", "5000");
                (hs.page_with(&news, ask).await?, vec![in_order("/chunk", &[&news])])
            }
            other => return Err(Stop::Fault(format!("nothing is known of {other}"))),
        };
        Ok((alice, answer, tellings))
    }

    /// The events of the room's state, by the whole of its history.
    async fn state(&self) -> Result<Vec<String>, Stop> {
        self.state_of("").await
    }

    /// Those of one type, or of all.
    async fn state_of(&self, kind: &str) -> Result<Vec<String>, Stop> {
        let page = self.alice.messages(&self.room, "f").query("limit", "100").await?;
        let mut state = BTreeMap::new();
        for event in page.must_have_list("/chunk")? {
            let (of, key) = (event["type"].as_str().unwrap_or_default(), event["state_key"].as_str());
            if let Some(key) = key.filter(|_| kind.is_empty() || kind == of) {
                state.insert((of, key), event["event_id"].as_str().unwrap_or_default().to_owned());
            }
        }
        Ok(state.into_values().collect())
    }
}

/// A place of an answer that tells events, and which: in this order, unless the text fixes none.
struct Telling {
    place: String,
    events: Vec<String>,
    is_ordered: bool,
}

fn in_order(place: &str, events: &[&str]) -> Telling {
    let events = events.iter().map(|event| (*event).to_owned()).collect();
    Telling { place: place.to_owned(), events, is_ordered: true }
}

fn in_any_order(place: &str, events: Vec<String>) -> Telling {
    Telling { place: place.to_owned(), events, is_ordered: false }
}

impl Telling {
    fn must_be_in(&self, answer: &Answer) -> Verdict {
        let (mut came, mut expected) = (answer.event_ids(&self.place), self.events.clone());
        if !self.is_ordered {
            came.sort_unstable();
            expected.sort_unstable();
        }
        let order = if self.is_ordered { "in this order" } else { "in any order" };
        answer.must(came == expected, format!("{expected:?} at {}, {order}", self.place), || {
            format!("{came:?}")
        })
    }
}

/// No list tells the same event twice.
fn must_tell_once(answer: &Answer, value: &Value) -> Verdict {
    match value {
        Value::Array(items) => {
            let mut told = BTreeSet::new();
            for item in items {
                let id = ["/event_id", "/event/event_id", "/result/event_id"];
                let id = id.iter().find_map(|place| item.pointer(place)?.as_str());
                answer.must(id.is_none_or(|id| told.insert(id)), "every event once", || {
                    format!("{id:?} again")
                })?;
                must_tell_once(answer, item)?;
            }
            Ok(())
        }
        Value::Object(fields) => fields.values().try_for_each(|value| must_tell_once(answer, value)),
        _ => Ok(()),
    }
}

/// Every event in a piece of JSON, however deep.
fn events_in(value: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().flat_map(events_in).collect(),
        Value::Object(fields) => fields.values().flat_map(events_in).collect(),
        _ => Vec::new(),
    };
    let is_event = value["event_id"].is_string() && value["sender"].is_string();
    is_event.then_some(value).into_iter().chain(inner).collect()
}

/// In the event stream, an event of the room itself has the transaction identifier by which its sender knows it:
/// `client-server-api/#instant-messaging`, local echo.
fn must_have_its_transaction(answer: &Answer, told: &Value, alone: &Value) -> Verdict {
    let place = "/unsigned/transaction_id";
    let (known, alone) = (told.pointer(place), alone.pointer(place));
    // An event within another has nothing that is unsigned.
    let is_within = !told["unsigned"].is_object();
    answer.must(known == alone || is_within, format!("{alone:?} as {place}"), || format!("{known:?}"))
}

/// An event is told as it is when it is asked for alone. In some places the room goes without saying, and what the reader
/// was or called the event may be left out.
fn must_be_the_same(answer: &Answer, told: &Value, alone: &Value) -> Verdict {
    let id = &alone["event_id"];
    let always = ["event_id", "type", "sender", "origin_server_ts", "content", "state_key"]
        .map(|name| format!("/{name}"));
    for pointer in &always {
        let (told, alone) = (told.pointer(pointer), alone.pointer(pointer));
        answer.must(
            told == alone,
            format!("{pointer} of {id} as when it is asked for alone: {alone:?}"),
            || format!("{told:?}"),
        )?;
    }
    // Of these the text says only where one has to come: the transaction identifier, in the event stream.
    let unsigned = ["membership", "transaction_id", "prev_content", "replaces_state"];
    let unsigned = unsigned.map(|name| format!("/unsigned/{name}"));
    for pointer in unsigned.iter().map(String::as_str).chain(["/room_id"]) {
        if let (Some(told), Some(alone)) = (told.pointer(pointer), alone.pointer(pointer)) {
            answer.must(told == alone, format!("{alone} as {pointer} of {id}"), || told.to_string())?;
        }
    }
    Ok(())
}
