//! Which requirements of the specification are proved, by which tests.

use std::collections::{BTreeMap, BTreeSet};

use fixtures::ledger::{Ledger, Level, Row};
use reports::{Chapter, Requirements, Tally};

use crate::registry::Test;

/// Requirements that no test proves, below the reasons why.
pub const UNTESTED: &str = include_str!("../untested.txt");

/// Requirements of level must whose proofs no named fault turns red, below the reasons why.
pub const UNBROKEN: &str = include_str!("../unbroken.txt");

/// Documented responses and error codes that no check requires of the built-in server, below the reasons why.
pub const UNREQUIRED: &str = include_str!("../unrequired.txt");

/// The reason of everything in such a list: lines below headings in brackets; `#` begins a comment.
///
/// # Errors
/// When something has no reason, or stands there twice.
pub fn reasons(list: &str) -> Result<BTreeMap<&str, &str>, String> {
    let mut reasons = BTreeMap::new();
    let mut heading = None;
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(reason) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            heading = Some(reason);
            continue;
        }
        let reason = heading.ok_or_else(|| format!("{line} stands above the first reason"))?;
        if reasons.insert(line, reason).is_some() {
            return Err(format!("{line} is listed twice"));
        }
    }
    Ok(reasons)
}

/// The tests that prove a row of the ledger, by its id.
pub fn proofs(tests: &[&'static Test]) -> BTreeMap<&'static str, Vec<&'static Test>> {
    let mut proofs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for test in tests {
        for id in test.proves {
            proofs.entry(*id).or_default().push(*test);
        }
    }
    proofs
}

/// How much of the ledger is proved, given the ids of what was not.
pub fn without(missing: &[String]) -> Requirements {
    let missing: BTreeSet<&str> = missing.iter().map(String::as_str).collect();
    of(|id| !missing.contains(id))
}

/// How much of the ledger is proved, given the ids of what was.
pub(crate) fn coverage(proved: &BTreeSet<&'static str>) -> Requirements {
    of(|id| proved.contains(id))
}

fn of(is_proved: impl Fn(&str) -> bool) -> Requirements {
    let mut requirements = Requirements::default();
    let mut chapters: BTreeMap<&str, Chapter> = BTreeMap::new();
    for row in Ledger::v1_19().requirements() {
        let id = row.id();
        let is_proved = is_proved(&id);
        requirements.total += 1;
        requirements.proved += usize::from(is_proved);
        let chapter = chapters
            .entry(&row.chapter)
            .or_insert_with(|| Chapter { name: row.chapter.clone(), ..Chapter::default() });
        let tally = tally(chapter, row);
        tally.total += 1;
        tally.proved += usize::from(is_proved);
        if !is_proved {
            requirements.missing.push(id);
        }
    }
    requirements.chapters = chapters.into_values().collect();
    requirements
}

fn tally<'a>(chapter: &'a mut Chapter, row: &Row) -> &'a mut Tally {
    match row.level {
        Level::Must => &mut chapter.must,
        Level::Should => &mut chapter.should,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_has_the_reason_above_it() {
        let list = "# a list\n[One reason.]\na\nb\n\n[Another.]\nc\n";
        let expected = [("a", "One reason."), ("b", "One reason."), ("c", "Another.")];
        assert_eq!(reasons(list), Ok(BTreeMap::from(expected)));
        assert_eq!(reasons("a"), Err("a stands above the first reason".to_owned()));
        assert_eq!(reasons("[Why.]\na\na"), Err("a is listed twice".to_owned()));
    }
}
