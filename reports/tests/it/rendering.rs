//! Files and comments that CI services read, and what hostile servers cannot do to them.

use std::error::Error;
use std::time::{Duration, Instant};

use reports::{Rendering, Style, github, go_test, html, junit, markdown, tap, terminal};

use crate::sample;

#[test]
fn markdown_of_a_run() {
    insta::assert_snapshot!(markdown::render(&sample::record()));
}

#[test]
fn junit_of_a_run() -> Result<(), Box<dyn Error>> {
    insta::assert_snapshot!(junit::render(&sample::record())?);
    Ok(())
}

#[test]
fn junit_counts_add_up() -> Result<(), Box<dyn Error>> {
    let text = junit::render(&sample::record())?;
    assert!(text.contains("tests=\"9\" skipped=\"2\" failures=\"3\" errors=\"1\""), "{text}");
    Ok(())
}

#[test]
fn tap_of_a_run() {
    insta::assert_snapshot!(tap::render(&sample::record()));
}

#[test]
fn github_annotations_of_a_run() {
    insta::assert_snapshot!(github::render(&sample::record()));
}

#[test]
fn github_gets_no_more_errors_than_it_shows() {
    let mut record = sample::long_record(2_000);
    for (number, check) in record.checks.iter_mut().enumerate() {
        check.id = format!("client/area/check-{number}");
    }
    let text = github::render(&record);
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 11, "ten, and the totals");
    assert!(errors[9].contains("and 31 more errors of this run"), "{}", errors[9]);
}

#[test]
fn go_test_lines_of_a_run() -> Result<(), Box<dyn Error>> {
    insta::assert_snapshot!(go_test::render(&sample::record())?);
    Ok(())
}

/// What reads the lines counts what the record counts, and every package ends with what its tests came to.
#[test]
fn go_test_counts_add_up() -> Result<(), Box<dyn Error>> {
    let record = sample::record();
    let mut ended = std::collections::BTreeMap::new();
    for line in go_test::render(&record)?.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let action = line["Action"].as_str().ok_or("no action")?.to_owned();
        if line["Test"].is_string() {
            *ended.entry(action).or_insert(0) += 1;
        }
    }
    let unexpected = record.checks.iter().filter(|check| check.is_unexpected()).count();
    assert_eq!((ended["run"], ended["fail"]), (record.checks.len(), unexpected));
    assert_eq!(ended["pass"] + ended["fail"] + ended["skip"], record.checks.len());
    Ok(())
}

/// No text from outside begins a line where a line could be a command, ends a block or moves the cursor.
#[test]
fn hostile_text_stays_text() -> Result<(), Box<dyn Error>> {
    let record = sample::hostile_record();
    let terminal = terminal::render(&record, Style::plain());
    let markdown = markdown::render(&record);
    let junit = junit::render(&record)?;
    let tap = tap::render(&record);
    let github = github::render(&record);
    let go_test = go_test::render(&record)?;
    for text in [&terminal, &markdown, &junit, &tap, &github, &go_test] {
        let treacherous =
            |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
        assert!(!text.contains(treacherous), "{text}");
    }
    assert!(!terminal.lines().any(|line| line.trim_start().starts_with("::")), "{terminal}");
    let markup = without_fences(&markdown);
    assert!(markup.lines().all(|line| !line.contains("<img") || line.starts_with("- ")), "{markup}");
    assert!(!markup.lines().any(|line| line.contains("<img") && !line.contains("`` ")), "{markup}");
    assert!(github.lines().all(|line| line.starts_with("::error title=")), "{github}");
    let points = tap.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok "));
    assert_eq!(points.count(), record.checks.len(), "{tap}");
    let blocks = tap.lines().filter(|line| *line == "  ---").count();
    assert_eq!(tap.lines().filter(|line| line.trim() == "...").count(), blocks, "{tap}");
    Ok(())
}

/// What Markdown takes for markup: everything but code, whose fences are as long as nothing inside of them.
fn without_fences(markdown: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut kept = String::new();
    for line in markdown.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => kept.extend([line, "\n"]),
        }
    }
    assert_eq!(fence, None, "a fence that never closes");
    kept
}

#[test]
fn a_comment_stays_within_its_limit() {
    let mut record = sample::long_record(10_000);
    for (number, check) in record.checks.iter_mut().enumerate() {
        check.id = format!("client/area-{}/check-{number}", number % 60);
    }
    let text = markdown::render(&record);
    assert!(text.len() < 65_536, "{} bytes", text.len());
    assert!(text.contains("more, told in the record."));
}

#[test]
fn ten_thousand_checks_are_rendered_quickly() -> Result<(), Box<dyn Error>> {
    let record = sample::long_record(10_000);
    let start = Instant::now();
    let mut report = String::new();
    let mut took = |name: &str, length: usize| {
        report.push_str(&format!("{name}: {length} bytes at {:?}\n", start.elapsed()))
    };
    took("terminal", terminal::render(&record, Style::coloured()).len());
    took("markdown", markdown::render(&record).len());
    took("junit", junit::render(&record)?.len());
    took("tap", tap::render(&record).len());
    took("github", github::render(&record).len());
    took("html", html::render(&record).len());
    took("comparison", reports::compare(&[record.clone(), record.clone()]).to_terminal(Style::plain()).len());
    // A second is a lot: the margin is for debug builds on busy machines.
    assert!(start.elapsed() < Duration::from_secs(10), "{report}");
    Ok(())
}

#[test]
fn every_rendering_has_a_name_that_leads_to_it() -> Result<(), Box<dyn Error>> {
    for rendering in Rendering::ALL {
        assert_eq!(rendering.to_string().parse::<Rendering>()?, rendering);
        assert!(!rendering.draw(&sample::record(), Style::plain())?.is_empty());
    }
    let error = "pdf".parse::<Rendering>().err().ok_or("it was parsed")?.to_string();
    for rendering in Rendering::ALL {
        assert!(error.contains(rendering.name()), "{error}");
    }
    assert_eq!(Rendering::of_path("junit.xml".as_ref()), Some(Rendering::Junit));
    assert_eq!(Rendering::of_path("run.gotest.json".as_ref()), Some(Rendering::GoTest));
    assert_eq!(Rendering::of_path("record.json".as_ref()), None);
    assert_eq!(Rendering::of_path("report".as_ref()), None);
    Ok(())
}
