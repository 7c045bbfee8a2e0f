//! Which requirements of the specification are proved, by which tests.

use std::collections::{BTreeMap, BTreeSet};

use fixtures::ledger::{Ledger, Level, Row};
use reports::{Chapter, Requirements, Tally};

use crate::registry::Test;

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

/// How much of the ledger is proved, given the ids of what was.
pub(crate) fn coverage(proved: &BTreeSet<&'static str>) -> Requirements {
    let mut requirements = Requirements::default();
    let mut chapters: BTreeMap<&str, Chapter> = BTreeMap::new();
    for row in Ledger::v1_19().requirements() {
        let id = row.id();
        let is_proved = proved.contains(id.as_str());
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
