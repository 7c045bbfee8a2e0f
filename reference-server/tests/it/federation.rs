//! What other servers reach: TLS, the keys, the version, and nothing that is not there.

mod devices;
mod discovery;
mod reading;
mod rooms;
mod world;

use protocol::keys::{KeyId, VerifyKey};
use reference_server::{Config, Federation};
use reqwest::{Client, Response};
use serde_json::Value;

use crate::client::Server;

/// A server with a certificate of its own making, and a client that takes it.
async fn federating(folder: &std::path::Path) -> (Server, Client) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut config = Config::new("test.example");
    config.federation = Some(Federation::new(([127, 0, 0, 1], 0).into(), certificate, key));
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let http = Client::builder().tls_certs_only([trusted]).build().unwrap();
    (Server::with(config).await, http)
}

async fn get(server: &Server, http: &Client, path: &str) -> Response {
    let port = server.running.federation_address().unwrap().port();
    http.get(format!("https://localhost:{port}{path}")).send().await.unwrap()
}

#[tokio::test]
async fn keys_are_published_and_sign_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (server, http) = federating(folder.path()).await;
    let response = get(&server, &http, "/_matrix/key/v2/server").await;
    assert_eq!(response.status(), 200);
    let Value::Object(keys) = response.json().await.unwrap() else { unreachable!("the answer is an object") };
    assert_eq!(keys["server_name"], "test.example");
    let (key_id, key) = keys["verify_keys"].as_object().unwrap().iter().next().unwrap();
    let key = VerifyKey::from_base64(key["key"].as_str().unwrap()).unwrap();
    let by_id = |id: &KeyId| (id.as_str() == key_id).then_some(key);
    protocol::signatures::verify(&keys, "test.example", by_id).unwrap();
}

#[tokio::test]
async fn what_is_not_served_is_unrecognized_between_servers_too() {
    let folder = tempfile::tempdir().unwrap();
    let (server, http) = federating(folder.path()).await;
    let version: Value = get(&server, &http, "/_matrix/federation/v1/version").await.json().await.unwrap();
    assert!(version["server"]["name"].is_string() && version["server"]["version"].is_string());
    for path in ["/_matrix/federation/v1/none", "/_matrix/client/versions"] {
        let response = get(&server, &http, path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.json::<Value>().await.unwrap()["errcode"], "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn a_peer_that_stops_in_the_handshake_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (server, http) = federating(folder.path()).await;
    let silent = tokio::net::TcpStream::connect(server.running.federation_address().unwrap()).await.unwrap();
    assert_eq!(get(&server, &http, "/_matrix/federation/v1/version").await.status(), 200);
    drop(silent);
}
