//! What counts as asserted, by tests that assert well, badly and not at all.

use fixtures::ledger::Ledger;
use reports::Coverage;
use serde_json::json;
use suite::{cast::Homeserver, conformance, registry::Test, verdict::Verdict};

use crate::{
    puppet::{Puppet, Reply, obliging},
    tape,
};

const LOGIN: &str = "/_matrix/client/v3/login";
const FILTER: &str = "/_matrix/client/v3/user/@puppet:localhost/filter";

/// The server lists its login flows.
#[conformance(
    spec = "client-server-api/",
    level = Must,
    severity = Cosmetic,
    proves = ["client-server-api/api-standards/2"]
)]
async fn requires_content(hs: &Homeserver) -> Verdict {
    hs.get(LOGIN).await?.must_hold("/flows", json!([]))
}

/// The server answers.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn requires_nothing(hs: &Homeserver) -> Verdict {
    hs.get(LOGIN).answer().await?;
    Ok(())
}

/// The server answers with success.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn requires_a_status(hs: &Homeserver) -> Verdict {
    hs.get(LOGIN).await?;
    Ok(())
}

/// The server lists login flows that it does not have.
#[conformance(
    spec = "client-server-api/",
    level = Must,
    severity = Cosmetic,
    proves = ["client-server-api/api-standards/2", "client-server-api/api-standards/3"]
)]
async fn requires_the_wrong_content(hs: &Homeserver) -> Verdict {
    hs.get(LOGIN).await?.must_hold("/flows", json!([{"type": "m.login.magic"}]))
}

/// The server keeps what was written.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn requires_an_effect(hs: &Homeserver) -> Verdict {
    hs.post(FILTER, json!({})).await?;
    hs.get(LOGIN).await?.must_hold("/flows", json!([]))
}

/// The server refuses a wrong password.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn requires_a_refusal(hs: &Homeserver) -> Verdict {
    hs.post(LOGIN, json!({})).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

async fn coverage_of(test: &'static Test) -> Coverage {
    let puppet = Puppet::start(|request| {
        if request.starts_with("GET /_matrix/client/v3/login") {
            Reply::Json(200, json!({"flows": []}))
        } else if request.starts_with("POST /_matrix/client/v3/login") {
            Reply::Json(403, json!({"errcode": "M_FORBIDDEN", "error": "wrong password"}))
        } else if request.contains("/filter") {
            Reply::Json(200, json!({"filter_id": "1"}))
        } else {
            obliging(request)
        }
    })
    .await;
    let (tape, ended) = tape::record(&[test], &tape::options(puppet.url.clone())).await;
    ended.expect("the run comes to its end");
    tape.ending.and_then(|ending| ending.coverage).expect("coverage")
}

fn is_asserted(coverage: &Coverage, operation: &str) -> bool {
    !coverage.operations.client_server.missing.iter().any(|missing| missing == operation)
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_was_required_asserts_the_operation_and_its_response() {
    let coverage = coverage_of(&requires_content).await;
    assert!(is_asserted(&coverage, "getLoginFlows"));
    assert!(!coverage.responses.missing.contains(&"getLoginFlows 200".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_passed_or_failed_proves_what_it_names() {
    let requirements = coverage_of(&requires_content).await.requirements;
    assert_eq!(requirements.proved, 1);
    assert_eq!(requirements.total, Ledger::v1_19().requirements().count());
    assert_eq!(requirements.missing.len(), requirements.total - 1);
    assert!(!requirements.missing.contains(&"client-server-api/api-standards/2".to_owned()));
    let chapter = requirements.chapters.iter().find(|chapter| chapter.must.proved > 0).expect("a chapter");
    assert_eq!(chapter.name, "client-server-api/api-standards");
    assert_eq!(coverage_of(&requires_the_wrong_content).await.requirements.proved, 2);
    assert_eq!(coverage_of(&requires_nothing).await.requirements.proved, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_nobody_looks_at_only_touches() {
    let coverage = coverage_of(&requires_nothing).await;
    assert_eq!(coverage.operations.client_server.asserted, 0);
    assert_eq!(coverage.operations.client_server.touched, 1);
    assert_eq!(coverage.responses.asserted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_asserts_the_response_and_not_the_operation() {
    let coverage = coverage_of(&requires_a_status).await;
    assert_eq!(coverage.operations.client_server.asserted, 0);
    assert_eq!(coverage.responses.asserted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_test_asserts_no_operation() {
    let coverage = coverage_of(&requires_the_wrong_content).await;
    assert_eq!(coverage.operations.client_server.asserted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_asserted_by_a_later_look_at_something_else() {
    let coverage = coverage_of(&requires_an_effect).await;
    assert!(is_asserted(&coverage, "defineFilter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_asserts_its_error_code_and_not_the_operation() {
    let coverage = coverage_of(&requires_a_refusal).await;
    assert!(!is_asserted(&coverage, "login"));
    assert_eq!(coverage.error_codes.asserted, 1);
    assert!(!coverage.responses.missing.contains(&"login 403".to_owned()));
}
