//! Deliberately awful tests, and the verdict that each must have.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reports::Verdict::{self as Outcome, Advice, Fail, Fault, NotApplicable, Observed, Pass};
use suite::{
    cast::Homeserver,
    conformance,
    registry::Test,
    verdict::{Stop, Verdict, must},
};

use crate::{puppet::Puppet, tape};

/// The server is asked nothing.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn passes(_: &Homeserver) -> Verdict {
    Ok(())
}

/// The server does what nobody can.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn fails(_: &Homeserver) -> Verdict {
    must(false, "the impossible", || "the possible".to_owned())
}

/// The server does what nobody can, where that is only advised.
#[conformance(spec = "client-server-api/", level = Should, severity = Cosmetic)]
async fn fails_a_should(_: &Homeserver) -> Verdict {
    must(false, "the impossible", || "the possible".to_owned())
}

/// The server does what nobody can, where the text leaves it open.
#[conformance(spec = "client-server-api/", level = May, severity = Cosmetic)]
async fn fails_a_may(_: &Homeserver) -> Verdict {
    must(false, "the impossible", || "the possible".to_owned())
}

/// The server is looked at.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn observes(_: &Homeserver) -> Verdict {
    Err(Stop::Observed("it answers".to_owned()))
}

/// The server is spared the question.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn does_not_apply(_: &Homeserver) -> Verdict {
    Err(Stop::NotApplicable("the moon is full".to_owned()))
}

/// The server obeys a release that it does not advertise.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic, since = "v1.12")]
async fn is_too_new(_: &Homeserver) -> Verdict {
    panic!("put to a server that is too old");
}

/// The server obeys a release that is over.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic, until = "v1.10")]
async fn is_too_old(_: &Homeserver) -> Verdict {
    panic!("put to a server that is too new");
}

/// The server watches the test panic.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn panics(_: &Homeserver) -> Verdict {
    panic!("a deliberate panic");
}

/// The server waits for a test that never ends.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn hangs(_: &Homeserver) -> Verdict {
    std::future::pending().await
}

/// The server waits for a test that holds its thread.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn blocks_its_thread(_: &Homeserver) -> Verdict {
    std::thread::sleep(Duration::from_secs(4));
    Ok(())
}

/// The server does not serve what the test needs.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn needs_what_is_not_served(hs: &Homeserver) -> Verdict {
    hs.get("/_matrix/client/v3/devices").await?;
    Ok(())
}

/// The server answers otherwise every time.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic)]
async fn flakes(_: &Homeserver) -> Verdict {
    static TURN: AtomicU32 = AtomicU32::new(0);
    must(TURN.fetch_add(1, Ordering::Relaxed).is_multiple_of(2), "an even turn", || "an odd one".to_owned())
}

static ALONE: AtomicU32 = AtomicU32::new(0);

async fn enter_alone() -> Verdict {
    let inside = ALONE.fetch_add(1, Ordering::SeqCst);
    tokio::task::yield_now().await;
    ALONE.fetch_sub(1, Ordering::SeqCst);
    must(inside == 0, "nobody else", || format!("{inside} others"))
}

/// The server has one visitor.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic, exclusive)]
async fn is_alone(_: &Homeserver) -> Verdict {
    enter_alone().await
}

/// The server has another visitor.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic, exclusive)]
async fn is_alone_too(_: &Homeserver) -> Verdict {
    enter_alone().await
}

fn cases() -> [&'static str; 2] {
    ["good", "bad"]
}

/// The server is judged case by case.
#[conformance(spec = "client-server-api/", level = Must, severity = Cosmetic, each = cases)]
async fn has_cases(_: &Homeserver, case: &'static str) -> Verdict {
    must(case == "good", "a good case", || format!("a {case} one"))
}

const AWFUL: &[(&Test, &str, Outcome, &str)] = &[
    (&passes, "/passes", Pass, ""),
    (&fails, "/fails", Fail, "the impossible"),
    (&fails_a_should, "/fails-a-should", Advice, "expected the impossible; got the possible"),
    (&fails_a_may, "/fails-a-may", Observed, "expected the impossible; got the possible"),
    (&observes, "/observes", Observed, "it answers"),
    (&does_not_apply, "/does-not-apply", NotApplicable, "the moon is full"),
    (&is_too_new, "/is-too-new", NotApplicable, "required since v1.12; v1.11 is judged"),
    (&is_too_old, "/is-too-old", NotApplicable, "required until v1.10; v1.11 is judged"),
    (&panics, "/panics", Fault, "the test panicked: a deliberate panic"),
    (&hangs, "/hangs", Fault, "did not end within"),
    (&blocks_its_thread, "/blocks-its-thread", Fault, "did not end within"),
    (&needs_what_is_not_served, "/needs-what-is-not-served", NotApplicable, "does not serve getDevices"),
    (&flakes, "/flakes", Fault, "the verdict varies between repetitions"),
    (&is_alone, "/is-alone", Pass, ""),
    (&is_alone_too, "/is-alone-too", Pass, ""),
    (&has_cases, "/has-cases[good]", Pass, ""),
    (&has_cases, "/has-cases[bad]", Fail, "a good case"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_awful_test_has_the_verdict_it_deserves() {
    let puppet = Puppet::obliging().await;
    let mut tests: Vec<&'static Test> = AWFUL.iter().map(|(test, ..)| *test).collect();
    tests.dedup_by(|one, other| std::ptr::eq(*one, *other));
    let mut options = tape::options(puppet.url.clone());
    options.settings.repeat = 2;
    let (tape, ended) = tape::record(&tests, &options).await;
    ended.expect("the run comes to its end");

    assert_eq!(tape.checks.len(), AWFUL.len());
    for (_, name, verdict, words) in AWFUL {
        let check = tape.check(name);
        assert_eq!(check.verdict, *verdict, "{check:#?}");
        let told =
            format!("{:?} {:?}", check.reason, check.failure.as_ref().map(|failure| &failure.expected));
        assert!(told.contains(words), "{name}: {words:?} is not in {told}");
    }
    assert!(!tape.ending.expect("an end").interrupted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_the_command_that_repeats_only_its_case() {
    let puppet = Puppet::obliging().await;
    let (tape, _) = tape::record(&[&has_cases], &tape::options(puppet.url.clone())).await;
    let failure = tape.check("[bad]").failure.as_ref().expect("a failure");
    assert_eq!(
        failure.repeat,
        "determinant run http://puppet --only 'it/awful-tests/has-cases[bad]' --seed 1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_tells_its_end() {
    let puppet = Puppet::obliging().await;
    let mut options = tape::options(puppet.url.clone());
    options.settings.time_scale = 1.0;
    let mut tape = tape::Tape::default();
    let (mut one_verdict, seen) = tape::Bell::new();
    suite::conduct(&[&hangs, &passes], &options, &mut [&mut tape, &mut one_verdict], seen)
        .await
        .expect("the run comes to its end");

    assert!(tape.ending.as_ref().expect("an end").interrupted);
    assert_eq!(tape.check("/passes").verdict, Pass);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_follows_the_seed_and_the_ids_do_not() {
    let plan = |seed| suite::plan::plan(&[&passes, &fails, &has_cases, &hangs], &Default::default(), seed);
    let ids = |seed| plan(seed).into_iter().map(|check| check.id).collect::<Vec<_>>();
    let sorted = |seed| {
        let mut ids = ids(seed);
        ids.sort();
        ids
    };
    assert_eq!(ids(7), ids(7));
    assert!((0..20).any(|seed| ids(seed) != ids(7)), "no seed changes the order");
    assert_eq!(sorted(1), sorted(2));
}
