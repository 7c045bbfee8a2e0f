//! The rules that every test of the suite keeps.

use std::collections::BTreeSet;

use fixtures::catalogue::{Catalogue, Release};
use suite::{
    plan,
    registry::{Phase, TESTS},
};

#[test]
fn every_citation_leads_somewhere() {
    let anchors = &Catalogue::v1_19().anchors;
    let astray: Vec<_> = TESTS.iter().filter(|test| !anchors.contain(test.spec)).collect();
    assert!(astray.is_empty(), "these citations lead nowhere: {astray:#?}");
}

#[test]
fn every_test_states_its_requirement_in_one_sentence() {
    for test in TESTS {
        let requirement = test.requirement();
        assert!(requirement.ends_with('.'), "{}: {requirement:?} is no sentence", test.id());
        assert!(requirement.len() <= 240, "{}: {requirement:?} is too long for one sentence", test.id());
    }
}

#[test]
fn ids_are_unique_and_made_of_paths() {
    let mut seen = BTreeSet::new();
    for check in plan::checks(TESTS) {
        let stem = check.id.split('[').next().unwrap_or_default();
        let plain = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "/-".contains(character)
        };
        assert!(stem.chars().all(plain), "{} has an unusual character", check.id);
        assert!(seen.insert(check.id.clone()), "{} exists twice", check.id);
    }
}

#[test]
fn cases_are_the_same_whenever_they_are_listed() {
    let ids = || plan::checks(TESTS).into_iter().map(|check| check.id).collect::<Vec<_>>();
    assert_eq!(ids(), ids());
}

#[test]
fn shards_are_a_partition() {
    let shard = |number| plan::Selection { shard: Some(plan::Shard { number, of: 3 }), ..Default::default() };
    let ids = |selection| {
        plan::plan(TESTS, &selection, 5).into_iter().map(|check| check.id).collect::<BTreeSet<_>>()
    };
    let whole = ids(plan::Selection::default());
    let parts: Vec<_> = (1..=3).map(|number| ids(shard(number))).collect();
    assert_eq!(parts.iter().flatten().cloned().collect::<BTreeSet<_>>(), whole);
    // What is judged of all that was exchanged is judged of every part.
    let last: BTreeSet<_> = plan::checks(TESTS)
        .into_iter()
        .filter(|check| check.test.phase == Phase::Last)
        .map(|check| check.id)
        .collect();
    let twice: Vec<_> = parts[0].intersection(&parts[1]).filter(|id| !last.contains(*id)).collect();
    assert!(twice.is_empty(), "in two parts: {twice:?}");
}

#[test]
fn releases_of_tests_are_releases() {
    for test in TESTS {
        for release in [test.since, test.until].into_iter().flatten() {
            assert!(release.parse::<Release>().is_ok(), "{}: {release:?} is no release", test.id());
        }
    }
}
