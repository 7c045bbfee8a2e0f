//! How disagreements and sums are told to people.

use std::fmt::Write;

use serde_json::Value;

use crate::agreement::{Agreement, Difference};
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
        shown(&mut text, input);
    }
    for difference in differences {
        labelled(&mut text, "expected", &format!("{} {}", difference.property, difference.expected));
        labelled(&mut text, "got", &format!("{} {}", difference.property, difference.given));
    }
    labelled(&mut text, "repeat", &format!("{command} --only '{id}'"));
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

/// An input with bars before its lines; JSON that can be read is set out.
fn shown(text: &mut String, input: &Text) {
    let plain = match input {
        Text::Utf8(plain) => plain.clone(),
        Text::Bytes { base64 } => format!("base64 {base64}"),
    };
    let pretty =
        serde_json::from_str::<Value>(&plain).ok().and_then(|json| serde_json::to_string_pretty(&json).ok());
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
