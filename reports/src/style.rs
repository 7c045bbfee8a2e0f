//! Colour on a terminal, and none anywhere else.

use std::env;
use std::io::{self, IsTerminal};

use crate::Verdict;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Without colour.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colour: false }
    }

    /// With colour, wherever it goes.
    #[must_use]
    pub const fn coloured() -> Self {
        Self { colour: true }
    }

    /// What suits standard output: coloured on a terminal, unless `NO_COLOR` is set or the terminal is a dumb one.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self { colour: io::stdout().is_terminal() && allowed() }
    }

    /// What suits standard error.
    #[must_use]
    pub fn of_stderr() -> Self {
        Self { colour: io::stderr().is_terminal() && allowed() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn doubtful(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Text in the colour of a verdict.
    pub(crate) fn verdict(self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Pass => self.good(text),
            Verdict::Fail => self.bad(text),
            Verdict::Advice => self.doubtful(text),
            Verdict::Observed => self.paint("36", text),
            Verdict::NotApplicable => self.dim(text),
            Verdict::Fault => self.paint("1;35", text),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// See <https://no-color.org>: any value but the empty one forbids colour.
fn allowed() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}
