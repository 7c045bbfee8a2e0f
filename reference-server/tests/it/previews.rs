//! Previews of URLs, of pages that a server on loopback has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use image::{DynamicImage, ImageFormat};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reference_server::Config;
use rstest::rstest;
use serde_json::{Value, json};

use crate::client::{Server, User};
use crate::loopback;

const HTML: [(&str, &str); 1] = [("content-type", "text/html; charset=utf-8")];

/// Pages; `visits` counts those of the first.
async fn pages(visits: Arc<AtomicUsize>) -> String {
    let page = "<head><meta property='og:title' content='Title &lt;1&gt;'><meta property='og:image' content='/image'>";
    let counted = move || {
        visits.fetch_add(1, Ordering::SeqCst);
        async move { (HTML, page) }
    };
    let mut png = std::io::Cursor::new(Vec::new());
    DynamicImage::new_rgb8(3, 2).write_to(&mut png, ImageFormat::Png).unwrap();
    let png = png.into_inner();
    let router = Router::new()
        .route("/page", get(counted))
        .route("/image", get(|| async move { ([("content-type", "image/png")], png) }))
        .route("/moved", get(async || Redirect::temporary("/page")))
        .route("/circle", get(async || Redirect::temporary("/circle")))
        .route("/script", get(async || Redirect::temporary("file:///etc/passwd")))
        .route("/data", get(async || ([("content-type", "application/json")], "{\"title\": 1}")))
        .route("/large", get(async || (HTML, format!("<title>Large</title>{}", " ".repeat(4_000_000)))))
        .route(
            "/no-image",
            get(async || (HTML, "<title>A</title><meta property='og:image' content='/data'>")),
        );
    loopback::serve(router).await
}

async fn preview(server: &Server, user: &User, url: &str) -> (u16, Value) {
    let url = utf8_percent_encode(url, NON_ALPHANUMERIC);
    let path = format!("/_matrix/client/v1/media/preview_url?url={url}");
    let answer = server.request(reqwest::Method::GET, &path).bearer_auth(&user.token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn open_server() -> Server {
    let mut config = Config::new("test.example");
    config.outgoing.private_addresses = true;
    Server::with(config).await
}

#[tokio::test]
async fn a_page_is_shown_with_its_image() {
    let visits = Arc::new(AtomicUsize::new(0));
    let pages = pages(Arc::clone(&visits)).await;
    let server = open_server().await;
    let alice = server.user("alice").await;
    let (status, first) = preview(&server, &alice, &format!("{pages}/page#part")).await;
    assert_eq!((status, &first["og:title"]), (200, &json!("Title <1>")));
    for (name, value) in [("og:image:width", json!(3)), ("og:image:height", json!(2))] {
        assert_eq!(first[name], value, "{name}");
    }
    assert_eq!(first["og:image:type"], "image/png");
    let place = first["og:image"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
    let image = server.request(reqwest::Method::GET, &format!("/_matrix/client/v1/media/download/{place}"));
    let image = image.bearer_auth(&alice.token).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(first["matrix:image:size"], json!(image.len()));

    assert_eq!(preview(&server, &alice, &format!("{pages}/page")).await.1, first);
    assert_eq!(visits.load(Ordering::SeqCst), 1);
    assert_eq!(preview(&server, &alice, &format!("{pages}/moved")).await.1["og:title"], "Title <1>");
}

#[rstest]
#[case::circle("/circle", json!({}))]
#[case::other_scheme("/script", json!({}))]
#[case::no_page("/data", json!({}))]
#[case::not_there("/nothing", json!({}))]
#[case::large("/large", json!({"og:title": "Large"}))]
#[case::no_image("/no-image", json!({"og:title": "A"}))]
#[tokio::test]
async fn what_is_no_page_has_an_empty_preview(#[case] path: &str, #[case] expected: Value) {
    let pages = pages(Arc::default()).await;
    let server = open_server().await;
    let alice = server.user("alice").await;
    assert_eq!(preview(&server, &alice, &format!("{pages}{path}")).await, (200, expected));
}

#[tokio::test]
async fn private_networks_are_not_looked_at() {
    let visits = Arc::new(AtomicUsize::new(0));
    let pages = pages(Arc::clone(&visits)).await;
    let server = Server::start().await;
    let alice = server.user("alice").await;
    for (url, expected) in [
        (format!("{pages}/page"), 403),
        (format!("{}/page", pages.replace("127.0.0.1", "localhost")), 200),
        ("http://169.254.169.254/".to_owned(), 403),
        ("http://[::ffff:127.0.0.1]/".to_owned(), 403),
        ("http://0x7f.1/".to_owned(), 403),
        ("ftp://example.org/".to_owned(), 400),
        ("nonsense".to_owned(), 400),
    ] {
        let (status, answer) = preview(&server, &alice, &url).await;
        assert_eq!(status, expected, "{url} {answer}");
        assert!(answer.get("og:title").is_none());
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}
