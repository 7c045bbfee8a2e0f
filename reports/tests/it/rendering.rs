//! Files and comments that CI services read, and what hostile servers cannot do to them.

use std::error::Error;
use std::time::{Duration, Instant};

use reports::{Style, github, html, junit, markdown, tap, terminal};

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

/// No text from outside begins a line where a line could be a command, ends a block or moves the cursor.
#[test]
fn hostile_text_stays_text() -> Result<(), Box<dyn Error>> {
    let record = sample::hostile_record();
    let terminal = terminal::render(&record, Style::plain());
    let markdown = markdown::render(&record);
    let junit = junit::render(&record)?;
    let tap = tap::render(&record);
    let github = github::render(&record);
    for text in [&terminal, &markdown, &junit, &tap, &github] {
        let treacherous =
            |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
        assert!(!text.contains(treacherous), "{text}");
    }
    assert!(!terminal.lines().any(|line| line.trim_start().starts_with("::")), "{terminal}");
    assert!(!markdown.contains("<img"), "outside of fences: {}", without_fences(&markdown));
    assert!(github.lines().all(|line| line.starts_with("::error title=")), "{github}");
    let points = tap.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok "));
    assert_eq!(points.count(), record.checks.len(), "{tap}");
    let blocks = tap.lines().filter(|line| *line == "  ---").count();
    assert_eq!(tap.lines().filter(|line| line.trim() == "...").count(), blocks, "{tap}");
    Ok(())
}

fn without_fences(markdown: &str) -> String {
    markdown.to_owned()
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
    eprintln!("{report}");
    // A second is a lot: the margin is for debug builds on busy machines.
    assert!(start.elapsed() < Duration::from_secs(10), "{report}");
    Ok(())
}
