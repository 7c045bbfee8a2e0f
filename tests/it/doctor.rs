//! `determinant doctor`: the built-in server, servers with one thing wrong, and the ways by which they are found.

mod house;

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};

use crate::ended;
use house::{Answer, Certificate, House, Zone, authority, closed_port, serve_zone};

/// Examines `subject`; gives the exit code, what was said, and the object of the last line.
fn examined(subject: &str, more: &[String]) -> (i32, String, Value) {
    let (_, ca_file) = authority();
    let fixed = ["doctor", subject, "--json", "--ca-file", ca_file];
    let (code, said, errors) =
        ended(&fixed.into_iter().chain(more.iter().map(String::as_str)).collect::<Vec<_>>());
    let last = said.lines().last().unwrap_or_default();
    let told = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said}{errors}"));
    (code, said, told)
}

/// The requirements that came out so.
fn ids(told: &Value, verdicts: &[&str]) -> BTreeSet<String> {
    let findings = told["findings"].as_array().expect("findings");
    let so = findings.iter().filter(|finding| verdicts.iter().any(|verdict| finding["verdict"] == *verdict));
    so.filter_map(|finding| finding["id"].as_str().map(str::to_owned)).collect()
}

fn connect(host: &str, port: u16, to: u16) -> [String; 2] {
    ["--connect-to".to_owned(), format!("{host}:{port}:127.0.0.1:{to}")]
}

#[tokio::test]
async fn the_built_in_server_is_well() {
    let port = closed_port();
    let name = format!("localhost:{port}");
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = Certificate::of(&["localhost"]).write(folder.path());
    let mut config = reference_server::Config::new(&name);
    let listen = format!("127.0.0.1:{port}").parse().expect("an address");
    config.federation = Some(reference_server::Federation::new(listen, certificate, key));
    config.authentication.oauth = true;
    let server = reference_server::start(config).await.expect("a server");
    let base = format!("http://{}", server.client_address());
    let pages = House::open(Certificate::of(&["localhost"]), {
        let base = base.clone();
        move |_, path| match path {
            "/.well-known/matrix/client" => Answer::json(200, json!({"m.homeserver": {"base_url": base}})),
            _ => Answer::json(404, json!({})),
        }
    });

    let more = connect("localhost", 443, pages.port);
    let (code, said, told) =
        tokio::task::spawn_blocking(move || examined(&name, &more)).await.expect("an end");
    assert_eq!(code, 0, "{said}");
    assert_eq!(ids(&told, &["fail", "advice", "observed"]), BTreeSet::new(), "{said}");
    let well = ids(&told, &["pass"]);
    for id in [
        "discovery/leads-to-an-address",
        "federation/certificate-is-trusted",
        "federation/version-has-its-shape",
        "federation/unknown-endpoint-is-told",
        "keys/are-signed-by-themselves",
        "keys/are-valid-now",
        "client/well-known-has-its-shape",
        "client/versions-have-their-shape",
        "client/answers-can-be-read-by-browsers",
        "client/browsers-may-ask-beforehand",
        "client/unknown-endpoint-is-told",
        "client/auth-metadata-has-its-shape",
        "clock/agrees",
    ] {
        assert!(well.contains(id), "{id} was not looked at: {said}");
    }
    assert!(said.contains("2    the name has the port"), "{said}");

    // By its URL alone, the host is taken for the name; nothing federates there.
    let (code, said, told) = tokio::task::spawn_blocking(move || examined(&base, &[])).await.expect("an end");
    assert_eq!((code, &told["server_name"]), (1, &json!("127.0.0.1")), "{said}");
    assert!(ids(&told, &["pass"]).contains("client/versions-have-their-shape"), "{said}");
    assert!(ids(&told, &["fail"]).contains("federation/is-reached-from-here"), "{said}");
    server.shut_down().await;
}

/// Everything is well with this server, except for what is replaced.
fn usual(method: &str, path: &str) -> Answer {
    if method == "OPTIONS" {
        return Answer::json(200, json!({}));
    }
    match path {
        "/.well-known/matrix/server" => Answer::json(200, json!({"m.server": "house.test:8448"})),
        "/.well-known/matrix/client" => {
            Answer::json(200, json!({"m.homeserver": {"base_url": "https://house.test/"}}))
        }
        "/_matrix/federation/v1/version" => {
            Answer::json(200, json!({"server": {"name": "House", "version": "1"}}))
        }
        "/_matrix/key/v2/server" => Answer::json(200, house::keys("house.test", 24 * 60 * 60)),
        "/_matrix/client/versions" => Answer::json(200, json!({"versions": ["v1.18", "v1.19"]})),
        _ => Answer::json(404, json!({"errcode": "M_UNRECOGNIZED", "error": "there is no such endpoint"})),
    }
}

