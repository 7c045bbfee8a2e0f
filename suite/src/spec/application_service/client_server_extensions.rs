//! `application-service-api/#client-server-api-extensions`

use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{CrossSigningKeys, Homeserver},
    path,
    verdict::{Stop, Verdict},
};

/// An application service acts as its own user, and as the one of its namespace that it names.
#[conformance(
    spec = "application-service-api/#identity-assertion",
    level = Must,
    severity = Interop,
    needs = "application_services",
    proves = ["client-server-api/get_matrixclientv3accountwhoami/1"]
)]
async fn service_acts_as_its_users(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let puppet = service.puppet().await?;
    service.get(WHOAMI).await?.must_hold("/user_id", service.sender())?;
    puppet.get(WHOAMI).await?.must_hold("/user_id", puppet.id())
}

/// An application service cannot act as a user outside of its namespaces.
#[conformance(
    spec = "application-service-api/#identity-assertion",
    level = Must,
    severity = Security,
    needs = "application_services",
    proves = [
        "application-service-api/identity-assertion/3",
        "client-server-api/get_matrixclientv3accountwhoami/1",
    ]
)]
async fn service_acts_as_nobody_else(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let refusal = service.get(WHOAMI).query("user_id", alice.id()).must_refuse(403, "M_FORBIDDEN").await?;
    refusal.must_lack("/user_id")
}

/// A device that an application service makes for its user is one that it can act with; another one is refused.
#[conformance(
    spec = "application-service-api/#identity-assertion",
    level = Must,
    severity = Interop,
    since = "v1.17",
    needs = "application_services"
)]
async fn service_acts_with_devices(hs: &Homeserver) -> Verdict {
    let puppet = hs.application_service()?.puppet().await?;
    puppet.put("/_matrix/client/v3/devices/BRIDGE", json!({"display_name": "Bridge"})).await?;

    let answer = puppet.get(WHOAMI).query("device_id", "BRIDGE").await?;
    answer.must_hold("/user_id", puppet.id())?;
    answer.must_hold("/device_id", "BRIDGE")?;
    puppet.get(WHOAMI).query("device_id", "NONE").must_refuse(400, "M_UNKNOWN_DEVICE").await.map(drop)
}

/// An application service is told whether a device that it makes for its user is new.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3devicesdeviceid",
    level = Must,
    severity = Interop,
    since = "v1.17",
    needs = "application_services",
    proves = ["client-server-api/put_matrixclientv3devicesdeviceid/1"]
)]
async fn new_device_is_told_from_a_known_one(hs: &Homeserver) -> Verdict {
    let puppet = hs.application_service()?.puppet().await?;
    let name = |name: &str| puppet.put("/_matrix/client/v3/devices/BRIDGE", json!({"display_name": name}));
    name("Bridge").must_be(201).await?;
    name("Bridge again").must_be(200).await?;
    let device = puppet.get("/_matrix/client/v3/devices/BRIDGE").await?;
    device.must_hold("/display_name", "Bridge again")
}

/// A device that an application service names without a user has to be one of its own user.
#[conformance(
    spec = "application-service-api/#identity-assertion",
    level = Must,
    severity = Security,
    since = "v1.17",
    needs = "application_services",
    proves = ["application-service-api/identity-assertion/4"]
)]
async fn device_without_user_is_the_services_own(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let puppet = service.puppet().await?;
    let (own, other) = (format!("OWN{}", hs.unique()), format!("OTHER{}", hs.unique()));
    service.put(path!("/_matrix/client/v3/devices/{}", own), json!({})).await?;
    puppet.put(path!("/_matrix/client/v3/devices/{}", other), json!({})).await?;

    let answer = service.get(WHOAMI).query("device_id", &own).await?;
    answer.must_hold("/user_id", service.sender())?;
    answer.must_hold("/device_id", own)?;
    service.get(WHOAMI).query("device_id", &other).must_refuse(400, "M_UNKNOWN_DEVICE").await.map(drop)
}

/// An application service removes devices of its users without authentication of a user.
#[conformance(
    spec = "application-service-api/#deleting-devices",
    level = Must,
    severity = Interop,
    since = "v1.17",
    needs = "application_services",
    each = ways_to_delete,
    proves = ["application-service-api/deleting-devices/1"]
)]
async fn service_removes_devices(hs: &Homeserver, way: &'static str) -> Verdict {
    let puppet = hs.application_service()?.puppet().await?;
    puppet.put("/_matrix/client/v3/devices/BRIDGE", json!({})).await?;
    let request = match way {
        "one" => puppet.request(Method::DELETE, "/_matrix/client/v3/devices/BRIDGE").json(&json!({})),
        _ => puppet.post("/_matrix/client/v3/delete_devices", json!({"devices": ["BRIDGE"]})),
    };
    request.must_be(200).await?;
    puppet.get("/_matrix/client/v3/devices").await?.must_hold("/devices", json!([]))
}

fn ways_to_delete() -> [&'static str; 2] {
    ["one", "several"]
}

