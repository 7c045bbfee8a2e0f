//! `client-server-api/#profiles`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, User},
    path,
    verdict::{Stop, Verdict},
};

pub(super) const AVATAR: &str = "mxc://determinant.invalid/avatar";

/// What a user puts into their profile can be read by those who share a room with them, as a field and as a whole.
#[conformance(
    spec = "client-server-api/#profiles",
    level = Must,
    severity = Usability,
    each = fields,
    proves = ["client-server-api/server-behaviour-1/1"]
)]
async fn members_of_a_room_read_it(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    alice.room_with(&[&bob]).await?;
    let value = value_of(field);
    alice.set_profile_field(field, value.clone()).await?;

    bob.profile_field(alice.id(), field).await?.must_hold(&format!("/{field}"), value.clone())?;
    bob.profile(alice.id()).await?.must_hold(&format!("/{field}"), value)
}

pub(super) fn fields() -> [&'static str; 2] {
    ["displayname", "avatar_url"]
}

pub(super) fn value_of(field: &str) -> Value {
    if field == "avatar_url" { json!(AVATAR) } else { json!("Alice Ⓐ of Determinant") }
}

/// The profile of a user in a public room can be read by users who share no room with them.
#[conformance(spec = "client-server-api/#profiles", level = Must, severity = Usability, since = "v1.15")]
async fn everybody_reads_it_of_members_of_public_rooms(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    alice.public_room_with(&[]).await?;
    alice.set_profile_field("displayname", json!("Alice in public")).await?;

    eve.profile(alice.id()).await?.must_hold("/displayname", "Alice in public")
}

/// A later value replaces an earlier one and leaves the other fields alone.
#[conformance(spec = "client-server-api/#put_matrixclientv3profileuseridkeyname", level = Must, severity = Usability)]
async fn later_value_replaces_the_earlier_one(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.set_profile_field("avatar_url", json!(AVATAR)).await?;
    alice.set_profile_field("displayname", json!("first name")).await?;
    alice.set_profile_field("displayname", json!("second name")).await?;

    let profile = alice.profile(alice.id()).await?;
    profile.must_hold("/displayname", "second name")?;
    profile.must_hold("/avatar_url", AVATAR)
}

/// An empty display name takes the former one away and hides nothing else of the profile.
#[conformance(spec = "client-server-api/#get_matrixclientv3profileuserid", level = Must, severity = Usability)]
async fn empty_name_hides_nothing_else(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.set_profile_field("avatar_url", json!(AVATAR)).await?;
    alice.set_profile_field("displayname", json!("former name")).await?;
    if !alice.set_profile_field("displayname", json!("")).answer().await?.status().is_success() {
        return Err(Stop::NotApplicable("the server takes no empty display name".to_owned()));
    }

    let profile = alice.profile(alice.id()).await?;
    profile.must_hold("/avatar_url", AVATAR)?;
    profile.must_not_mention("former name")
}

/// The profile of a user who does not exist is not found, or forbidden to look up.
#[conformance(spec = "client-server-api/#profiles", level = Must, severity = Interop, since = "v1.12")]
async fn unknown_user_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let nobody = format!("@{}:{}", hs.unused_localpart(), hs.name());
    let answer = alice.profile(&nobody).answer().await?;
    if answer.status() == 403 {
        return answer.must_refuse(403, "M_FORBIDDEN").map(drop);
    }
    answer.must_be(404).map(drop)
}

/// A user cannot change the profile of another one.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Security,
    each = fields,
    proves = ["client-server-api/put_matrixclientv3profileuseridkeyname/1"]
)]
async fn profiles_of_others_cannot_be_changed(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    alice.set_profile_field(field, value_of(field)).await?;
    let target = path!("/_matrix/client/v3/profile/{}/{}", alice.id(), field);
    let mut body = json!({});
    body[field] = json!("mxc://determinant.invalid/eve");

    eve.put(target, body).must_be_refused().await?;

    alice.profile_field(alice.id(), field).await?.must_hold(&format!("/{field}"), value_of(field))
}

/// A change of another user's profile is refused with 403.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = settable_fields
)]
async fn change_of_others_is_forbidden(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let mut body = json!({});
    body[field] = json!("mxc://determinant.invalid/eve");
    eve.put(path!("/_matrix/client/v3/profile/{}/{}", alice.id(), field), body).must_be(403).await.map(drop)
}

/// A field of any name and of any JSON value can be kept in the profile, and read by others.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16"
)]
async fn custom_field_is_kept(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    alice.room_with(&[&bob]).await?;
    let value = json!({"text": "ü", "list": [1, null, true], "object": {"nested": {}}});
    alice.set_profile_field(CUSTOM, value.clone()).await?;

    bob.profile_field(alice.id(), CUSTOM).await?.must_hold(&format!("/{CUSTOM}"), value.clone())?;
    bob.profile(alice.id()).await?.must_hold(&format!("/{CUSTOM}"), value)
}

/// The avatar is a content URI, and the display name is a string: anything else is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = wrong_values,
    proves = [
        "client-server-api/put_matrixclientv3profileuseridkeyname/9",
        "client-server-api/put_matrixclientv3profileuseridkeyname/10",
    ]
)]
async fn wrong_value_is_refused(hs: &Homeserver, wrong: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (field, value) = match wrong {
        "a web address as avatar" => ("avatar_url", json!("https://client.example/avatar.png")),
        "a number as avatar" => ("avatar_url", json!(7)),
        "an object as display name" => ("displayname", json!({"name": "Alice"})),
        _ => ("displayname", json!(7)),
    };
    let right = value_of(field);
    alice.set_profile_field(field, right.clone()).await?;

    alice.set_profile_field(field, value).must_be_refused().await?;

    alice.profile_field(alice.id(), field).await?.must_hold(&format!("/{field}"), right)
}