/// Examines a server on every port at which `house.test` is looked for.
fn examined_house(
    certificate: Certificate,
    answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
) -> (i32, String, Value) {
    let house = House::open(certificate, answer);
    let nameserver = serve_zone(Zone::default());
    let more: Vec<String> =
        [443, 8448].iter().flat_map(|port| connect("house.test", *port, house.port)).collect();
    examined("house.test", &[more, vec!["--nameserver".to_owned(), nameserver.to_string()]].concat())
}

#[test]
fn a_server_that_is_well_has_nothing_to_be_told() {
    let (code, said, told) = examined_house(Certificate::of(&["house.test"]), usual);
    assert_eq!((code, ids(&told, &["fail", "advice", "observed"])), (0, BTreeSet::new()), "{said}");
    assert!(
        said.contains("3    https://house.test/.well-known/matrix/server delegates to house.test:8448"),
        "{said}"
    );
    assert!(said.contains("3.2  house.test:8448 is at 127.0.0.1:"), "{said}");
}

const TRUST: &[&str] = &["client/certificate-is-trusted", "federation/certificate-is-trusted"];

#[rstest]
#[case::expired(Certificate::of(&["house.test"]).until_days_from_now(-3), 1, TRUST, "it expired 3 days ago")]
#[case::of_another(Certificate::of(&["elsewhere.test"]), 1, TRUST, "it is for elsewhere.test, not for house.test")]
#[case::of_nobody(Certificate::of(&["house.test"]).self_signed(), 1, TRUST, "it is signed by itself")]
#[case::nearly_expired(
    Certificate::of(&["house.test"]).until_days_from_now(5),
    0,
    &["certificate/lasts"],
    "4 days are left"
)]
fn what_is_wrong_with_a_certificate_is_told(
    #[case] certificate: Certificate,
    #[case] expected: i32,
    #[case] wrong: &[&str],
    #[case] words: &str,
) {
    let (code, said, told) = examined_house(certificate, usual);
    let wrong: BTreeSet<String> = wrong.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!((code, ids(&told, &["fail", "advice", "observed"])), (expected, wrong), "{said}");
    assert!(said.contains(words), "{words:?} is not in {said}");
}

const KEYS: &str = "/_matrix/key/v2/server";
const VERSIONS: &str = "/_matrix/client/versions";
const SERVER: &str = "/.well-known/matrix/server";
const CLIENT: &str = "/.well-known/matrix/client";
const METADATA: &str = "/_matrix/client/v1/auth_metadata";
const NOWHERE: &str = "/_matrix/federation/v1/determinant-doctor";

#[rstest]
#[case::signature(KEYS, |_| Answer::json(200, house::spoilt_keys("house.test")), 1, "keys/are-signed-by-themselves", "does not match")]
#[case::unsigned(KEYS, |_| Answer::json(200, house::unsigned_keys("house.test")), 1, "keys/are-signed-by-themselves", "no signature")]
#[case::expired_keys(KEYS, |_| Answer::json(200, house::keys("house.test", -60)), 1, "keys/are-valid-now", "they expired 6")]
#[case::stale_keys(KEYS, |_| Answer::json(200, house::keys("house.test", 600)), 0, "keys/do-not-expire-within-an-hour", "min")]
#[case::keys_of_another(KEYS, |_| Answer::json(200, house::keys("other.test", 86400)), 1, "keys/have-their-shape", "other.test, not of house.test")]
#[case::no_keys(KEYS, |_| Answer::page(502), 1, "keys/have-their-shape", "502 <html>")]
#[case::no_cross_origin(VERSIONS, |answer: Answer| answer.without("access-control-allow-origin"), 0, "client/answers-can-be-read-by-browsers", "no Access-Control-Allow-Origin")]
#[case::no_versions(VERSIONS, |_| Answer::json(200, json!({"versions": "v1.19"})), 1, "client/versions-have-their-shape", "/versions")]
#[case::not_declared(VERSIONS, |answer: Answer| answer.with("content-type", "text/plain"), 1, "client/answers-are-declared-as-json", "text/plain")]
#[case::no_cross_origin_well_known(CLIENT, |answer: Answer| answer.without("access-control-allow-origin"), 0, "client/well-known-can-be-read-by-browsers", "no Access-Control-Allow-Origin")]
#[case::client_no_json(CLIENT, |answer: Answer| answer.saying("{\"m.homeserver\": "), 1, "client/well-known-has-its-shape", "not JSON")]
#[case::client_no_url(CLIENT, |_| Answer::json(200, json!({"m.homeserver": {"base_url": "house.test"}})), 1, "client/well-known-has-its-shape", "no URL")]
#[case::server_no_json(SERVER, |answer: Answer| answer.saying("m.server: house.test"), 1, "discovery/delegation-has-its-shape", "no JSON")]
#[case::server_no_name(SERVER, |_| Answer::json(200, json!({"m.server": "https://house.test"})), 1, "discovery/delegation-has-its-shape", "server name")]
#[case::server_not_declared(SERVER, |answer: Answer| answer.with("content-type", "text/plain"), 0, "discovery/delegation-is-declared-as-json", "text/plain")]
#[case::proxy(NOWHERE, |_| Answer::page(404), 1, "federation/unknown-endpoint-is-told", "404 <html>")]
#[case::metadata(METADATA, |_| Answer::json(200, json!({"issuer": "https://house.test/"})), 1, "client/auth-metadata-has-its-shape", "authorization_endpoint")]
#[case::clock(VERSIONS, |answer: Answer| answer.seconds_ahead(3600), 0, "clock/agrees", "s ahead of the clock")]
fn one_thing_that_is_wrong_is_told(
    #[case] path: &'static str,
    #[case] change: fn(Answer) -> Answer,
    #[case] expected: i32,
    #[case] id: &str,
    #[case] words: &str,
) {
    let (code, said, told) = examined_house(Certificate::of(&["house.test"]), move |method, asked| {
        let answer = usual(method, asked);
        if asked == path && method == "GET" { change(answer) } else { answer }
    });
    let wrong = BTreeSet::from([id.to_owned()]);
    assert_eq!((code, ids(&told, &["fail", "advice", "observed"])), (expected, wrong), "{said}");
    assert!(said.contains(words), "{words:?} is not in {said}");
}

