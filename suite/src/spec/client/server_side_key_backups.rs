//! `client-server-api/#server-side-key-backups`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User, encoded},
    path,
    verdict::{Stop, Verdict},
};

const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";

/// Two rooms that keys are for; a server knows of a key no more than where it belongs.
const ROOMS: [&str; 2] = ["!first:example.org", "!second:example.org"];

/// A backup is described as it was created, by its version and as the latest one, and is empty.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3room_keysversion",
    level = Must,
    severity = Interop,
    since = "v1.1"
)]
async fn backup_is_described(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.get(CURRENT).must_refuse(404, "M_NOT_FOUND").await?;
    let first = begin(&alice, "first").await?;
    let second = begin(&alice, "second").await?;

    for (answer, version, name) in [
        (alice.get(CURRENT).await?, &second, "second"),
        (alice.get(version_path(&second)).await?, &second, "second"),
        (alice.get(version_path(&first)).await?, &first, "first"),
    ] {
        answer.must_hold("/version", version.as_str())?;
        answer.must_hold("/algorithm", ALGORITHM)?;
        answer.must_hold("/auth_data", auth_data(name))?;
        answer.must_hold("/count", 0)?;
        answer.must_have_text("/etag")?;
    }
    Ok(())
}

/// What a backup is encrypted for can be replaced; its algorithm and its version cannot.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3room_keysversionversion",
    level = Must,
    severity = Interop,
    since = "v1.1",
    proves = [
        "client-server-api/put_matrixclientv3room_keysversionversion/1",
        "client-server-api/put_matrixclientv3room_keysversionversion/2",
    ]
)]
async fn only_auth_data_is_replaced(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let version = begin(&alice, "first").await?;
    let body = json!({"algorithm": ALGORITHM, "auth_data": auth_data("second"), "version": version});
    alice.put(version_path(&version), body.clone()).must_be(200).await?;
    alice.get(version_path(&version)).await?.must_hold("/auth_data", auth_data("second"))?;

    for (field, wrong) in [("algorithm", "org.example.other"), ("version", "another version")] {
        let mut body = body.clone();
        body["auth_data"] = auth_data("third");
        body[field] = json!(wrong);
        alice.put(version_path(&version), body).must_refuse(400, "M_INVALID_PARAM").await?;
    }
    alice.get(version_path(&version)).await?.must_hold("/auth_data", auth_data("second"))
}

/// Keys that were stored together, for a room or one by one come back in each of these ways.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3room_keyskeys",
    level = Must,
    severity = Interop,
    since = "v1.1",
    each = scopes
)]
async fn keys_come_back(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let version = begin(&alice, "keys").await?;
    let before = alice.get(CURRENT).await?.must_have_text("/etag")?;
    let data = key(1, 0, false, "secret");
    let stored = store(&alice, &version, scope, ROOMS[0], "session", data.clone()).await?;
    stored.must_hold("/count", 1)?;
    let after = stored.must_have_text("/etag")?;
    stored.must(after != before, "another etag than that of the empty backup", || after.clone())?;
    for target in [CURRENT.to_owned(), version_path(&version)] {
        let backup = alice.get(target).await?;
        backup.must_hold("/count", 1)?;
        backup.must_hold("/etag", after.as_str())?;
    }

    let all = alice.get(keys_path(&version, &[])).await?;
    all.must(all.json()["rooms"][ROOMS[0]]["sessions"]["session"] == data, "the key", || {
        all.json().to_string()
    })?;
    let room = alice.get(keys_path(&version, &[ROOMS[0]])).await?;
    room.must_hold("/sessions/session", data.clone())?;
    let session = alice.get(keys_path(&version, &[ROOMS[0], "session"])).await?;
    session.must_hold("", data)?;
    alice.get(keys_path(&version, &[ROOMS[0], "other"])).must_refuse(404, "M_NOT_FOUND").await?;
    eve.get(keys_path(&version, &[])).must_refuse(404, "M_NOT_FOUND").await?.must_not_mention("secret")
}

