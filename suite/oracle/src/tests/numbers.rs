//! The numbers of the rules against the shape of the texts.

use protocol::RoomVersion;
use rstest::rstest;

use crate::Rule;

fn path(rule: Rule, version: &RoomVersion) -> Vec<u32> {
    rule.number(version).unwrap().split('.').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn numbers_rise_without_gaps() {
    for version in RoomVersion::ALL {
        let paths: Vec<Vec<u32>> = Rule::of(version).map(|rule| path(rule, version)).collect();
        assert!(paths.is_sorted_by(|a, b| a < b), "v{}: {paths:?}", version.id);
        for path in &paths {
            for depth in 0..path.len() {
                let (above, number) = (&path[..depth], path[depth]);
                let has_elder = paths
                    .iter()
                    .any(|other| other.starts_with(above) && other.get(depth) == Some(&(number - 1)));
                assert!(number == 1 || has_elder, "v{}: nothing before {path:?}", version.id);
            }
        }
    }
}

/// Counted in the texts: numbered paragraphs that allow or reject.
#[rstest]
#[case("1", 59)]
#[case("3", 56)]
#[case("6", 53)]
#[case("7", 57)]
#[case("8", 61)]
#[case("10", 63)]
#[case("11", 62)]
#[case("12", 64)]
fn every_deciding_rule_is_there(#[case] version: &str, #[case] count: usize) {
    assert_eq!(Rule::of(RoomVersion::find(version).unwrap()).count(), count);
}

/// Where the texts themselves name a rule by number.
#[rstest]
#[case("1", Rule::RedactionLevel, "11.1")] // rooms/v3/#handling-redactions: "under Rule 11"
#[case("5", Rule::EventLevelsCurrent, "10.4.1")] // rooms/v6/#authorisation-rules: "10.4 and 10.5 (now 9.4 and 9.5)"
#[case("6", Rule::EventLevelsNew, "9.5.1")]
#[case("8", Rule::MemberAuthoriserSignature, "4.2.1")] // rooms/v8/#authorisation-rules: "Rule 4.2 and 4.3.5"
#[case("8", Rule::JoinRestrictedAllowed, "4.3.5.3")]
#[case("12", Rule::AuthEventsUnselected, "3.2")] // rooms/v12/#authorisation-rules: "rule 3.2 below", "rule 10.4 below"
#[case("12", Rule::UserLevelsNameCreators, "10.4")]
fn as_the_text_refers_to_it(#[case] version: &str, #[case] rule: Rule, #[case] number: &str) {
    assert_eq!(rule.number(RoomVersion::find(version).unwrap()), Some(number));
}
