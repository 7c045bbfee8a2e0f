//! Uploads, downloads and thumbnails.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use reference_server::Config;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::client::{Server, User};

async fn upload(server: &Server, user: &User, query: &str, content_type: &str, content: Vec<u8>) -> Response {
    let request = server.request(Method::POST, &format!("/_matrix/media/v3/upload{query}"));
    request.bearer_auth(&user.token).header("content-type", content_type).body(content).send().await.unwrap()
}

/// Server name and media id, as in paths.
fn place(answer: &Value) -> String {
    answer["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned()
}

async fn get(server: &Server, user: &User, path: &str) -> Response {
    let path = format!("/_matrix/client/v1/media/{path}");
    server.request(Method::GET, &path).bearer_auth(&user.token).send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).unwrap().to_str().unwrap()
}

#[tokio::test]
async fn files_come_back_with_their_headers() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let uploaded = upload(&server, &alice, "?filename=a%20b.html", "text/html", b"<p>".to_vec()).await;
    let place = place(&uploaded.json().await.unwrap());
    let answer = get(&server, &alice, &format!("download/{place}")).await;
    assert_eq!(header(&answer, "content-type"), "text/html");
    assert_eq!(header(&answer, "content-disposition"), "attachment; filename=\"a b.html\"");
    assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
    assert!(header(&answer, "content-security-policy").starts_with("sandbox;"));
    assert_eq!(answer.bytes().await.unwrap().as_ref(), b"<p>");
    let frozen = server.request(Method::GET, &format!("/_matrix/media/v3/download/{place}")).send().await;
    assert_eq!(frozen.unwrap().status(), 404);
    for path in ["download/elsewhere.example/abc", "download/test.example/..%2Fhomeserver.db"] {
        assert_eq!(get(&server, &alice, path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn uploads_have_a_limit() {
    let mut config = Config::new("test.example");
    config.media.max_upload_bytes = 10;
    let server = Server::with(config).await;
    let alice = server.user("alice").await;
    assert_eq!(upload(&server, &alice, "", "text/plain", vec![0; 10]).await.status(), 200);
    assert_eq!(upload(&server, &alice, "", "text/plain", vec![0; 11]).await.status(), 413);
    assert_eq!(server.get(&alice, "/v1/media/config").await.1, json!({"m.upload.size": 10}));
}

#[tokio::test]
async fn a_download_waits_for_content_that_comes_later() {
    let server = Server::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let created = server.request(Method::POST, "/_matrix/media/v1/create").bearer_auth(&alice.token);
    let place = place(&created.send().await.unwrap().json().await.unwrap());
    let put = async |user: &User, content: &'static str| {
        let request = server.request(Method::PUT, &format!("/_matrix/media/v3/upload/{place}"));
        request.bearer_auth(&user.token).body(content).send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(&server, &bob, &format!("download/{place}?timeout_ms=1")).await.status(), 504);
    assert_eq!(put(&bob, "bob's").await, 403);
    let path = format!("download/{place}?timeout_ms=60000");
    let (waited, first) = tokio::join!(get(&server, &bob, &path), put(&alice, "first"));
    assert_eq!((first, waited.bytes().await.unwrap().as_ref()), (200, b"first".as_ref()));
    assert_eq!(put(&alice, "second").await, 409);
}

#[tokio::test]
async fn thumbnails_are_made_of_images_only() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let mut png = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(64, 32).write_to(&mut png, ImageFormat::Png).unwrap();
    let image = upload(&server, &alice, "", "image/png", png.into_inner()).await;
    let image = place(&image.json().await.unwrap());
    let answer = get(&server, &alice, &format!("thumbnail/{image}?width=16&height=16&method=crop")).await;
    assert_eq!(header(&answer, "content-disposition"), "inline; filename=\"thumbnail.png\"");
    let made = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((made.width(), made.height()), (16, 16));
    for query in ["", "?width=16", "?width=0&height=16", "?width=-1&height=16", "?width=8&height=8&method=x"]
    {
        assert_eq!(get(&server, &alice, &format!("thumbnail/{image}{query}")).await.status(), 400, "{query}");
    }
    let text = upload(&server, &alice, "", "text/plain", b"text".to_vec()).await;
    let text = place(&text.json().await.unwrap());
    assert_eq!(get(&server, &alice, &format!("thumbnail/{text}?width=8&height=8")).await.status(), 400);
}

#[tokio::test]
async fn files_outlast_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new("test.example");
    config.data = Some(folder.path().to_owned());
    let server = Server::with(config.clone()).await;
    let alice = server.user("alice").await;
    let uploaded = upload(&server, &alice, "", "text/plain", b"kept".to_vec()).await;
    let place = place(&uploaded.json().await.unwrap());
    server.running.shut_down().await;
    let server = Server::with(config).await;
    let answer = get(&server, &alice, &format!("download/{place}")).await;
    assert_eq!(answer.bytes().await.unwrap().as_ref(), b"kept");
}