/// An application service replaces the cross-signing keys of its users without authentication of a user.
#[conformance(
    spec = "application-service-api/#cross-signing",
    level = Must,
    severity = Interop,
    since = "v1.17",
    needs = "application_services",
    proves = ["application-service-api/cross-signing/1"]
)]
async fn service_replaces_cross_signing_keys(hs: &Homeserver) -> Verdict {
    let puppet = hs.application_service()?.puppet().await?;
    let [first, second] = [CrossSigningKeys::new()?, CrossSigningKeys::new()?];
    for keys in [&first, &second] {
        let upload =
            puppet.post("/_matrix/client/v3/keys/device_signing/upload", keys.upload_of(puppet.id())?);
        upload.must_be(200).await?;
    }
    let asked = json!({"device_keys": {puppet.id(): []}});
    let shown = puppet.post("/_matrix/client/v3/keys/query", asked).await?;
    let keys = shown.at("/master_keys")[puppet.id()]["keys"].clone();
    let expected = json!({second.master.id(): second.master.public()});
    shown.must(keys == expected, "the keys that were uploaded last", || keys.to_string())
}

/// An application service says when an event was sent.
#[conformance(
    spec = "application-service-api/#timestamp-massaging",
    level = Must,
    severity = Interop,
    since = "v1.3",
    needs = "application_services"
)]
async fn service_dates_events(hs: &Homeserver) -> Verdict {
    let puppet = hs.application_service()?.puppet().await?;
    let room = puppet.post("/_matrix/client/v3/createRoom", json!({})).await?.must_have_text("/room_id")?;
    let send = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, hs.unique());
    let message = json!({"msgtype": "m.text", "body": "of old"});
    let event_id =
        puppet.put(send, message).query("ts", "1234567890123").await?.must_have_text("/event_id")?;
    let shown = puppet.get(path!("/_matrix/client/v3/rooms/{}/event/{}", room, event_id)).await?;
    shown.must_hold("/origin_server_ts", 1_234_567_890_123_u64)
}

/// A time that no event can have been sent at is refused.
#[conformance(
    spec = "application-service-api/#timestamp-massaging",
    level = Should,
    severity = Interop,
    since = "v1.3",
    needs = "application_services",
    each = impossible_times,
    proves = ["application-service-api/timestamp-massaging/1"]
)]
async fn impossible_time_is_refused(hs: &Homeserver, time: &'static str) -> Verdict {
    let puppet = hs.application_service()?.puppet().await?;
    let room = puppet.post("/_matrix/client/v3/createRoom", json!({})).await?.must_have_text("/room_id")?;
    let send = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, hs.unique());
    let message = json!({"msgtype": "m.text", "body": "never"});
    puppet.put(send, message).query("ts", time).must_be(400).await.map(drop)
}

/// What is no integer, or none that an event can hold: `appendices/#canonical-json`.
fn impossible_times() -> [&'static str; 3] {
    ["yesterday", "1234567890.5", "9007199254740992"]
}

/// A user cannot say when an event was sent.
#[conformance(
    spec = "application-service-api/#timestamp-massaging",
    level = Must,
    severity = Security,
    since = "v1.3"
)]
async fn user_does_not_date_events(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let send = path!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, hs.unique());
    let message = json!({"msgtype": "m.text", "body": "not of old"});
    let event_id =
        alice.put(send, message).query("ts", "1234567890123").await?.must_have_text("/event_id")?;
    let shown = alice.event(&room, &event_id).await?;
    let ts = shown.at("/origin_server_ts").as_u64();
    shown.must(ts.is_some_and(|ts| ts > 1_234_567_890_123), "the time of sending", || format!("{ts:?}"))
}

/// An exclusive namespace of user ids is closed to others, and an application service has no user outside of its own.
#[conformance(
    spec = "application-service-api/#server-admin-style-permissions",
    level = Must,
    severity = Security,
    needs = "application_services"
)]
async fn namespace_of_users_is_exclusive(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let localpart = service.unused_localpart();
    hs.get("/_matrix/client/v3/register/available")
        .query("username", &localpart)
        .must_refuse(400, "M_EXCLUSIVE")
        .await?;
    let outside = hs.unused_localpart();
    service.register(&outside).must_refuse(400, "M_EXCLUSIVE").await?;
    let within = service.register(&localpart).await?;
    within.must_hold("/user_id", format!("@{localpart}:{}", hs.name()))
}

/// An exclusive namespace of aliases is closed to others.
#[conformance(
    spec = "application-service-api/#server-admin-style-permissions",
    level = Must,
    severity = Security,
    needs = "application_services"
)]
async fn namespace_of_aliases_is_exclusive(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let alias = service.unused_alias();
    alice.name_room(&alias, &room).must_refuse(400, "M_EXCLUSIVE").await?;
    alice.get(path!("/_matrix/client/v3/directory/room/{}", alias)).must_be(404).await.map(drop)
}

