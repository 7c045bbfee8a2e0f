//! A load run on a terminal.

use std::fmt::Write;

use super::{LoadRecord, Series, Spread};
use crate::{Outcome, Style, terminal::heading, text};

/// Width of the column of operations, in characters.
const NAME: usize = 18;
/// How many kinds of errors are listed for an operation.
const KINDS: usize = 6;

pub(super) fn render(record: &LoadRecord, style: Style) -> String {
    let mut page = heading(style, "Latencies, from the moment each operation was due", None);
    table(record, style, &mut page);
    errors(record, style, &mut page);
    cost(record, style, &mut page);
    page.push_str(&heading(style, "Run", None));
    for (label, fact) in facts(record) {
        let _ = writeln!(page, "{}{fact}", style.dim(&format!("{label:<12}")));
    }
    page.push('\n');
    objectives(record, style, &mut page);
    capacity(record, style, &mut page);
    let outcome = match record.outcome() {
        Outcome::AsExpected => style.good(&outcome(record)),
        Outcome::Unexpected | Outcome::Fault => style.bad(&outcome(record)),
    };
    let _ = writeln!(page, "{outcome}");
    page
}

fn table(record: &LoadRecord, style: Style, page: &mut String) {
    let head = format!(
        "{:<NAME$}{:>9}{:>8}{:>9}{:>10}{:>10}{:>10}{:>10}",
        "", "count", "errors", "dropped", "p50", "p95", "p99", "max"
    );
    let _ = writeln!(page, "{}", style.dim(head.trim_end()));
    for series in &record.series {
        let number =
            |number: u64| if number == 0 { "·".to_owned() } else { text::thousands(number as usize) };
        let failed = format!("{:>8}{:>9}", number(series.errors), number(series.dropped));
        let failed = if series.errors + series.dropped > 0 { style.bad(&failed) } else { style.dim(&failed) };
        let _ = writeln!(
            page,
            "{:<NAME$}{:>9}{failed}{}",
            text::one_line(&series.name),
            text::thousands(series.count as usize),
            quantiles(&series.latency)
        );
    }
    page.push('\n');
}

fn quantiles(spread: &Spread) -> String {
    [spread.p50_ms, spread.p95_ms, spread.p99_ms, spread.max_ms]
        .iter()
        .map(|ms| format!("{:>10}", ms.map_or("–".to_owned(), text::duration)))
        .collect()
}

fn errors(record: &LoadRecord, style: Style, page: &mut String) {
    let wrong: Vec<&Series> = record.series.iter().filter(|series| !series.kinds.is_empty()).collect();
    if wrong.is_empty() {
        return;
    }
    page.push_str(&heading(style, "Errors by kind", None));
    for series in wrong {
        let mut kinds: Vec<_> = series.kinds.iter().collect();
        kinds.sort_by_key(|(kind, number)| (std::cmp::Reverse(**number), *kind));
        let told: Vec<String> = kinds
            .iter()
            .take(KINDS)
            .map(|(kind, number)| {
                format!("{} × {}", text::thousands(**number as usize), text::one_line(kind))
            })
            .collect();
        let _ = writeln!(page, "{:<NAME$}{}", text::one_line(&series.name), told.join(", "));
    }
    page.push('\n');
}

/// What the server and the generator used.
fn cost(record: &LoadRecord, style: Style, page: &mut String) {
    page.push_str(&heading(style, "What it cost", None));
    for (label, fact) in super::cost::facts(record) {
        let _ = writeln!(page, "{}{fact}", style.dim(&format!("{label:<NAME$}")));
    }
    page.push('\n');
}

fn objectives(record: &LoadRecord, style: Style, page: &mut String) {
    for objective in &record.objectives {
        let word = if objective.kept { style.good("kept  ") } else { style.bad("MISSED") };
        let actual = objective.actual.as_deref().unwrap_or("no figure");
        let _ = writeln!(page, "{word} {}  (it was {actual})", text::one_line(&objective.text));
    }
    if !record.objectives.is_empty() {
        page.push('\n');
    }
}

fn capacity(record: &LoadRecord, style: Style, page: &mut String) {
    let Some(capacity) = &record.capacity else { return };
    for step in &capacity.steps {
        let word = if step.kept { style.good("kept  ") } else { style.bad("MISSED") };
        let p95 =
            step.delivery_p95_ms.map_or(String::new(), |ms| format!("  delivery p95 {}", text::duration(ms)));
        let _ = writeln!(
            page,
            "{word} {:>8} users{p95}  {}",
            text::thousands(step.users as usize),
            step.missed.join("; ")
        );
    }
    let _ = writeln!(page, "\n{}\n", style.bold(&text::one_line(&capacity.sentence)));
}

/// What a reader has to know of the run, by label; only what there is.
pub(super) fn facts(record: &LoadRecord) -> Vec<(&'static str, String)> {
    let plan = &record.plan;
    let version = record.target.version.as_deref().unwrap_or_default();
    let part = plan.part.map_or(String::new(), |part| format!(", part {} of {}", part.index, part.of));
    let machine = &record.machine;
    let counts =
        record.counts.iter().map(|(name, number)| format!("{} {name}", text::thousands(*number as usize)));
    [
        ("target", format!("{} {version}", record.target.name)),
        ("settings", record.target.notes.join("; ")),
        (
            "traffic",
            format!(
                "{} {}, {}{part}",
                plan.traffic,
                plan.profile,
                text::count(plan.users as usize, "active user")
            ),
        ),
        (
            "schedule",
            format!(
                "{} in {}, population made in {}",
                text::count(plan.slots as usize, "arrival"),
                text::duration(plan.for_ms),
                text::duration(record.population_ms)
            ),
        ),
        ("took", text::duration(record.duration_ms)),
        ("seed", record.seed.to_string()),
        ("started", record.started.clone()),
        ("machine", format!("{} {}, {}", machine.os, machine.arch, text::count(machine.cores, "core"))),
        ("counted", counts.collect::<Vec<_>>().join(", ")),
        ("command", record.command.clone()),
        ("note", record.notices.join("; ")),
    ]
    .into_iter()
    .map(|(label, fact)| (label, text::one_line(&fact)))
    .filter(|(_, fact)| !fact.is_empty())
    .collect()
}

/// The outcome in words.
pub(super) fn outcome(record: &LoadRecord) -> String {
    if let Some(why) = &record.fault {
        return format!("the target failed: {}", text::one_line(why));
    }
    if let Some(why) = &record.void {
        return format!("void: {}", text::one_line(why));
    }
    if record.interrupted {
        return "interrupted: the run did not reach its end".to_owned();
    }
    let missed = record.objectives.iter().filter(|objective| !objective.kept).count();
    match (missed, record.objectives.len()) {
        (0, 0) => "measured; nothing was demanded".to_owned(),
        (0, demanded) => format!("{} kept", text::count(demanded, "objective")),
        (missed, _) => format!("{} missed", text::count(missed, "objective")),
    }
}
