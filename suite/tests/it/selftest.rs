//! Tests of the selftest: what a fault does on the wire, and that only checks which require something see it.

use suite::{
    cast::Homeserver,
    conformance,
    registry::Test,
    selftest::{Count, Kind, NamedFault, Settings, Tally, eyesight, selftest},
    target::Source,
    verdict::Verdict,
};

use crate::puppet::Puppet;

const CAPABILITIES: &str = "/_matrix/client/v3/capabilities";

// Both tests send the room version that the puppet answers with, so that it is determined.

/// The server is asked, and whatever it answers is right.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn asserts_nothing(hs: &Homeserver) -> Verdict {
    hs.get(CAPABILITIES).query("of", "11").answer().await.map(drop)
}

/// The server names its default room version.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn asserts_something(hs: &Homeserver) -> Verdict {
    let capabilities = hs.get(CAPABILITIES).query("of", "11").await?;
    capabilities.must_hold("/capabilities/m.room_versions/default", "11")
}

fn settings() -> Settings {
    Settings { sample: None, seed: 1, at_once: 4, kinds: Kind::ALL.to_vec(), only: Vec::new() }
}

async fn outcome(test: &'static Test, named: &[NamedFault]) -> Tally {
    let puppet = Puppet::obliging().await;
    let server = |_: Option<&str>| Source::Url(puppet.url.clone());
    selftest(&[test], named, server, &settings(), |_| {}).await.expect("the puppet is up")
}

#[tokio::test]
async fn a_suite_that_asserts_nothing_sees_nothing() {
    let tally = outcome(&asserts_nothing, &[]).await;
    assert!(tally.shape.tried > 0 && tally.value.tried > 0, "{tally:#?}");
    assert_eq!((tally.shape.seen, tally.value.seen), (0, 0), "{tally:#?}");
    assert_eq!(tally.survivors.len(), tally.shape.tried + tally.value.tried);
}

#[tokio::test]
async fn what_a_check_requires_is_seen_and_nothing_else() {
    let tally = outcome(&asserts_something, &[]).await;
    let survived = |fault: &str| tally.survivors.iter().any(|survivor| survivor.fault == fault);
    for seen in ["default altered", "default dropped", "default retyped"] {
        assert!(
            !survived(&format!("getCapabilities 200 /capabilities/m.room_versions/{seen}")),
            "{seen}: {tally:#?}"
        );
    }
    assert!(
        survived("getCapabilities 200 /capabilities/m.room_versions/available without one entry"),
        "{tally:#?}"
    );
}

#[tokio::test]
async fn what_the_server_may_choose_is_no_fault() {
    let tally = outcome(&asserts_something, &[]).await;
    let excluded: Vec<_> = tally.excluded.iter().map(|excluded| excluded.fault.as_str()).collect();
    assert_eq!(excluded, ["getCapabilities 200 /capabilities/m.room_versions/available/* altered"]);
}

#[tokio::test]
async fn a_test_that_asserts_nothing_is_blind() {
    let puppet = Puppet::obliging().await;
    let server = |_: Option<&str>| Source::Url(puppet.url.clone());
    let tests = [&asserts_nothing, &asserts_something];
    let eyesight = eyesight(&tests, server, &settings(), |_| {}).await.expect("the puppet is up");
    let blind: Vec<_> = eyesight.blind.iter().map(|blind| blind.test.as_str()).collect();
    assert_eq!(blind, [asserts_nothing.id().as_str()]);
    assert_eq!(eyesight.red.into_iter().collect::<Vec<_>>(), [(Kind::Value, 1)]);
}

#[tokio::test]
async fn a_fault_of_the_server_for_which_no_check_is_named_survives() {
    let fault = NamedFault { name: "unheard-of".to_owned(), sentence: "Nobody knows.".to_owned() };
    let tally = outcome(&asserts_nothing, &[fault]).await;
    assert_eq!(tally.semantic, Count { tried: 1, seen: 0 });
    let survivor = tally.survivors.iter().find(|survivor| survivor.kind == Kind::Semantic);
    assert_eq!(
        survivor.map(|survivor| survivor.why.as_str()),
        Some("no check is named that has to see it, and none does")
    );
}
