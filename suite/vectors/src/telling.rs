//! How disagreements and sums are told to people.

use std::fmt::Write;

use serde_json::Value;

use crate::agreement::{Agreement, Difference};
use crate::fuzz::{Finding, Kind, Plan, Summary};
use crate::published::Case;
use crate::question::{Question, Text};
use crate::tally::{Counts, Tally};

/// Where the specification's pages stand.
const SPECIFICATION: &str = "https://spec.matrix.org/v1.19/";

/// The lines of an input that are shown; the whole of it is in the file.
const SHOWN_LINES: usize = 40;

/// A wrong answer with everything that explains it; `command` is what repeats the run.
pub fn disagreement(case: &Case, differences: &[Difference], command: &str) -> String {
    let mut text = String::new();
    let id = &case.vector.id;
    line(&mut text, &format!("DIFFERS  {id}"));
    line(&mut text, &format!("  {}", case.vector.says));
    line(&mut text, &format!("  {SPECIFICATION}{}", case.specification));
    labelled(&mut text, "asked", &asked(&case.question));
    if let Some(input) = input(&case.question) {
        // Where the spelling is the point, it is left as it is.
        let is_spelling = matches!(case.question, Question::CanonicalJson { .. });
        shown(&mut text, input, is_spelling);
    }
    for difference in differences {
        labelled(&mut text, "expected", &format!("{} {}", difference.property, difference.expected));
        labelled(&mut text, "got", &format!("{} {}", difference.property, difference.given));
    }
    labelled(&mut text, "repeat", &format!("{command} --only '{id}'"));
    text
}

/// A small history on which an implementation differs from the oracle; `command` is what repeats it.
pub fn finding(finding: &Finding, seed: u64, command: &str) -> String {
    let mut text = String::new();
    line(&mut text, &format!("DIFFERS  {}", finding_note(finding, seed)));
    for drawn in finding.history.draw().lines() {
        line(&mut text, &format!("  │ {drawn}"));
    }
    labelled(&mut text, "asked", &format!("{}: {}", asked(&finding.vector.question), finding.vector.says));
    // People know the events by the names of the drawing.
    let named = |value: &str| {
        let names = finding.history.room().names();
        names.iter().fold(value.to_owned(), |value, (id, name)| value.replace(id.as_str(), name))
    };
    for difference in &finding.differences {
        labelled(&mut text, "expected", &format!("{} {}", difference.property, named(&difference.expected)));
        labelled(&mut text, "got", &format!("{} {}", difference.property, named(&difference.given)));
    }
    labelled(&mut text, "repeat", command);
    text
}

/// Where a small history comes from.
pub fn finding_note(finding: &Finding, seed: u64) -> String {
    format!(
        "made small from history {} of seed {seed}, in room version {}",
        finding.index, finding.kind.room_version
    )
}

/// What came of putting histories.
pub fn fuzzing(plan: &Plan, summary: &Summary) -> String {
    let mut text = String::new();
    let Summary { coverage, disagreements, unsupported, questions, .. } = summary;
    let agree = coverage.conflicts as u64 - disagreements - unsupported;
    let seed = plan.seed;
    line(
        &mut text,
        &format!("{} histories with a real conflict, seed {seed}, {questions} questions", coverage.conflicts),
    );
    labelled(&mut text, "agree", &agree.to_string());
    labelled(&mut text, "differ", &disagreements.to_string());
    for (kind, count) in &summary.kinds {
        let rule = kind.rule.as_ref().map_or_else(String::new, |rule| format!(", rejected by rule {rule}"));
        let Kind { room_version, op, property, .. } = kind;
        labelled(
            &mut text,
            "",
            &format!("{count:>6}  {op} in room version {room_version}: {property}{rule}"),
        );
    }
    labelled(&mut text, "cannot", &format!("{unsupported} in which a question is unsupported"));
    labelled(&mut text, "events", &format!("{}, of which {} rejected", coverage.events, coverage.rejected));
    let missed = summary.missed_rules(plan);
    let (hit, total) = (plan.rules_total() - missed.len(), plan.rules_total());
    labelled(&mut text, "rules", &format!("{hit} of {total} outcomes of authorization rules"));
    let missed = summary.missed_steps(plan);
    let steps: Vec<_> = missed.iter().map(|(algorithm, step)| format!("{step:?} of {algorithm:?}")).collect();
    match steps.as_slice() {
        [] => labelled(&mut text, "steps", "all of state resolution"),
        _ => labelled(&mut text, "steps", &format!("all of state resolution but {}", steps.join(", "))),
    }
    text
}

/// The counts by area as a table.
pub fn table(tally: &Tally) -> String {
    let mut text = format!("{:<28}{:>8}{:>10}{:>10}{:>13}\n", "", "cases", "agree", "differ", "unsupported");
    for (area, counts) in tally.areas() {
        row(&mut text, area, *counts);
    }
    if tally.areas().len() > 1 {
        row(&mut text, "in all", tally.total());
    }
    text
}

/// The area of a case: the first part of its id.
pub fn area(case: &Case) -> &str {
    case.vector.id.split('/').next().unwrap_or_default()
}

/// What a question asks, in a few words.
pub fn asked(question: &Question) -> String {
    let json = serde_json::to_value(question).unwrap_or_default();
    let string = |property: &str| json.get(property).and_then(Value::as_str);
    let op = string("op").unwrap_or_default();
    match (string("room_version"), string("form")) {
        (Some(version), _) => format!("{op} in room version {version}"),
        (None, Some(form)) => format!("{op}, {form}"),
        (None, None) => op.to_owned(),
    }
}

/// Whether an agreement is worth telling.
pub fn differences(agreement: &Agreement) -> &[Difference] {
    match agreement {
        Agreement::Differs(differences) => differences,
        Agreement::Agrees | Agreement::Unsupported(_) => &[],
    }
}

/// The one input that a question is about, if it is about one.
fn input(question: &Question) -> Option<&Text> {
    match question {
        Question::CanonicalJson { json, .. } => Some(json),
        Question::ContentHash(of) | Question::EventId(of) | Question::Redact(of) => Some(&of.event),
        Question::Sign(sign) => Some(&sign.json),
        Question::Verify(verify) => Some(&verify.json),
        Question::CheckFormat { event, .. } => Some(event),
        Question::Authorize(authorize) => Some(&authorize.event),
        Question::Resolve(_) => None,
    }
}

/// An input with bars before its lines; JSON that can be read is set out, unless it has to stay as it is.
fn shown(text: &mut String, input: &Text, as_it_is: bool) {
    let plain = match input {
        Text::Utf8(plain) => plain.clone(),
        Text::Bytes { base64 } => format!("base64 {base64}"),
    };
    let json = serde_json::from_str::<Value>(&plain).ok().filter(|_| !as_it_is);
    let pretty = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    let whole = pretty.unwrap_or(plain);
    for shown in whole.lines().take(SHOWN_LINES) {
        let shown: String = shown.chars().take(200).collect();
        line(text, &format!("            │ {shown}"));
    }
    let more = whole.lines().count().saturating_sub(SHOWN_LINES);
    if more > 0 {
        line(text, &format!("            │ … {more} lines more"));
    }
}

fn row(text: &mut String, area: &str, counts: Counts) {
    let agree = counts.cases - counts.disagreements - counts.unsupported;
    let Counts { cases, disagreements, unsupported } = counts;
    line(text, &format!("{area:<28}{cases:>8}{agree:>10}{disagreements:>10}{unsupported:>13}"));
}

fn labelled(text: &mut String, label: &str, value: &str) {
    line(text, &format!("  {label:<10}{value}"));
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}
