//! `client-server-api/#capabilities-negotiation`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// The capabilities are told to users only.
#[conformance(spec = "client-server-api/#get_matrixclientv3capabilities", level = Must, severity = Interop)]
async fn needs_a_token(hs: &Homeserver) -> Verdict {
    hs.get(CAPABILITIES).must_refuse(401, "M_MISSING_TOKEN").await.map(drop)
}

/// Every capability of the specification that the server names has the form that is defined for it.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3capabilities",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/capabilities-negotiation/1"]
)]
async fn flags_are_booleans(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = capabilities(&alice).await?;
    let named = answer.must_have("/capabilities")?;
    answer.must(named.is_object(), "an object of capabilities", || named.to_string())?;
    for name in FLAGS {
        if let Some(capability) = named.get(name) {
            let flag = &capability["enabled"];
            answer.must(flag.is_boolean(), format!("a boolean `enabled` in {name}"), || {
                capability.to_string()
            })?;
        }
    }
    Ok(())
}

/// A room that is created without naming a version has the default version that the server tells, and that it supports.
#[conformance(spec = "client-server-api/#mroom_versions-capability", level = Must, severity = Interop)]
async fn new_rooms_have_the_default_version(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = capabilities(&alice).await?;
    let versions = answer.at("/capabilities/m.room_versions");
    // Without the capability, clients assume version 1 alone.
    let default = versions["default"].as_str().unwrap_or("1");
    if let Some(available) = versions["available"].as_object() {
        let listed = available.contains_key(default);
        answer.must(listed, "the default version among the available ones", || versions.to_string())?;
    }

    let room = alice.create_room(json!({})).await?;

    let created = alice.state(&room, "m.room.create", "").await?;
    // The create event of a room of version 1 need not name it.
    let version = created.at("/room_version").as_str().unwrap_or("1");
    created.must(version == default, format!("room version {default}"), || format!("room version {version}"))
}

/// The password can be changed exactly when the server says so, or says nothing.
#[conformance(spec = "client-server-api/#mchange_password-capability", level = Must, severity = Usability)]
async fn password_change_is_as_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let told = capabilities(&alice).await?.at("/capabilities/m.change_password/enabled") != false;

    let answer = alice
        .post("/_matrix/client/v3/account/password", json!({"new_password": "another password"}))
        .answer()
        .await?;

    must_be_offered(&answer, told)
}

/// Login tokens can be made exactly when the server says so.
#[conformance(
    spec = "client-server-api/#mget_login_token-capability",
    level = Must,
    severity = Usability,
    since = "v1.7"
)]
async fn login_tokens_are_as_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let told = capabilities(&alice).await?.at("/capabilities/m.get_login_token/enabled") == true;

    let answer = alice.post("/_matrix/client/v1/login/get_token", json!({})).answer().await?;

    must_be_offered(&answer, told)
}

/// Display name and avatar can be changed exactly when the server says so, or says nothing.
#[conformance(
    spec = "client-server-api/#mset_displayname-capability",
    level = Must,
    severity = Usability,
    each = profile_fields
)]
async fn profile_changes_are_as_told(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let told = capabilities(&alice).await?.at(&format!("/capabilities/m.set_{field}/enabled")) != false;

    let value = if field == "avatar_url" { "mxc://determinant.invalid/avatar" } else { "Alice" };
    let answer = alice.set_profile_field(field, json!(value)).answer().await?;

    must_be_done(&answer, told)
}

/// Addresses of an account can be changed exactly when the server says so, or says nothing.
#[conformance(spec = "client-server-api/#m3pid_changes-capability", level = Must, severity = Usability)]
async fn address_changes_are_as_told(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let told = capabilities(&alice).await?.at("/capabilities/m.3pid_changes/enabled") != false;

    let body = json!({"client_secret": "a-secret-of-the-client", "sid": "1"});
    let answer = alice.post("/_matrix/client/v3/account/3pid/add", body).answer().await?;

    must_be_offered(&answer, told)
}

/// A field of the profile can be set exactly when the server says so, or says nothing.
#[conformance(
    spec = "client-server-api/#mprofile_fields-capability",
    level = Must,
    severity = Usability,
    since = "v1.16"
)]
async fn profile_field_changes_are_as_told(hs: &Homeserver) -> Verdict {
    const FIELD: &str = "org.determinant.note";
    let [alice] = hs.users().await?;
    let told = !is_reserved(capabilities(&alice).await?.at("/capabilities/m.profile_fields"), FIELD);

    let answer = alice.set_profile_field(FIELD, json!("as told")).answer().await?;

    must_be_done(&answer, told)
}

/// A server that reserves a field of the profile for itself tells so in the older capability of the field as well.
#[conformance(
    spec = "client-server-api/#mset_displayname-capability",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = profile_fields,
    proves = [
        "client-server-api/mset_displayname-capability/2",
        "client-server-api/mset_avatar_url-capability/2",
    ]
)]
async fn reserved_field_has_its_older_capability(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = capabilities(&alice).await?;
    if !is_reserved(answer.at("/capabilities/m.profile_fields"), field) {
        return Err(Stop::NotApplicable(format!("m.profile_fields does not reserve {field}")));
    }
    answer.must_hold(&format!("/capabilities/m.set_{field}/enabled"), false)
}

/// A server that leaves a field of the profile to users, among those that it lists, says so in the older capability of the
/// field as well.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3capabilities",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = profile_fields,
    proves = [
        "client-server-api/get_matrixclientv3capabilities/3",
        "client-server-api/get_matrixclientv3capabilities/4",
    ]
)]
async fn open_field_has_its_older_capability(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let answer = capabilities(&alice).await?;
    let newer = answer.at("/capabilities/m.profile_fields");
    if newer.is_null() || is_reserved(newer, field) {
        return Err(Stop::NotApplicable(format!("m.profile_fields does not include {field}")));
    }
    answer.must_hold(&format!("/capabilities/m.set_{field}/enabled"), true)
}

/// Requires a challenge to authenticate where the server has told that this is possible, and otherwise a refusal.
fn must_be_offered(answer: &Answer, told: bool) -> Verdict {
    let offered = answer.exchange().response.is_authentication_challenge();
    let words = |possible: bool| if possible { "a challenge" } else { "a refusal" };
    answer.must(offered == told, words(told), || words(offered).to_owned())
}

/// Requires a success where the server has told that this is possible, and otherwise a refusal.
fn must_be_done(answer: &Answer, told: bool) -> Verdict {
    answer.must(answer.status().is_success() == told, if told { "a success" } else { "a refusal" }, || {
        answer.exchange().response.in_short()
    })
}

/// Whether the newer capability keeps users from changing a field.
fn is_reserved(newer: &Value, field: &str) -> bool {
    let names = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(|name| name == field));
    match (newer.get("allowed"), newer.get("disallowed")) {
        _ if newer["enabled"] == false => true,
        (Some(allowed), _) => !names(allowed),
        (None, Some(disallowed)) => names(disallowed),
        (None, None) => false,
    }
}

fn profile_fields() -> [&'static str; 2] {
    ["displayname", "avatar_url"]
}

const CAPABILITIES: &str = "/_matrix/client/v3/capabilities";

const FLAGS: [&str; 7] = [
    "m.change_password",
    "m.forget_forced_upon_leave",
    "m.set_displayname",
    "m.set_avatar_url",
    "m.3pid_changes",
    "m.get_login_token",
    "m.profile_fields",
];

async fn capabilities(user: &User) -> Result<Answer, Stop> {
    user.get(CAPABILITIES).await
}
