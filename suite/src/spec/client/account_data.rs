//! `client-server-api/#client-config`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, Sync, User},
    verdict::{Stop, Verdict},
};

const KIND: &str = "org.determinant.setting";

/// Account data is given back as it was set, and a later value replaces an earlier one as a whole.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3useruseridaccount_datatype",
    level = Must,
    severity = Interop,
    each = scopes
)]
async fn later_value_replaces_the_earlier_one(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of(&alice, scope).await?;
    alice.set_account_data(room.as_deref(), KIND, json!({"colour": "red", "size": 3})).await?;
    let first = alice.account_data(room.as_deref(), KIND).await?;
    first.must_hold("/colour", "red")?;
    first.must_hold("/size", 3)?;

    alice.set_account_data(room.as_deref(), KIND, json!({"colour": "blue"})).await?;

    let second = alice.account_data(room.as_deref(), KIND).await?;
    second.must(second.json() == &json!({"colour": "blue"}), "the second value alone", || {
        second.json().to_string()
    })
}

/// Account data reaches every session of its owner: the first sync of a new one, and the next sync of the others.
#[conformance(spec = "client-server-api/#client-config", level = Must, severity = Usability, each = scopes)]
async fn reaches_every_session(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let room = room_of(&alice, scope).await?;
    phone.initial_sync().await?;
    let shows = |sync: &Sync, value: &str| {
        let events = match &room {
            Some(room) => sync.room_account_data(room),
            None => sync.account_data(),
        };
        events.iter().any(|event| event["type"] == KIND && event["content"] == json!({"colour": value}))
    };

    alice.set_account_data(room.as_deref(), KIND, json!({"colour": "red"})).await?;
    phone.sees("the account data", |sync| shows(sync, "red")).await?;
    alice.set_account_data(room.as_deref(), KIND, json!({"colour": "blue"})).await?;
    phone.sees("the account data as it was changed", |sync| shows(sync, "blue")).await?;

    let beginning = alice.initial_sync().await?;
    let holds = shows(&beginning, "blue") && !shows(&beginning, "red");
    beginning.answer().must(holds, "the latest account data in an initial sync", || "not this".to_owned())
}

/// Account data of a user never reaches another member of the room.
#[conformance(spec = "client-server-api/#client-config", level = Must, severity = Security)]
async fn is_seen_by_its_owner_only(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let secret = format!("secret of {}", alice.localpart());

    alice.set_account_data(Some(&room), KIND, json!({"note": secret})).await?;
    alice.set_account_data(None, KIND, json!({"note": secret})).await?;

    bob.must_never_see("alice's account data", |sync| sync.mentions(&secret)).await
}

/// Account data of another user can be neither read nor set.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridaccount_datatype",
    level = Must,
    severity = Security,
    each = scopes,
    proves = [
        "client-server-api/get_matrixclientv3useruseridaccount_datatype/1",
        "client-server-api/put_matrixclientv3useruseridaccount_datatype/1",
        "client-server-api/get_matrixclientv3useruseridroomsroomidaccount_datatype/1",
        "client-server-api/put_matrixclientv3useruseridroomsroomidaccount_datatype/1",
    ]
)]
async fn belongs_to_its_owner(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = room_of(&alice, scope).await?;
    alice.set_account_data(room.as_deref(), KIND, json!({"of": "alice"})).await?;
    let target = alice.account_data_path(room.as_deref(), KIND);

    eve.get(target.clone()).must_refuse(403, "M_FORBIDDEN").await?;
    eve.put(target, json!({"of": "eve"})).must_refuse(403, "M_FORBIDDEN").await?;

    alice.account_data(room.as_deref(), KIND).await?.must_hold("/of", "alice")
}

