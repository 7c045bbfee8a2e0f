//! `client-server-api/#account-moderation`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

/// A locked account is refused everything with `M_USER_LOCKED` and `soft_logout`, and works again when it is unlocked.
#[conformance(
    spec = "client-server-api/#account-locking",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    proves = ["client-server-api/account-locking/2", "client-server-api/account-locking/3"]
)]
async fn locked_account_is_refused(hs: &Homeserver) -> Verdict {
    let (admin, alice) = stage(hs).await?;
    let room = alice.create_room(json!({})).await?;
    moderate(&admin, "lock", alice.id(), true).await?.must_hold("/locked", true)?;
    status(&admin, "lock", alice.id()).await?.must_hold("/locked", true)?;

    let refused = alice.whoami().must_refuse(401, "M_USER_LOCKED").await?;
    refused.must_hold("/soft_logout", true)?;
    alice.get("/_matrix/client/v3/sync").must_refuse(401, "M_USER_LOCKED").await?;
    alice.all_state(&room).must_refuse(401, "M_USER_LOCKED").await?;

    moderate(&admin, "lock", alice.id(), false).await?.must_hold("/locked", false)?;
    alice.whoami().await?.must_hold("/device_id", alice.device_id())
}

/// A locked account can log out.
#[conformance(
    spec = "client-server-api/#account-locking",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    proves = ["client-server-api/account-locking/2"]
)]
async fn locked_account_can_log_out(hs: &Homeserver) -> Verdict {
    let (admin, alice) = stage(hs).await?;
    let phone = alice.logs_in().await?;
    moderate(&admin, "lock", alice.id(), true).await?;

    phone.log_out().await?;

    moderate(&admin, "lock", alice.id(), false).await?;
    phone.must_be_logged_out().await?;
    alice.whoami().await?.must_hold("/device_id", alice.device_id())
}

/// A suspended account is refused with `M_USER_SUSPENDED` where it is refused, and works again when that ends.
#[conformance(
    spec = "client-server-api/#account-suspension",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    each = forbidden_actions,
    proves = ["client-server-api/account-suspension/3"]
)]
async fn suspended_account_is_refused(hs: &Homeserver, action: &'static str) -> Verdict {
    let (admin, alice) = stage(hs).await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    moderate(&admin, "suspend", alice.id(), true).await?.must_hold("/suspended", true)?;
    status(&admin, "suspend", alice.id()).await?.must_hold("/suspended", true)?;
    let act = || async {
        match action {
            "message" => {
                alice.send(&room, "m.room.message", json!({"msgtype": "m.text", "body": "?"})).answer().await
            }
            "encrypted message" => {
                alice.send(&room, "m.room.encrypted", json!({"ciphertext": "?"})).answer().await
            }
            "join" => alice.join(&admin.create_room(json!({"preset": "public_chat"})).await?).answer().await,
            _ => alice.set_profile_field("displayname", json!("suspended")).answer().await,
        }
    };

    let refusal = act().await?;
    if refusal.status().is_success() {
        // What a suspended user may do is left to the server.
        return Err(Stop::Observed(format!("a suspended user may do this: {action}")));
    }
    refusal.must_refuse(403, "M_USER_SUSPENDED")?;

    moderate(&admin, "suspend", alice.id(), false).await?.must_hold("/suspended", false)?;
    act().await?.must_succeed().map(drop)
}

fn forbidden_actions() -> [&'static str; 4] {
    ["message", "encrypted message", "join", "display name"]
}

/// A suspended account can still log in, sync, read, leave rooms, redact its own events and log out.
#[conformance(
    spec = "client-server-api/#account-suspension",
    level = Should,
    severity = Usability,
    since = "v1.18",
    needs = "admin_suspend",
    proves = ["client-server-api/account-suspension/2"]
)]
async fn suspended_account_is_not_locked_in(hs: &Homeserver) -> Verdict {
    let (admin, alice) = stage(hs).await?;
    let room = alice.create_room(json!({"preset": "public_chat"})).await?;
    let event_id = alice.say(&room, "before the suspension").await?;
    moderate(&admin, "suspend", alice.id(), true).await?;

    let phone = alice.logs_in().await?;
    phone.sees_event(&room, &event_id).await?;
    hs.page_with(&event_id, || phone.messages(&room, "b")).await?;
    phone.redact(&room, &event_id).await?;
    phone.leave(&room).await?;
    phone.log_out().await?;
    phone.must_be_logged_out().await
}

