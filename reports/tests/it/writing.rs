//! What is on disk while a run goes, and what is read back.

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reports::{Ending, Event, ReadError, Record, RecordWriter, Reporter, Verdict};
use rstest::rstest;
use serde_json::Value;

use crate::sample;

type Outcome = Result<(), Box<dyn Error>>;

fn events(record: &Record) -> (reports::Header, Ending) {
    let ending = Ending {
        coverage: record.coverage.clone(),
        interrupted: record.interrupted,
        duration_ms: record.duration_ms,
        exchanges: record.exchanges,
        harness_cpu_ms: record.harness_cpu_ms,
    };
    (sample::header(), ending)
}

#[test]
fn the_file_is_complete_after_every_event() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("new/folder/record.json");
    let expected = sample::record();
    let (header, ending) = events(&expected);

    let mut writer = RecordWriter::create(&path)?;
    writer.on(&Event::Started(&header))?;
    for (done, check) in expected.checks.iter().enumerate() {
        let record = Record::read(&path)?;
        assert_eq!(record.checks.len(), done);
        assert_eq!(record.summary.checks + record.summary.faults + record.summary.not_applicable, done);
        assert!(record.interrupted, "a run that still goes would be incomplete if it ended here");
        writer.on(&Event::Finished(check))?;
    }
    writer.on(&Event::Notice(&expected.notices[0]))?;
    assert_eq!(Record::read(&path)?.notices, expected.notices);
    writer.on(&Event::Ended(&ending))?;

    let record = Record::read(&path)?;
    assert_eq!(Some(&record), writer.record());
    assert_eq!(record.summary, expected.summary);
    assert_eq!(record.coverage, expected.coverage);
    assert!(!record.interrupted);
    let text = fs::read_to_string(&path)?;
    assert_eq!(text, record.to_json()?);
    assert!(!text.contains("ZXZl_secret"), "a token must not enter the record");
    Ok(())
}

/// A kill may fall into a write: the new bytes then stand over the beginning of the old closing.
#[test]
fn a_write_cut_off_anywhere_leaves_a_readable_record() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("record.json");
    let (header, _) = events(&sample::record());
    let mut writer = RecordWriter::create(&path)?;
    writer.on(&Event::Started(&header))?;
    let mut before = fs::read(&path)?;
    for (done, check) in sample::record().checks.iter().enumerate() {
        writer.on(&Event::Finished(check))?;
        let after = fs::read(&path)?;
        let first_change = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        let cut_file = folder.path().join("cut.json");
        for cut in (first_change..after.len()).step_by(7) {
            let mut bytes = after[..cut].to_vec();
            fs::write(&cut_file, &bytes)?;
            assert_eq!(Record::read(&cut_file)?.checks.len(), whole_lines(&bytes), "the file ends at {cut}");

            bytes.extend_from_slice(before.get(cut..).unwrap_or_default());
            fs::write(&cut_file, &bytes)?;
            let record = Record::read(&cut_file)?;
            assert!((done..=done + 1).contains(&record.checks.len()), "the old closing sticks out at {cut}");
            assert!(record.interrupted);
        }
        before = after;
    }
    Ok(())
}

/// The child of the test below: writes for as long as it lives.
#[test]
#[ignore = "runs until it is killed; started by the test below"]
fn writes_until_killed() -> Outcome {
    let Some(path) = std::env::var_os(RECORD_OF_CHILD) else { return Ok(()) };
    let mut writer = RecordWriter::create(path)?;
    writer.on(&Event::Started(&sample::header()))?;
    let mut check = sample::failed_check();
    let long_body = "x".repeat(60_000);
    for number in 0_u64.. {
        check.id = format!("client/typing/reaches-members-only[{number}]");
        if let Some(failure) = &mut check.failure {
            // Long bodies make writes of many pages, which a signal may cut.
            failure.exchanges[1].response_body = (number % 3 == 0).then(|| long_body.clone());
        }
        writer.on(&Event::Finished(&check))?;
    }
    Ok(())
}

const RECORD_OF_CHILD: &str = "RECORD_OF_CHILD";

#[test]
fn a_killed_run_leaves_a_readable_record() -> Outcome {
    let folder = tempfile::tempdir()?;
    for round in 0..8 {
        let path = folder.path().join("record.json");
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "writing::writes_until_killed", "--ignored"])
            .env(RECORD_OF_CHILD, &path)
            .stdout(Stdio::null())
            .spawn()?;
        let wanted = 200_000 + 77_777 * round;
        while fs::metadata(&path).map_or(0, |metadata| metadata.len()) < wanted {
            assert!(child.try_wait()?.is_none(), "the child ended by itself");
            std::thread::yield_now();
        }
        child.kill()?;
        child.wait()?;
        let record = Record::read(&path)?;
        assert!(record.interrupted && record.checks.len() >= 9, "{} checks", record.checks.len());
        assert_eq!(record.summary.failed, record.checks.len());
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn whole_lines(bytes: &[u8]) -> usize {
    let lines = bytes.split(|byte| *byte == b'\n').skip(2);
    lines
        .filter(|line| {
            serde_json::from_slice::<reports::Check>(line.strip_suffix(b",").unwrap_or(line)).is_ok()
        })
        .count()
}