/// Keys are removed together, for a room or one by one, and no others with them.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3room_keyskeys",
    level = Must,
    severity = Interop,
    since = "v1.1",
    each = scopes
)]
async fn keys_are_removed(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let version = begin(&alice, "keys").await?;
    for (room, session) in [(ROOMS[0], "one"), (ROOMS[0], "two"), (ROOMS[1], "three")] {
        store(&alice, &version, "session", room, session, key(1, 0, false, session)).await?;
    }
    let (target, left) = match scope {
        "all" => (keys_path(&version, &[]), 0),
        "room" => (keys_path(&version, &[ROOMS[0]]), 1),
        _ => (keys_path(&version, &[ROOMS[0], "one"]), 2),
    };

    alice.delete(target).await?.must_hold("/count", left)?;

    let all = alice.get(keys_path(&version, &[])).await?;
    for (room, session, kept) in
        [(ROOMS[0], "one", false), (ROOMS[0], "two", left > 1), (ROOMS[1], "three", left > 0)]
    {
        let found = all.json()["rooms"][room]["sessions"].get(session).is_some();
        let expected = format!("{} key of {session}", if kept { "the" } else { "no" });
        all.must(found == kept, expected, || all.json().to_string())?;
    }
    Ok(())
}

fn scopes() -> [&'static str; 3] {
    ["all", "room", "session"]
}

/// Of two keys for a session the backup keeps the verified one, then the one with the lower first index, then the one that
/// was forwarded less often, in whichever order they come.
#[conformance(
    spec = "client-server-api/#server-side-key-backups",
    level = Must,
    severity = Security,
    since = "v1.1",
    each = precedences
)]
async fn better_key_is_kept(hs: &Homeserver, by: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let version = begin(&alice, "keys").await?;
    // The worse key is the better one in all that counts less.
    let (better, worse) = match by {
        "is_verified" => (key(9, 9, true, "better"), key(0, 0, false, "worse")),
        "first_message_index" => (key(0, 9, false, "better"), key(9, 0, false, "worse")),
        _ => (key(5, 0, false, "better"), key(5, 9, false, "worse")),
    };

    for (session, keys) in [("rising", [&worse, &better]), ("falling", [&better, &worse])] {
        for key in keys {
            store(&alice, &version, "session", ROOMS[0], session, key.clone()).await?;
        }
        let kept = alice.get(keys_path(&version, &[ROOMS[0], session])).await?;
        kept.must_hold("", better.clone())?;
    }
    Ok(())
}

fn precedences() -> [&'static str; 3] {
    ["is_verified", "first_message_index", "forwarded_count"]
}

/// Keys are stored in the latest backup only.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3room_keyskeys",
    level = Must,
    severity = Interop,
    since = "v1.1",
    each = scopes,
    proves = [
        "client-server-api/put_matrixclientv3room_keyskeys/1",
        "client-server-api/put_matrixclientv3room_keyskeysroomid/1",
        "client-server-api/put_matrixclientv3room_keyskeysroomidsessionid/1",
    ]
)]
async fn older_backup_takes_no_keys(hs: &Homeserver, scope: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let old = begin(&alice, "old").await?;
    let new = begin(&alice, "new").await?;

    let (target, body) = storing(&old, scope, ROOMS[0], "session", key(0, 0, false, "?"));
    alice.put(target, body).must_refuse(403, "M_WRONG_ROOM_KEYS_VERSION").await?;

    for version in [&old, &new] {
        alice.get(version_path(version)).await?.must_hold("/count", 0)?;
    }
    Ok(())
}

/// A deleted backup is gone, with its keys.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3room_keysversionversion",
    level = Must,
    severity = Security,
    since = "v1.1"
)]
async fn deleted_backup_is_gone(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let old = begin(&alice, "old").await?;
    let new = begin(&alice, "new").await?;
    store(&alice, &new, "session", ROOMS[0], "session", key(0, 0, false, "?")).await?;

    alice.delete(version_path(&new)).must_be(200).await?;

    alice.get(version_path(&new)).must_refuse(404, "M_NOT_FOUND").await?;
    alice.get(keys_path(&new, &[])).must_refuse(404, "M_NOT_FOUND").await?;
    alice.get(CURRENT).await?.must_hold("/version", old)
}

