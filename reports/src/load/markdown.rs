//! A load run for the comment of a pull request.

use std::fmt::Write;

use super::{LoadRecord, Series, cost, terminal};
use crate::text;

pub(super) fn render(record: &LoadRecord) -> String {
    let mut page = format!("### {}\n\n", cell(&terminal::outcome(record)));
    for objective in &record.objectives {
        let mark = if objective.kept { "kept" } else { "**missed**" };
        let actual = objective.actual.as_deref().unwrap_or("no figure");
        let _ = writeln!(page, "- {mark} `{}` (it was {actual})", text::one_line(&objective.text));
    }
    page.push_str("\n| operation | count | errors | dropped | p50 | p95 | p99 | max |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for series in &record.series {
        page.push_str(&row(series));
    }
    page.push_str("\n| | |\n|---|---|\n");
    for (label, fact) in cost::facts(record).into_iter().chain(terminal::facts(record)) {
        let _ = writeln!(page, "| {label} | {} |", cell(&fact));
    }
    page
}

fn row(series: &Series) -> String {
    let latency = &series.latency;
    let quantiles = [latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms];
    let quantiles: Vec<String> =
        quantiles.iter().map(|ms| ms.map_or("–".to_owned(), text::duration)).collect();
    format!(
        "| {} | {} | {} | {} | {} |\n",
        cell(&series.name),
        text::thousands(series.count as usize),
        text::thousands(series.errors as usize),
        text::thousands(series.dropped as usize),
        quantiles.join(" | ")
    )
}

/// Text that ends no cell.
pub(super) fn cell(text: &str) -> String {
    text::one_line(text).replace('|', "\\|")
}
