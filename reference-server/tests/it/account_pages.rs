//! The pages of the authorization server on which users manage their accounts.

use reference_server::Config;
use reqwest::{Method, Response, Url};
use serde_json::{Value, json};

use crate::client::{Server, User, password_stage};

const LIST: &str = "org.matrix.devices_list";
const DELETE: &str = "org.matrix.device_delete";
const DEACTIVATE: &str = "org.matrix.account_deactivate";

async fn with_pages() -> (Server, String) {
    let mut config = Config::new("test.example");
    config.authentication.oauth = true;
    let server = Server::with(config).await;
    let metadata = server.call(None, Method::GET, "/v1/auth_metadata", None).await.1;
    let actions = metadata["account_management_actions_supported"].as_array().unwrap();
    assert!(
        [LIST, DELETE, DEACTIVATE].iter().all(|action| actions.iter().any(|it| it == action)),
        "{metadata}"
    );
    let page = metadata["account_management_uri"].as_str().unwrap().to_owned();
    (server, page)
}

async fn open(server: &Server, page: &str, fields: &[(&str, &str)]) -> Response {
    let url = Url::parse_with_params(page, fields).unwrap();
    server.http.get(url).send().await.unwrap()
}

/// Answers the page of a wish as alice, with some password.
async fn answer(server: &Server, page: &str, password: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let mut body = Url::parse("http://localhost").unwrap();
    body.query_pairs_mut().extend_pairs(fields).extend_pairs([
        ("username", "alice"),
        ("password", password),
        ("action", "allow"),
    ]);
    let request = server.http.post(page).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body.query().unwrap().to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn second_device(server: &Server) -> User {
    let login = password_stage("alice", "password-of-alice");
    User::from(&server.call(None, Method::POST, "/v3/login", Some(login)).await.1)
}

#[tokio::test]
async fn a_device_is_listed_and_logged_out_by_its_owner() {
    let (server, page) = with_pages().await;
    let alice = server.user("alice").await;
    let tablet = second_device(&server).await;
    assert_eq!(open(&server, &page, &[]).await.status(), 200);
    let (status, list) = answer(&server, &page, "password-of-alice", &[("wish", LIST)]).await;
    assert!(status == 200 && list.contains(&alice.device) && list.contains(&tablet.device), "{list}");

    let wish = [("wish", DELETE), ("device_id", tablet.device.as_str())];
    let (_, refused) = answer(&server, &page, "a guess", &wish).await;
    assert!(refused.contains("password is wrong"), "{refused}");
    assert_eq!(server.get(&tablet, "/v3/account/whoami").await.0, 200);

    assert_eq!(answer(&server, &page, "password-of-alice", &wish).await.0, 200);
    assert_eq!(server.get(&tablet, "/v3/account/whoami").await.0, 401);
    assert_eq!(server.get(&alice, "/v3/account/whoami").await.0, 200);
    assert_eq!(answer(&server, &page, "password-of-alice", &wish).await.0, 404, "it is gone already");
}

#[tokio::test]
async fn an_account_is_ended_by_its_owner() {
    let (server, page) = with_pages().await;
    let alice = server.user("alice").await;
    assert_eq!(open(&server, &page, &[("action", DEACTIVATE)]).await.status(), 200);
    assert_eq!(answer(&server, &page, "password-of-alice", &[("wish", DEACTIVATE)]).await.0, 200);
    assert_eq!(server.get(&alice, "/v3/account/whoami").await.0, 401);
    let login = password_stage("alice", "password-of-alice");
    let (status, answer) = server.call(None, Method::POST, "/v3/login", Some(login)).await;
    assert_eq!((status.as_u16(), &answer["errcode"]), (403, &json!("M_USER_DEACTIVATED")));
}

#[tokio::test]
async fn what_is_not_offered_or_not_said_is_refused() {
    let (server, page) = with_pages().await;
    for fields in [&[("action", "org.matrix.profile")][..], &[("action", DELETE)]] {
        let answer = open(&server, &page, fields).await;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status == 400 && body["errcode"].is_string(), "{fields:?}: {body}");
    }
}