/// Administrators are told that they can lock and suspend accounts; nobody else is.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3capabilities_response-200_accountmoderationcapability",
    level = Must,
    severity = Interop,
    since = "v1.18",
    needs = "admin_suspend",
    proves = ["client-server-api/get_matrixclientv3capabilities/1"]
)]
async fn capability_is_told_to_administrators(hs: &Homeserver) -> Verdict {
    let (admin, alice) = stage(hs).await?;
    let capability = |user: &User| user.get("/_matrix/client/v3/capabilities");
    let told = capability(&admin).await?;
    told.must_hold("/capabilities/m.account_moderation/lock", true)?;
    told.must_hold("/capabilities/m.account_moderation/suspend", true)?;
    let told = capability(&alice).await?;
    for action in actions() {
        let able = told.at("/capabilities/m.account_moderation").get(action) == Some(&json!(true));
        told.must(!able, format!("no account moderation with {action}"), || told.json().to_string())?;
    }
    Ok(())
}

/// Administrators cannot lock or suspend each other.
#[conformance(
    spec = "client-server-api/#put_matrixclientv1adminlockuserid",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    each = actions
)]
async fn administrators_are_out_of_reach(hs: &Homeserver, action: &'static str) -> Verdict {
    let (admin, _) = stage(hs).await?;
    let other = hs.administrator().await?;

    moderate(&admin, action, other.id(), true).must_refuse(403, "M_FORBIDDEN").await?;

    other.whoami().await?.must_hold("/user_id", other.id())
}

/// The moderation of an account that does not exist here is refused: unknown ones as such, those of other servers as invalid.
#[conformance(
    spec = "client-server-api/#put_matrixclientv1adminlockuserid",
    level = Must,
    severity = Interop,
    since = "v1.18",
    needs = "admin_suspend",
    each = actions
)]
async fn unknown_account_is_not_found(hs: &Homeserver, action: &'static str) -> Verdict {
    let (admin, _) = stage(hs).await?;
    let nobody = format!("@{}:{}", hs.unused_localpart(), hs.name());
    moderate(&admin, action, &nobody, true).must_refuse(404, "M_NOT_FOUND").await?;
    status(&admin, action, &nobody).must_refuse(404, "M_NOT_FOUND").await?;

    let elsewhere = "@somebody:elsewhere.invalid";
    moderate(&admin, action, elsewhere, true).must_refuse(400, "M_INVALID_PARAM").await?;
    status(&admin, action, elsewhere).must_refuse(400, "M_INVALID_PARAM").await.map(drop)
}

/// Only administrators learn whether an account is locked or suspended, or exists, and decide it.
#[conformance(
    spec = "client-server-api/#put_matrixclientv1adminlockuserid",
    level = Must,
    severity = Security,
    since = "v1.18",
    needs = "admin_suspend",
    each = actions,
    proves = [
        "client-server-api/get_matrixclientv1adminlockuserid/1",
        "client-server-api/get_matrixclientv1adminlockuserid/2",
        "client-server-api/put_matrixclientv1adminlockuserid/1",
        "client-server-api/put_matrixclientv1adminlockuserid/3",
        "client-server-api/get_matrixclientv1adminsuspenduserid/1",
        "client-server-api/get_matrixclientv1adminsuspenduserid/2",
        "client-server-api/put_matrixclientv1adminsuspenduserid/1",
        "client-server-api/put_matrixclientv1adminsuspenduserid/3",
    ]
)]
async fn accounts_are_moderated_by_administrators_only(hs: &Homeserver, action: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let nobody = format!("@{}:{}", hs.unused_localpart(), hs.name());
    for user_id in [alice.id(), &nobody] {
        status(&eve, action, user_id).must_refuse(403, "M_FORBIDDEN").await?;
        moderate(&eve, action, user_id, true).must_refuse(403, "M_FORBIDDEN").await?;
    }
    alice.whoami().await?.must_hold("/user_id", alice.id())
}

fn actions() -> [&'static str; 2] {
    ["lock", "suspend"]
}

async fn stage(hs: &Homeserver) -> Result<(User, User), Stop> {
    let admin = hs.administrator().await?;
    let alice = hs.user("alice").await?;
    Ok((admin, alice))
}

fn moderate(admin: &User, action: &str, user_id: &str, effective: bool) -> Call {
    let body = if action == "lock" { json!({"locked": effective}) } else { json!({"suspended": effective}) };
    admin.put(moderation_path(action, user_id), body)
}

fn status(admin: &User, action: &str, user_id: &str) -> Call {
    admin.get(moderation_path(action, user_id))
}

fn moderation_path(action: &str, user_id: &str) -> String {
    path!("/_matrix/client/v1/admin/{}/{}", action, user_id)
}
