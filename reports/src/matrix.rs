//! Several servers in one picture for a README: an SVG of areas by records.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use crate::{Record, Summary, text};

/// Sizes in pixels.
const ROW: usize = 24;
const AREA: usize = 260;
const COLUMN: usize = 150;
const MARGIN: usize = 12;

/// Follows the colours that its reader prefers. The numbers say the same as the colours.
const CSS: &str = "text{font:13px system-ui,sans-serif;fill:#1c2128}.number{text-anchor:middle}.head{font-weight:600}\
    .good{fill:#b7e4c2}.flawed{fill:#f6dfa8}.bad{fill:#f7c4c0}.none{fill:#e6e9ed}\
    @media(prefers-color-scheme:dark){text{fill:#e4e8ee}.good{fill:#1d4d2b}.flawed{fill:#57420f}.bad{fill:#662522}\
    .none{fill:#2a313b}}";

/// The picture: for each area and record, how many of the requirements that were judged were met.
#[must_use]
pub fn render(records: &[Record]) -> String {
    let mut rows: BTreeMap<&str, Vec<Summary>> = BTreeMap::new();
    for (column, record) in records.iter().enumerate() {
        for check in &record.checks {
            rows.entry(check.area()).or_insert_with(|| vec![Summary::default(); records.len()])[column]
                .count(check);
        }
    }
    let totals: Vec<Summary> = records.iter().map(|record| Summary::of(&record.checks)).collect();
    let width = AREA + COLUMN * records.len() + 2 * MARGIN;
    let height = ROW * (rows.len() + 3) + 2 * MARGIN;
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
            role="img" aria-labelledby="title"
        {
            title #title { "Checks passed, by area and server" }
            style { (PreEscaped(CSS)) }
            @for (column, record) in records.iter().enumerate() {
                (words(x(column), 0, "number head", &text::one_line(&record.target.name)))
                (words(x(column), 1, "number", &version(record)))
            }
            @for (row, (area, summaries)) in rows.iter().enumerate() {
                (line(row + 2, "", &text::one_line(area), summaries))
            }
            (line(rows.len() + 2, "head", "total", &totals))
        }
    };
    picture.into_string()
}

fn line(row: usize, class: &str, name: &str, summaries: &[Summary]) -> Markup {
    html! {
        (words(MARGIN, row, class, name))
        @for (column, summary) in summaries.iter().enumerate() {
            rect x=(x(column) - COLUMN / 2 + 1) y=(MARGIN + row * ROW + 1) width=(COLUMN - 2) height=(ROW - 2) rx="4"
                class=(colour(summary)) {}
            (words(x(column), row, &format!("number {class}"), &score(summary)))
        }
    }
}

fn words(x: usize, row: usize, class: &str, words: &str) -> Markup {
    let y = MARGIN + row * ROW + ROW - 8;
    html! { text x=(x) y=(y) class=[Some(class.trim()).filter(|class| !class.is_empty())] { (text::clip(words, 34)) } }
}

/// The middle of a column.
fn x(column: usize) -> usize {
    MARGIN + AREA + column * COLUMN + COLUMN / 2
}

fn score(summary: &Summary) -> String {
    match (judged(summary), summary.faults) {
        (0, 0) => "–".to_owned(),
        (0, faults) => text::count(faults, "fault"),
        (judged, _) => format!("{} / {}", text::thousands(summary.passed), text::thousands(judged)),
    }
}

/// Observations are no judgement.
pub(crate) fn judged(summary: &Summary) -> usize {
    summary.passed + summary.failed + summary.advised
}

fn colour(summary: &Summary) -> &'static str {
    match summary {
        Summary { failed: 1.., .. } | Summary { faults: 1.., .. } => "bad",
        Summary { advised: 1.., .. } => "flawed",
        summary if judged(summary) == 0 => "none",
        _ => "good",
    }
}

fn version(record: &Record) -> String {
    let version = record.target.version.as_deref().unwrap_or_default();
    text::one_line(&format!("{version} by {}", record.releases.judged))
}
