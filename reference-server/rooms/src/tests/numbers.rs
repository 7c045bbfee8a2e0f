//! The numbers of rules, as they stand in the text of each version.

use protocol::RoomVersion;
use rstest::rstest;

use crate::authorize::Rule;

/// One number for each span of versions in which it is the same.
#[rstest]
#[case(Rule::CreateAdditionalCreators, &[(12, "1.4")])]
#[case(Rule::RoomIdWithoutCreate, &[(12, "2")])]
#[case(Rule::AuthEventsDuplicate, &[(1, "2.1"), (12, "3.1")])]
#[case(Rule::AuthEventsOfOtherRoom, &[(1, "2.5"), (12, "3.4")])]
#[case(Rule::NotFederated, &[(1, "3"), (12, "4")])]
#[case(Rule::MemberIncomplete, &[(1, "5.1"), (6, "4.1"), (12, "5.1")])]
#[case(Rule::AuthoriserSignature, &[(8, "4.2.1"), (12, "5.2.1")])]
#[case(Rule::JoinBanned, &[(1, "5.2.3"), (6, "4.2.3"), (8, "4.3.3"), (12, "5.3.3")])]
#[case(Rule::JoinAuthoriser, &[(8, "4.3.5.2"), (12, "5.3.5.2")])]
#[case(Rule::JoinNotAllowed, &[(1, "5.2.6"), (6, "4.2.6"), (8, "4.3.7"), (12, "5.3.7")])]
#[case(Rule::ThirdPartySignature, &[(1, "5.3.1.8"), (6, "4.3.1.8"), (8, "4.4.1.8"), (12, "5.4.1.8")])]
#[case(Rule::InviteLevel, &[(1, "5.3.5"), (6, "4.3.5"), (8, "4.4.5"), (12, "5.4.5")])]
#[case(Rule::UnbanLevel, &[(1, "5.4.3"), (6, "4.4.3"), (8, "4.5.3"), (12, "5.5.3")])]
#[case(Rule::BanLevel, &[(1, "5.5.3"), (6, "4.5.3"), (8, "4.6.3"), (12, "5.6.3")])]
#[case(Rule::KnockRule, &[(7, "4.6.1"), (8, "4.7.1"), (12, "5.7.1")])]
#[case(Rule::MembershipUnknown, &[(1, "5.6"), (6, "4.6"), (7, "4.7"), (8, "4.8"), (12, "5.8")])]
#[case(Rule::SenderNotJoined, &[(1, "6"), (6, "5"), (12, "6")])]
#[case(Rule::ThirdPartyInviteLevel, &[(1, "7.1"), (6, "6.1"), (12, "7.1")])]
#[case(Rule::RequiredLevel, &[(1, "8"), (6, "7"), (12, "8")])]
#[case(Rule::StateKeyOfOther, &[(1, "9"), (6, "8"), (12, "9")])]
#[case(Rule::LevelListsNotIntegers, &[(10, "9.2"), (12, "10.2")])]
#[case(Rule::LevelsOfUsers, &[(1, "10.1"), (6, "9.1"), (10, "9.3"), (12, "10.3")])]
#[case(Rule::LevelsOfCreators, &[(12, "10.4")])]
#[case(Rule::LevelAbove, &[(1, "10.3.1"), (6, "9.3.1"), (10, "9.5.1"), (12, "10.6.1")])]
#[case(Rule::ListedLevelRaised, &[(1, "10.5.1"), (6, "9.5.1"), (10, "9.7.1"), (12, "10.8.1")])]
#[case(Rule::UserLevelRaised, &[(1, "10.7.1"), (6, "9.7.1"), (10, "9.9.1"), (12, "10.10.1")])]
fn of_rules(#[case] rule: Rule, #[case] expected: &[(usize, &str)]) {
    for (index, version) in RoomVersion::ALL.into_iter().enumerate() {
        if let Some((_, number)) = expected.iter().rev().find(|(from, _)| index + 1 >= *from) {
            assert_eq!(rule.number(version), *number, "room version {}", version.id);
        }
    }
}

#[rstest]
#[case(Rule::AliasesOfOtherServer, "4.2")]
#[case(Rule::RedactionLevel, "11.3")]
fn of_rules_that_only_old_versions_have(#[case] rule: Rule, #[case] number: &str) {
    for version in RoomVersion::ALL.into_iter().take(2) {
        assert_eq!(rule.number(version), number);
    }
}
