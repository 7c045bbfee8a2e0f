//! Load records side by side: where servers, or versions of one, became slower or failed more.

mod html;

use std::fmt::Write;

use super::{LoadRecord, Series, markdown::cell};
use crate::{Style, terminal::heading, text};

pub use html::render as to_html;

/// A p95 is worse or better when it differs by this factor and by so many milliseconds: two runs of one server differ by less.
const FACTOR: f64 = 1.25;
const DIFFERENCE_MS: f64 = 5.0;
/// A share of errors or dropped arrivals is worse when it is higher by this much.
const SHARE: f64 = 0.01;
/// Fewer latencies than this have no 95th percentile worth a verdict.
const ENOUGH: u64 = 20;

/// Width of the column of operations, and of one record, in characters.
const NAME: usize = 20;
const COLUMN: usize = 30;

/// Compares load records operation by operation. The first one is the baseline of the others.
#[must_use]
pub fn compare(records: &[LoadRecord]) -> LoadComparison {
    let mut names: Vec<&str> = Vec::new();
    for series in records.iter().flat_map(|record| &record.series) {
        if !names.contains(&series.name.as_str()) {
            names.push(&series.name);
        }
    }
    let rows = names.into_iter().map(|name| Row::of(name, records.iter().map(|record| record.series(name))));
    LoadComparison {
        columns: records.iter().map(column).collect(),
        rows: rows.collect(),
        warnings: warnings(records),
    }
}

/// Load records side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadComparison {
    columns: Vec<String>,
    rows: Vec<Row>,
    warnings: Vec<String>,
}

/// One operation in all records.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    figures: Vec<Option<Figures>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    enough: bool,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    error_share: f64,
    dropped_share: f64,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Worse,
    Better,
}

impl LoadComparison {
    /// The operations that a later record does worse than the first one.
    pub fn regressions(&self) -> impl Iterator<Item = &str> {
        let is_worse =
            |row: &&Row| row.figures.iter().flatten().any(|figures| figures.change == Change::Worse);
        self.rows.iter().filter(is_worse).map(|row| row.name.as_str())
    }

    /// The comparison as text, ending in a line feed.
    #[must_use]
    pub fn to_terminal(&self, style: Style) -> String {
        let mut page = heading(style, "Latencies: p50 / p95 / p99", None);
        let letters: String =
            (0..self.columns.len()).map(|place| format!("{:<COLUMN$}", letter(place))).collect();
        let _ = writeln!(page, "{}", style.dim(format!("{:<NAME$}{letters}", "").trim_end()));
        for row in &self.rows {
            line(&mut page, &row.name, &row.figures, latencies, style);
            if row.figures.iter().flatten().any(|figures| !failures(figures).is_empty()) {
                line(&mut page, "", &row.figures, failures, style);
            }
        }
        page.push('\n');
        page.push_str(&heading(style, "Records", None));
        for (place, column) in self.columns.iter().enumerate() {
            let _ = writeln!(page, "{} {column}", style.bold(&letter(place)));
        }
        for warning in &self.warnings {
            let _ = writeln!(page, "{} {warning}", style.doubtful("warning:"));
        }
        let _ = writeln!(page, "\n{}", self.verdict(style));
        page
    }

    /// The comparison for a pull request.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let letters: Vec<String> = (0..self.columns.len()).map(letter).collect();
        let mut page =
            format!("| p50 / p95 / p99 | {} |\n|---|{}\n", letters.join(" | "), "---|".repeat(letters.len()));
        for row in &self.rows {
            let cells: Vec<String> = row
                .figures
                .iter()
                .map(|figures| match figures.map(|figures| figures.change) {
                    Some(Change::Worse) => format!("**{}**", words(figures.as_ref())),
                    _ => words(figures.as_ref()),
                })
                .collect();
            let _ = writeln!(page, "| {} | {} |", cell(&row.name), cells.join(" | "));
        }
        page.push('\n');
        for (letter, column) in letters.iter().zip(&self.columns) {
            let _ = writeln!(page, "- {letter}: {}", cell(column));
        }
        for warning in &self.warnings {
            let _ = writeln!(page, "- warning: {}", cell(warning));
        }
        let _ = writeln!(page, "\n{}", self.verdict(Style::plain()));
        page
    }

    fn verdict(&self, style: Style) -> String {
        match self.regressions().collect::<Vec<_>>().as_slice() {
            [] => style.good("no regression"),
            worse => style.bad(&format!("{}: {}", text::count(worse.len(), "regression"), worse.join(", "))),
        }
    }
}

