//! A load run as one HTML page that needs nothing else: no network, no other file, no script.

use maud::{DOCTYPE, Markup, html};

use super::chart::{self, Axis, Line, MOST_LINES};
use super::{LoadRecord, Sample, Series, cost, terminal};
use crate::html::{CSS, head};
use crate::{Outcome, text};

pub(super) const CHARTS_CSS: &str = include_str!("html/charts.css");
/// Should a character ever escape unescaped, the browser still loads nothing and sends nothing.
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Percentiles that the curves have marks for.
const PERCENTILES: [f64; 6] = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99];

pub(super) fn render(record: &LoadRecord) -> String {
    let version = record.target.version.as_deref().unwrap_or_default();
    let title =
        text::one_line(&format!("{} {version} under {} load", record.target.name, record.plan.profile));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&format!("{title} · Determinant"), POLICY, &[CSS, CHARTS_CSS]))
            body {
                (top(record, &title))
                main {
                    (table(record))
                    (errors(record))
                    section {
                        h2 { "Over time" }
                        (latency_over_time(record))
                        (arrivals_over_time(record))
                    }
                    section { h2 { "Percentiles" } (percentiles(record)) }
                    section {
                        h2 { "What it cost" }
                        dl { @for (label, fact) in cost::facts(record) { div { dt { (label) } dd { (fact) } } } }
                        (processors(record))
                        (memory(record))
                    }
                    (metrics(record))
                }
            }
        }
    };
    page.into_string()
}

fn top(record: &LoadRecord, title: &str) -> Markup {
    let class = match record.outcome() {
        Outcome::AsExpected => "pass",
        Outcome::Unexpected => "fail",
        Outcome::Fault => "fault",
    };
    html! {
        header {
            h1 { (title) }
            p.outcome.(class) { (terminal::outcome(record)) }
            @for objective in &record.objectives {
                p.(if objective.kept { "pass" } else { "fail" }) {
                    (if objective.kept { "kept: " } else { "missed: " })
                    code { (text::one_line(&objective.text)) }
                    " (it was " (objective.actual.as_deref().unwrap_or("no figure")) ")"
                }
            }
            @if let Some(capacity) = &record.capacity { p { strong { (text::one_line(&capacity.sentence)) } } }
            dl { @for (label, fact) in terminal::facts(record) { div { dt { (label) } dd { (fact) } } } }
        }
    }
}

