//! `client-server-api/#push-notifications`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
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
    proves = ["client-server-api/post_matrixclientv3pushersset/5"]
)]
async fn defective_pusher_is_refused(hs: &Homeserver, defect: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let mut pusher = pusher(&hs.unique());
    match defect {
        "no URL" => pusher["data"] = json!({}),
        "another path" => pusher["data"]["url"] = json!("https://push.example.org/another/path"),
        "long key" => pusher["pushkey"] = json!("k".repeat(513)),
        _ => drop(pusher.as_object_mut().and_then(|pusher| pusher.remove(defect))),
    }

    set(&alice, pusher).must_be(400).await?;

    alice.get(PUSHERS).await?.must_hold("/pushers", json!([]))
}

fn defects() -> [&'static str; 7] {
    ["lang", "app_display_name", "device_display_name", "data", "no URL", "another path", "long key"]
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

/// A message that notifies is told to the gateway of a pusher, for the pusher's device.
#[conformance(spec = "push-gateway-api/#post_matrixpushv1notify", level = Must, severity = Usability)]
async fn gateway_is_told(hs: &Homeserver) -> Verdict {
    let gateway = hs.push_gateway()?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let mut pusher = pusher(&hs.unique());
    pusher["data"] = json!({"url": gateway.url()});
    let answer = set(&bob, pusher.clone()).await?;

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
    answer.must(device["data"].get("url").is_none(), "data without the URL", || told.to_string())
}

/// A pusher that wants no more than the event id has the content of messages kept from its gateway.
#[conformance(spec = "push-gateway-api/#post_matrixpushv1notify", level = Must, severity = Security)]
async fn event_id_alone_is_told(hs: &Homeserver) -> Verdict {
    let gateway = hs.push_gateway()?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let mut pusher = pusher(&hs.unique());
    pusher["data"]["url"] = json!(gateway.url());
    let answer = set(&bob, pusher).await?;

    let event_id = alice.say(&room, "a secret").await?;
    let told = gateway.sees(&event_id).await?;
    answer.must(told["room_id"] == room.as_str(), "the room id", || told.to_string())?;
    answer.must(!told.to_string().contains("a secret"), "nothing of the content", || told.to_string())
}

/// A notification that the gateway did not take is sent again.
#[conformance(spec = "push-gateway-api/#homeserver-behaviour", level = Should, severity = Usability)]
async fn notification_is_repeated(hs: &Homeserver) -> Verdict {
    let gateway = hs.push_gateway()?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let mut pusher = pusher(&hs.unique());
    pusher["data"] = json!({"url": gateway.url()});
    let answer = set(&bob, pusher).await?;
    gateway.fails_once();

    let event_id = alice.say(&room, "again").await?;
    gateway.sees_times(&event_id, 2).await?;
    answer.must(gateway.times(&event_id) >= 2, "the notification again", || "once only".to_owned())
}

/// The pusher of a key that its gateway rejects is removed.
#[conformance(spec = "push-gateway-api/#post_matrixpushv1notify", level = Must, severity = Usability)]
async fn rejected_pusher_is_removed(hs: &Homeserver) -> Verdict {
    let gateway = hs.push_gateway()?;
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let mut pusher = pusher(&hs.unique());
    pusher["data"] = json!({"url": gateway.url()});
    gateway.rejects(pusher["pushkey"].as_str().unwrap_or_default());
    set(&bob, pusher).await?;
    let event_id = alice.say(&room, "nobody there").await?;
    gateway.sees(&event_id).await?;

    let gone = |answer: &crate::cast::Answer| answer.at("/pushers").as_array().is_some_and(Vec::is_empty);
    hs.eventually("no pusher", || bob.get(PUSHERS), gone).await.map(drop)
}