fn wrong_values() -> [&'static str; 4] {
    ["a web address as avatar", "a number as avatar", "an object as display name", "a number as display name"]
}

/// The time zone is a field of the profile.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Usability,
    since = "v1.16"
)]
async fn time_zone_is_kept(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    alice.set_profile_field("m.tz", json!("Europe/Vaduz")).await?;
    alice.profile(alice.id()).await?.must_hold("/m.tz", "Europe/Vaduz")
}

/// A field that was deleted is gone from the profile, and the others stay.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Security,
    since = "v1.16",
    each = deletable_fields
)]
async fn deleted_field_is_gone(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    alice.set_profile_field(field, value_of(field)).await?;
    alice.set_profile_field("org.determinant.other", json!("stays")).await?;

    alice.delete_profile_field(field).await?;

    alice.profile_field(alice.id(), field).answer().await?.must_lack(&format!("/{field}"))?;
    let profile = alice.profile(alice.id()).await?;
    profile.must_lack(&format!("/{field}"))?;
    profile.must_hold("/org.determinant.other", "stays")
}

fn deletable_fields() -> [&'static str; 3] {
    ["displayname", "avatar_url", CUSTOM]
}

/// Deleting a field that is not there succeeds.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16"
)]
async fn deletion_can_be_repeated(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    alice.set_profile_field(CUSTOM, json!("once")).await?;
    alice.delete_profile_field(CUSTOM).must_be(200).await?;
    alice.delete_profile_field(CUSTOM).must_be(200).await?;
    alice.profile(alice.id()).await?.must_lack(&format!("/{CUSTOM}"))
}

/// A field that the user never set is not found.
///
/// Whether an object without the field is a permitted answer as well is disputed (MSC4537): hence no Must.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3profileuseridkeyname",
    level = Should,
    severity = Interop,
    since = "v1.16",
    each = unset_fields
)]
async fn unset_field_is_not_found(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    alice.profile_field(alice.id(), field).must_be(404).await.map(drop)
}

fn unset_fields() -> [&'static str; 3] {
    ["avatar_url", "m.tz", CUSTOM]
}

/// A field of another user can be neither set nor deleted.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Security,
    since = "v1.16"
)]
async fn custom_fields_of_others_cannot_be_changed(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    alice.set_profile_field(CUSTOM, json!("of alice")).await?;
    let target = path!("/_matrix/client/v3/profile/{}/{}", alice.id(), CUSTOM);

    eve.put(target.clone(), json!({CUSTOM: "of eve"})).must_be_refused().await?;
    eve.delete(target).must_be_refused().await?;

    alice.profile_field(alice.id(), CUSTOM).await?.must_hold(&format!("/{CUSTOM}"), "of alice")
}

/// The deletion of a field of another user's profile is refused with 403.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = settable_fields
)]
async fn deletion_of_others_is_forbidden(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    alice.set_profile_field(field, value_of(field)).await?;
    eve.delete(path!("/_matrix/client/v3/profile/{}/{}", alice.id(), field)).must_be(403).await.map(drop)
}

/// A body without the field that the path names is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = settable_fields,
    proves = ["client-server-api/put_matrixclientv3profileuseridkeyname/8"]
)]
async fn missing_value_is_refused(hs: &Homeserver, field: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    alice.set_profile_field(field, value_of(field)).await?;

    let target = path!("/_matrix/client/v3/profile/{}/{}", alice.id(), field);
    alice.put(target, json!({"something_else": "x"})).must_refuse(400, "M_MISSING_PARAM").await?;

    alice.profile_field(alice.id(), field).await?.must_hold(&format!("/{field}"), value_of(field))
}

fn settable_fields() -> [&'static str; 3] {
    ["displayname", "avatar_url", CUSTOM]
}

/// A server that does not say whether there is a user, or what is in their profile, refuses with `M_FORBIDDEN`.
#[conformance(
    spec = "client-server-api/#server-behaviour-1",
    level = Should,
    severity = Interop,
    each = views,
    proves = ["client-server-api/server-behaviour-1/3"]
)]
async fn hidden_profile_is_forbidden(hs: &Homeserver, view: &'static str) -> Verdict {
    let [alice, eve] = hs.users().await?;
    alice.set_profile_field("displayname", json!("hidden")).await?;
    let answer = match view {
        "whole" => eve.profile(alice.id()).answer().await?,
        _ => eve.profile_field(alice.id(), "displayname").answer().await?,
    };
    if answer.status().is_success() {
        return Err(Stop::NotApplicable("the server shows profiles to strangers".to_owned()));
    }
    answer.must_refuse(403, "M_FORBIDDEN")?.must_not_mention("hidden")
}

fn views() -> [&'static str; 2] {
    ["whole", "a field"]
}

pub(super) const CUSTOM: &str = "org.determinant.custom";

/// `client-server-api/#mprofile_fields-capability`: without it, every field may be changed.
pub(super) async fn must_permit_custom_fields(user: &User) -> Verdict {
    let capabilities = user.get("/_matrix/client/v3/capabilities").await?;
    let capability = capabilities.at("/capabilities/m.profile_fields");
    if capability["enabled"] == false || capability.get("allowed").is_some() {
        return Err(Stop::NotApplicable(format!("m.profile_fields is {capability}")));
    }
    Ok(())
}
