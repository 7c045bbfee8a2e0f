//! A comparison on a terminal.

use super::{Change, Comparison, Difference, letter};
use crate::style::Style;
use crate::{Verdict, headline, terminal, text};

/// How many differences of each sort are listed.
const LISTED: usize = 200;

/// Width of a column of verdicts, in characters.
const COLUMN: usize = 10;

impl Comparison {
    /// The comparison as text, ending in a line feed.
    #[must_use]
    pub fn to_terminal(&self, style: Style) -> String {
        let mut text = String::new();
        let groups = [
            (Change::Other, "Other differences"),
            (Change::Improvement, "Improvements"),
            (Change::Regression, "Regressions"),
        ];
        for (change, title) in groups {
            let differences: Vec<&Difference> = self.of_change(change).collect();
            if !differences.is_empty() {
                text.push_str(&terminal::heading(style, title, Some(differences.len())));
                table(self, &differences, style, &mut text);
            }
        }
        text.push_str(&terminal::heading(style, "Records", None));
        records(self, style, &mut text);
        text.push_str(&verdict(self, style));
        text
    }
}

fn table(comparison: &Comparison, differences: &[&Difference], style: Style, text: &mut String) {
    let letters: String =
        (0..comparison.columns.len()).map(|index| format!("{:<COLUMN$}", letter(index))).collect();
    text.push_str(&format!("{}\n", style.dim(letters.trim_end())));
    for difference in differences.iter().take(LISTED) {
        for verdict in &difference.verdicts {
            text.push_str(&cell(*verdict, style));
        }
        text.push_str(&format!("{}\n", text::one_line(&difference.id)));
        if difference.change == Change::Regression {
            let indent = " ".repeat(COLUMN * difference.verdicts.len());
            let width = text::WIDTH.saturating_sub(indent.len()).max(text::WIDTH / 2);
            for line in text::wrap(&difference.requirement, width) {
                text.push_str(&format!("{indent}{}\n", style.dim(&line)));
            }
        }
    }
    if differences.len() > LISTED {
        text.push_str(&format!("… and {} more\n", text::thousands(differences.len() - LISTED)));
    }
    text.push('\n');
}

fn records(comparison: &Comparison, style: Style, text: &mut String) {
    for (index, column) in comparison.columns.iter().enumerate() {
        let release = if column.release.is_empty() { String::new() } else { format!(", {}", column.release) };
        text.push_str(&format!(
            "{} {}{release}, seed {}\n",
            style.bold(&letter(index)),
            column.target,
            column.seed
        ));
        text.push_str(&format!("  {}\n", headline::totals(&column.summary)));
    }
    for warning in &comparison.warnings {
        text.push_str(&format!("{} {warning}\n", style.doubtful("warning:")));
    }
    text.push('\n');
}

fn verdict(comparison: &Comparison, style: Style) -> String {
    let agreed = format!(
        "{} with one verdict, {} with several",
        text::count(comparison.agreed, "check"),
        text::thousands(comparison.differences.len())
    );
    let regressions = comparison.regressions().count();
    let outcome = match regressions {
        0 => style.good("no regression"),
        number => style.bad(&text::count(number, "regression")),
    };
    format!("{agreed}\n{outcome}\n")
}

fn cell(verdict: Option<Verdict>, style: Style) -> String {
    match verdict {
        None => style.dim(&format!("{:<COLUMN$}", "–")),
        Some(Verdict::NotApplicable) => style.dim(&format!("{:<COLUMN$}", "n/a")),
        Some(verdict) => style.verdict(verdict, &format!("{:<COLUMN$}", verdict.words())),
    }
}
