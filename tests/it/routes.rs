//! The built-in server has a route for every client-server operation of the specification.

use fixtures::catalogue::{Api, Catalogue};
use reference_server::Config;
use serde_json::Value;

/// A value for every parameter of a path; none of them exists.
fn filled(template: &str) -> String {
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        path.push('/');
        path.push_str(if segment.starts_with('{') { "nothing" } else { segment });
    }
    path
}

#[tokio::test]
async fn every_operation_of_the_catalogue_is_served() {
    let mut config = Config::new("localhost");
    config.authentication.oauth = true;
    let server = reference_server::start(config).await.expect("a server");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut unserved = Vec::new();
    let mut count = 0;
    for operation in Catalogue::v1_19().operations_of(Api::ClientServer) {
        if operation.excluded(fixtures::catalogue::Direction::Inbound).is_some() {
            continue;
        }
        count += 1;
        let url = format!("http://{}{}", server.client_address(), filled(&operation.path.to_string()));
        let method = operation.method.to_string().parse().expect("a method");
        let answer = http.request(method, url).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        // A path that is known may lead to nothing, which is told in another way.
        let says = body["error"].as_str().unwrap_or_default();
        if matches!(status, 404 | 405)
            && body["errcode"] == "M_UNRECOGNIZED"
            && !says.contains("single sign-on")
        {
            unserved.push(format!("{} {}", operation.method, operation.path));
        }
    }
    assert!(unserved.is_empty(), "not served: {unserved:#?}");
    assert_eq!(count, 164);
    server.shut_down().await;
}
