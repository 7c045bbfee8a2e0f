//! A finished run on a terminal: what needs attention first, the totals last, where the eye rests.

mod coverage;

use crate::digest::{self, Digest};
use crate::style::Style;
use crate::{Check, Outcome, Record, Summary, Verdict, account, headline, text};

/// How many groups of failures are told in full; the others are listed.
const TOLD: usize = 25;

/// How many ids a list shows.
const LISTED: usize = 40;

/// How many cases of a failure, or ids of a fault, are listed.
const SIBLINGS: usize = 5;

/// How many of the slowest checks are named, and from which duration on it is worth it, in milliseconds.
const SLOWEST: usize = 5;
const SLOW_MS: f64 = 1_000.0;

/// Columns of the table of areas, with their widths in characters.
const COLUMNS: [(Verdict, &str, usize); 6] = [
    (Verdict::Pass, "pass", 7),
    (Verdict::Fail, "fail", 6),
    (Verdict::Advice, "advice", 8),
    (Verdict::Observed, "observed", 10),
    (Verdict::NotApplicable, "n/a", 6),
    (Verdict::Fault, "fault", 7),
];

/// Width of the column of areas, in characters.
const AREA: usize = 36;

/// The whole report, ending in a line feed.
#[must_use]
pub fn render(record: &Record, style: Style) -> String {
    let digest = Digest::of(record);
    let mut page = Page { text: String::new(), style, record };
    page.failures(&digest.failures);
    page.surprises("Unexpected passes", &digest.surprising_passes);
    page.surprises("Other unexpected results", &digest.other_surprises);
    page.faults(&digest.faults);
    page.list("As the expectations foresee", &digest.foreseen, |check| check.expectation.as_deref());
    page.list("Advice", &digest.advice, |check| Some(check.story()));
    page.areas(&digest);
    page.slowest();
    page.header();
    page.totals(&digest.summary);
    page.text
}

/// A heading with a rule over the whole width, and an empty line.
pub(crate) fn heading(style: Style, title: &str, number: Option<usize>) -> String {
    let title = number.map_or(title.to_owned(), |number| format!("{title} ({})", text::thousands(number)));
    let rule = "─".repeat(text::WIDTH.saturating_sub(title.chars().count() + 4));
    format!("{} {} {}\n\n", style.dim("──"), style.bold(&title), style.dim(&rule))
}

struct Page<'a> {
    text: String,
    style: Style,
    record: &'a Record,
}

