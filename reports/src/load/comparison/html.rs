//! Load records side by side as one HTML page that needs nothing else: no network, no other file, no script.

use maud::{DOCTYPE, Markup, html};

use super::super::chart::{Line, MOST_LINES};
use super::super::html::{CHARTS_CSS, POLICY, percentile_chart, percentile_line};
use super::super::{LoadComparison, LoadRecord, Series};
use super::{Change, Figures, Row, compare, failures, latencies, letter};
use crate::html::{CSS, head};
use crate::{Style, text};

const COMPARISON_CSS: &str = include_str!("../../comparison/html/comparison.css");

/// The page: figures with their ratios to the first record, and for each operation the percentiles over each other.
#[must_use]
pub fn render(records: &[LoadRecord]) -> String {
    let comparison = compare(records);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head("Load side by side · Determinant", POLICY, &[CSS, CHARTS_CSS, COMPARISON_CSS]))
            body {
                (top(&comparison))
                main {
                    (table(&comparison))
                    section {
                        h2 { "Percentiles" }
                        @if records.len() > MOST_LINES {
                            p.notice { "Charts show the first " (MOST_LINES) " records." }
                        }
                        @for row in &comparison.rows { (percentiles(records, &row.name)) }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn top(comparison: &LoadComparison) -> Markup {
    let is_worse = comparison.regressions().next().is_some();
    html! {
        header {
            h1 { "Load side by side" }
            p.outcome.(if is_worse { "fail" } else { "pass" }) { (comparison.verdict(Style::plain())) }
            dl {
                @for (place, column) in comparison.columns.iter().enumerate() {
                    div { dt { (letter(place)) } dd { (column) } }
                }
            }
            @for warning in &comparison.warnings { p.notice { (warning) } }
        }
    }
}

fn table(comparison: &LoadComparison) -> Markup {
    html! {
        section {
            h2 { "Latencies: p50 / p95 / p99" }
            p.story { "× says how many times as long the 95th percentile is as that of " (letter(0)) "." }
            div.scroll tabindex="0" role="region" aria-label="Latencies by records" {
                table {
                    thead {
                        tr {
                            th scope="col" { "operation" }
                            @for place in 0..comparison.columns.len() { th scope="col" { (letter(place)) } }
                        }
                    }
                    tbody {
                        @for row in &comparison.rows {
                            tr { th scope="row" { (text::one_line(&row.name)) } (cells(row)) }
                        }
                    }
                }
            }
        }
    }
}

fn cells(row: &Row) -> Markup {
    let base = row.figures.first().copied().flatten();
    html! {
        @for (place, figures) in row.figures.iter().enumerate() {
            @match figures {
                None => { td.none { "–" } }
                Some(figures) => { td class=[class(figures.change)] {
                    (latencies(figures))
                    @if place > 0 { @if let Some(ratio) = ratio(base.as_ref(), figures) { " " b { (ratio) } } }
                    @if !failures(figures).is_empty() { br; (failures(figures)) }
                    @match figures.change {
                        Change::Worse => { br; "▲ worse" }
                        Change::Better => { br; "▼ better" }
                        Change::None => {}
                    }
                } }
            }
        }
    }
}

fn class(change: Change) -> Option<&'static str> {
    match change {
        Change::None => None,
        Change::Worse => Some("fail"),
        Change::Better => Some("pass"),
    }
}

/// How many times as long the 95th percentile is.
fn ratio(base: Option<&Figures>, figures: &Figures) -> Option<String> {
    let base_ms = base?.p95_ms.filter(|ms| *ms > 0.0)?;
    Some(format!("×{:.2}", figures.p95_ms? / base_ms))
}

fn percentiles(records: &[LoadRecord], operation: &str) -> Markup {
    let line = |(place, record): (usize, &LoadRecord)| {
        let label = format!("{} {}", letter(place), record.target.name);
        record.series(operation).filter(|series| has_latencies(series)).map_or_else(
            || Line { label: label.clone(), points: Vec::new() },
            |series| percentile_line(&label, series),
        )
    };
    // A record without this operation keeps its place, so that it has one colour on the whole page.
    let lines: Vec<Line> = records.iter().enumerate().map(line).collect();
    html! {
        @if lines.iter().any(|line| !line.points.is_empty()) {
            (percentile_chart(&format!("{operation}: latency that so many stay below"), &lines))
        }
    }
}

fn has_latencies(series: &Series) -> bool {
    series.latency.histogram.count() > 0
}