impl Row {
    fn of<'a>(name: &str, series: impl Iterator<Item = Option<&'a Series>>) -> Self {
        let mut figures: Vec<Option<Figures>> = series.map(|series| series.map(Figures::of)).collect();
        if let Some((Some(base), later)) = figures.split_first_mut() {
            later.iter_mut().flatten().for_each(|figures| figures.change = figures.against(base));
        }
        Row { name: name.to_owned(), figures }
    }
}

impl Figures {
    fn of(series: &Series) -> Self {
        let latency = &series.latency;
        let arrived = series.count + series.dropped;
        Figures {
            enough: latency.histogram.count() >= ENOUGH,
            p50_ms: latency.p50_ms,
            p95_ms: latency.p95_ms,
            p99_ms: latency.p99_ms,
            error_share: series.error_share(),
            dropped_share: if arrived == 0 { 0.0 } else { series.dropped as f64 / arrived as f64 },
            change: Change::None,
        }
    }

    fn against(&self, base: &Figures) -> Change {
        let slower = |one: &Figures, other: &Figures| match (one.p95_ms, other.p95_ms) {
            (Some(one_ms), Some(other_ms)) if one.enough && other.enough => {
                one_ms > other_ms * FACTOR && one_ms > other_ms + DIFFERENCE_MS
            }
            _ => false,
        };
        let fails_more = |one: &Figures, other: &Figures| {
            one.error_share > other.error_share + SHARE || one.dropped_share > other.dropped_share + SHARE
        };
        if slower(self, base) || fails_more(self, base) {
            Change::Worse
        } else if slower(base, self) || fails_more(base, self) {
            Change::Better
        } else {
            Change::None
        }
    }
}

/// One line of the table on a terminal.
fn line(
    page: &mut String,
    name: &str,
    figures: &[Option<Figures>],
    of: fn(&Figures) -> String,
    style: Style,
) {
    let _ = write!(page, "{:<NAME$}", text::one_line(name));
    for figures in figures {
        let words = format!("{:<COLUMN$}", figures.as_ref().map_or("–".to_owned(), of));
        page.push_str(&match figures.map(|figures| figures.change) {
            Some(Change::Worse) => style.bad(&words),
            Some(Change::Better) => style.good(&words),
            _ => words,
        });
    }
    page.truncate(page.trim_end_matches(' ').len());
    page.push('\n');
}

fn words(figures: Option<&Figures>) -> String {
    let parts = figures.map(|figures| [latencies(figures), failures(figures)]);
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
}

fn latencies(figures: &Figures) -> String {
    let short = |ms: Option<f64>| ms.map_or("–".to_owned(), text::duration);
    match (figures.p50_ms, figures.p95_ms, figures.p99_ms) {
        (None, None, None) => "–".to_owned(),
        (p50, p95, p99) => format!("{} / {} / {}", short(p50), short(p95), short(p99)),
    }
}

fn failures(figures: &Figures) -> String {
    let shares = [(figures.error_share, "errors"), (figures.dropped_share, "dropped")];
    let shares = shares.iter().filter(|(share, _)| *share > 0.0);
    shares.map(|(share, what)| format!("{:.1} % {what}", share * 100.0)).collect::<Vec<_>>().join(", ")
}

fn column(record: &LoadRecord) -> String {
    let version = record.target.version.as_deref().unwrap_or_default();
    let plan = &record.plan;
    text::one_line(&format!(
        "{} {version}, {} {}, {} for {}, seed {}",
        record.target.name,
        plan.traffic,
        plan.profile,
        text::count(plan.users as usize, "user"),
        text::duration(plan.for_ms),
        record.seed
    ))
}

fn warnings(records: &[LoadRecord]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let (name, first) = (letter(place), &records[0]);
        if let Some(why) = &record.void {
            warnings.push(format!("{name} is void: {}", text::one_line(why)));
        }
        if let Some(why) = &record.fault {
            warnings.push(format!("the target of {name} failed: {}", text::one_line(why)));
        }
        if record.interrupted {
            warnings.push(format!("{name} was interrupted"));
        }
        if (&record.plan.profile, record.plan.users) != (&first.plan.profile, first.plan.users) {
            warnings.push(format!("{name} bore other traffic than {}", letter(0)));
        }
        if record.machine != first.machine {
            warnings.push(format!("{name} was measured on another machine than {}", letter(0)));
        }
    }
    warnings
}

/// The name of a record in the tables: `A` is the baseline.
fn letter(place: usize) -> String {
    match u8::try_from(place) {
        Ok(offset @ 0..26) => char::from(b'A' + offset).to_string(),
        _ => format!("#{}", place + 1),
    }
}
