//! A load run while it goes, on standard error: a bar on a terminal, a few plain lines elsewhere.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text;

/// Without a terminal, how long nothing is said.
const SILENCE: Duration = Duration::from_secs(10);

/// Follows a run for whoever waits for it.
pub struct Live(Mutex<Inner>);

struct Inner {
    output: Output,
    last_line: Instant,
}

enum Output {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

/// How a run goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulse {
    /// Operations started so far.
    pub started: u64,
    /// Operations failed so far.
    pub errors: u64,
    /// Arrivals dropped so far.
    pub dropped: u64,
    /// The slowest operation of late, with the 95th percentile of its latency in milliseconds.
    pub slowest: Option<(String, f64)>,
}

impl Live {
    /// On standard error: a bar if it is a terminal, plain lines if not.
    #[must_use]
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) =
                ProgressStyle::with_template("{bar:24.green/dim} {prefix} {wide_msg} {elapsed}")
            {
                bar.set_style(style.progress_chars("━━─"));
            }
            Self::to(Output::Bar(bar))
        } else {
            Self::lines(Box::new(io::stderr()))
        }
    }

    /// Plain lines, wherever they go.
    #[must_use]
    pub fn lines(output: Box<dyn Write + Send>) -> Self {
        Self::to(Output::Lines(output))
    }

    fn to(output: Output) -> Self {
        Live(Mutex::new(Inner { output, last_line: Instant::now() }))
    }

    /// Says something that stays.
    pub fn say(&self, line: &str) {
        let mut inner = self.lock();
        inner.last_line = Instant::now();
        match &mut inner.output {
            Output::Bar(bar) => bar.println(line),
            // A reader that has gone away is no reason to stop.
            Output::Lines(output) => drop(writeln!(output, "{line}")),
        }
    }

    /// So many of so many things of a kind are there.
    pub fn made(&self, what: &str, done: usize, of: usize) {
        self.moves(
            what,
            done as u64,
            of as u64,
            &format!("{} of {}", text::thousands(done), text::thousands(of)),
        );
    }

    /// The run has gone on for so long, of so long.
    pub fn pulse(&self, elapsed: Duration, span: Duration, pulse: &Pulse) {
        let mut words = format!("{} started", text::thousands(pulse.started as usize));
        if let Some((name, p95_ms)) = &pulse.slowest {
            words.push_str(&format!(", slowest {name} p95 {}", text::duration(*p95_ms)));
        }
        for (number, what) in [(pulse.errors, "errors"), (pulse.dropped, "dropped")] {
            if number > 0 {
                words.push_str(&format!(", {} {what}", text::thousands(number as usize)));
            }
        }
        let seconds = format!("{} of {} s", elapsed.as_secs().min(span.as_secs()), span.as_secs());
        self.moves(&seconds, elapsed.as_millis() as u64, span.as_millis() as u64, &words);
    }

    /// Nothing moves any more.
    pub fn ends(&self) {
        if let Output::Bar(bar) = &self.lock().output {
            bar.finish_and_clear();
        }
    }

    fn moves(&self, prefix: &str, position: u64, length: u64, words: &str) {
        let mut inner = self.lock();
        let is_due = inner.last_line.elapsed() >= SILENCE;
        match &mut inner.output {
            Output::Bar(bar) => {
                bar.set_length(length);
                bar.set_position(position.min(length));
                bar.set_prefix(prefix.to_owned());
                bar.set_message(words.to_owned());
            }
            Output::Lines(output) if is_due => {
                let _ = writeln!(output, "{prefix}: {words}");
                inner.last_line = Instant::now();
            }
            Output::Lines(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").finish_non_exhaustive()
    }
}
