//! What the script of the page draws the table of checks from: JSON, deflated, as base64.
//!
//! The script of the page is its only reader, so that the form has no version.

use std::collections::HashMap;
use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::ZlibEncoder};
use serde::Serialize;

use crate::comparison::{Change, Comparison, rows};
use crate::{Check, Record, Style, Verdict, account, text};

/// Changes by which the table is filtered, with their values in it and their words.
pub(super) const CHANGES: [(Change, &str, &str); 3] = [
    (Change::Regression, "regression", "regression"),
    (Change::Improvement, "improvement", "improvement"),
    (Change::Other, "other", "other difference"),
];

/// Nothing in base64 can be taken for a tag.
pub(super) fn encode(records: &[Record], comparison: &Comparison) -> String {
    // Neither writing into memory nor these types can fail; a page without its table would still tell what changed.
    deflate(&Data::of(records, comparison)).map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()
}

fn deflate(data: &Data) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(data)?)?;
    encoder.finish()
}

#[derive(Serialize)]
struct Data {
    /// Every verdict: its string, its words, its symbol. The last one stands for an absent check.
    verdicts: Vec<[&'static str; 3]>,
    /// Names of the records.
    records: Vec<String>,
    /// Texts that rows refer to by their places.
    texts: Vec<String>,
    rows: Vec<Row>,
}

/// One check. Short names, and places instead of texts: there are many.
#[derive(Serialize)]
struct Row {
    id: String,
    area: usize,
    /// The change, or nothing.
    #[serde(skip_serializing_if = "str::is_empty")]
    change: &'static str,
    requirement: usize,
    weight: usize,
    citation: usize,
    /// Places in the list of verdicts.
    verdicts: Vec<usize>,
    /// For each record the account, where there is more to tell than the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<Option<usize>>,
}

impl Data {
    fn of(records: &[Record], comparison: &Comparison) -> Self {
        let changes: HashMap<&str, Change> = comparison
            .differences
            .iter()
            .map(|difference| (difference.id.as_str(), difference.change))
            .collect();
        let mut texts = Texts::default();
        let rows = rows(records)
            .into_iter()
            .map(|(id, checks)| Row::of(records, &checks, changes.get(id).copied(), &mut texts))
            .collect();
        let known = Verdict::ALL.map(|verdict| [verdict.as_str(), verdict.words(), super::symbol(verdict)]);
        Self {
            verdicts: known.into_iter().chain([["absent", "absent", "·"]]).collect(),
            records: comparison.columns.iter().map(|column| column.target.clone()).collect(),
            texts: texts.all,
            rows,
        }
    }
}

impl Row {
    fn of(records: &[Record], checks: &[Option<&Check>], change: Option<Change>, texts: &mut Texts) -> Self {
        let first = checks.iter().zip(records).find_map(|(check, record)| check.map(|check| (check, record)));
        let (id, area, requirement, weight, citation) = match first {
            Some((check, record)) => (
                text::one_line(&check.id),
                text::one_line(check.area()),
                text::one_line(&check.requirement),
                format!("{} · {}", check.level, check.severity),
                record.citation_url(&text::one_line(&check.spec)),
            ),
            None => Default::default(),
        };
        let place = |verdict| Verdict::ALL.iter().position(|other| *other == verdict).unwrap_or_default();
        let accounts: Vec<Option<usize>> = checks
            .iter()
            .zip(records)
            .map(|(check, record)| Some(texts.place(told(record, (*check)?)?)))
            .collect();
        Self {
            id,
            area: texts.place(area),
            change: CHANGES.iter().find(|(one, ..)| Some(*one) == change).map_or("", |(_, value, _)| value),
            requirement: texts.place(requirement),
            weight: texts.place(weight),
            citation: texts.place(citation),
            verdicts: checks
                .iter()
                .map(|check| check.map_or(Verdict::ALL.len(), |check| place(check.verdict)))
                .collect(),
            accounts: if accounts.iter().any(Option::is_some) { accounts } else { Vec::new() },
        }
    }
}

/// What there is to say of a check that did not pass, or passed against expectation.
fn told(record: &Record, check: &Check) -> Option<String> {
    let has_more = check.failure.is_some() || check.reason.is_some() || check.expectation.is_some();
    let is_dull = check.verdict == Verdict::Pass && !check.is_unexpected();
    (has_more && !is_dull).then(|| account::of(record, check, Style::plain()).join("\n"))
}

/// Every text once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: String) -> usize {
        *self.places.entry(text).or_insert_with_key(|text| {
            self.all.push(text.clone());
            self.all.len() - 1
        })
    }
}
