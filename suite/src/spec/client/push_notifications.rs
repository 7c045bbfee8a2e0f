//! `client-server-api/#push-notifications`, and what gateways are told: `push-gateway-api/`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, PushGateway, User},
    verdict::{Stop, Verdict},
};

/// A pusher is shown to its owner as it was set, and to nobody else.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3pushers",
    level = Must,
    severity = Security,
    proves = ["client-server-api/get_matrixclientv3pushers/1"]
)]
async fn pusher_is_shown_to_its_owner(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let pusher = pusher(&hs.unique());
    set(&alice, pusher.clone()).must_be(200).await?;

    let answer = alice.get(PUSHERS).await?;
    let listed = answer.must_have_list("/pushers")?;
    answer.must(listed.len() == 1, "one pusher", || format!("{}", listed.len()))?;
    let shown = listed.first().cloned().unwrap_or_default();
    let fields = pusher.as_object().into_iter().flatten();
    for (name, value) in fields {
        answer.must(shown[name] == *value, format!("{name} as it was set"), || shown.to_string())?;
    }
    eve.get(PUSHERS).await?.must_hold("/pushers", json!([]))
}

/// A pusher that is set again is changed and not doubled.
#[conformance(spec = "client-server-api/#post_matrixclientv3pushersset", level = Must, severity = Interop)]
async fn pusher_is_changed_when_set_again(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let mut pusher = pusher(&hs.unique());
    set(&alice, pusher.clone()).await?;

    pusher["lang"] = json!("de");
    set(&alice, pusher).await?;

    let answer = alice.get(PUSHERS).await?;
    let languages: Vec<&Value> =
        answer.must_have_list("/pushers")?.iter().map(|pusher| &pusher["lang"]).collect();
    answer.must(languages == ["de"], "one pusher, in German", || format!("{languages:?}"))
}

/// A pusher is removed by setting its kind to null.
#[conformance(spec = "client-server-api/#post_matrixclientv3pushersset", level = Must, severity = Interop)]
async fn pusher_is_removed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (kept, removed) = (pusher(&hs.unique()), pusher(&hs.unique()));
    for pusher in [&kept, &removed] {
        set(&alice, pusher.clone()).await?;
    }

    let body = json!({"kind": null, "app_id": removed["app_id"], "pushkey": removed["pushkey"]});
    set(&alice, body).must_be(200).await?;

    must_have_keys(&alice, &[&kept["pushkey"]]).await
}

/// A pusher that is not appended takes the place of those of other users with its application and key.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3pushersset",
    level = Must,
    severity = Security,
    each = manners,
    proves = [
        "client-server-api/post_matrixclientv3pushersset/2",
        "client-server-api/post_matrixclientv3pushersset/3",
    ]
)]
async fn device_belongs_to_one_user(hs: &Homeserver, manner: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let mut pusher = pusher(&hs.unique());
    set(&alice, pusher.clone()).await?;
    let key = pusher["pushkey"].clone();

    pusher["append"] = json!(manner == "appended");
    set(&bob, pusher).await?;

    let left: &[&Value] = if manner == "appended" { &[&key] } else { &[] };
    must_have_keys(&alice, left).await?;
    must_have_keys(&bob, &[&key]).await
}

fn manners() -> [&'static str; 2] {
    ["appended", "not appended"]
}

/// A pusher needs what it cannot work without, and a gateway at an HTTPS URL with the path of gateways.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3pushersset",
    level = Must,
    severity = Interop,
    each = defects,
    proves = [
        "client-server-api/post_matrixclientv3pushersset/5",
        "client-server-api/post_matrixclientv3pushersset/9",
    ]
)]
async fn defective_pusher_is_refused(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let mut pusher = pusher(&hs.unique());
    match defect {
        "no URL" => pusher["data"] = json!({}),
        "no TLS" => pusher["data"]["url"] = json!("http://push.invalid/_matrix/push/v1/notify"),
        "another path" => pusher["data"]["url"] = json!("https://push.example.org/another/path"),
        "long key" => pusher["pushkey"] = json!("k".repeat(513)),
        _ => drop(pusher.as_object_mut().and_then(|pusher| pusher.remove(defect))),
    }

    set(&alice, pusher).must_be(400).await?;

    alice.get(PUSHERS).await?.must_hold("/pushers", json!([]))
}

fn defects() -> [&'static str; 8] {
    [
        "lang",
        "app_display_name",
        "device_display_name",
        "data",
        "no URL",
        "no TLS",
        "another path",
        "long key",
    ]
}

