//! Credentials for servers that relay calls.

use reference_server::{Config, Turn};
use serde_json::json;

use crate::client::Server;

#[tokio::test]
async fn credentials_can_be_checked_with_the_secret() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    assert_eq!(server.get(&alice, "/v3/voip/turnServer").await.0, 404);

    let mut config = Config::new("test.example");
    config.turn = Some(Turn::new(vec!["turn:turn.example:3478".to_owned()], "secret"));
    let server = Server::with(config).await;
    let alice = server.user("alice").await;
    let (_, answer) = server.get(&alice, "/v3/voip/turnServer").await;
    assert_eq!((&answer["uris"], &answer["ttl"]), (&json!(["turn:turn.example:3478"]), &json!(86_400)));
    let name = answer["username"].as_str().unwrap();
    assert!(name.ends_with(":@alice:test.example"), "{name}");
    let mut code = <hmac::Hmac<sha1::Sha1> as hmac::KeyInit>::new_from_slice(b"secret").unwrap();
    hmac::Mac::update(&mut code, name.as_bytes());
    let expected = protocol::base64::encode(hmac::Mac::finalize(code).into_bytes());
    assert_eq!(answer["password"], format!("{expected}="));
}
