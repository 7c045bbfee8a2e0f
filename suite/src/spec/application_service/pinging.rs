//! `application-service-api/#pinging`

use http::Method;
use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{
        ApplicationService, Call, Homeserver,
        neighbour::application_service::{ID, ID_WITHOUT_URL},
        remote::Reply,
    },
    path,
    verdict::{Stop, Verdict},
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
    answered(hs, &service, Reply::error(403, "M_FORBIDDEN")).must_refuse(502, "M_BAD_STATUS").await.map(drop)
}

/// A ping whose connection ends without an answer is told as a connection that failed.
#[conformance(
    spec = "application-service-api/#post_matrixclientv1appserviceappserviceidping",
    level = Must,
    severity = Usability,
    since = "v1.7",
    needs = "application_services"
)]
async fn failed_connection_is_told(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    answered(hs, &service, Reply::nothing()).must_refuse(502, "M_CONNECTION_FAILED").await.map(drop)
}

/// A ping that is not answered in time is told as one that took too long.
#[conformance(
    spec = "application-service-api/#post_matrixclientv1appserviceappserviceidping",
    level = Must,
    severity = Usability,
    since = "v1.7",
    needs = "application_services"
)]
async fn late_answer_is_told(hs: &Homeserver) -> Verdict {
    let service = hs.application_service()?;
    let late = Reply::json(json!({})).after(4 * hs.patience());
    match answered(hs, &service, late).answer().await {
        Err(Stop::Fault(_)) => {
            Err(Stop::NotApplicable("the server waits longer than the run does".to_owned()))
        }
        answer => answer?.must_refuse(504, "M_CONNECTION_TIMEOUT").map(drop),
    }
}

/// A ping of an application service that has no URL is refused as such.
#[conformance(
    spec = "application-service-api/#post_matrixclientv1appserviceappserviceidping",
    level = Must,
    severity = Usability,
    since = "v1.7",
    needs = "application_services"
)]
async fn service_without_url_is_not_pinged(hs: &Homeserver) -> Verdict {
    let call = hs.application_service_without_url(Method::POST, ping(ID_WITHOUT_URL)).await?;
    call.json(&json!({})).must_refuse(400, "M_URL_NOT_SET").await.map(drop)
}

/// A ping that the application service answers in this way.
fn answered(hs: &Homeserver, service: &ApplicationService, reply: Reply) -> Call {
    let transaction = format!("answered-{}-{}", rand::random::<u32>(), hs.unique());
    let about = transaction.clone();
    service.answers("ping", move |asked| {
        (asked.json["transaction_id"] == about.as_str()).then(|| reply.clone())
    });
    service.post(ping(ID), json!({"transaction_id": transaction}))
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