const PUSHERS: &str = "/_matrix/client/v3/pushers";

/// A pusher with a key of its own; its gateway does not exist.
fn pusher(key: &str) -> Value {
    json!({
        "kind": "http",
        "app_id": "org.determinant.app",
        "pushkey": format!("determinant {key}"),
        "app_display_name": "Determinant",
        "device_display_name": "a telephone",
        "profile_tag": "tag",
        "lang": "en",
        "data": {"url": "https://push.invalid/_matrix/push/v1/notify", "format": "event_id_only"},
    })
}

fn set(user: &User, pusher: Value) -> Call {
    user.post("/_matrix/client/v3/pushers/set", pusher)
}

async fn must_have_keys(user: &User, expected: &[&Value]) -> Result<(), Stop> {
    let answer = user.get(PUSHERS).await?;
    let keys: Vec<&Value> =
        answer.must_have_list("/pushers")?.iter().map(|pusher| &pusher["pushkey"]).collect();
    answer.must(keys == expected, format!("the keys {expected:?}"), || format!("{keys:?}"))
}

/// Two users in a room, of whom the second has a pusher, and the answer by which it was set.
struct Scene {
    gateway: PushGateway,
    alice: User,
    bob: User,
    room: String,
    pusher: Value,
    answer: Answer,
}

/// Such a scene; these fields are in the data of the pusher, beside its URL.
async fn scene(hs: &Homeserver, data: Value) -> Result<Scene, Stop> {
    let gateway = hs.push_gateway()?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let mut pusher = pusher(&hs.unique());
    pusher["data"] = data;
    pusher["data"]["url"] = json!(gateway.url());
    let answer = set(&bob, pusher.clone()).await?;
    Ok(Scene { gateway, alice, bob, room, pusher, answer })
}

/// A message that notifies is told to the gateway of a pusher, for the pusher's device, with all data of the pusher but its
/// URL.
#[conformance(
    spec = "push-gateway-api/#post_matrixpushv1notify",
    level = Must,
    severity = Usability,
    proves = [
        "client-server-api/post_matrixclientv3pushersset/6",
        "push-gateway-api/post_matrixpushv1notify/6",
    ]
)]
async fn gateway_is_told(hs: &Homeserver) -> Verdict {
    let data = json!({"org.determinant.data": {"of its": ["own"]}});
    let Scene { gateway, alice, room, pusher, answer, .. } = scene(hs, data.clone()).await?;

    let event_id = alice.say(&room, "wake up").await?;
    let told = gateway.sees(&event_id).await?;

    for (name, expected) in [
        ("room_id", json!(room)),
        ("sender", json!(alice.id())),
        ("type", json!("m.room.message")),
        ("content", json!({"msgtype": "m.text", "body": "wake up"})),
    ] {
        answer.must(told[name] == expected, format!("{name}: {expected}"), || told.to_string())?;
    }
    let device = &told["devices"][0];
    for name in ["app_id", "pushkey"] {
        answer
            .must(device[name] == pusher[name], format!("the {name} of the pusher"), || told.to_string())?;
    }
    answer.must(device["data"] == data, format!("the data {data}"), || told.to_string())
}

/// A pusher that wants no more than the event id has the content of messages kept from its gateway.
#[conformance(
    spec = "push-gateway-api/#homeserver-behaviour",
    level = Must,
    severity = Security,
    proves = [
        "push-gateway-api/homeserver-behaviour/2",
        "push-gateway-api/post_matrixpushv1notify/6",
    ]
)]
async fn event_id_alone_is_told(hs: &Homeserver) -> Verdict {
    let Scene { gateway, alice, room, pusher, answer, .. } =
        scene(hs, json!({"format": "event_id_only"})).await?;

    let event_id = alice.say(&room, "a secret").await?;
    let told = gateway.sees(&event_id).await?;

    answer.must(told["room_id"] == room.as_str(), "the room id", || told.to_string())?;
    let is_counted = told["counts"]["unread"].as_u64().is_some_and(|unread| unread > 0);
    answer.must(is_counted, "a count of what is unread", || told.to_string())?;
    let device = &told["devices"][0];
    answer.must(device["pushkey"] == pusher["pushkey"], "the device", || told.to_string())?;
    answer.must(!told.to_string().contains("a secret"), "nothing of the content", || told.to_string())
}

