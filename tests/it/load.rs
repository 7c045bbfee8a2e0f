//! Load runs: on the built-in server, on servers that die, and on servers that must not be touched.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use reports::load::LoadRecord;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::tempdir;

use crate::{determinant, ended};

/// Tests share their machine with others; only a run that measures has to have it for itself.
const PATIENT: [&str; 2] = ["--max-lag", "60s"];

fn path(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A room that everybody has left can be joined no more, so whoever made it only joins it.
#[test]
fn whoever_made_a_lobby_stays_in_it() {
    const PROFILE: &str = r#"
        title = "Somebody alone with a room to be joined"
        why = "for a test"
        groups = [{ name = "people", count = 1 }]
        rooms = [{ name = "lobby", count = 1, members = { people = 1 }, lobby = true }]
        actions = [{ operation = "join", per_hour = 7200, why = "two per second" }]
    "#;
    let folder = tempdir().expect("a folder");
    let (profile, file) = (folder.path().join("alone.toml"), folder.path().join("r.json"));
    fs::write(&profile, PROFILE).expect("a profile");
    let run = ["load", "client", path(&profile), "--for", "4s", "--seed", "7", "--record", path(&file)];
    let (code, said, errors) =
        ended(&[&run[..], &["--slo", "join count > 0", "--slo", "errors <= 0%"], &PATIENT].concat());
    assert_eq!(code, 0, "{said}\n{errors}");

    let record = LoadRecord::read(&file).expect("a record");
    let left: u64 =
        record.series.iter().filter(|series| series.name == "leave").map(|series| series.count).sum();
    assert_eq!(left, 0, "{said}");
}

#[test]
fn a_run_on_the_built_in_server_measures_and_leaves_its_record() {
    let folder = tempdir().expect("a folder");
    let (file, text) = (folder.path().join("r.json"), folder.path().join("r.txt"));
    let (code, said, errors) =
        ended(
            &[
                &[
                    "load",
                    "client",
                    "family",
                    "--for",
                    "4s",
                    "--seed",
                    "7",
                    "--json",
                    "--record",
                    path(&file),
                ][..],
                &["--report", path(&text), "--slo", "errors <= 0%", "--slo", "delivery count > 0"],
                &PATIENT,
            ]
            .concat(),
        );
    assert_eq!(code, 0, "{said}\n{errors}");
    let last: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["seed"], &last["exit_code"]), (&7.into(), &0.into()));
    let series = last["series"].as_array().expect("series");
    let delivery = series.iter().find(|series| series["name"] == "delivery").expect("deliveries");
    for key in ["count", "errors", "dropped", "p50_ms", "p95_ms", "p99_ms"] {
        assert!(delivery[key].is_number(), "{key}: {delivery}");
    }
    assert!(delivery["histogram"].as_str().is_some_and(|text| text.starts_with("HISTFAAAA")));

    let record = LoadRecord::read(&file).expect("a record");
    assert!(!record.interrupted && record.void.is_none() && record.fault.is_none());
    let (send, delivery) =
        (record.series("send").expect("sends"), record.series("delivery").expect("deliveries"));
    assert!(send.count > 0, "nothing was sent");
    assert_eq!(delivery.latency.histogram.count(), delivery.count, "a message was lost");
    assert_eq!(delivery.intervals.iter().map(|interval| interval.count).sum::<u64>(), delivery.count);
    assert!(record.samples.iter().any(|sample| sample.memory_bytes > 0), "the server was not looked at");
    assert!(fs::read_to_string(&text).expect("a report").contains("delivery"));
}

#[test]
fn a_missed_objective_is_told_by_the_exit_code() {
    let arguments = ["load", "client", "family", "--for", "2s", "--slo", "send p50 < 1us"];
    let (code, said, errors) = ended(&[&arguments[..], &PATIENT].concat());
    assert_eq!(code, 1, "{errors}");
    assert!(said.contains("MISSED send p50 < 1us"), "{said}");
}

