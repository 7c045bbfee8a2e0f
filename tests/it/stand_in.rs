//! Services that are stood in for, one at a time, as a server meets them.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use reqwest::{Client, Method, RequestBuilder};
use rstest::rstest;
use serde_json::{Value, json};

use crate::determinant;

/// A stand-in, which ends with the test.
struct StandIn {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
    configuration: String,
    http: Client,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl StandIn {
    fn start(service: &str) -> Self {
        Self::started(determinant(&["stand-in", service, "--json"]))
    }

    fn started(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the binary can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let first = lines.next().expect("a line").expect("text");
        let told: Value = serde_json::from_str(&first).expect("JSON");
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let mut http = Client::builder().no_proxy();
        if let Some(certificate) = told["certificate"].as_str() {
            let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).expect("a certificate");
            http = http.tls_certs_only([certificate]);
        }
        let (url, configuration) = (text("url"), text("configuration"));
        StandIn { process, lines, url, configuration, http: http.build().expect("a client") }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Asks anybody something that has to succeed.
    async fn ask(&self, method: Method, url: &str, token: Option<&str>, body: &Value) -> Value {
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{url}: {status} {body}");
        body
    }

    /// Sends a request; gives its status, and what the stand-in says of it.
    async fn send(&mut self, request: RequestBuilder) -> (u16, Value) {
        let status = request.send().await.expect("an answer").status().as_u16();
        let line = self.lines.next().expect("a line").expect("text");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(said["status"], status);
        (status, said)
    }
}

#[tokio::test]
async fn an_application_service_takes_what_bears_its_token() {
    let mut service = StandIn::start("appservice");
    assert!(
        service.configuration.contains(&format!("url: \"{}\"", service.url)),
        "{}",
        service.configuration
    );
    let token = service.configuration.lines().find_map(|line| line.strip_prefix("hs_token: "));
    let token = token.expect("a token").to_owned();
    let path = "/_matrix/app/v1/transactions/1";

    let well = service.request(Method::PUT, path).bearer_auth(&token).json(&json!({"events": []}));
    let (status, said) = service.send(well).await;
    assert_eq!((status, &said["operation"], &said["problems"]), (200, &json!("sendTransaction"), &json!([])));
    assert_eq!(said["body"], r#"{"events":[]}"#);

    let stranger = service.request(Method::PUT, path).bearer_auth("another").json(&json!({"events": []}));
    let (status, said) = service.send(stranger).await;
    assert_eq!(status, 403);
    assert!(said["problems"][0].as_str().is_some_and(|problem| problem.contains("hs_token")), "{said}");

    let shapeless = service.request(Method::PUT, path).bearer_auth(&token).json(&json!({"events": {}}));
    let (_, said) = service.send(shapeless).await;
    assert!(said["problems"][0].as_str().is_some_and(|problem| problem.contains("/events")), "{said}");
}

/// The built-in server reads the registration as it is printed, and finds the application service by it.
#[tokio::test]
async fn a_server_finds_the_application_service_by_its_registration() {
    let mut service = StandIn::start("appservice");
    let folder = tempfile::tempdir().expect("a folder");
    let registration = folder.path().join("registration.yaml");
    std::fs::write(&registration, &service.configuration).expect("a file");
    let mut config = reference_server::Config::new("localhost");
    config.application_services = vec![registration];
    let server = reference_server::start(config).await.expect("a server");

    let token = service.configuration.lines().find_map(|line| line.strip_prefix("as_token: "));
    let url = format!("http://{}/_matrix/client/v1/appservice/determinant/ping", server.client_address());
    let ping = service.http.post(url).bearer_auth(token.expect("a token")).json(&json!({}));
    let status = ping.send().await.expect("an answer").status();
    assert!(status.is_success(), "{status}");
    let line = service.lines.next().expect("a line").expect("text");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&said["operation"], &said["problems"]), (&json!("ping"), &json!([])));
    server.shut_down().await;
}

#[rstest]
#[case::known("/_matrix/identity/v2/pubkey/isvalid?public_key=x", false, 200, "")]
#[case::nameless("/_matrix/identity/v2/hash_details", false, 401, "access token")]
#[case::with_token("/_matrix/identity/v2/hash_details", true, 200, "")]
#[case::shapeless("/_matrix/identity/v2/pubkey/isvalid", false, 200, "public_key")]
#[case::elsewhere("/_matrix/identity/v1/nothing", false, 404, "no operation")]
#[tokio::test]
async fn an_identity_server_judges_what_it_is_asked(
    #[case] path: &str,
    #[case] with_token: bool,
    #[case] expected: u16,
    #[case] problem: &str,
) {
    let mut identity = StandIn::start("identity");
    let mut request = identity.request(Method::GET, path);
    if with_token {
        let (_, json) = identity.configuration.split_once("\n\n").expect("fields");
        let fields: Value = serde_json::from_str(json).expect("JSON");
        request = request.bearer_auth(fields["id_access_token"].as_str().expect("a token"));
    }
    let (status, said) = identity.send(request).await;
    assert_eq!(status, expected);
    let problems = said["problems"].as_array().expect("a list");
    assert_eq!(problems.is_empty(), problem.is_empty(), "{said}");
    assert!(said["problems"].to_string().contains(problem), "{said}");
}

