//! Servers that misbehave as a whole, and how the run must end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use reports::Verdict as Outcome;
use rstest::rstest;
use serde_json::json;
use suite::{RunError, cast::Homeserver, conformance, verdict::Verdict};

use crate::{
    puppet::{Puppet, Reply, obliging},
    tape,
};

/// The server answers a request.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn answers(hs: &Homeserver) -> Verdict {
    hs.get("/_matrix/client/v3/login").answer().await?;
    Ok(())
}

fn silence(_: &str) -> Reply {
    Reply::Silence
}

fn garbage(_: &str) -> Reply {
    Reply::Raw(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec())
}

fn half_an_answer(_: &str) -> Reply {
    Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"versions\": [".to_vec())
}

fn no_answer(_: &str) -> Reply {
    Reply::Raw(Vec::new())
}

fn endless(_: &str) -> Reply {
    Reply::Endless
}

fn a_web_site(_: &str) -> Reply {
    Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>hi</html>".to_vec())
}

fn no_known_release(request: &str) -> Reply {
    match request.contains("/versions") {
        true => Reply::Json(200, json!({"versions": ["unstable", 7, "v99.1"]})),
        false => obliging(request),
    }
}

fn closed_registration(request: &str) -> Reply {
    match request.contains("/register") {
        true => Reply::Json(403, json!({"errcode": "M_FORBIDDEN", "error": "registration is disabled"})),
        false => obliging(request),
    }
}

#[rstest]
#[case::silence(silence, "no complete answer within")]
#[case::garbage(garbage, "/_matrix/client/versions")]
#[case::half_an_answer(half_an_answer, "/_matrix/client/versions")]
#[case::no_answer(no_answer, "/_matrix/client/versions")]
#[case::endless(endless, "/_matrix/client/versions")]
#[case::a_web_site(a_web_site, "is this a Matrix homeserver?")]
#[case::no_known_release(no_known_release, "name one with --spec")]
#[case::closed_registration(closed_registration, "open registration with the m.login.dummy stage")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_judged_is_a_fault(#[case] script: fn(&str) -> Reply, #[case] words: &str) {
    let puppet = Puppet::start(script).await;
    let started = Instant::now();
    let (tape, ended) = tape::record(&[&answers], &tape::options(puppet.url.clone())).await;
    match ended {
        Err(RunError::Fault(told)) => assert!(told.contains(words), "{words:?} is not in {told:?}"),
        other => panic!("expected a fault, got {other:?}"),
    }
    assert!(tape.checks.is_empty());
    assert!(
        tape.ending.is_some_and(|ending| ending.interrupted),
        "the record does not say how the run ended"
    );
    assert!(tape.notices.iter().any(|notice| notice.contains(words)), "{:?}", tape.notices);
    assert!(started.elapsed() < Duration::from_secs(60), "the run did not end in reasonable time");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_a_fault() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
    drop(listener);
    let (_, ended) = tape::record(&[&answers], &tape::options(url)).await;
    assert!(matches!(ended, Err(RunError::Fault(words)) if words.contains("refused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_where_tls_was_promised_is_a_fault() {
    let puppet = Puppet::obliging().await;
    let mut url = puppet.url.clone();
    url.set_scheme("https").expect("a scheme");
    let (_, ended) = tape::record(&[&answers], &tape::options(url)).await;
    assert!(matches!(&ended, Err(RunError::Fault(_))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_breaks_half_way_fails_and_leaves_a_whole_record() {
    let puppet = Puppet::start(|request| match request.contains("/login") {
        true => Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()),
        false => obliging(request),
    })
    .await;
    let (tape, ended) = tape::record(&[&answers], &tape::options(puppet.url.clone())).await;
    ended.expect("the run comes to its end");
    let check = tape.check("/answers");
    assert_eq!(check.verdict, Outcome::Fail);
    assert!(format!("{check:?}").contains("GET /_matrix/client/v3/login: "), "{check:#?}");
    assert!(tape.ending.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_out_and_told_once() {
    let turns = Arc::new(AtomicU32::new(0));
    let puppet = Puppet::start({
        let turns = turns.clone();
        move |request| match request.contains("/login") && turns.fetch_add(1, Ordering::Relaxed) < 3 {
            true => Reply::Json(
                429,
                json!({"errcode": "M_LIMIT_EXCEEDED", "error": "slow", "retry_after_ms": 400}),
            ),
            false => obliging(request),
        }
    })
    .await;
    // The limit of a test at this time scale is shorter than the time that it is made to wait.
    let (tape, ended) = tape::record(&[&answers], &tape::options(puppet.url.clone())).await;
    ended.expect("the run comes to its end");
    assert_eq!(tape.check("/answers").verdict, Outcome::Pass);
    let limits: Vec<_> = tape.notices.iter().filter(|notice| notice.contains("429")).collect();
    assert_eq!(limits.len(), 1, "{:?}", tape.notices);
    assert!(limits[0].starts_with("3 answers"), "{limits:?}");
}

#[tokio::test]
async fn a_server_elsewhere_is_left_in_peace() {
    let options = tape::options("https://matrix.example/".parse().expect("a URL"));
    let (_, ended) = tape::record(&[&answers], &options).await;
    assert!(matches!(ended, Err(RunError::Usage(words)) if words.contains("--i-own-this-server")));
}