#[rstest]
#[case(&["--slo", "send p95"], "no objective")]
#[case(&["--slo", "join p95 < 1s", "e2ee"], "does not measure")]
#[case(&["nobody"], "no profile `nobody`")]
#[case(&["family", "company-50"], "one profile and one URL")]
#[case(&["--for", "10"], "expected a time")]
#[case(&["--course", "burst"], "expected poisson")]
#[case(&["family", "--shard", "2/2"], "owns nobody")]
#[case(&["http://192.0.2.1/"], "--i-own-this-server")]
#[case(&["--max-rate", "1"], "at most 1 are allowed")]
fn wrong_usage_is_told_before_anything_is_burdened(#[case] arguments: &[&str], #[case] words: &str) {
    let (code, said, errors) = ended(&[&["load", "client"], arguments].concat());
    assert_eq!(code, 2, "{said}\n{errors}");
    assert!(errors.contains(words), "{errors}");
}

#[test]
fn nobody_listening_is_the_targets_fault() {
    let (code, _, errors) = ended(&["load", "client", "http://127.0.0.1:1/"]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("refused"), "{errors}");
}

/// A target file that launches the built-in server by way of a shell, which leaves its number in a file.
fn target(folder: &Path) -> (String, std::path::PathBuf) {
    let pid_file = folder.join("pid");
    let configuration = include_str!("../../fixtures/targets/reference-server/serve.toml.in");
    fs::write(folder.join("serve.toml.in"), configuration).expect("a template");
    let registration = include_str!("../../fixtures/targets/reference-server/application-service.yaml.in");
    fs::write(folder.join("application-service.yaml.in"), registration).expect("a template");
    let registration =
        include_str!("../../fixtures/targets/reference-server/application-service-without-url.yaml.in");
    fs::write(folder.join("application-service-without-url.yaml.in"), registration).expect("a template");
    let (binary, pid) = (env!("CARGO_BIN_EXE_determinant"), path(&pid_file));
    let text = format!(
        r#"
name = "scripted"
registration = {{ method = "dummy" }}

[launch]
program = "/bin/sh"
arguments = ["-c", "echo $$ > {pid}; exec {binary} serve --config {{data_dir}}/serve.toml"]

[[files]]
template = "serve.toml.in"
to = "{{data_dir}}/serve.toml"

[[files]]
template = "application-service.yaml.in"
to = "{{data_dir}}/application-service.yaml"

[[files]]
template = "application-service-without-url.yaml.in"
to = "{{data_dir}}/application-service-without-url.yaml"
"#
    );
    fs::write(folder.join("target.toml"), text).expect("a target file");
    (path(folder).to_owned(), pid_file)
}