/// An application service has full control of the users and aliases of its namespaces.
#[conformance(
    spec = "application-service-api/#server-admin-style-permissions",
    level = Should,
    severity = Interop,
    needs = "application_services",
    proves = ["application-service-api/server-admin-style-permissions/1"]
)]
async fn service_manages_its_namespaces(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let puppet = service.puppet().await?;
    let name = path!("/_matrix/client/v3/profile/{}/displayname", puppet.id());
    puppet.put(name.clone(), json!({"displayname": "Carol of the network"})).await?;
    let [alice] = hs.users().await?;
    alice.get(name).await?.must_hold("/displayname", "Carol of the network")?;

    let room = puppet.post("/_matrix/client/v3/createRoom", json!({"preset": "public_chat"})).await?;
    let alias = path!("/_matrix/client/v3/directory/room/{}", service.unused_alias());
    puppet.put(alias.clone(), json!({"room_id": room.must_have_text("/room_id")?})).await?;
    // Its own user, who is not in the room, stands for the application service itself.
    service.request(Method::DELETE, alias.clone()).must_be(200).await?;
    service.get(alias).must_be(404).await.map(drop)
}

/// An application service registers its users where there is no legacy authentication, as long as it wants no login.
#[conformance(
    spec = "application-service-api/#server-admin-style-permissions",
    level = Must,
    severity = Interop,
    since = "v1.17",
    needs = "application_services",
    proves = [
        "application-service-api/server-admin-style-permissions/2",
        "client-server-api/post_matrixclientv3register/9",
    ]
)]
async fn service_registers_without_legacy_authentication(hs: &Homeserver) -> Verdict {
    must_lack_legacy_authentication(hs).await?;
    let service = hs.application_service()?;
    let localpart = service.unused_localpart();
    let user_id = format!("@{localpart}:{}", hs.name());
    service.register(&localpart).await?.must_hold("/user_id", user_id.as_str())?;
    service.get(WHOAMI).query("user_id", &user_id).await?.must_hold("/user_id", user_id)
}

/// Where there is no legacy authentication, an application service is told so that wants a login.
#[conformance(
    spec = "application-service-api/#server-admin-style-permissions",
    level = Must,
    severity = Interop,
    since = "v1.17",
    needs = "application_services",
    each = logins,
    proves = [
        "application-service-api/server-admin-style-permissions/4",
        "application-service-api/server-admin-style-permissions/6",
        "client-server-api/appservice-login/3",
        "client-server-api/post_matrixclientv3register/11",
    ]
)]
async fn login_without_legacy_authentication_is_refused(hs: &Homeserver, way: &'static str) -> Verdict {
    must_lack_legacy_authentication(hs).await?;
    let service = hs.application_service()?;
    let localpart = service.unused_localpart();
    let kind = "m.login.application_service";
    let request = match way {
        "registration" => {
            service.post("/_matrix/client/v3/register", json!({"type": kind, "username": localpart}))
        }
        _ => {
            service.register(&localpart).await?;
            let identifier = json!({"type": "m.id.user", "user": localpart});
            service.post("/_matrix/client/v3/login", json!({"type": kind, "identifier": identifier}))
        }
    };
    request.must_refuse(400, "M_APPSERVICE_LOGIN_UNSUPPORTED").await.map(drop)
}

fn logins() -> [&'static str; 2] {
    ["registration", "login"]
}

/// Stops the test where the legacy API is served.
async fn must_lack_legacy_authentication(hs: &Homeserver) -> Result<(), Stop> {
    match has_legacy_authentication(hs).await? {
        true => Err(Stop::NotApplicable("the server has the legacy authentication API".to_owned())),
        false => Ok(()),
    }
}

/// Whether the legacy API is served: `client-server-api/#authentication-api-discovery`.
async fn has_legacy_authentication(hs: &Homeserver) -> Result<bool, Stop> {
    Ok(hs.get("/_matrix/client/v3/login").answer().await?.status().is_success())
}

/// An application service logs in as its user, and nobody does so without its token.
#[conformance(
    spec = "application-service-api/#server-admin-style-permissions",
    level = Must,
    severity = Security,
    since = "v1.2",
    needs = "application_services"
)]
async fn service_logs_in_as_its_users(hs: &Homeserver) -> Verdict {
    if !has_legacy_authentication(hs).await? {
        return Err(Stop::NotApplicable("the server lacks the legacy authentication API".to_owned()));
    }
    let service = hs.application_service()?;
    let puppet = service.puppet().await?;
    let identifier = json!({"type": "m.id.user", "user": puppet.id()});
    let login = json!({"type": "m.login.application_service", "identifier": identifier});
    hs.post("/_matrix/client/v3/login", login.clone()).must_refuse(401, "M_MISSING_TOKEN").await?;
    let session = service.post("/_matrix/client/v3/login", login).await?;
    session.must_hold("/user_id", puppet.id())?;
    let token = session.must_have_text("/access_token")?;
    hs.get(WHOAMI).token(&token).await?.must_hold("/user_id", puppet.id())
}

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
