//! A finished run as one HTML page that needs nothing else: no network, no other file, no script to be read.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::digest::Digest;
use crate::text::Piece;
use crate::{
    Chapter, Check, Coverage, Exchange, Failure, Outcome, Record, Summary, Tally, Verdict, account, body,
    headline, text,
};

/// Styles for light and dark, for screens and paper.
pub(crate) const CSS: &str = include_str!("html/page.css");

/// Filters the list of checks. Without it the page shows them all.
const SCRIPT: &str = include_str!("html/filter.js");

/// Should a character ever escape unescaped, the browser still loads nothing and sends nothing.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// What stands above every page; the policy says what it may load.
pub(crate) fn head(title: &str, policy: &str, styles: &[&str]) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta http-equiv="Content-Security-Policy" content=(policy);
            title { (title) }
            style { @for style in styles { (PreEscaped(style)) } }
        }
    }
}

/// The page.
#[must_use]
pub fn render(record: &Record) -> String {
    let digest = Digest::of(record);
    let title = format!("{} · Determinant", headline::target(record));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&title, POLICY, &[CSS]))
            body {
                a.skip href="#checks" { "Skip to the checks" }
                (top(record, &digest))
                main {
                    (attention(&digest))
                    (overview(&digest))
                    @if let Some(coverage) = &record.coverage { (covered(coverage)) }
                    (checks(record))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn top(record: &Record, digest: &Digest<'_>) -> Markup {
    let class = match record.outcome() {
        Outcome::AsExpected => "pass",
        Outcome::Unexpected => "fail",
        Outcome::Fault => "fault",
    };
    html! {
        header {
            h1 { (headline::target(record)) }
            p.outcome.(class) { (headline::outcome(record, &digest.summary)) }
            p { (headline::totals(&digest.summary)) }
            dl {
                @for (label, fact) in headline::facts(record) {
                    div { dt { (label) } dd { (fact) } }
                }
            }
            @for notice in &record.notices {
                p.notice { (text::printable(notice)) }
            }
        }
    }
}

/// Links to everything that contradicts its expectation.
fn attention(digest: &Digest<'_>) -> Markup {
    let groups = [
        ("Failures", &digest.failures),
        ("Unexpected passes", &digest.surprising_passes),
        ("Other unexpected results", &digest.other_surprises),
        ("Faults", &digest.faults),
    ];
    html! {
        @for (title, checks) in groups.iter().filter(|(_, checks)| !checks.is_empty()) {
            section.attention {
                h2 { (title) " (" (text::thousands(checks.len())) ")" }
                ul {
                    @for check in checks.iter() {
                        li {
                            (badge(check.verdict)) " "
                            a href={ "#" (anchor(&check.id)) } { (text::one_line(&check.id)) }
                            " " span.story { (remark(check)) }
                        }
                    }
                }
            }
        }
    }
}

/// What there is to say about an unexpected verdict in a line.
fn remark(check: &Check) -> Markup {
    let story = text::one_line(check.story());
    html! {
        @if let (Verdict::Pass, Some(expectation)) = (check.verdict, &check.expectation) {
            (check.expected.words()) " is foreseen: " (sentence(expectation))
        } @else {
            (sentence(&text::clip(&story, 160)))
        }
    }
}

fn overview(digest: &Digest<'_>) -> Markup {
    html! {
        section {
            h2 { "Areas" }
            table {
                thead {
                    tr {
                        th scope="col" { "area" }
                        @for verdict in Verdict::ALL { th scope="col" { (verdict.words()) } }
                    }
                }
                tbody {
                    @for (area, summary) in &digest.areas {
                        tr {
                            th scope="row" { a href={ "#area:" (slug(area)) } { (text::one_line(area)) } }
                            (cells(summary))
                        }
                    }
                }
                tfoot { tr { th scope="row" { "total" } (cells(&digest.summary)) } }
            }
        }
    }
}

fn cells(summary: &Summary) -> Markup {
    html! {
        @for verdict in Verdict::ALL {
            @match summary.of_verdict(verdict) {
                0 => { td.none { "·" } }
                number => { td.(verdict.as_str()) { (text::thousands(number)) } }
            }
        }
    }
}

fn covered(coverage: &Coverage) -> Markup {
    html! {
        section {
            h2 { "Coverage" }
            table {
                thead {
                    tr {
                        th scope="col" { "of the specification" }
                        @for title in ["asserted", "touched", "total"] { th scope="col" { (title) } }
                    }
                }
                tbody {
                    @for row in coverage.rows() {
                        tr {
                            th scope="row" {
                                @if row.missing.is_empty() { (row.name) } @else {
                                    details { summary { (row.name) } ul { @for missing in row.missing { li { (missing) } } } }
                                }
                            }
                            td { (row.asserted) }
                            td { @if let Some(touched) = row.touched { (touched) } }
                            td { (row.total) }
                        }
                    }
                }
            }
            (chapters(&coverage.requirements.chapters))
        }
    }
}

/// The requirements by chapter, folded away.
fn chapters(chapters: &[Chapter]) -> Markup {
    let cell =
        |Tally { total, proved }: Tally| if total == 0 { String::new() } else { format!("{proved}/{total}") };
    html! {
        @if !chapters.is_empty() {
            details {
                summary { "Requirements proved, by chapter" }
                table {
                    thead { tr { @for title in ["chapter", "must", "should"] { th scope="col" { (title) } } } }
                    tbody {
                        @for chapter in chapters {
                            tr {
                                th scope="row" { (chapter.name) }
                                td { (cell(chapter.must)) }
                                td { (cell(chapter.should)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn checks(record: &Record) -> Markup {
    let mut areas: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in &record.checks {
        areas.entry(check.area()).or_default().push(check);
    }
    for checks in areas.values_mut() {
        checks.sort_by(|a, b| a.id.cmp(&b.id));
    }
    html! {
        section #checks {
            h2 { "Checks" }
            (filter())
            @for (area, checks) in &areas {
                @let needs_attention = checks.iter().any(|check| check.is_unexpected());
                details.area id={ "area:" (slug(area)) } open[needs_attention] {
                    summary { h3 { (text::one_line(area)) } " " span.story { (text::count(checks.len(), "check")) } }
                    ul { @for check in checks { (item(record, check)) } }
                }
            }
        }
    }
}

/// Hidden until the script that gives it a meaning has run.
fn filter() -> Markup {
    html! {
        form #filter role="search" hidden {
            label { "Find " input #words type="search" placeholder="words of an id or a sentence" autocomplete="off"; }
            fieldset {
                legend { "Verdicts" }
                @for verdict in Verdict::ALL {
                    label { input type="checkbox" name="verdict" value=(verdict.as_str()) checked; " " (verdict.words()) }
                }
                label { input #unexpected type="checkbox"; " unexpected only" }
            }
            output #found aria-live="polite" {}
        }
    }
}

fn item(record: &Record, check: &Check) -> Markup {
    let spec = text::one_line(&check.spec);
    html! {
        li.check id=(anchor(&check.id)) data-verdict=(check.verdict.as_str()) data-unexpected[check.is_unexpected()] {
            (badge(check.verdict))
            @if check.is_unexpected() { " " span.unexpected { "unexpected, " (check.expected.words()) " was foreseen" } }
            p.sentence { (sentence(&check.requirement)) }
            p.meta {
                a href={ "#" (anchor(&check.id)) } { code { (text::one_line(&check.id)) } }
                " · " (check.level.as_str()) " · " (check.severity.as_str()) " · "
                a href=(record.citation_url(&spec)) rel="noreferrer" { (spec) }
                " · " (text::duration(check.duration_ms))
            }
            @if let Some(expectation) = &check.expectation {
                p.story { (check.expected.words()) " is foreseen: " (sentence(expectation)) }
            }
            @if let Some(reason) = &check.reason { p.story { (sentence(reason)) } }
            @if let Some(failure) = &check.failure { (told(failure, check.is_unexpected())) }
        }
    }
}

fn told(failure: &Failure, is_open: bool) -> Markup {
    let last = failure.exchanges.len().saturating_sub(1);
    html! {
        details open[is_open] {
            summary { "What happened" }
            @for (index, exchange) in failure.exchanges.iter().enumerate() { (exchanged(exchange, index == last)) }
            dl.told {
                div { dt { "got" } dd { (sentence(&failure.got)) } }
                div { dt { "expected" } dd { (sentence(&failure.expected)) } }
                @if !failure.repeat.is_empty() {
                    div { dt { "repeat" } dd { code { (text::printable(&failure.repeat)) } } }
                }
            }
            @if let Some(log) = &failure.server_log {
                details { summary { "Log of the server" } pre tabindex="0" { (text::printable(log)) } }
            }
        }
    }
}

fn exchanged(exchange: &Exchange, is_last: bool) -> Markup {
    let is_open = is_last || exchange.note.is_some() || exchange.error.is_some();
    html! {
        details.exchange open[is_open] {
            summary { code { (account::request_line(exchange)) } " → " (account::answer_line(exchange)) }
            @if let Some(note) = &exchange.note { p.story { (text::printable(note)) } }
            (message("sent", &exchange.request_headers, exchange.request_body.as_deref()))
            (message("came", &exchange.response_headers, exchange.response_body.as_deref()))
        }
    }
}

fn message(label: &str, headers: &[(String, String)], body: Option<&str>) -> Markup {
    let headers: Vec<String> =
        headers.iter().map(|(name, value)| text::one_line(&format!("{name}: {value}"))).collect();
    let body = body.map(body::laid_out).unwrap_or_default();
    html! {
        @if !headers.is_empty() || !body.is_empty() {
            p.label { (label) }
            pre tabindex="0" {
                @if !headers.is_empty() { span.headers { (headers.join("\n")) } "\n" }
                (text::printable(&body))
            }
        }
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span.badge.(verdict.as_str()) { (verdict.words()) } }
}

fn sentence(sentence: &str) -> Markup {
    html! {
        @for piece in text::pieces(sentence) {
            @match piece {
                Piece::Words(words) => (text::printable(words)),
                Piece::Code(words) => code { (text::printable(words)) },
            }
        }
    }
}

/// The name of a check in the page. Ids are unique and so are these: every character that may not stand in a fragment
/// is spelled out.
fn anchor(id: &str) -> String {
    format!("check:{}", slug(id))
}

fn slug(id: &str) -> String {
    let mut slug = String::with_capacity(id.len());
    for character in id.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '/' | '-' | '_' | '.' | ':' => slug.push(character),
            other => slug.push_str(&format!("~{:x}~", u32::from(other))),
        }
    }
    slug
}
