//! Names, values and sizes of profile fields: `client-server-api/#put_matrixclientv3profileuseridkeyname`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::profiles::{CUSTOM, must_permit_custom_fields};
use crate::{
    cast::Homeserver,
    path,
    verdict::{Stop, Verdict},
};

/// A name longer than 255 bytes is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16"
)]
async fn long_name_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    let longest = format!("org.determinant.{}", "x".repeat(255 - 16));
    alice.set_profile_field(&longest, json!("fits")).await?;
    alice
        .set_profile_field(&format!("{longest}x"), json!("does not"))
        .must_refuse(400, "M_KEY_TOO_LARGE")
        .await?;
    alice.profile(alice.id()).await?.must_hold(&format!("/{longest}"), "fits")
}

/// A profile does not grow beyond 64 KiB, however many fields it is spread over.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Security,
    since = "v1.16",
    proves = ["client-server-api/put_matrixclientv3profileuseridkeyname/2"]
)]
async fn size_is_limited(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    let third = "x".repeat(30_000);
    alice.set_profile_field("org.determinant.first", json!(third)).await?;
    alice.set_profile_field("org.determinant.second", json!(third)).await?;

    let refused = alice.set_profile_field("org.determinant.third", json!(third));
    refused.must_refuse(400, "M_PROFILE_TOO_LARGE").await?;

    let profile = alice.profile(alice.id()).await?;
    profile.must_hold("/org.determinant.second", third)?;
    profile.must_lack("/org.determinant.third")
}

/// A name outside the grammar of namespaced identifiers is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Must,
    severity = Interop,
    since = "v1.16",
    each = changes,
    proves = ["client-server-api/put_matrixclientv3profileuseridkeyname/7"]
)]
async fn malformed_name_is_refused(hs: &Homeserver, change: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    let name = "Not A Name!";
    let call = match change {
        "set" => alice.set_profile_field(name, json!("x")),
        _ => alice.delete(path!("/_matrix/client/v3/profile/{}/{}", alice.id(), name)),
    };
    call.must_refuse(400, "M_INVALID_PARAM").await?;
    alice.profile(alice.id()).await?.must_lack("/Not A Name!")
}

fn changes() -> [&'static str; 2] {
    ["set", "delete"]
}

/// A server that takes null as the value of a field keeps the field, with that value.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3profileuseridkeyname",
    level = Should,
    severity = Interop,
    since = "v1.16",
    proves = ["client-server-api/put_matrixclientv3profileuseridkeyname/3"]
)]
async fn null_is_a_value(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    must_permit_custom_fields(&alice).await?;
    if alice.set_profile_field(CUSTOM, Value::Null).answer().await?.status().is_client_error() {
        return Err(Stop::NotApplicable("the server does not take null".to_owned()));
    }
    alice.profile_field(alice.id(), CUSTOM).await?.must_hold(&format!("/{CUSTOM}"), Value::Null)
}
