//! A run while it goes, on standard error: a bar on a terminal, a few plain lines elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::style::Style;
use crate::{Check, Event, Header, Reporter, Summary, Verdict, text};

/// Without a terminal, how long nothing is said while all goes well. CI services give up on silent jobs.
const SILENCE: Duration = Duration::from_secs(30);

/// Follows a run for whoever waits for it. Unexpected verdicts are named at once; the full story is told at the end
/// by [`crate::terminal::render`].
pub struct Terminal {
    output: Output,
    style: Style,
    total: usize,
    summary: Summary,
    last_line: Instant,
}

enum Output {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

impl Terminal {
    /// On standard error: a bar if it is a terminal, plain lines if not.
    #[must_use]
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            Self::to(Output::Bar(bar), Style::of_stderr())
        } else {
            Self::lines(Box::new(io::stderr()))
        }
    }

    /// Plain lines, wherever they go.
    #[must_use]
    pub fn lines(output: Box<dyn Write + Send>) -> Self {
        Self::to(Output::Lines(output), Style::plain())
    }

    fn to(output: Output, style: Style) -> Self {
        Self { output, style, total: 0, summary: Summary::default(), last_line: Instant::now() }
    }

    fn start(&mut self, header: &Header) -> io::Result<()> {
        self.total = header.total;
        let name = text::one_line(&header.target.name);
        let version = header.target.version.as_deref().map(text::one_line).unwrap_or_default();
        let judged = text::one_line(&header.releases.judged);
        let checks = text::count(header.total, "check");
        if let Output::Bar(bar) = &self.output {
            if let Ok(style) =
                ProgressStyle::with_template("{bar:24.green/dim} {pos}/{len} {wide_msg} {elapsed}")
            {
                bar.set_style(style.progress_chars("━━─"));
            }
            bar.set_length(header.total as u64);
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let subject = text::one_line(&format!("{name} {version}"));
        self.say(&format!("judging {subject} by {judged}: {checks}, seed {}", header.seed))
    }

    fn finish(&mut self, check: &Check) -> io::Result<()> {
        self.summary.count(check);
        if check.is_unexpected() {
            let word = format!("{:<6}", check.verdict.words().to_uppercase());
            let id = text::one_line(&check.id);
            let surprise = if check.verdict == Verdict::Fail { "" } else { ", unexpected" };
            let word = self.style.verdict(check.verdict, &word);
            self.say(&format!("{word} {id} ({}{surprise})", text::duration(check.duration_ms)))?;
        }
        let counts = counts(&self.summary);
        match &self.output {
            Output::Bar(bar) => {
                bar.inc(1);
                bar.set_message(counts);
                Ok(())
            }
            Output::Lines(_) if self.last_line.elapsed() < SILENCE => Ok(()),
            Output::Lines(_) => {
                let done = self.summary.checks + self.summary.not_applicable + self.summary.faults;
                self.say(&format!("{}/{}: {counts}", text::thousands(done), text::thousands(self.total)))
            }
        }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.last_line = Instant::now();
        match &mut self.output {
            Output::Bar(bar) => {
                bar.println(line);
                Ok(())
            }
            Output::Lines(output) => writeln!(output, "{line}"),
        }
    }
}

impl Reporter for Terminal {
    fn on(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Started(header) => self.start(header),
            Event::Finished(check) => self.finish(check),
            Event::Notice(notice) => self.say(&format!("note: {}", text::one_line(notice))),
            Event::Ended(_) => match &mut self.output {
                Output::Bar(bar) => {
                    bar.finish_and_clear();
                    Ok(())
                }
                Output::Lines(output) => output.flush(),
            },
        }
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Terminal").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// The counts so far, without what has not happened: `118 pass · 2 fail`.
fn counts(summary: &Summary) -> String {
    let parts: Vec<String> = Verdict::ALL
        .iter()
        .filter(|verdict| summary.of_verdict(**verdict) > 0)
        .map(|verdict| format!("{} {}", text::thousands(summary.of_verdict(*verdict)), verdict.words()))
        .collect();
    parts.join(" · ")
}
