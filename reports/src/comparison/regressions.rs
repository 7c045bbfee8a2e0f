//! Regressions told in full: what a later record broke, with all that is needed to see it again.

use super::{compare, is_worse, letter, rows};
use crate::{Check, Record, Style, account, headline, text};

/// For each regression, and each later record that is worse than the first one: the id, the requirement, its citation,
/// what was exchanged, what was expected and came, and the command that repeats it.
#[must_use]
pub fn tell(records: &[Record], style: Style) -> String {
    let rows = rows(records);
    let mut told = String::new();
    for regression in compare(records).regressions() {
        let checks = &rows[regression.id.as_str()];
        let before = checks[0].map(|check| check.verdict);
        let worse = checks.iter().enumerate().filter_map(|(column, check)| {
            check.filter(|check| is_worse(before, Some(check.verdict))).map(|check| (column, check))
        });
        for (column, check) in worse {
            let heading = format!(
                "{} {}  {} in {}, {} in {}: {}",
                style.bad("REGRESSION"),
                style.bold(&text::one_line(&check.id)),
                before.map_or("absent", |verdict| verdict.words()),
                letter(0),
                check.verdict.words(),
                letter(column),
                headline::target(&records[column]),
            );
            told.push_str(&format!("{heading}\n"));
            for line in account::of(&records[column], check, style) {
                told.push_str(&format!("  {line}\n"));
            }
            if !has_command(check) {
                told.push_str(&format!("  {}{}\n", style.dim("repeat    "), repeat(&records[column], check)));
            }
            told.push('\n');
        }
    }
    told
}

fn has_command(check: &Check) -> bool {
    check.failure.as_ref().is_some_and(|failure| !failure.repeat.is_empty())
}

/// The command of the run, narrowed to one check; it writes no files over those of the run.
fn repeat(record: &Record, check: &Check) -> String {
    const REPLACED: [&str; 5] = ["--only", "--seed", "--record", "--report", "--shard"];
    let mut command = String::new();
    let mut words = record.command.split_whitespace();
    while let Some(word) = words.next() {
        if REPLACED.contains(&word) {
            words.next();
        } else if !REPLACED
            .iter()
            .any(|option| word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')))
        {
            command.push_str(word);
            command.push(' ');
        }
    }
    let id = text::one_line(&check.id).replace('\'', r"'\''");
    text::one_line(&format!("{command}--only '{id}' --seed {}", record.seed))
}