fn table(record: &LoadRecord) -> Markup {
    let ms = |ms: Option<f64>| ms.map_or("–".to_owned(), text::duration);
    html! {
        section {
            h2 { "Latencies, from the moment each operation was due" }
            table {
                thead { tr {
                    @for head in ["operation", "count", "errors", "dropped", "limited", "p50", "p95", "p99", "max", "p95 from when it began"] {
                        th scope="col" { (head) }
                    }
                } }
                tbody {
                    @for series in &record.series {
                        tr {
                            th scope="row" { (text::one_line(&series.name)) }
                            @for number in [series.count, series.errors, series.dropped, series.limited] {
                                td { (text::thousands(number as usize)) }
                            }
                            @let latency = &series.latency;
                            @for quantile in [latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms, series.service.p95_ms] {
                                td { (ms(quantile)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn errors(record: &LoadRecord) -> Markup {
    let wrong: Vec<&Series> = record.series.iter().filter(|series| !series.kinds.is_empty()).collect();
    html! {
        @if !wrong.is_empty() {
            section.attention {
                h2 { "Errors by kind" }
                ul {
                    @for series in wrong {
                        @for (kind, number) in &series.kinds {
                            li { (text::one_line(&series.name)) ": " (text::thousands(*number as usize)) " × " (text::one_line(kind)) }
                        }
                    }
                }
            }
        }
    }
}

/// The operations that happened most often, the measured heart of the run first.
fn foremost(record: &LoadRecord) -> Vec<&Series> {
    let mut series: Vec<&Series> =
        record.series.iter().filter(|series| series.latency.histogram.count() > 0).collect();
    series.sort_by_key(|series| {
        let is_heart = matches!(
            series.name.as_str(),
            "delivery" | "delivery-inbound" | "delivery-outbound" | "send" | "initial-sync"
        );
        (!is_heart, std::cmp::Reverse(series.count))
    });
    series.truncate(MOST_LINES);
    series
}

fn seconds(record: &LoadRecord) -> Axis {
    Axis::linear(record.plan.for_ms / 1e3, |at| format!("{at:.0} s"))
}

/// The middles of intervals, in seconds from the start.
fn middle(record: &LoadRecord, number: usize) -> f64 {
    (number as f64 + 0.5) * record.plan.interval_ms / 1e3
}

fn latency_axis(lines: &[Line]) -> Axis {
    let values = || lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y));
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.1, f64::max));
    Axis::logarithmic(least.min(most), most, tick)
}

fn tick(ms: f64) -> String {
    if ms < 1.0 {
        format!("{:.0} µs", ms * 1e3)
    } else if ms < 1e3 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.0} s", ms / 1e3)
    }
}

fn latency_over_time(record: &LoadRecord) -> Markup {
    let line = |series: &Series| Line {
        label: format!("{} p95", series.name),
        points: series
            .intervals
            .iter()
            .enumerate()
            .map(|(number, interval)| (middle(record, number), interval.histogram.quantile_ms(0.95)))
            .collect(),
    };
    let lines: Vec<Line> = foremost(record).into_iter().map(line).collect();
    chart::draw(
        "95th percentile of latency, by when operations were due",
        &seconds(record),
        &latency_axis(&lines),
        &lines,
    )
}

fn arrivals_over_time(record: &LoadRecord) -> Markup {
    let intervals = record.series.iter().map(|series| series.intervals.len()).max().unwrap_or_default();
    let per_second = |of: fn(&super::Interval) -> u64| {
        let sum = |number: usize| {
            let these = record.series.iter().filter_map(|series| series.intervals.get(number));
            these.map(of).sum::<u64>() as f64 / (record.plan.interval_ms / 1e3).max(1e-3)
        };
        (0..intervals).map(|number| (middle(record, number), Some(sum(number)))).collect::<Vec<_>>()
    };
    let lines = [
        Line { label: "due".to_owned(), points: per_second(|interval| interval.count + interval.dropped) },
        Line { label: "succeeded".to_owned(), points: per_second(|interval| interval.histogram.count()) },
        Line { label: "errors".to_owned(), points: per_second(|interval| interval.errors) },
        Line { label: "dropped".to_owned(), points: per_second(|interval| interval.dropped) },
    ];
    let most = lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y)).fold(1.0, f64::max);
    chart::draw(
        "Operations per second",
        &seconds(record),
        &Axis::linear(most, |at| format!("{at:.0}")),
        &lines,
    )
}

/// Each further nine of a percentile takes as much room as the one before.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).max(1e-6).log10()
}

fn percentiles(record: &LoadRecord) -> Markup {
    let lines: Vec<Line> =
        foremost(record).into_iter().map(|series| percentile_line(&series.name, series)).collect();
    percentile_chart("Latency that so many operations stay below", &lines)
}

/// The latencies of an operation by how many stay below them.
pub(super) fn percentile_line(label: &str, series: &Series) -> Line {
    let steps = 80;
    let resolved = (series.latency.histogram.count() as f64).max(1.0).log10();
    let at = |step: u32| f64::from(step) / f64::from(steps) * furthest();
    // Beyond one in so many there is no latency that a percentile could name.
    let points = (0..=steps).map(at).filter(|at| *at <= resolved.min(furthest()));
    let value = |at: f64| series.latency.histogram.quantile_ms(1.0 - 10_f64.powf(-at));
    Line { label: label.to_owned(), points: points.map(|at| (at, value(at))).collect() }
}

/// A chart of such lines.
pub(super) fn percentile_chart(title: &str, lines: &[Line]) -> Markup {
    let ticks =
        PERCENTILES.iter().map(|percentile| (nines(*percentile), format!("{percentile} %"))).collect();
    let x = Axis { ticks, from: 0.0, to: furthest(), logarithmic: false };
    chart::draw(title, &x, &latency_axis(lines), lines)
}

fn furthest() -> f64 {
    nines(PERCENTILES[PERCENTILES.len() - 1])
}

fn sampled(record: &LoadRecord, label: &str, of: fn(&Sample) -> f64) -> Line {
    let points = record.samples.iter().map(|sample| (sample.at_ms / 1e3, Some(of(sample)))).collect();
    Line { label: label.to_owned(), points }
}

fn processors(record: &LoadRecord) -> Markup {
    let lines = [
        sampled(record, "server", |sample| sample.cpu),
        sampled(record, "generator", |sample| sample.generator_cpu),
        sampled(record, "everybody else", |sample| sample.foreign_cpu),
    ];
    let y = Axis::linear(record.machine.cores.max(1) as f64, |at| format!("{at}"));
    html! { @if !record.samples.is_empty() { (chart::draw("Cores in use", &seconds(record), &y, &lines)) } }
}

fn memory(record: &LoadRecord) -> Markup {
    let lines = [sampled(record, "server", |sample| sample.memory_bytes as f64)];
    let most = lines[0].points.iter().filter_map(|(_, y)| *y).fold(1.0, f64::max);
    let y = Axis::linear(most, cost::bytes);
    html! { @if !record.samples.is_empty() { (chart::draw("Resident memory", &seconds(record), &y, &lines)) } }
}

fn metrics(record: &LoadRecord) -> Markup {
    html! {
        @if !record.metrics.is_empty() {
            section {
                details {
                    summary { h2 { "Metrics of the server that changed (" (record.metrics.len()) ")" } }
                    table {
                        thead { tr { @for head in ["metric", "before", "after", "change"] { th scope="col" { (head) } } } }
                        tbody {
                            @for metric in &record.metrics {
                                tr {
                                    th scope="row" { code { (text::one_line(&metric.name)) } }
                                    td { (metric.first) } td { (metric.last) } td { (metric.last - metric.first) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
