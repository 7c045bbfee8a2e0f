//! Load records: what a person sees of them.

use std::time::Duration;

use reports::load::{
    self, Capacity, Generator, Histogram, Interval, LoadRecord, Objective, Plan, Sample, Series, Step,
};
use reports::{Rendering, Style, Target};

fn series(name: &str, micros: std::ops::Range<u64>, errors: u64) -> Series {
    let mut histogram = Histogram::default();
    micros.clone().for_each(|number| histogram.record(Duration::from_micros(number * 100)));
    let count = histogram.count() + errors;
    let half = Interval { count: count / 2, errors: 0, dropped: 0, histogram: Histogram::default() };
    let rest = Interval { count: count - count / 2, errors, dropped: 3, histogram: histogram.clone() };
    let mut kinds = std::collections::BTreeMap::new();
    if errors > 0 {
        kinds.insert("429 M_LIMIT_EXCEEDED".to_owned(), errors);
    }
    Series {
        name: name.to_owned(),
        count,
        errors,
        dropped: 3,
        latency: histogram.clone().into(),
        service: histogram.into(),
        kinds,
        intervals: vec![half, rest],
        ..Series::default()
    }
}

fn record(slower: u64) -> LoadRecord {
    let plan = Plan {
        traffic: "client".to_owned(),
        profile: "company-50".to_owned(),
        users: 50,
        for_ms: 2000.0,
        interval_ms: 1000.0,
        slots: 120,
        part: None,
    };
    let target = Target {
        name: "synapse".to_owned(),
        version: Some("1.163.2".to_owned()),
        notes: vec!["one process".to_owned()],
    };
    let mut record =
        LoadRecord::begun(target, 7, plan, "2026-11-26T06:00:00Z".to_owned(), "determinant load client");
    record.interrupted = false;
    record.machine = reports::Machine { os: "linux".to_owned(), arch: "x86_64".to_owned(), cores: 2 };
    record.series = vec![series("send", 1 + slower..120 + slower, 2), series("delivery", 50..900, 0)];
    record.objectives = vec![
        Objective { text: "delivery p95 < 500ms".to_owned(), actual: Some("85.7ms".to_owned()), kept: true },
        Objective { text: "errors < 0.1%".to_owned(), actual: Some("0.21%".to_owned()), kept: false },
    ];
    record.samples = [1000.0, 2000.0]
        .map(|at_ms| Sample {
            at_ms,
            processes: 1,
            threads: 12,
            cpu: 0.8,
            memory_bytes: 90_000_000,
            ..Sample::default()
        })
        .to_vec();
    record.generator =
        Generator { cpu_ms: 130.0, busiest: 0.1, memory_bytes: 30_000_000, ..Generator::default() };
    record.duration_ms = 2010.0;
    record
}

#[test]
fn on_a_terminal() {
    insta::assert_snapshot!(load::to_terminal(&record(0), Style::plain()));
}

#[test]
fn in_markdown() {
    insta::assert_snapshot!(load::to_markdown(&record(0)));
}

#[test]
fn side_by_side() {
    let comparison = load::compare(&[record(0), record(4000), record(0)]);
    assert_eq!(comparison.regressions().collect::<Vec<_>>(), ["send"]);
    insta::assert_snapshot!(comparison.to_terminal(Style::plain()) + "\n" + &comparison.to_markdown());
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = load::to_html(&record(0));
    assert!(page.contains("<svg") && page.contains("polyline"), "there is no chart");
    assert!(page.contains("429 M_LIMIT_EXCEEDED"));
    for foreign in ["http://", "https://", "<script", "src="] {
        assert!(!page.contains(foreign), "the page has {foreign}");
    }
}

#[test]
fn a_capacity_is_told_as_a_sentence() {
    let mut record = record(0);
    let step = |users, kept| Step { users, kept, missed: Vec::new(), delivery_p95_ms: Some(12.0) };
    record.capacity = Some(Capacity {
        users: Some(100),
        gave_way: Some("one core gave way".to_owned()),
        sentence: "synapse holds 100 active users of profile company-50 on this machine; beyond that, one core gave way".to_owned(),
        steps: vec![step(100, true), step(200, false)],
    });
    let text = load::to_terminal(&record, Style::plain());
    assert!(text.contains("holds 100 active users") && text.contains("MISSED      200 users"), "{text}");
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.json");
    record(0).write(&path).expect("a file");
    assert_eq!(LoadRecord::read(&path).expect("a record"), record(0));
    assert!(LoadRecord::read(folder.path().join("none.json")).is_err());
    assert!(Rendering::Junit.draw_load(&record(0), Style::plain()).is_err());
}

#[test]
fn the_page_of_several_records_lays_percentiles_over_each_other() {
    let page = load::compare_to_html(&[record(0), record(400)]);
    for part in ["1 regression: send", "▲ worse", "send: latency that so many stay below", "×"] {
        assert!(page.contains(part), "{part} is missing");
    }
    let lines = |class: &str| page.matches(&format!("<polyline class=\"{class}\"")).count();
    assert_eq!((lines("l0"), lines("l1"), lines("l2")), (2, 2, 0), "two operations of two records");
    assert!(!page.contains("<script"));
}