/// A notification that the gateway did not take is sent again, after a pause that grows.
#[conformance(
    spec = "push-gateway-api/#homeserver-behaviour",
    level = Should,
    severity = Usability,
    proves = ["push-gateway-api/homeserver-behaviour/1"]
)]
async fn notification_is_repeated(hs: &Homeserver) -> Verdict {
    let Scene { gateway, alice, room, answer, .. } = scene(hs, json!({})).await?;
    gateway.fails(3);

    let event_id = alice.say(&room, "again").await?;
    gateway.sees_times(&event_id, 4).await?;

    // A busy machine makes pauses longer, never shorter.
    let pauses = gateway.pauses(&event_id);
    let (last, before) = pauses.split_last().ok_or_else(|| Stop::Fault("no pauses".to_owned()))?;
    let grow = before.iter().any(|pause| last.as_secs_f64() > pause.as_secs_f64() * 1.5);
    answer.must(grow, "a last pause longer than one before", || format!("{pauses:?}"))
}

/// The pusher of a key that its gateway rejects is removed, and nothing more is sent to that key.
#[conformance(
    spec = "push-gateway-api/#post_matrixpushv1notify",
    level = Must,
    severity = Usability,
    proves = ["push-gateway-api/post_matrixpushv1notify/7"]
)]
async fn rejected_pusher_is_removed(hs: &Homeserver) -> Verdict {
    let Scene { gateway, alice, bob, room, pusher: rejected, .. } = scene(hs, json!({})).await?;
    gateway.rejects(rejected["pushkey"].as_str().unwrap_or_default());
    let event_id = alice.say(&room, "nobody there").await?;
    gateway.sees(&event_id).await?;
    let gone = |answer: &Answer| answer.at("/pushers").as_array().is_some_and(Vec::is_empty);
    hs.eventually("no pusher", || bob.get(PUSHERS), gone).await?;

    let mut other = pusher(&hs.unique());
    other["data"] = json!({"url": gateway.url()});
    let answer = set(&bob, other).await?;
    let event_id = alice.say(&room, "somebody else there").await?;
    gateway.sees(&event_id).await?;
    let devices = devices_told(&gateway, &event_id);
    answer.must(!devices.contains(&rejected["pushkey"]), "nothing for the rejected key", || {
        format!("{devices:?}")
    })
}

/// The keys of all devices to which an event was told.
fn devices_told(gateway: &PushGateway, event_id: &str) -> Vec<Value> {
    let of_event = gateway.notifications().into_iter().filter(|told| told["event_id"] == event_id);
    let devices = of_event.flat_map(|told| told["devices"].as_array().cloned().unwrap_or_default());
    devices.map(|device| device["pushkey"].clone()).collect()
}

/// Counts of zero are left out of what gateways are told.
#[conformance(
    spec = "push-gateway-api/#post_matrixpushv1notify",
    level = Should,
    severity = Cosmetic,
    proves = ["push-gateway-api/post_matrixpushv1notify/3"]
)]
async fn counts_of_zero_are_left_out(hs: &Homeserver) -> Verdict {
    let Scene { gateway, alice, bob, room, answer, .. } = scene(hs, json!({})).await?;
    let first = alice.say(&room, "to be read").await?;
    gateway.sees(&first).await?;
    // A server may tell the gateway that nothing is unread any more.
    bob.receipt(&room, "m.read", &first).await?;
    let second = alice.say(&room, "to be told").await?;
    gateway.sees(&second).await?;

    let is_zero = |told: &Value| {
        let counts = told["counts"].as_object().into_iter().flatten();
        counts.into_iter().any(|(_, count)| *count == 0)
    };
    let zeros: Vec<_> = gateway.notifications().into_iter().filter(is_zero).collect();
    answer.must(zeros.is_empty(), "no count of zero", || json!(zeros).to_string())
}

/// Gateways are told neither of events that match no push rule nor of what their user has sent.
#[conformance(
    spec = "client-server-api/#push-rules",
    level = Must,
    severity = Usability,
    each = silences,
    proves = ["client-server-api/push-rules/4", "client-server-api/push-rules/5"]
)]
async fn silent_event_is_not_told(hs: &Homeserver, silence: &'static str) -> Verdict {
    let Scene { gateway, alice, bob, room, answer, .. } = scene(hs, json!({})).await?;
    let silent = match silence {
        "own event" => bob.say(&room, "to myself").await?,
        _ => alice.send(&room, "org.determinant.silent", json!({"body": "no rule"})).await?,
    };
    // What was sent before is judged before.
    let loud = alice.say(&room, "aloud").await?;
    gateway.sees(&loud).await?;
    answer.must(gateway.times(&silent) == 0, "nothing of the silent event", || "a notification".to_owned())
}

fn silences() -> [&'static str; 2] {
    ["no rule", "own event"]
}
