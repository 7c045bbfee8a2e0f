//! A finished run as Markdown, for the comment of a pull request or the summary of a CI job.

use std::fmt::Write;

use crate::digest::{self, Digest};
use crate::style::Style;
use crate::text::Piece;
use crate::{Check, Outcome, Record, Summary, Verdict, account, headline, text};

/// GitHub takes comments of at most 65,536 characters; details stop before, with room for the tables that follow.
const BUDGET: usize = 48_000;

/// How many ids a list shows.
const LISTED: usize = 50;

/// The report, ending in a line feed. It stays within what GitHub takes for a comment; details that do not fit are
/// counted.
#[must_use]
pub fn render(record: &Record) -> String {
    let digest = Digest::of(record);
    let mut page = Page { text: String::new(), record };
    page.headline(&digest);
    page.told("Failures", &digest.failures);
    page.told("Unexpected passes", &digest.surprising_passes);
    page.told("Other unexpected results", &digest.other_surprises);
    page.faults(&digest.faults);
    page.list("As the expectations foresee", &digest.foreseen, |check| {
        check.expectation.as_deref().unwrap_or_default()
    });
    page.list("Advice", &digest.advice, Check::story);
    page.areas(&digest);
    page.facts();
    page.text
}

struct Page<'a> {
    text: String,
    record: &'a Record,
}

impl Page<'_> {
    fn headline(&mut self, digest: &Digest<'_>) {
        let mark = match self.record.outcome() {
            Outcome::AsExpected => "✅",
            Outcome::Unexpected => "❌",
            Outcome::Fault => "⚠️",
        };
        let outcome = headline::outcome(self.record, &digest.summary);
        self.add(&format!("## {mark} {}: {outcome}\n\n", words(&headline::target(self.record))));
        self.add(&format!("{}.\n\n", headline::totals(&digest.summary)));
        for notice in &self.record.notices {
            self.add(&format!("> {}\n\n", sentence(notice)));
        }
    }

    fn told(&mut self, title: &str, checks: &[&Check]) {
        if checks.is_empty() {
            return;
        }
        self.add(&format!("### {title} ({})\n\n", text::thousands(checks.len())));
        let groups = digest::by_stem(checks);
        for (index, group) in groups.iter().enumerate() {
            let details = self.details(group);
            if self.text.len() + details.len() > BUDGET {
                self.add(&format!(
                    "… and {} more, told in the record.\n\n",
                    text::thousands(groups.len() - index)
                ));
                break;
            }
            self.add(&details);
        }
    }

    fn details(&self, group: &[&Check]) -> String {
        let check = group[0];
        let cases = if group.len() > 1 {
            format!(" and {}", text::count(group.len() - 1, "more case"))
        } else {
            String::new()
        };
        let mut account = account::of(self.record, check, Style::plain()).join("\n");
        for other in group.iter().skip(1).take(LISTED) {
            let _ = write!(
                account,
                "\nlikewise  {}: {}",
                text::one_line(&other.id),
                text::one_line(other.story())
            );
        }
        let fence = fence(&account);
        format!(
            "<details><summary>{} <code>{}</code>{cases}</summary>\n\n{fence}text\n{account}\n{fence}\n\n</details>\n\n",
            check.verdict.words(),
            markup(&text::one_line(&check.id)),
        )
    }

    fn faults(&mut self, faults: &[&Check]) {
        if faults.is_empty() {
            return;
        }
        self.add(&format!("### Faults ({})\n\n", text::thousands(faults.len())));
        let groups = digest::by_reason(faults);
        for group in groups.iter().take(LISTED) {
            let others = if group.len() > 1 {
                format!(" and {}", text::count(group.len() - 1, "more check"))
            } else {
                String::new()
            };
            let story = if group[0].story().is_empty() { "no reason given" } else { group[0].story() };
            self.add(&format!("- {}{others}: {}\n", code(&group[0].id), code(&text::clip(story, 300))));
        }
        self.rest(groups.len());
    }

    fn list(&mut self, title: &str, checks: &[&Check], story: impl Fn(&Check) -> &str) {
        if checks.is_empty() {
            return;
        }
        let number = text::thousands(checks.len());
        self.add(&format!("<details><summary>{title} ({number})</summary>\n\n"));
        for check in checks.iter().take(LISTED) {
            let story = story(check);
            let story = if story.is_empty() { &check.requirement } else { story };
            self.add(&format!(
                "- {} {}: {}\n",
                check.verdict.words(),
                code(&check.id),
                sentence(&text::clip(story, 200))
            ));
        }
        self.rest(checks.len());
        self.add("</details>\n\n");
    }

    fn rest(&mut self, total: usize) {
        if total > LISTED {
            self.add(&format!("- … and {} more\n", text::thousands(total - LISTED)));
        }
        self.add("\n");
    }

    fn areas(&mut self, digest: &Digest<'_>) {
        self.add("<details><summary>Areas</summary>\n\n");
        self.add("| area | pass | fail | advice | observed | n/a | fault |\n|---|--:|--:|--:|--:|--:|--:|\n");
        for (area, summary) in &digest.areas {
            self.row(&code(area), summary);
        }
        self.row("**total**", &digest.summary);
        self.add("\n</details>\n\n");
    }

    fn row(&mut self, name: &str, summary: &Summary) {
        let cells = Verdict::ALL.map(|verdict| match summary.of_verdict(verdict) {
            0 => "·".to_owned(),
            number => text::thousands(number),
        });
        self.add(&format!("| {name} | {} |\n", cells.join(" | ")));
    }

    fn facts(&mut self) {
        self.add("<details><summary>Run</summary>\n\n| | |\n|---|---|\n");
        for (label, fact) in headline::facts(self.record) {
            self.add(&format!("| {label} | {} |\n", words(&fact)));
        }
        self.add("\n</details>\n");
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

/// A sentence of ours, in which backticks mark code.
fn sentence(sentence: &str) -> String {
    let sentence = text::one_line(sentence);
    let pieces = text::pieces(&sentence).into_iter().map(|piece| match piece {
        Piece::Words(text) => words(text),
        Piece::Code(text) => code(text),
    });
    pieces.collect()
}

/// Text that is no markup of any kind, and mentions nobody.
pub(crate) fn words(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text::printable(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("@\u{200b}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => escaped.extend(['\\', character]),
            '\n' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text as inline code that stays in its cell of a table, whatever it is.
pub(crate) fn code(text: &str) -> String {
    let text = text::one_line(text).replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``").replace("```", "` ` `") } else { format!("`{text}`") }
}

fn markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A fence that nothing in the text closes.
fn fence(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}
