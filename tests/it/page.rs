//! The page of several servers in a browser, driven by WebDriver: it opens at once, and fits a phone.
//!
//! Needs `chromedriver` and Chromium (Debian: chromium, chromium-driver); without them, the test says so and checks nothing.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reports::recorded::Recorded;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::ended;

/// A browser without a window.
struct Browser {
    driver: Child,
    session: String,
    http: Client,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// None where there is no driver on this machine.
    async fn open() -> Option<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn().ok()?;
        let http = Client::builder().no_proxy().build().expect("a client");
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{port}"), http };
        let deadline = Instant::now() + Duration::from_secs(30);
        while browser.http.get(format!("{}/status", browser.session)).send().await.is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let arguments = json!(["--headless=new", "--no-sandbox", "--disable-gpu"]);
        let capabilities = json!({"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}});
        let session = browser.ask(Method::POST, "/session", json!({"capabilities": capabilities})).await;
        browser.session += &format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        Some(browser)
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let mut request = self.http.request(method, format!("{}{path}", self.session));
        if !body.is_null() {
            request = request.json(&body);
        }
        let mut answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path}: {}", answer["value"]);
        answer["value"].take()
    }

    /// Shows a file in a window that is so wide.
    async fn show(&self, file: &Path, width: u32) {
        let metrics = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        self.ask(Method::POST, "/goog/cdp/execute", command).await;
        self.ask(Method::POST, "/url", json!({"url": format!("file://{}", file.display())})).await;
    }

    /// What a function body gives in the page.
    async fn evaluate(&self, script: &str) -> Value {
        self.ask(Method::POST, "/execute/sync", json!({"script": script, "args": []})).await
    }

    async fn close(self) {
        self.ask(Method::DELETE, "", Value::Null).await;
    }
}

#[tokio::test]
#[allow(clippy::print_stderr)]
async fn the_page_of_recorded_servers_fits_desktops_and_phones() {
    let Some(browser) = Browser::open().await else {
        // A test that checks nothing says so.
        eprintln!("not tested: there is no chromedriver on this machine");
        return;
    };
    let folder = tempdir().expect("a folder");
    let page = folder.path().join("servers.html");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/recorded");
    let recorded = reports::recorded::read(&root).expect("what was recorded");
    let records: Vec<String> = recorded
        .iter()
        .map(|Recorded { server, version, .. }| format!("{}/{server}/{version}/record.json", root.display()))
        .collect();
    let words = ["compare", "--html", page.to_str().expect("a path")].into_iter();
    let (code, _, errors) = ended(&words.chain(records.iter().map(String::as_str)).collect::<Vec<_>>());
    assert_eq!(code, 0, "{errors}");
    for width in [1280, 390] {
        browser.show(&page, width).await;
        // Wide tables scroll by themselves; the page does not.
        let wide = browser.evaluate("return document.documentElement.scrollWidth").await;
        assert!(wide.as_u64() <= Some(width.into()), "the page is {wide} px wide at {width} px");
        let title = browser.evaluate("return document.querySelector('h1').textContent").await;
        assert_eq!(title, "Servers side by side");
        // What only the script shows is there: the checks, read from what is packed into the page.
        let deadline = Instant::now() + Duration::from_secs(20);
        while browser.evaluate("return document.querySelectorAll('#rows tr').length").await.as_u64()
            < Some(100)
        {
            assert!(Instant::now() < deadline, "no checks are shown at {width} px");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let shot = browser.ask(Method::GET, "/screenshot", Value::Null).await;
        assert!(
            shot.as_str().is_some_and(|picture| picture.len() > 10_000),
            "an empty picture at {width} px"
        );
    }
    browser.close().await;
}