/// Account data that was never set is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridaccount_datatype",
    level = Must,
    severity = Interop,
    each = scopes
)]
async fn unset_type_is_not_found(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of(&alice, scope).await?;
    alice.account_data(room.as_deref(), KIND).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// Account data of a room and global account data of the same type are independent of each other.
#[conformance(spec = "client-server-api/#client-config", level = Must, severity = Interop, since = "v1.4")]
async fn scopes_do_not_inherit(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    alice.set_account_data(None, KIND, json!({"of": "the account"})).await?;
    alice.account_data(Some(&room), KIND).must_refuse(404, "M_NOT_FOUND").await?;

    alice.set_account_data(Some(&room), KIND, json!({"of": "the room"})).await?;
    alice.account_data(None, KIND).await?.must_hold("/of", "the account")?;
    alice.account_data(Some(&room), KIND).await?.must_hold("/of", "the room")
}

/// Account data that is no JSON object is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3useruseridaccount_datatype",
    level = Must,
    severity = Interop,
    each = bodies
)]
async fn only_objects_are_taken(hs: &Homeserver, body: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let bytes = match body {
        "array" => "[]",
        "string" => "\"text\"",
        "null" => "null",
        _ => "{\"colour\":",
    };
    let refusal = alice.put(alice.account_data_path(None, KIND), json!({})).bytes(bytes).answer().await?;
    refusal.must_refuse_with_one_of(&[(400, "M_BAD_JSON"), (400, "M_NOT_JSON")])?;
    alice.account_data(None, KIND).must_be(404).await.map(drop)
}

fn bodies() -> [&'static str; 4] {
    ["array", "string", "null", "cut off"]
}

/// The fully read marker cannot be set as account data, in a room or globally.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3useruseridaccount_datatype",
    level = Must,
    severity = Interop,
    each = scopes,
    proves = ["client-server-api/server-behaviour-13/1", "client-server-api/server-behaviour-5/1"]
)]
async fn fully_read_marker_cannot_be_set(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of(&alice, scope).await?;
    let call = alice.set_account_data(room.as_deref(), "m.fully_read", json!({"event_id": "$event"}));
    call.must_refuse(405, "M_BAD_JSON").await.map(drop)
}

/// The push rules cannot be set as account data, in a room or globally.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3useruseridaccount_datatype",
    level = Must,
    severity = Interop,
    since = "v1.10",
    each = scopes,
    proves = ["client-server-api/server-behaviour-13/1"]
)]
async fn push_rules_cannot_be_set(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = room_of(&alice, scope).await?;
    let call = alice.set_account_data(room.as_deref(), "m.push_rules", json!({"global": {}}));
    call.must_refuse(405, "M_BAD_JSON").await.map(drop)
}

/// The push rules can be read as global account data.
#[conformance(
    spec = "client-server-api/#client-config",
    level = Must,
    severity = Interop,
    since = "v1.10",
    proves = ["client-server-api/server-behaviour-13/2"]
)]
async fn push_rules_can_be_read(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.account_data(None, "m.push_rules").await?.must_have("/global/override").map(drop)
}

/// The fully read marker can be read as account data of the room.
#[conformance(
    spec = "client-server-api/#client-config",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/server-behaviour-13/2"]
)]
async fn fully_read_marker_can_be_read(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let event_id = alice.say(&room, "read up to here").await?;
    let target = crate::path!("/_matrix/client/v3/rooms/{}/read_markers", room);
    alice.post(target, json!({"m.fully_read": event_id})).await?;

    alice.account_data(Some(&room), "m.fully_read").await?.must_hold("/event_id", event_id)
}

/// A room id that is none is refused as an invalid parameter.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype",
    level = Must,
    severity = Interop,
    since = "v1.4"
)]
async fn malformed_room_id_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.account_data(Some("not a room id"), KIND).must_refuse(400, "M_INVALID_PARAM").await?;
    let set = alice.set_account_data(Some("not a room id"), KIND, json!({}));
    set.must_refuse(400, "M_INVALID_PARAM").await.map(drop)
}

fn scopes() -> [&'static str; 2] {
    ["global", "room"]
}

async fn room_of(user: &User, scope: &str) -> Result<Option<String>, Stop> {
    if scope == "global" {
        return Ok(None);
    }
    user.create_room(Value::Object(serde_json::Map::new())).await.map(Some)
}
