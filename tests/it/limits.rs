//! The built-in server answers a caller who asks too often with the documented error, wherever one is documented.

use std::num::NonZeroU32;

use fixtures::catalogue::{Api, Auth, Catalogue, Operation};
use reference_server::{Config, Rate};
use serde_json::Value;

/// A value for every parameter of a path; none of them exists.
fn filled(template: &str) -> String {
    let filled =
        |segment: &str| if segment.starts_with('{') { "nothing".to_owned() } else { segment.to_owned() };
    template.split('/').map(filled).collect::<Vec<_>>().join("/")
}

/// The operations of the client-server API that list the error.
fn limited_operations() -> impl Iterator<Item = &'static Operation> {
    Catalogue::v1_19().operations_of(Api::ClientServer).filter(|operation| {
        operation
            .response(429)
            .is_some_and(|response| response.error_codes.iter().any(|code| code == "M_LIMIT_EXCEEDED"))
    })
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_to_wait_by_every_operation_that_says_so() {
    let one = NonZeroU32::MIN;
    let rate = || Some(Rate { burst: one, interval_ms: NonZeroU32::new(3_600_000).expect("a number") });
    let mut config = Config::new("localhost");
    config.authentication.oauth = true;
    config.rate_limits.anonymous = rate();
    config.rate_limits.reading = rate();
    config.rate_limits.changing = rate();
    config.rate_limits.media = rate();
    let server = reference_server::start(config).await.expect("a server");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut unlimited = Vec::new();
    let mut count = 0;
    for operation in limited_operations() {
        count += 1;
        let url = format!("http://{}{}", server.client_address(), filled(&operation.path.to_string()));
        let ask = || {
            let request = http.request(operation.method.to_string().parse().expect("a method"), &url);
            match operation.auth {
                Auth::None => request.send(),
                // The limit comes before the question whose token it is; every operation has a caller of its own here.
                _ => request.bearer_auth(&operation.id).send(),
            }
        };
        ask().await.expect("an answer");
        let answer = ask().await.expect("an answer");
        let (status, waits) = (answer.status(), answer.headers().contains_key("retry-after"));
        let body: Value = answer.json().await.unwrap_or_default();
        if status != 429 || !waits || body["errcode"] != "M_LIMIT_EXCEEDED" {
            unlimited.push(format!("{} {}: {status} {body}", operation.method, operation.path));
        }
    }
    assert!(unlimited.is_empty(), "not limited: {unlimited:#?}");
    assert_eq!(count, 65);
    server.shut_down().await;
}