/// A user registers with the token of their homeserver, shows that an address is theirs, and is found by it.
#[tokio::test]
async fn an_identity_server_keeps_whose_an_address_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let mut config = reference_server::Config::new("localhost");
    let listen = "127.0.0.1:0".parse().expect("an address");
    config.federation = Some(reference_server::Federation::new(listen, &certificate, key));
    let server = reference_server::start(config).await.expect("a server");

    let mut command = determinant(&["stand-in", "identity", "--json", "--homeserver"]);
    let federation = server.federation_address().expect("it federates");
    command.arg(format!("https://localhost:{}", federation.port())).env("SSL_CERT_FILE", &certificate);
    let mut identity = StandIn::started(command);

    let client = format!("http://{}/_matrix/client/v3", server.client_address());
    let body = json!({"username": "alice", "password": "long-enough", "auth": {"type": "m.login.dummy"}});
    let account = identity.ask(Method::POST, &format!("{client}/register"), None, &body).await;
    let path = format!("{client}/user/@alice:localhost/openid/request_token");
    let openid = identity.ask(Method::POST, &path, account["access_token"].as_str(), &json!({})).await;

    let url = format!("{}/_matrix/identity/v2", identity.url);
    let registered = identity.ask(Method::POST, &format!("{url}/account/register"), None, &openid).await;
    let token = registered["token"].as_str().expect("a token");
    identity.lines.next();
    let body = json!({"email": "alice@example.org", "client_secret": "secret", "send_attempt": 1});
    let path = format!("{url}/validate/email/requestToken");
    let session = identity.ask(Method::POST, &path, Some(token), &body).await;
    let line = identity.lines.next().expect("a line").expect("text");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(said["letters"][0]["to"], "alice@example.org");

    let body =
        json!({"sid": session["sid"], "client_secret": "secret", "token": said["letters"][0]["token"]});
    let path = format!("{url}/validate/email/submitToken");
    let submitted = identity.ask(Method::POST, &path, Some(token), &body).await;
    assert_eq!(submitted, json!({"success": true}));
    let body = json!({"sid": session["sid"], "client_secret": "secret", "mxid": "@alice:localhost"});
    let bound = identity.ask(Method::POST, &format!("{url}/3pid/bind"), Some(token), &body).await;
    assert!(bound["signatures"].is_object(), "{bound}");

    let details = identity.ask(Method::GET, &format!("{url}/hash_details"), Some(token), &Value::Null).await;
    let body = json!({
        "algorithm": "none", "pepper": details["lookup_pepper"],
        "addresses": ["alice@example.org email", "bob@example.org email"],
    });
    let found = identity.ask(Method::POST, &format!("{url}/lookup"), Some(token), &body).await;
    assert_eq!(found, json!({"mappings": {"alice@example.org email": "@alice:localhost"}}));
    server.shut_down().await;
}

#[tokio::test]
async fn a_push_gateway_judges_notifications() {
    let mut gateway = StandIn::start("push");
    let path = "/_matrix/push/v1/notify";
    assert!(gateway.configuration.contains(path), "{}", gateway.configuration);
    let device = json!({"app_id": "a", "pushkey": "k"});
    let well = gateway.request(Method::POST, path).json(&json!({"notification": {"devices": [device]}}));
    let (status, said) = gateway.send(well).await;
    assert_eq!((status, &said["problems"]), (200, &json!([])));
    let nobody = gateway.request(Method::POST, path).json(&json!({"notification": {}}));
    let (_, said) = gateway.send(nobody).await;
    assert!(said["problems"].to_string().contains("devices"), "{said}");
}

#[tokio::test]
async fn a_policy_server_has_a_room_that_names_it() {
    let mut policy = StandIn::start("policy");
    let (_, json) = policy.configuration.split_once("m.room.policy ").expect("the event");
    let content: Value = serde_json::from_str(json).expect("JSON");
    let port = policy.url.rsplit(':').next().expect("a port").to_owned();
    assert_eq!(content["via"], format!("localhost:{port}"));
    assert!(content["public_keys"]["ed25519"].is_string(), "{content}");

    let (status, said) = policy.send(policy.request(Method::GET, "/_matrix/key/v2/server")).await;
    assert_eq!((status, &said["problems"]), (200, &json!([])));
    let unsigned = policy.request(Method::POST, "/_matrix/policy/v1/sign").json(&json!({}));
    let (status, said) = policy.send(unsigned).await;
    assert_eq!(status, 401);
    assert!(said["problems"].to_string().contains("Authorization"), "{said}");
}

#[test]
fn a_person_reads_what_to_do() {
    let mut process =
        determinant(&["stand-in", "push"]).stdout(Stdio::piped()).spawn().expect("the binary can be started");
    let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut lines = lines.map(|line| line.expect("text"));
    let first = lines.next().expect("a line");
    assert!(first.starts_with("Listens on https://127.0.0.1:"), "{first}");
    assert!(lines.any(|line| line.contains("BEGIN CERTIFICATE")));
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is there");
    assert!(process.wait().expect("it ends").success());
}
