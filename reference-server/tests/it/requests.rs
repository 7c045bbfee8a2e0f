//! What is true of every request: paths, methods, bodies, tokens, origins.

use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Server;

#[rstest]
#[case(Method::GET, "/_matrix/client/v3/no_such_thing", 404)]
#[case(Method::GET, "/_matrix/unknown", 404)]
#[case(Method::GET, "/", 404)]
#[case(Method::DELETE, "/_matrix/client/v3/login", 405)]
#[case(Method::PUT, "/_matrix/client/versions", 405)]
#[tokio::test]
async fn what_is_not_served_is_unrecognized(#[case] method: Method, #[case] path: &str, #[case] status: u16) {
    let server = Server::start().await;
    let response = server.request(method, path).send().await.unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.json::<Value>().await.unwrap()["errcode"], "M_UNRECOGNIZED");
}

/// Whoever sends all of a request before reading anything gets to read the refusal all the same.
#[rstest]
#[case("/_matrix/client/v3/no_such_thing", "404")]
#[case("/_matrix/client/v3/account/whoami", "405")]
#[case("/_matrix/client/v3/createRoom", "401")]
#[tokio::test]
async fn a_refusal_is_read_by_whoever_sends_much(#[case] path: &str, #[case] status: &str) {
    const LENGTH: usize = 12 * 1024 * 1024;
    let server = Server::start().await;
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![b'x'; LENGTH]).await.unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"));
}

#[rstest]
#[case("/_matrix/client/v3/account/whoami")]
#[case("/_matrix/client/v3/register")]
#[case("/_matrix/client/v3/no_such_thing")]
#[tokio::test]
async fn options_needs_no_token_and_does_nothing(#[case] path: &str) {
    let server = Server::start().await;
    let response = server.request(Method::OPTIONS, path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()["access-control-allow-headers"],
        "X-Requested-With, Content-Type, Authorization"
    );
    assert_eq!(response.headers()["access-control-allow-methods"], "GET, POST, PUT, DELETE, OPTIONS");
}

#[rstest]
#[case(b"{".to_vec(), 400, "M_NOT_JSON")]
#[case(b"".to_vec(), 400, "M_NOT_JSON")]
#[case(b"{\"type\":\"\xff\"}".to_vec(), 400, "M_NOT_JSON")]
#[case(b"{\"type\": NaN}".to_vec(), 400, "M_NOT_JSON")]
#[case(b"[]".to_vec(), 400, "M_BAD_JSON")]
#[case(b"{}".to_vec(), 400, "M_MISSING_PARAM")]
#[case(b"{\"type\":1}".to_vec(), 400, "M_BAD_JSON")]
#[case(vec![b' '; 2 * 1024 * 1024], 413, "M_TOO_LARGE")]
#[tokio::test]
async fn a_body_that_is_wrong_is_named_so(#[case] body: Vec<u8>, #[case] status: u16, #[case] errcode: &str) {
    let server = Server::start().await;
    let response = server.request(Method::POST, "/_matrix/client/v3/login").body(body).send().await.unwrap();
    assert_eq!(response.status(), status);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["errcode"], errcode);
    assert!(answer["error"].is_string());
}

#[tokio::test]
async fn a_token_is_taken_from_header_and_query() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let whoami = "/_matrix/client/v3/account/whoami";
    let query = format!("{whoami}?access_token={}", alice.token);
    let response = server.request(Method::GET, &query).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    for (path, errcode) in [(whoami.to_owned(), "M_MISSING_TOKEN"), (format!("{query}x"), "M_UNKNOWN_TOKEN")]
    {
        let response = server.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.json::<Value>().await.unwrap()["errcode"], errcode);
    }
}

#[tokio::test]
async fn path_parameters_are_decoded() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let path = "/v3/user/%40alice%3Atest.example/account_data/org.example%2Fslash";
    assert_eq!(server.put(&alice, path, json!({"a": 1})).await.0, StatusCode::OK);
    assert_eq!(server.get(&alice, path).await.1, json!({"a": 1}));

    let (status, answer) = server.get(&alice, "/v3/user/%ff/account_data/type").await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (400, &json!("M_INVALID_PARAM")));
}