/// A backup that is deleted twice is as deleted as it was.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3room_keysversionversion",
    level = Should,
    severity = Usability,
    since = "v1.1",
    proves = ["client-server-api/delete_matrixclientv3room_keysversionversion/1"]
)]
async fn backup_may_be_deleted_twice(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let version = begin(&alice, "twice").await?;
    alice.delete(version_path(&version)).must_be(200).await?;
    alice.delete(version_path(&version)).must_be(200).await?;
    alice.get(version_path(&version)).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// A backup that was never made is not found, whatever is asked of it.
#[conformance(
    spec = "client-server-api/#server-side-key-backups",
    level = Must,
    severity = Interop,
    since = "v1.1",
    each = requests
)]
async fn unknown_backup_is_not_found(hs: &Homeserver, request: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, session) = (ROOMS[0], "a-session");
    let stored = |scope| storing(UNKNOWN, scope, room, session, key(0, 0, true, "?"));
    let (method, target, body) = match request {
        "get all keys" => (Method::GET, keys_path(UNKNOWN, &[]), None),
        "get the keys of a room" => (Method::GET, keys_path(UNKNOWN, &[room]), None),
        "put all keys" => (Method::PUT, stored("all").0, Some(stored("all").1)),
        "put the keys of a room" => (Method::PUT, stored("room").0, Some(stored("room").1)),
        "delete all keys" => (Method::DELETE, keys_path(UNKNOWN, &[]), None),
        "delete the keys of a room" => (Method::DELETE, keys_path(UNKNOWN, &[room]), None),
        "delete a key" => (Method::DELETE, keys_path(UNKNOWN, &[room, session]), None),
        "put the version" => {
            let body = json!({"algorithm": ALGORITHM, "auth_data": auth_data("?"), "version": UNKNOWN});
            (Method::PUT, version_path(UNKNOWN), Some(body))
        }
        _ => (Method::DELETE, version_path(UNKNOWN), None),
    };
    let call = alice.request(method, target);
    let call = if let Some(body) = body { call.json(&body) } else { call };
    call.must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// No server has made so many versions.
const UNKNOWN: &str = "4611686018427387904";

fn requests() -> [&'static str; 9] {
    [
        "get all keys",
        "get the keys of a room",
        "put all keys",
        "put the keys of a room",
        "put the version",
        "delete all keys",
        "delete the keys of a room",
        "delete a key",
        "delete the version",
    ]
}

const CURRENT: &str = "/_matrix/client/v3/room_keys/version";

fn version_path(version: &str) -> String {
    path!("/_matrix/client/v3/room_keys/version/{}", version)
}

/// The keys of a backup, of a room in it, or of a session of that.
fn keys_path(version: &str, place: &[&str]) -> String {
    let place: String = place.iter().map(|segment| format!("/{}", encoded(segment))).collect();
    format!("/_matrix/client/v3/room_keys/keys{place}?version={}", encoded(version))
}

fn auth_data(name: &str) -> Value {
    json!({"public_key": name, "signatures": {}})
}

fn key(first_message_index: u32, forwarded_count: u32, is_verified: bool, secret: &str) -> Value {
    json!({
        "first_message_index": first_message_index,
        "forwarded_count": forwarded_count,
        "is_verified": is_verified,
        "session_data": {"ephemeral": "?", "ciphertext": secret, "mac": "?"},
    })
}

/// Creates a backup; gives its version.
async fn begin(user: &User, name: &str) -> Result<String, Stop> {
    let body = json!({"algorithm": ALGORITHM, "auth_data": auth_data(name)});
    user.post(CURRENT, body).await?.must_have_text("/version")
}

/// Where and how a key is stored: with all others, with those of its room, or alone.
fn storing(version: &str, scope: &str, room: &str, session: &str, key: Value) -> (String, Value) {
    match scope {
        "all" => (keys_path(version, &[]), json!({"rooms": {room: {"sessions": {session: key}}}})),
        "room" => (keys_path(version, &[room]), json!({"sessions": {session: key}})),
        _ => (keys_path(version, &[room, session]), key),
    }
}

async fn store(
    user: &User,
    version: &str,
    scope: &str,
    room: &str,
    session: &str,
    key: Value,
) -> Result<Answer, Stop> {
    let (target, body) = storing(version, scope, room, session, key);
    user.request(Method::PUT, target).json(&body).await
}