#[test]
fn a_closing_that_gets_shorter_leaves_nothing_behind() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("record.json");
    let mut writer = RecordWriter::create(&path)?;
    writer.on(&Event::Started(&sample::header()))?;
    let length = fs::metadata(&path)?.len();
    writer.on(&Event::Ended(&Ending {
        interrupted: true,
        harness_cpu_ms: Some(1.0),
        ..Ending::default()
    }))?;
    assert!(fs::metadata(&path)?.len() < length, "the test needs a shorter closing");
    assert_eq!(fs::read_to_string(&path)?, writer.record().ok_or("no record")?.to_json()?);
    Ok(())
}

#[test]
fn a_cut_off_record_says_so() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("record.json");
    let text = sample::record().to_json()?;
    let end = text.find("client/voip").ok_or("no such check")?;
    fs::write(&path, &text[..end])?;
    let record = Record::read(&path)?;
    assert_eq!(record.checks.len(), 5);
    assert_eq!(record.summary.failed, 3);
    assert_eq!(
        record.notices,
        ["the file of this record is cut off after line 7; what stands before was kept"]
    );
    Ok(())
}

#[rstest]
#[case("", "is empty: the run that was to write it never started")]
#[case(
    "{\"format\": \"determinant.record/2\"}",
    "has the format `determinant.record/2`, not `determinant.record/1`: read it with the release that wrote it"
)]
#[case(
    "{\"format\":\n \"a",
    "is not a record: line 2, column 3: EOF while parsing a string; pass a file that `--record` wrote"
)]
#[case(
    "{\"a\": 1}",
    "is not a record: line 1, column 8: missing field `format`; pass a file that `--record` wrote"
)]
#[case("\u{7f}ELF", "is not a record: line 1, column 1: expected value; pass a file that `--record` wrote")]
fn foreign_files_are_refused_with_a_position(#[case] content: &str, #[case] expected: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("record.json");
    fs::write(&path, content)?;
    let error = Record::read(&path).err().ok_or("it was read")?.to_string();
    assert_eq!(error, format!("{} {expected}", path.display()));
    Ok(())
}

#[test]
fn a_missing_file_is_named() -> Outcome {
    let error = Record::read("no/such/record.json").err().ok_or("it was read")?;
    assert!(matches!(&error, ReadError::Unreadable { .. }));
    assert!(error.to_string().starts_with("cannot read the record no/such/record.json: "), "{error}");
    Ok(())
}

#[test]
fn a_writer_holds_one_run_that_has_started() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut writer = RecordWriter::create(folder.path().join("record.json"))?;
    let check = sample::check("client/sync/a", Verdict::Pass);
    assert!(writer.on(&Event::Finished(&check)).is_err());
    writer.on(&Event::Started(&sample::header()))?;
    assert!(writer.on(&Event::Started(&sample::header())).is_err());
    Ok(())
}

/// The strings and names that scripts rely on.
#[test]
fn the_shape_of_a_record() -> Outcome {
    let mut record = sample::record();
    record.checks.retain(|check| check.id.starts_with("client/search"));
    let mut value: Value = serde_json::from_str(&record.to_json()?)?;
    value["checks"][1]["failure"]["exchanges"] = Value::Null;
    insta::assert_json_snapshot!(value);
    Ok(())
}

#[test]
fn fields_that_later_releases_add_are_no_obstacle() -> Outcome {
    let mut value: Value = serde_json::from_str(&sample::record().to_json()?)?;
    value["new"] = Value::from(1);
    value["checks"][0]["new"] = Value::from(1);
    value["target"]["new"] = Value::from(1);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("record.json");
    fs::write(&path, serde_json::to_string_pretty(&value)?)?;
    assert_eq!(Record::read(&path)?, sample::record());
    Ok(())
}

#[test]
fn ten_thousand_checks_are_written_quickly() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("record.json");
    let expected = sample::long_record(10_000);
    let (header, ending) = events(&expected);
    let mut writer = RecordWriter::create(&path)?;
    let start = Instant::now();
    writer.on(&Event::Started(&header))?;
    for check in &expected.checks {
        writer.on(&Event::Finished(check))?;
    }
    writer.on(&Event::Ended(&ending))?;
    assert_eq!(Record::read(&path)?.checks.len(), 10_000);
    // A second is a lot: the margin is for debug builds on busy machines.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    Ok(())
}
