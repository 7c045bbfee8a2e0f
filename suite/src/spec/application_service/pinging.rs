//! `application-service-api/#pinging`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, neighbour::application_service::ID, remote::Reply},
    path,
    verdict::Verdict,
};

/// A ping reaches the application service with its transaction id, and its duration is told.
#[conformance(
    spec = "application-service-api/#post_matrixclientv1appserviceappserviceidping",
    level = Must,
    severity = Interop,
    since = "v1.7",
    needs = "application_services"
)]
async fn ping_reaches_the_service(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let transaction = format!("ping-{}-{}", rand::random::<u32>(), hs.unique());
    let answer = service.post(ping(ID), json!({"transaction_id": transaction})).await?;
    answer
        .must(answer.at("/duration_ms").is_u64(), "a duration", || answer.at("/duration_ms").to_string())?;
    let sent = |asked: &crate::cast::neighbour::Asked| {
        (asked.json["transaction_id"] == transaction.as_str()).then_some(())
    };
    service.sees("ping", sent).await
}

/// A ping that the application service refuses is told with its status.
#[conformance(
    spec = "application-service-api/#post_matrixclientv1appserviceappserviceidping",
    level = Must,
    severity = Usability,
    since = "v1.7",
    needs = "application_services"
)]
async fn refused_ping_is_told(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let transaction = format!("refused-{}-{}", rand::random::<u32>(), hs.unique());
    let about = transaction.clone();
    service.answers("ping", move |asked| {
        (asked.json["transaction_id"] == about.as_str()).then(|| Reply::error(403, "M_FORBIDDEN"))
    });
    let refusal = service.post(ping(ID), json!({"transaction_id": transaction}));
    refusal.must_refuse(502, "M_BAD_STATUS").await.map(drop)
}

/// Only the application service itself may ask for its ping.
#[conformance(
    spec = "application-service-api/#post_matrixclientv1appserviceappserviceidping",
    level = Must,
    severity = Security,
    since = "v1.7",
    needs = "application_services",
    proves = [
        "application-service-api/client-server-api-extensions/1",
        "application-service-api/post_matrixclientv1appserviceappserviceidping/1",
        "application-service-api/post_matrixclientv1appserviceappserviceidping/2",
    ]
)]
async fn ping_is_for_the_service_itself(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let [alice] = hs.users().await?;
    alice.post(ping(ID), json!({})).must_refuse(403, "M_FORBIDDEN").await?;
    service.post(ping("another"), json!({})).must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

fn ping(id: &str) -> String {
    path!("/_matrix/client/v1/appservice/{}/ping", id)
}
