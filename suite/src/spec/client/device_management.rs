//! `client-server-api/#device-management`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::user_interactive_authentication::{attempt, challenge};
use crate::{
    cast::{Answer, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// The list of devices holds all devices of the user and nobody else's.
#[conformance(spec = "client-server-api/#get_matrixclientv3devices", level = Must, severity = Security)]
async fn list_holds_own_devices(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = alice.logs_in().await?;

    let answer = alice.devices().await?;

    let mut listed: Vec<&str> =
        answer.must_have_list("/devices")?.iter().filter_map(|device| device["device_id"].as_str()).collect();
    let mut expected = vec![alice.device_id(), phone.device_id()];
    listed.sort_unstable();
    expected.sort_unstable();
    answer.must(listed == expected, format!("the devices {expected:?}"), || format!("{listed:?}"))?;
    answer.must_not_mention(bob.device_id())
}

/// A display name that the user gives to a device is shown for this device, alone and in the list.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3devicesdeviceid",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/put_matrixclientv3devicesdeviceid/2"]
)]
async fn device_can_be_renamed(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in_with(json!({"initial_device_display_name": "first name"})).await?;

    let answer = alice.rename_device(phone.device_id(), "second name").answer().await?;
    answer.must_be(200)?;

    phone.device(phone.device_id()).await?.must_hold("/display_name", "second name")?;
    let devices = alice.devices().await?;
    let named =
        |device: &Value| device["device_id"] == phone.device_id() && device["display_name"] == "second name";
    let shown = devices.must_have_list("/devices")?.iter().any(named);
    devices.must(shown, "the second name in the list", || devices.at("/devices").to_string())
}

/// An update of a device without a display name leaves the display name as it is.
#[conformance(spec = "client-server-api/#put_matrixclientv3devicesdeviceid", level = Must, severity = Cosmetic)]
async fn missing_name_changes_nothing(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let device = alice.device_id();
    alice.rename_device(device, "kitchen tablet").await?;

    alice.put(path!("/_matrix/client/v3/devices/{}", device), json!({})).await?;

    alice.device(device).await?.must_hold("/display_name", "kitchen tablet")
}

/// A device that does not exist is not found: it can be neither read nor renamed.
#[conformance(spec = "client-server-api/#get_matrixclientv3devicesdeviceid", level = Must, severity = Interop)]
async fn unknown_device_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.device("NOSUCHDEVICE").must_be(404).await?;
    alice.rename_device("NOSUCHDEVICE", "a name").must_be(404).await?;
    alice.devices().await?.must_not_mention("NOSUCHDEVICE")
}

/// The devices of one user can be neither read nor renamed by another one.
#[conformance(spec = "client-server-api/#get_matrixclientv3devicesdeviceid", level = Must, severity = Security)]
async fn devices_of_others_are_not_found(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    alice.rename_device(alice.device_id(), "kitchen tablet").await?;

    eve.device(alice.device_id()).must_be(404).await?.must_not_mention("kitchen tablet")?;
    eve.rename_device(alice.device_id(), "renamed by eve").must_be(404).await?;
    alice.device(alice.device_id()).await?.must_hold("/display_name", "kitchen tablet")
}

/// A deleted device is gone, and its access token with it; other sessions go on.
#[conformance(spec = "client-server-api/#delete_matrixclientv3devicesdeviceid", level = Must, severity = Security)]
async fn deleted_device_is_logged_out(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    delete(&alice, phone.device_id()).await?.must_be(200)?;

    phone.must_be_logged_out().await?;
    alice.device(phone.device_id()).must_be(404).await?;
    alice.whoami().await?.must_hold("/device_id", alice.device_id())
}

/// Deleting a device that is deleted already succeeds.
#[conformance(spec = "client-server-api/#delete_matrixclientv3devicesdeviceid", level = Must, severity = Interop)]
async fn deletion_can_be_repeated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    delete(&alice, phone.device_id()).await?.must_be(200)?;

    delete(&alice, phone.device_id()).await?.must_be(200)?;

    alice.devices().await?.must_not_mention(phone.device_id())
}

/// A device stays when the authentication of its deletion fails.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3devicesdeviceid",
    level = Must,
    severity = Security,
    proves = ["client-server-api/security-considerations-5/1"]
)]
async fn failed_authentication_keeps_the_device(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let target = path!("/_matrix/client/v3/devices/{}", phone.device_id());
    let challenge = challenge(&alice, Method::DELETE, &target, &json!({})).await?;
    let mut stage = alice.password_stage(&challenge);
    stage["password"] = json!("not the password");
    attempt(&alice, Method::DELETE, &target, &json!({}), stage).await?.must_be(401)?;

    phone.whoami().await?.must_hold("/device_id", phone.device_id())
}

/// A device stays when somebody else's credentials are given for its deletion.
#[conformance(spec = "client-server-api/#device-management", level = Should, severity = Security)]
async fn credentials_of_others_keep_the_device(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let phone = alice.logs_in().await?;
    let target = path!("/_matrix/client/v3/devices/{}", phone.device_id());
    let challenge = challenge(&alice, Method::DELETE, &target, &json!({})).await?;
    let stage = eve.password_stage(&challenge);
    attempt(&alice, Method::DELETE, &target, &json!({}), stage).await?.must_be_refused()?;

    phone.whoami().await?.must_hold("/device_id", phone.device_id())
}

/// A user cannot delete the device of another one.
#[conformance(spec = "client-server-api/#delete_matrixclientv3devicesdeviceid", level = Must, severity = Security)]
async fn devices_of_others_stay(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    // Whether this is a success, the device being unknown to eve, or a refusal is left open.
    delete(&eve, alice.device_id()).await?;

    alice.whoami().await?.must_hold("/device_id", alice.device_id())
}

/// Several devices are deleted at once, one that does not exist among them.
#[conformance(spec = "client-server-api/#post_matrixclientv3delete_devices", level = Must, severity = Security)]
async fn several_are_deleted_at_once(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let [phone, tablet, laptop] = [alice.logs_in().await?, alice.logs_in().await?, alice.logs_in().await?];
    let body = json!({"devices": [phone.device_id(), tablet.device_id(), "NOSUCHDEVICE"]});
    let target = "/_matrix/client/v3/delete_devices";
    let challenge = challenge(&alice, Method::POST, target, &body).await?;
    attempt(&alice, Method::POST, target, &body, alice.password_stage(&challenge)).await?.must_be(200)?;

    phone.must_be_logged_out().await?;
    tablet.must_be_logged_out().await?;
    let devices = laptop.devices().await?;
    devices.must_not_mention(phone.device_id())?;
    devices.must_not_mention(tablet.device_id())?;
    laptop.whoami().await?.must_hold("/device_id", laptop.device_id())
}

async fn delete(user: &User, device_id: &str) -> Result<Answer, Stop> {
    let target = path!("/_matrix/client/v3/devices/{}", device_id);
    // A server may deny what is not there, or call it done, before it asks for anything.
    let answer = user.delete(target.clone()).json(&json!({})).answer().await?;
    if !answer.exchange().response.is_authentication_challenge() {
        return Ok(answer);
    }
    attempt(user, Method::DELETE, &target, &json!({}), user.password_stage(&answer)).await
}