#[test]
fn a_proxy_that_keeps_browsers_out_is_told() {
    let (code, said, told) = examined_house(Certificate::of(&["house.test"]), |method, path| match method {
        "OPTIONS" => Answer::page(405),
        _ => usual(method, path),
    });
    assert_eq!(code, 1, "{said}");
    assert_eq!(
        ids(&told, &["fail"]),
        BTreeSet::from(["client/browsers-may-ask-beforehand".to_owned()]),
        "{said}"
    );
}

#[rstest]
#[case::new("_matrix-fed._tcp.house.test", false, "4", 0, None)]
#[case::old("_matrix._tcp.house.test", false, "5", 0, Some("discovery/old-service-is-not-needed"))]
#[case::alias("_matrix-fed._tcp.house.test", true, "4", 1, Some("discovery/service-is-no-alias"))]
fn a_server_is_found_by_its_service(
    #[case] service: &'static str,
    #[case] alias: bool,
    #[case] step: &str,
    #[case] expected: i32,
    #[case] id: Option<&str>,
) {
    let house = House::open(Certificate::of(&["house.test"]), |method, path| match path {
        SERVER => Answer::json(404, json!({})),
        _ => usual(method, path),
    });
    let nameserver = serve_zone(Zone { service, port: house.port, alias });
    let more = connect("house.test", 443, house.port);
    let more = [more.as_slice(), &["--nameserver".to_owned(), nameserver.to_string()]].concat();
    let (code, said, told) = examined("house.test", &more);
    let wrong = id.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!((code, ids(&told, &["fail", "advice", "observed"])), (expected, wrong), "{said}");
    let steps = told["steps"].as_array().expect("steps");
    let leads = |found: &Value| {
        found["number"] == step
            && found["text"]
                .as_str()
                .is_some_and(|text| text.contains(&format!("{service} leads to machine.test:{}", house.port)))
    };
    assert!(steps.iter().any(leads), "{said}");
}

#[test]
fn nothing_that_answers_is_told_apart_from_something_broken() {
    let port = closed_port();
    let more: Vec<String> = [443, port].iter().flat_map(|from| connect("house.test", *from, port)).collect();
    let (code, said, told) = examined(&format!("house.test:{port}"), &more);
    assert_eq!((code, &told["reached"]), (3, &json!(false)), "{said}");
    assert!(said.contains("nothing of house.test"), "{said}");
}

#[rstest]
#[case::no_name(&["doctor", "not a name"], "must end in a server name")]
#[case::no_api(&["doctor", "ftp://example.org"], "URL of a client-server API")]
#[case::no_place(&["doctor", "example.org", "--connect-to", "example.org:443"], "HOST:PORT:ADDRESS:PORT")]
#[case::no_file(&["doctor", "example.org", "--ca-file", "no/such/file.pem"], "no/such/file.pem")]
fn wrong_usage_is_told(#[case] arguments: &[&str], #[case] words: &str) {
    let (code, _, errors) = ended(arguments);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors:?}");
}