impl Page<'_> {
    /// Adds a line. One that a workflow runner would take for a command is quoted: its text may be the target's.
    fn line(&mut self, line: &str) {
        if line.trim_start().starts_with("::") {
            self.text.push_str("│ ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str, number: Option<usize>) {
        let heading = heading(self.style, title, number);
        self.text.push_str(&heading);
    }

    fn title(&mut self, verdict: Verdict, check: &Check) {
        let word = format!("{:<6}", verdict.words().to_uppercase());
        let title =
            format!("{} {}", self.style.verdict(verdict, &word), self.style.bold(&text::one_line(&check.id)));
        self.line(&title);
    }

    fn account(&mut self, check: &Check) {
        for line in account::of(self.record, check, self.style) {
            self.text.push_str("  ");
            self.line(&line);
        }
    }

    fn failures(&mut self, failures: &[&Check]) {
        if failures.is_empty() {
            return;
        }
        self.heading("Failures", Some(failures.len()));
        let groups = digest::by_stem(failures);
        for group in groups.iter().take(TOLD) {
            self.title(Verdict::Fail, group[0]);
            self.account(group[0]);
            self.siblings(&group[1..]);
            self.line("");
        }
        if groups.len() > TOLD {
            self.line(&format!(
                "and {}, told in the record:",
                text::count(groups.len() - TOLD, "more failure")
            ));
            for group in groups.iter().skip(TOLD).take(LISTED) {
                self.title(Verdict::Fail, group[0]);
            }
            self.rest(groups.len() - TOLD);
            self.line("");
        }
    }

    fn siblings(&mut self, siblings: &[&Check]) {
        for check in siblings.iter().take(SIBLINGS) {
            let line = text::one_line(&format!("{}: {}", check.id, check.story()));
            self.line(&format!(
                "  {:<10}{}",
                self.style.dim("likewise  "),
                text::clip(&line, text::WIDTH - 12)
            ));
        }
        if siblings.len() > SIBLINGS {
            let rest = text::count(siblings.len() - SIBLINGS, "more case");
            self.line(&format!("  {:<10}{rest}", ""));
        }
    }

    fn surprises(&mut self, title: &str, checks: &[&Check]) {
        if checks.is_empty() {
            return;
        }
        self.heading(title, Some(checks.len()));
        for check in checks.iter().take(LISTED) {
            self.title(check.verdict, check);
            self.account(check);
            if check.verdict == Verdict::Pass {
                self.line(&format!("  {:<10}passes now: remove it from the expectations of this target", ""));
            }
            self.line("");
        }
        self.rest(checks.len());
    }

    fn faults(&mut self, faults: &[&Check]) {
        if faults.is_empty() {
            return;
        }
        self.heading("Faults: these could not be put", Some(faults.len()));
        for group in digest::by_reason(faults).iter().take(LISTED) {
            for check in group.iter().take(SIBLINGS) {
                self.title(Verdict::Fault, check);
            }
            if group.len() > SIBLINGS {
                self.line(&format!("       and {}", text::count(group.len() - SIBLINGS, "more check")));
            }
            let story = if group[0].story().is_empty() { "no reason given" } else { group[0].story() };
            for line in text::wrap(story, text::WIDTH - 4) {
                self.line(&format!("  {line}"));
            }
            if let Some(failure) = &group[0].failure
                && !failure.repeat.is_empty()
            {
                self.line(&format!("  {}{}", self.style.dim("repeat    "), text::one_line(&failure.repeat)));
            }
            self.line("");
        }
    }

    fn list(&mut self, title: &str, checks: &[&Check], story: impl Fn(&Check) -> Option<&str>) {
        if checks.is_empty() {
            return;
        }
        self.heading(title, Some(checks.len()));
        for check in checks.iter().take(LISTED) {
            self.title(check.verdict, check);
            let line =
                text::one_line(story(check).filter(|story| !story.is_empty()).unwrap_or(&check.requirement));
            self.line(&format!("       {}", text::clip(&line, text::WIDTH - 8)));
        }
        self.rest(checks.len());
        self.line("");
    }

    fn rest(&mut self, total: usize) {
        if total > LISTED {
            self.line(&format!("       … and {} more", text::thousands(total - LISTED)));
        }
    }

    fn areas(&mut self, digest: &Digest<'_>) {
        if digest.areas.is_empty() {
            return;
        }
        self.heading("Areas", None);
        let header = COLUMNS.map(|(_, title, width)| format!("{title:>width$}")).concat();
        self.line(&self.style.dim(&format!("{:<AREA$}{header}", "")));
        for (area, summary) in &digest.areas {
            self.row(area, summary);
        }
        if digest.areas.len() > 1 {
            self.row("total", &digest.summary);
        }
        self.line("");
    }

    fn row(&mut self, name: &str, summary: &Summary) {
        let mut row = format!("{:<AREA$}", text::clip(&text::one_line(name), AREA - 1));
        for (verdict, _, width) in COLUMNS {
            let cell = match summary.of_verdict(verdict) {
                0 => self.style.dim(&format!("{:>width$}", "·")),
                number => self.style.verdict(verdict, &format!("{:>width$}", text::thousands(number))),
            };
            row.push_str(&cell);
        }
        self.line(&row);
    }

    fn slowest(&mut self) {
        let slow = digest::slowest(self.record, SLOWEST);
        let slow: Vec<&Check> = slow.into_iter().filter(|check| check.duration_ms >= SLOW_MS).collect();
        if slow.is_empty() {
            return;
        }
        self.heading("Slowest", None);
        for check in slow {
            self.line(&format!("{:>12}  {}", text::duration(check.duration_ms), text::one_line(&check.id)));
        }
        self.line("");
    }

    fn header(&mut self) {
        self.heading("Run", None);
        let mut facts = headline::facts(self.record);
        facts.extend(self.record.notices.iter().map(|notice| ("notice", text::one_line(notice))));
        for (label, fact) in facts {
            for (index, line) in text::wrap(&fact, text::WIDTH - 12).iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                self.line(&format!("{}{line}", self.style.dim(&format!("{label:<12}"))));
            }
        }
        self.line("");
    }

    fn totals(&mut self, summary: &Summary) {
        for line in text::wrap(&headline::totals(summary), text::WIDTH) {
            self.line(&line);
        }
        let outcome = headline::outcome(self.record, summary);
        let outcome = match self.record.outcome() {
            Outcome::AsExpected => self.style.good(&outcome),
            Outcome::Unexpected => self.style.bad(&outcome),
            Outcome::Fault => self.style.verdict(Verdict::Fault, &outcome),
        };
        self.line(&outcome);
    }
}