#[test]
fn a_server_that_dies_ends_the_run_in_time_with_a_whole_record() {
    let folder = tempdir().expect("a folder");
    let (target, pid_file) = target(folder.path());
    let file = folder.path().join("r.json");
    let arguments = [
        "load",
        "client",
        "family",
        "--target",
        &target,
        "--for",
        "14s",
        "--timeout",
        "2s",
        "--course",
        "constant",
    ];
    let run = determinant(&[&arguments[..], &PATIENT, &["--record", path(&file)]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    // The record is there once the run has gone on for some seconds.
    let deadline = Instant::now() + Duration::from_secs(40);
    while !LoadRecord::read(&file)
        .is_ok_and(|record| record.series("send").is_some_and(|send| send.count > 0))
    {
        assert!(Instant::now() < deadline, "the run did not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(LoadRecord::read(&file).is_ok_and(|record| record.interrupted), "it still goes");
    let server: i32 = fs::read_to_string(&pid_file).expect("a pid").trim().parse().expect("a pid");
    kill_process(Pid::from_raw(server).expect("a pid"), Signal::KILL).expect("a signal");
    let Output { status, stdout, .. } = run.wait_with_output().expect("its end");
    assert_eq!(status.code(), Some(3), "{}", String::from_utf8_lossy(&stdout));
    let record = LoadRecord::read(&file).expect("a record");
    assert!(
        !record.interrupted
            && record.fault.as_deref().is_some_and(|fault| fault.contains("its process ended"))
    );
    let kinds: Vec<&String> = record.series.iter().flat_map(|series| series.kinds.keys()).collect();
    assert!(kinds.iter().any(|kind| *kind == "refused" || *kind == "closed"), "{kinds:?}");
    // Six people who send six messages a minute each, for fourteen seconds.
    let send = record.series("send").expect("sends");
    assert_eq!(send.count + send.dropped, 9, "an arrival after its death was forgotten");
}

#[test]
fn an_interrupted_run_leaves_what_it_has() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("r.json");
    let arguments = ["load", "client", "family", "--for", "10m", "--record", path(&file)];
    let run = determinant(&[&arguments[..], &PATIENT].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let deadline = Instant::now() + Duration::from_secs(60);
    while LoadRecord::read(&file).is_err() {
        assert!(Instant::now() < deadline, "the run did not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&run), Signal::INT).expect("a signal");
    let Output { status, stdout, .. } = run.wait_with_output().expect("its end");
    assert_eq!(status.code(), Some(3), "{}", String::from_utf8_lossy(&stdout));
    assert!(LoadRecord::read(&file).expect("a record").interrupted);
}

#[test]
fn calls_are_set_up_rejected_and_survive_glare() {
    let folder = tempdir().expect("a folder");
    let (file, page) = (folder.path().join("r.json"), folder.path().join("r.html"));
    let (code, said, errors) = ended(
        &[
            &["load", "voip", "--for", "4s", "--seed", "5", "--calls-per-second", "6", "--glare", "40%"][..],
            &["--reject", "30%", "--ring", "200ms", "--talk", "400ms", "--slo", "errors <= 0%"],
            &["--record", path(&file), "--report", path(&page)],
            &PATIENT,
        ]
        .concat(),
    );
    assert_eq!(code, 0, "{said}\n{errors}");
    let record = LoadRecord::read(&file).expect("a record");
    let count = |name: &str| record.series(name).map_or(0, |series| series.latency.histogram.count());
    let calls = count("call");
    assert!(calls > 5 && calls == record.series("call").expect("calls").count, "{said}");
    assert!(count("glare") > 0 && count("reject-propagation") > 0, "{said}");
    // Every call is either rejected or hung up; one that survived glare was hung up as well.
    assert_eq!(count("hangup-propagation") + count("reject-propagation"), calls, "{said}");
    assert_eq!(count("answer"), count("select-answer"), "{said}");
    let page = fs::read_to_string(&page).expect("a page");
    assert!(
        page.contains("<svg") && !page.contains("http://") && !page.contains("<script"),
        "the page needs more than itself"
    );
}

#[rstest]
#[case("linear")]
#[case("forks")]
#[case("merges")]
fn scripted_servers_send_join_and_ask_and_lag_is_measured_both_ways(#[case] shape: &str) {
    let folder = tempdir().expect("a folder");
    let (file, page) = (folder.path().join("r.json"), folder.path().join("r.html"));
    let (code, said, errors) = ended(
        &[
            &["load", "federation", "--for", "6s", "--seed", "3", "--servers", "4", "--shape", shape][..],
            &["--course", "constant", "--slo", "errors <= 0%", "--slo", "delivery-inbound count > 0"],
            &["--record", path(&file), "--report", path(&page)],
            &PATIENT,
        ]
        .concat(),
    );
    assert_eq!(code, 0, "{said}\n{errors}");
    let record = LoadRecord::read(&file).expect("a record");
    assert_eq!(record.plan.traffic, "federation");
    let all = ["server-send", "server-typing", "server-receipt", "server-join", "make-join", "send-join"];
    let asking = ["backfill", "state-ids", "missing-events", "server-keys-query", "send"];
    for name in all.iter().chain(&asking).chain(&["delivery-inbound", "delivery-outbound", "send-leave"]) {
        let series = record.series(name).unwrap_or_else(|| panic!("no {name}: {said}"));
        assert!(series.count > 0 && series.dropped == 0, "{name}: {said}");
        assert_eq!(series.latency.histogram.count() + series.limited, series.count, "{name}: {said}");
    }
    assert!(record.counts["events received by servers"] >= record.series("send").expect("sends").count);
    assert!(fs::read_to_string(&page).expect("a page").contains("delivery-outbound"));
}

#[test]
fn people_go_on_journeys_and_think_in_between() {
    let folder = tempdir().expect("a folder");
    let (file, profile) = (folder.path().join("r.json"), folder.path().join("quick.toml"));
    // The same journeys, by people who think less.
    let text = include_str!("../../loadgen/profiles/journeys.toml");
    let quick: Vec<&str> = text
        .lines()
        .map(|line| if line.starts_with("think") { "think = [0.05, 0.2]" } else { line })
        .collect();
    fs::write(&profile, quick.join("\n")).expect("a profile");
    let (code, said, errors) = ended(
        &[
            &["load", "journeys", path(&profile), "--for", "6s", "--seed", "4", "--slo", "errors <= 0%"][..],
            &["--record", path(&file)],
            &PATIENT,
        ]
        .concat(),
    );
    assert_eq!(code, 0, "{said}\n{errors}");
    let record = LoadRecord::read(&file).expect("a record");
    assert_eq!(record.plan.traffic, "journeys");
    for name in
        ["send", "delivery", "messages", "sign-up", "join", "upload", "search", "call", "journey-chat"]
    {
        assert!(
            record.series(name).is_some_and(|series| series.latency.histogram.count() > 0),
            "{name}: {said}"
        );
    }
}

#[test]
fn a_profile_without_journeys_is_no_journey() {
    let (code, _, errors) = ended(&["load", "journeys", "family"]);
    assert_eq!(code, 2);
    assert!(errors.contains("has no journeys"), "{errors}");
}

#[rstest]
#[case(&["http://127.0.0.1:1/"], "a target file launches")]
#[case(&["family"], "has no scripted servers")]
#[case(&["--shape", "round"], "expected linear, forks or merges")]
#[case(&["--shard", "1/2"], "cannot be driven in parts")]
#[case(&["--slo", "join p95 < 1s"], "does not measure")]
fn federation_that_cannot_be_is_told(#[case] arguments: &[&str], #[case] words: &str) {
    let (code, said, errors) = ended(&[&["load", "federation"], arguments].concat());
    assert_eq!(code, 2, "{said}\n{errors}");
    assert!(errors.contains(words), "{errors}");
}

/// Parts of one run in processes of their own, on one server: together they have every arrival of the whole.
#[test]
fn parts_of_a_run_make_the_whole_and_a_killed_one_voids_it() {
    let folder = tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let seed = ["--users", "18", "--for", "3s", "--seed", "11", "--course", "constant"];
    let part = |number: u32, at: &str| {
        let (shard, record) = (format!("{number}/3"), file(&format!("{number}.json")));
        let arguments =
            ["load", "client", "family", "--shard", &shard, "--start-at", at, "--record", path(&record)];
        determinant(&[&arguments[..], &seed, &PATIENT].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started")
    };
    let at = reports::rfc_3339(std::time::SystemTime::now() + Duration::from_secs(30));
    let parts: Vec<_> = (1..=3).map(|number| part(number, &at)).collect();
    for part in parts {
        let Output { status, stderr, .. } = part.wait_with_output().expect("its end");
        assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
    }
    let records = [1, 2, 3].map(|number| file(&format!("{number}.json")));
    let (whole, merged) = (file("whole.json"), file("merged.json"));
    let arguments = ["load", "client", "family", "--record", path(&whole)];
    let (code, said, errors) = ended(&[&arguments[..], &seed, &PATIENT].concat());
    assert_eq!(code, 0, "{said}\n{errors}");
    let all =
        [&["load", "merge", "--record", path(&merged)][..], &records.each_ref().map(|record| path(record))]
            .concat();
    let (code, said, errors) = ended(&all);
    assert_eq!(code, 0, "{said}\n{errors}");
    let (whole, merged) =
        (LoadRecord::read(&whole).expect("a record"), LoadRecord::read(&merged).expect("a record"));
    for name in ["send", "typing", "incremental-sync", "messages", "join"] {
        let arrived = |record: &LoadRecord| record.series(name).map(|series| series.count + series.dropped);
        assert_eq!(arrived(&merged), arrived(&whole), "{name}");
    }

    let (code, said, _) = ended(&["load", "merge", path(&records[0]), path(&records[2])]);
    assert_eq!(code, 3);
    assert!(said.contains("void: part 2 of 3 is missing"), "{said}");
    let (code, said, errors) = ended(&["compare", path(&file("merged.json")), path(&records[0])]);
    assert_eq!(code, 0, "{errors}");
    assert!(said.contains("delivery"), "{said}");
}

#[test]
fn a_search_for_the_capacity_answers_with_a_sentence() {
    let arguments = [
        "load",
        "capacity",
        "family",
        "--for",
        "1s",
        "--warm-up",
        "500ms",
        "--most",
        "12",
        "--seed",
        "2",
        "--json",
    ];
    let demands = ["--slo", "errors < 1%", "--slo", "dropped < 50%"];
    let (code, said, errors) = ended(&[&arguments[..], &demands, &PATIENT].concat());
    assert_eq!(code, 0, "{said}\n{errors}");
    assert!(
        said.contains("holds 12 active users of profile family on this machine, and more were not tried"),
        "{said}"
    );
    let last: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["capacity"]["users"], 12);
}

const CALLS: [&str; 9] =
    ["load", "voip", "--for", "4s", "--calls-per-second", "2", "--ring=200ms", "--talk=200ms", "--seed=5"];

/// Callers and callees have different homeservers.
#[test]
fn calls_go_across_two_servers() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("r.json");
    let (code, said, errors) = ended(
        &[&CALLS[..], &["--across", "--slo", "errors <= 0%", "--record", path(&file)], &PATIENT].concat(),
    );
    assert_eq!(code, 0, "{said}\n{errors}");
    let record = LoadRecord::read(&file).expect("a record");
    assert!(record.target.notes.iter().any(|note| note.contains("users of another server")), "{said}");
    for name in ["call", "dial-to-ring", "answer-to-caller", "hangup-propagation"] {
        assert!(record.series(name).is_some_and(|it| it.latency.histogram.count() > 0), "{name}: {said}");
    }
}

/// Credentials are tried where coturn is installed; where it is not, that is told before anybody is called.
#[test]
fn credentials_for_calls_open_relays() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("r.json");
    let (code, said, errors) = ended(
        &[&CALLS[..], &["--relay", "--slo", "errors <= 0%", "--record", path(&file)], &PATIENT].concat(),
    );
    if errors.contains("coturn is not installed") {
        assert_eq!(code, 2);
        return;
    }
    assert_eq!(code, 0, "{said}\n{errors}");
    let record = LoadRecord::read(&file).expect("a record");
    let relays = record.series("turn-allocation").expect("relays");
    assert!(relays.latency.histogram.count() > 0, "{said}");
}

#[test]
fn a_server_that_is_up_knows_no_other_to_call() {
    let (code, _, errors) = ended(&["load", "voip", "http://127.0.0.1:1/", "--across"]);
    assert_eq!(code, 2);
    assert!(errors.contains("know each other"), "{errors}");
}
