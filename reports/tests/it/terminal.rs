//! What a person sees while a run goes and after it.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use reports::{Ending, Event, Reporter, Style, Terminal, Verdict};

use crate::sample;

#[test]
fn a_finished_run() {
    insta::assert_snapshot!(reports::terminal::render(&sample::record(), Style::plain()));
}

#[test]
fn a_run_in_which_all_is_well() {
    let mut record = sample::record();
    record.checks.retain(|check| check.verdict == Verdict::Pass && !check.is_unexpected());
    insta::assert_snapshot!(reports::terminal::render(&record, Style::plain()));
}

#[test]
fn an_interrupted_run_with_a_dead_target() {
    let mut record = sample::record();
    let fault = record.checks.swap_remove(5);
    record.checks.truncate(1);
    for number in 0..30 {
        let mut fault = fault.clone();
        fault.id = format!("client/area-{}/check-{number}", number % 3);
        record.checks.push(fault);
    }
    record.total = 1_204;
    record.interrupted = true;
    insta::assert_snapshot!(reports::terminal::render(&record, Style::plain()));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = reports::terminal::render(&sample::record(), Style::coloured());
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&plain), trimmed(&reports::terminal::render(&sample::record(), Style::plain())));
}

#[test]
fn our_own_lines_fit_into_eighty_columns() {
    for line in reports::terminal::render(&sample::record(), Style::plain()).lines() {
        let cannot_break = ["http", "/_matrix", "--only"].iter().any(|part| line.contains(part));
        assert!(cannot_break || line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn coverage() {
    insta::assert_snapshot!(sample::coverage().to_terminal(Style::plain(), true));
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn without_a_terminal_only_surprises_are_told_on_the_way() -> Result<(), Box<dyn Error>> {
    let output = Shared::default();
    let mut terminal = Terminal::lines(Box::new(output.clone()));
    let record = sample::record();
    terminal.on(&Event::Started(&sample::header()))?;
    for check in &record.checks {
        terminal.on(&Event::Finished(check))?;
    }
    terminal.on(&Event::Notice(sample::HOSTILE))?;
    terminal.on(&Event::Ended(&Ending::default()))?;
    let text = String::from_utf8(output.0.lock().unwrap_or_else(PoisonError::into_inner).clone())?;
    insta::assert_snapshot!(text);
    Ok(())
}
