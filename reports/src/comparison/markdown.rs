//! A comparison as Markdown.

use super::{Change, Comparison, Difference, letter};
use crate::markdown::{code, words};
use crate::{Verdict, headline, text};

/// How many differences of each sort are listed: a comment takes 65,536 characters.
const LISTED: usize = 150;

impl Comparison {
    /// The comparison as Markdown, ending in a line feed.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let regressions = self.regressions().count();
        let outcome = match regressions {
            0 => "✅ no regression".to_owned(),
            number => format!("❌ {}", text::count(number, "regression")),
        };
        let mut page = format!("## {outcome}\n\n");
        records(self, &mut page);
        for warning in &self.warnings {
            page.push_str(&format!("> ⚠️ {}\n\n", words(warning)));
        }
        for (change, title) in [
            (Change::Regression, "Regressions"),
            (Change::Improvement, "Improvements"),
            (Change::Other, "Other differences"),
        ] {
            let differences: Vec<&Difference> = self.of_change(change).collect();
            if !differences.is_empty() {
                table(self, title, &differences, &mut page);
            }
        }
        let (agreed, differing) =
            (text::count(self.agreed, "check"), text::thousands(self.differences.len()));
        page.push_str(&format!("{agreed} with one verdict, {differing} with several.\n"));
        page
    }
}

fn records(comparison: &Comparison, page: &mut String) {
    page.push_str("| | target | release | seed | result |\n|---|---|---|--:|---|\n");
    for (index, column) in comparison.columns.iter().enumerate() {
        let totals = headline::totals(&column.summary);
        let (target, release) = (words(&column.target), words(&column.release));
        page.push_str(&format!(
            "| {} | {target} | {release} | {} | {totals} |\n",
            letter(index),
            column.seed
        ));
    }
    page.push('\n');
}

fn table(comparison: &Comparison, title: &str, differences: &[&Difference], page: &mut String) {
    page.push_str(&format!("### {title} ({})\n\n| check |", text::thousands(differences.len())));
    (0..comparison.columns.len()).for_each(|index| page.push_str(&format!(" {} |", letter(index))));
    page.push_str(&format!("\n|---|{}\n", "---|".repeat(comparison.columns.len())));
    for difference in differences.iter().take(LISTED) {
        page.push_str(&format!("| {} |", code(&difference.id)));
        for verdict in &difference.verdicts {
            page.push_str(&format!(" {} |", verdict.map_or("–", Verdict::words)));
        }
        page.push('\n');
    }
    page.push('\n');
    if differences.len() > LISTED {
        page.push_str(&format!("… and {} more.\n\n", text::thousands(differences.len() - LISTED)));
    }
}
