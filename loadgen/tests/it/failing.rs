//! A target that fails in the middle of a run: the run ends in time, and tells what became of every arrival.

use std::time::{Duration, Instant};

use loadgen::{
    Calls,
    population::Registration,
    profile::{Course, Profile, Shard},
    prometheus::Offer,
    run::{Endpoint, Rig, Settings},
};
use reports::{
    Outcome,
    load::{Live, LoadRecord},
};
use rstest::rstest;

use crate::stub::{Mood, Stub};

const SPAN: Duration = Duration::from_secs(3);
const WITHIN: Duration = Duration::from_millis(500);
const SENDS_PER_SECOND: f64 = 40.0;

const PROFILE: &str = r#"
title = "Those who send"
why = "a test"
groups = [{ name = "people", count = 60 }]
rooms = [{ name = "room", count = 1, members = { people = 60 } }]
[[actions]]
operation = "send"
per_hour = 2400
why = "sixty people make forty messages a second"
"#;

fn settings() -> Settings {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("senders.toml");
    std::fs::write(&file, PROFILE).expect("a profile");
    Settings {
        profile: Profile::find(file.to_str().expect("a path")).expect("a profile"),
        users: 60,
        span: SPAN,
        seed: 1,
        course: Some(Course::Constant),
        within: WITHIN,
        hands: 4,
        traffic: "client",
        calls: Calls::default(),
        metrics: None,
        offer: Offer::default(),
        shard: Shard::WHOLE,
        start_at: None,
        // The stub delivers nothing to anybody.
        demands: vec!["send errors < 1%".parse().expect("a demand")],
        // Tests share their machine with others.
        most_lag: Duration::from_secs(60),
        most_rate: None,
        owned: false,
        command: String::new(),
        record: None,
    }
}

async fn driven(stub: &Stub) -> LoadRecord {
    let endpoint = Endpoint {
        url: stub.url(),
        certificates: None,
        registration: Registration::Dummy,
        elsewhere: None,
        process: None,
        peering: None,
        target: reports::Target { name: "stub".to_owned(), ..Default::default() },
    };
    let (settings, live) = (settings(), Live::lines(Box::new(std::io::sink())));
    let mut rig = Rig::reach(&endpoint, &settings, &live).await.expect("a rig");
    rig.measure(&settings, std::future::pending()).await.expect("a record")
}

#[rstest]
#[case(Mood::Well, Outcome::AsExpected, None)]
#[case(Mood::Hanging, Outcome::Fault, Some("timeout"))]
#[case(Mood::Resetting, Outcome::Fault, Some("closed"))]
#[case(Mood::Refusing(429), Outcome::Unexpected, Some("429 M_LIMIT_EXCEEDED"))]
#[case(Mood::Refusing(503), Outcome::Unexpected, Some("503 M_LIMIT_EXCEEDED"))]
#[tokio::test]
async fn a_target_that_fails_is_told_and_ends_nothing_early(
    #[case] mood: Mood,
    #[case] outcome: Outcome,
    #[case] kind: Option<&str>,
) {
    let stub = Stub::start(Some((30, mood))).await;
    let begun = Instant::now();
    let record = driven(&stub).await;
    // Everything that may be waited for: the schedule, the last answers, the deliveries, the question at the end.
    assert!(begun.elapsed() < SPAN + 3 * WITHIN + Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(record.outcome(), outcome, "{:?} {:?}", record.fault, record.objectives);
    let send = record.series("send").expect("sends");
    assert_eq!(
        send.count + send.dropped,
        (SENDS_PER_SECOND * SPAN.as_secs_f64()) as u64,
        "an arrival was forgotten"
    );
    assert_eq!(send.latency.histogram.count() + send.errors, send.count, "an end is not known");
    if let Some(kind) = kind {
        assert!(send.kinds.get(kind).is_some_and(|number| *number >= 20), "{:?}", send.kinds);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_breaks_no_run() {
    let stub = Stub::start(Some((30, Mood::Raving))).await;
    let record = driven(&stub).await;
    assert!(!record.interrupted && record.void.is_none());
}
