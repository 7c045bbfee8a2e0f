//! `application-service-api/#third-party-networks`, as clients see them: `client-server-api/#third-party-networks`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver,
        neighbour::{
            Asked,
            application_service::{PROTOCOL, protocol},
        },
        remote::Reply,
    },
    path,
    verdict::Verdict,
};

/// The network of an application service is listed, and described as the application service does it.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3thirdpartyprotocols",
    level = Must,
    severity = Interop,
    needs = "application_services"
)]
async fn network_is_described(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let list = alice.get("/_matrix/client/v3/thirdparty/protocols").await?;
    let one = alice.get(path!("/_matrix/client/v3/thirdparty/protocol/{}", PROTOCOL)).await?;
    for field in ["user_fields", "location_fields", "field_types", "icon"] {
        let expected = protocol()[field].clone();
        list.must_hold(&format!("/{PROTOCOL}/{field}"), expected.clone())?;
        one.must_hold(&format!("/{field}"), expected)?;
    }
    for field in ["desc", "network_id", "fields"] {
        one.must_hold(&format!("/instances/0/{field}"), protocol()["instances"][0][field].clone())?;
    }
    one.must_lack("/instances/1")?;
    list.must_hold(&format!("/{PROTOCOL}/instances"), one.at("/instances").clone())?;
    let asked = |asked: &Asked| (asked.parameter("protocol") == PROTOCOL).then_some(());
    service.sees("getProtocolMetadata", asked).await
}

/// A search in a network is put to its application service with its fields, and what that finds comes back.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3thirdpartyuserprotocol",
    level = Must,
    severity = Interop,
    needs = "application_services",
    each = searches
)]
async fn search_reaches_the_service(hs: &Homeserver, operation: &'static str) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let value = format!("value-{}-{}", rand::random::<u32>(), hs.unique());
    let (path, parameter) = search(operation);
    let found = if operation.starts_with("queryUser") {
        json!({"userid": service.unused_user_id(), "protocol": PROTOCOL, "fields": {"nickname": value}})
    } else {
        json!({"alias": service.unused_alias(), "protocol": PROTOCOL, "fields": {"channel": value}})
    };
    let (result, about) = (found.clone(), value.clone());
    service.answers(operation, move |asked| {
        (asked.parameter(parameter) == about).then(|| Reply::json(json!([result])))
    });

    let answer = alice.get(path).query(parameter, &value).await?;

    let shown = answer.json().as_array().and_then(|list| list.first()).cloned().unwrap_or_default();
    let is_shown =
        found.as_object().is_some_and(|found| found.iter().all(|(name, value)| shown[name] == *value));
    answer.must(is_shown, format!("what the application service found: {found}"), || shown.to_string())?;
    let asked = |asked: &Asked| (asked.parameter(parameter) == value).then_some(());
    service.sees(operation, asked).await
}

/// A search that finds nothing is told so.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3thirdpartylocationprotocol",
    level = Must,
    severity = Interop,
    needs = "application_services",
    each = searches
)]
async fn search_may_find_nothing(hs: &Homeserver, operation: &'static str) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    let value = format!("nothing-{}-{}", rand::random::<u32>(), hs.unique());
    let (path, parameter) = search(operation);
    let about = value.clone();
    service.answers(operation, move |asked| {
        (asked.parameter(parameter) == about).then(|| Reply::json(json!([])))
    });
    alice.get(path).query(parameter, &value).must_refuse(404, "M_NOT_FOUND").await.map(drop)
}

/// The path of a search, and the parameter that says what is sought.
fn search(operation: &str) -> (String, &'static str) {
    match operation {
        "queryUserByProtocol" => (path!("/_matrix/client/v3/thirdparty/user/{}", PROTOCOL), "nickname"),
        "queryLocationByProtocol" => {
            (path!("/_matrix/client/v3/thirdparty/location/{}", PROTOCOL), "channel")
        }
        "queryUserByID" => ("/_matrix/client/v3/thirdparty/user".to_owned(), "userid"),
        _ => ("/_matrix/client/v3/thirdparty/location".to_owned(), "alias"),
    }
}

/// The questions that a search becomes.
fn searches() -> [&'static str; 4] {
    ["queryUserByProtocol", "queryLocationByProtocol", "queryUserByID", "queryLocationByAlias"]
}
