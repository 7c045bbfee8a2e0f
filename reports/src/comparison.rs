//! Records side by side: where servers, or versions of one, came out differently.

mod html;
mod markdown;
mod regressions;
mod terminal;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Check, Kind, Level, Record, Severity, Summary, Verdict, text};

pub use html::render as to_html;
pub use regressions::tell as tell_regressions;

/// Compares records check by check. The first one is the baseline of the others.
///
/// Everything is computed from the checks; where that contradicts what a record stored, a warning says so.
#[must_use]
pub fn compare(records: &[Record]) -> Comparison {
    let rows = rows(records);
    let total = rows.len();
    let mut differences: Vec<Difference> = rows
        .into_values()
        .filter_map(|checks| {
            let verdicts: Vec<Option<Verdict>> =
                checks.iter().map(|check| check.map(|check| check.verdict)).collect();
            let check = checks.iter().flatten().next()?;
            let differs = verdicts.windows(2).any(|pair| pair[0] != pair[1]);
            differs.then(|| Difference::of(check, verdicts))
        })
        .collect();
    differences.sort_by(|a, b| (a.change, a.severity, &a.id).cmp(&(b.change, b.severity, &b.id)));
    Comparison {
        columns: records.iter().map(Column::of).collect(),
        agreed: total - differences.len(),
        differences,
        warnings: warnings(records),
    }
}

/// Every check by its id, with what each record has of it.
fn rows(records: &[Record]) -> BTreeMap<&str, Vec<Option<&Check>>> {
    let mut rows: BTreeMap<&str, Vec<Option<&Check>>> = BTreeMap::new();
    for (column, record) in records.iter().enumerate() {
        for check in &record.checks {
            rows.entry(&check.id).or_insert_with(|| vec![None; records.len()])[column] = Some(check);
        }
    }
    rows
}

/// Records side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The records, in the order given.
    pub columns: Vec<Column>,
    /// How many checks have the same verdict everywhere.
    pub agreed: usize,
    /// The other checks: regressions first, then by severity and id.
    pub differences: Vec<Difference>,
    /// What makes the comparison less than it seems.
    pub warnings: Vec<String>,
}

impl Comparison {
    /// Checks that a later record does worse on than the first one.
    pub fn regressions(&self) -> impl Iterator<Item = &Difference> {
        self.of_change(Change::Regression)
    }

    fn of_change(&self, change: Change) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(move |difference| difference.change == change)
    }
}

/// One of the records compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// Name and version of the target.
    pub target: String,
    /// The release of the specification that was judged.
    pub release: String,
    /// Seed of the run.
    pub seed: u64,
    /// Counts, made anew from the checks.
    pub summary: Summary,
}

impl Column {
    fn of(record: &Record) -> Self {
        Self {
            target: crate::headline::target(record),
            release: text::one_line(&record.releases.judged),
            seed: record.seed,
            summary: Summary::of(&record.checks),
        }
    }
}

/// A check that did not come out the same everywhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Id of the check.
    pub id: String,
    /// How strongly the specification words it.
    pub level: Level,
    /// Whom a violation hurts.
    pub severity: Severity,
    /// The requirement in a sentence.
    pub requirement: String,
    /// What it means that the records differ.
    pub change: Change,
    /// A verdict for each record; none where the record does not have the check.
    pub verdicts: Vec<Option<Verdict>>,
}

impl Difference {
    fn of(check: &Check, verdicts: Vec<Option<Verdict>>) -> Self {
        let (baseline, later) =
            verdicts.split_first().map_or((None, &[][..]), |(first, later)| (*first, later));
        let change = if later.iter().any(|verdict| is_worse(baseline, *verdict)) {
            Change::Regression
        } else if later.iter().any(|verdict| is_worse(*verdict, baseline)) {
            Change::Improvement
        } else {
            Change::Other
        };
        Self {
            id: check.id.clone(),
            level: check.level,
            severity: check.severity,
            requirement: check.requirement.clone(),
            change,
            verdicts,
        }
    }
}

/// What it means that records differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A later record is worse than the first one.
    Regression,
    /// A later record is better than the first one, and none is worse.
    Improvement,
    /// Neither: a check was added, left out, or became inapplicable.
    Other,
}

/// Whether a requirement that was met is broken, or can no longer be shown to be met; or whether one that was broken
/// mildly is now broken badly. An absent or inapplicable check is no worse: the question was not put.
fn is_worse(before: Option<Verdict>, after: Option<Verdict>) -> bool {
    use Verdict::{Advice, Fail, Fault, Observed, Pass};
    matches!(
        (before, after),
        (Some(Pass), Some(Fail | Advice | Fault)) | (Some(Advice | Observed), Some(Fail | Fault))
    )
}

fn warnings(records: &[Record]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let name = letter(index);
        if record.kind == Kind::Load {
            warnings.push(format!("{name} is a record of load; only checks are compared"));
        }
        if record.interrupted {
            warnings.push(format!("{name} was interrupted: it lacks checks that were never put"));
        }
        if record.kind == Kind::Conformance && record.summary != Summary::of(&record.checks) {
            warnings.push(format!("the summary stored in {name} contradicts its checks; the checks count"));
        }
        let distinct: std::collections::BTreeSet<&str> =
            record.checks.iter().map(|check| check.id.as_str()).collect();
        if distinct.len() < record.checks.len() {
            warnings.push(format!("{name} has several checks of one id; the last one counts"));
        }
    }
    let others =
        (0..records.len()).filter(|index| records[*index].releases.judged != records[0].releases.judged);
    match others.map(letter).collect::<Vec<_>>().as_slice() {
        [] => {}
        [one] => warnings.push(format!("{one} was judged by another release than {}", letter(0))),
        [many @ .., last] => warnings.push(format!(
            "{} and {last} were judged by other releases than {}",
            many.join(", "),
            letter(0)
        )),
    }
    warnings
}

/// The name of a record in the tables: `A` is the baseline.
fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(offset @ 0..26) => char::from(b'A' + offset).to_string(),
        _ => format!("#{}", index + 1),
    }
}
