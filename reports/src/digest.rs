//! What every picture of a record is drawn from: its checks sorted by what a reader has to do about them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::{Check, Record, Summary, Verdict};

/// The checks of a record, sorted. Worst severity first, then by id.
pub(crate) struct Digest<'a> {
    /// Musts broken against expectation.
    pub(crate) failures: Vec<&'a Check>,
    /// Passes where something else was expected.
    pub(crate) surprising_passes: Vec<&'a Check>,
    /// Advice and observations where something else than these and a pass was expected.
    pub(crate) other_surprises: Vec<&'a Check>,
    /// Checks that could not be put, against expectation.
    pub(crate) faults: Vec<&'a Check>,
    /// Failures and faults that the expectations foresee.
    pub(crate) foreseen: Vec<&'a Check>,
    /// Shoulds broken.
    pub(crate) advice: Vec<&'a Check>,
    /// Counts for each folder of ids.
    pub(crate) areas: BTreeMap<&'a str, Summary>,
    /// Counts of all checks, made anew.
    pub(crate) summary: Summary,
}

impl<'a> Digest<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let sorted = |belongs: &dyn Fn(&Check) -> bool| {
            let mut checks: Vec<&Check> = record.checks.iter().filter(|check| belongs(check)).collect();
            checks.sort_by(|a, b| a.severity.cmp(&b.severity).then_with(|| a.id.cmp(&b.id)));
            checks
        };
        let surprise = |verdict| move |check: &Check| check.is_unexpected() && check.verdict == verdict;
        let mut areas: BTreeMap<&str, Summary> = BTreeMap::new();
        for check in &record.checks {
            areas.entry(check.area()).or_default().count(check);
        }
        Self {
            failures: sorted(&surprise(Verdict::Fail)),
            surprising_passes: sorted(&surprise(Verdict::Pass)),
            other_surprises: sorted(&|check| {
                check.is_unexpected() && matches!(check.verdict, Verdict::Advice | Verdict::Observed)
            }),
            faults: sorted(&surprise(Verdict::Fault)),
            foreseen: sorted(&|check| {
                !check.is_unexpected() && matches!(check.verdict, Verdict::Fail | Verdict::Fault)
            }),
            advice: sorted(&|check| !check.is_unexpected() && check.verdict == Verdict::Advice),
            areas,
            summary: Summary::of(&record.checks),
        }
    }
}

/// Checks that differ only in their case, together; in the order in which the first of each came.
pub(crate) fn by_stem<'a>(checks: &[&'a Check]) -> Vec<Vec<&'a Check>> {
    group(checks, |check| stem(&check.id))
}

/// Checks with the same reason, together; in the order in which the first of each came.
pub(crate) fn by_reason<'a>(checks: &[&'a Check]) -> Vec<Vec<&'a Check>> {
    group(checks, Check::story)
}

fn group<'a>(checks: &[&'a Check], key: impl Fn(&'a Check) -> &'a str) -> Vec<Vec<&'a Check>> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Check>> = Vec::new();
    for check in checks {
        let place = *places.entry(key(check)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(check);
    }
    groups
}

/// The id without its case.
pub(crate) fn stem(id: &str) -> &str {
    id.split('[').next().unwrap_or_default()
}

/// The checks that took longest, the longest first.
pub(crate) fn slowest(record: &Record, limit: usize) -> Vec<&Check> {
    let mut checks: Vec<&Check> = record.checks.iter().collect();
    checks.sort_by(|a, b| b.duration_ms.partial_cmp(&a.duration_ms).unwrap_or(Ordering::Equal));
    checks.truncate(limit);
    checks
}

impl Check {
    /// What there is to tell about the verdict in a sentence; empty if nothing.
    pub(crate) fn story(&self) -> &str {
        let got = self.failure.as_ref().map(|failure| failure.got.as_str());
        self.reason.as_deref().or(got).unwrap_or_default()
    }
}
