//! Records side by side as one HTML page that needs nothing else: no network, no other file.
//!
//! What changed and the table of areas are in the page as they are; every check beside its verdicts, with the account of
//! what did not pass, is drawn by a script from [`data`] as far as it is looked at.

mod data;

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Change, Comparison, Difference, compare, letter};
use crate::html::{CSS, POLICY, head};
use crate::{Record, Summary, Verdict, headline, text};

/// Styles of every page, and those of this one.
const COMPARISON_CSS: &str = include_str!("html/comparison.css");

/// Draws, filters and unfolds the table of checks.
const SCRIPT: &str = include_str!("html/comparison.js");

/// How many differences are listed without a script. The table of checks has them all.
const REGRESSIONS_LISTED: usize = 500;
const OTHERS_LISTED: usize = 200;

/// The page. The first record is the baseline of the others.
///
/// Only what did not pass is told at length, and that is kept deflated: a page of 10,000 checks of six servers stays
/// below 5 MB.
#[must_use]
pub fn render(records: &[Record]) -> String {
    let comparison = compare(records);
    let targets: Vec<&str> = comparison.columns.iter().map(|column| column.target.as_str()).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{} · Determinant", targets.join(" · ")), POLICY, &[CSS, COMPARISON_CSS]))
            body {
                a.skip href="#checks" { "Skip to the checks" }
                (top(&comparison))
                main {
                    (areas(records))
                    section #changes { h2 { "What changed from " (letter(0)) } (changes(&comparison)) }
                    (checks(&comparison))
                }
                script #data type="text/plain" { (PreEscaped(data::encode(records, &comparison))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn top(comparison: &Comparison) -> Markup {
    let regressions = comparison.regressions().count();
    html! {
        header {
            h1 { "Servers side by side" }
            @match regressions {
                0 => { p.outcome.pass { "no regression" } }
                number => { p.outcome.fail { (text::count(number, "regression")) } }
            }
            p {
                (text::count(comparison.agreed, "check")) " with one verdict, "
                (text::thousands(comparison.differences.len())) " with several"
            }
            div.scroll tabindex="0" role="region" aria-label="Records" {
                table {
                    thead {
                        tr {
                            @for head in ["record", "release", "seed"] { th scope="col" { (head) } }
                            th.words scope="col" { "result" }
                        }
                    }
                    tbody {
                        @for (index, column) in comparison.columns.iter().enumerate() {
                            tr {
                                th scope="row" { b { (letter(index)) } " " (column.target) }
                                td { (column.release) } td { (column.seed) } td.words { (headline::totals(&column.summary)) }
                            }
                        }
                    }
                }
            }
            @for warning in &comparison.warnings { p.notice { (warning) } }
        }
    }
}

/// For each area and record, how many of the requirements that were judged were met.
fn areas(records: &[Record]) -> Markup {
    let mut areas: BTreeMap<&str, Vec<Summary>> = BTreeMap::new();
    for (column, record) in records.iter().enumerate() {
        for check in &record.checks {
            areas.entry(check.area()).or_insert_with(|| vec![Summary::default(); records.len()])[column]
                .count(check);
        }
    }
    html! {
        section {
            h2 { "Areas" }
            p.story { "Checks passed, of those that were judged." }
            div.scroll.tall tabindex="0" role="region" aria-label="Areas by records" {
                table.matrix {
                    thead { tr { th scope="col" { "area" } @for record in records { (server(record)) } } }
                    tbody {
                        @for (area, summaries) in &areas {
                            tr {
                                th scope="row" { a href="#checks" data-area=(text::one_line(area)) { (text::one_line(area)) } }
                                @for summary in summaries { (share(summary)) }
                            }
                        }
                    }
                    tfoot {
                        tr {
                            th scope="row" { "total" }
                            @for record in records { (share(&Summary::of(&record.checks))) }
                        }
                    }
                }
            }
        }
    }
}

fn server(record: &Record) -> Markup {
    let version = text::one_line(record.target.version.as_deref().unwrap_or_default());
    html! { th scope="col" { (text::one_line(&record.target.name)) br; span.story { (version) } } }
}

fn share(summary: &Summary) -> Markup {
    let judged = summary.passed + summary.failed + summary.advised;
    let verdict = match summary {
        Summary { failed: 1.., .. } => Verdict::Fail,
        Summary { faults: 1.., .. } => Verdict::Fault,
        Summary { advised: 1.., .. } => Verdict::Advice,
        _ if judged == 0 => Verdict::NotApplicable,
        _ => Verdict::Pass,
    };
    html! {
        td.cell.(verdict.as_str()) {
            @if judged > 0 { (text::thousands(summary.passed)) " / " (text::thousands(judged)) " " }
            @else if summary.faults > 0 { (text::count(summary.faults, "fault")) " " }
            (mark(Some(verdict)))
        }
    }
}

fn changes(comparison: &Comparison) -> Markup {
    let groups = [
        (Change::Regression, "Regressions", REGRESSIONS_LISTED),
        (Change::Improvement, "Improvements", OTHERS_LISTED),
        (Change::Other, "Other differences", OTHERS_LISTED),
    ];
    html! {
        @if comparison.differences.is_empty() { p { "Nothing: every check has the same verdict everywhere." } }
        @for (change, title, listed) in groups {
            @let differences: Vec<&Difference> = comparison.of_change(change).collect();
            @if !differences.is_empty() {
                details open[change == Change::Regression] {
                    summary { h3 { (title) " (" (text::thousands(differences.len())) ")" } }
                    div.scroll.tall tabindex="0" role="region" aria-label=(title) {
                        table.checks {
                            thead {
                                tr {
                                    th scope="col" { "check" }
                                    @for index in 0..comparison.columns.len() { th scope="col" { (letter(index)) } }
                                }
                            }
                            tbody { @for difference in differences.iter().take(listed) { (changed(difference)) } }
                        }
                    }
                    @if differences.len() > listed {
                        p.story { "… and " (text::thousands(differences.len() - listed)) " more, among the checks below." }
                    }
                }
            }
        }
    }
}

fn changed(difference: &Difference) -> Markup {
    let id = text::one_line(&difference.id);
    html! {
        tr {
            th scope="row" { a href="#checks" data-check=(id) { code { (id) } } }
            @for verdict in &difference.verdicts {
                td.cell.(verdict.map_or("absent", Verdict::as_str)) { (mark(*verdict)) }
            }
        }
    }
}

/// Hidden until the script that draws the table has run.
fn checks(comparison: &Comparison) -> Markup {
    html! {
        section #checks tabindex="-1" {
            h2 { "Checks" }
            noscript { p.notice { "The table of all checks is drawn by a script. What changed is listed above." } }
            form #filter role="search" hidden {
                label { "Find " input #words type="search" placeholder="words of an id or a sentence" autocomplete="off"; }
                label { "Area " select #area { option value="" { "all" } } }
                label { "Change " select #change {
                    option value="" { "all" }
                    option value="differs" { "any" }
                    @for (_, value, words) in data::CHANGES { option value=(value) { (words) } }
                } }
                fieldset {
                    legend { "Verdicts, in any record" }
                    @for verdict in Verdict::ALL {
                        label { input type="checkbox" name="verdict" value=(verdict.as_str()) checked; " "
                            span.(verdict.as_str()) aria-hidden="true" { (symbol(verdict)) } " " (verdict.words()) }
                    }
                }
                output #found aria-live="polite" {}
            }
            div #table .scroll tabindex="0" role="region" aria-label="Checks by records" hidden {
                table.checks {
                    thead {
                        tr {
                            th scope="col" { "check" }
                            @for (index, column) in comparison.columns.iter().enumerate() {
                                th scope="col" title=(column.target) { (letter(index)) span.aside { " " (column.target) } }
                            }
                        }
                    }
                    tbody #rows {}
                }
            }
            button #more type="button" hidden { "Show more" }
        }
    }
}

/// A verdict for those who see its shape, and in words for those who hear it.
fn mark(verdict: Option<Verdict>) -> Markup {
    let words = verdict.map_or("absent", Verdict::words);
    html! {
        span aria-hidden="true" title=(words) { (verdict.map_or("·", symbol)) }
        span.aside { (words) }
    }
}

fn symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Advice => "△",
        Verdict::Observed => "○",
        Verdict::NotApplicable => "–",
        Verdict::Fault => "⚡\u{fe0e}",
    }
}
