//! The numbers of the authorization rules, as the text of each room version counts them (rooms/).
//!
//! Only rules that decide are listed; a rule that merely introduces others is not. A number is what a reader
//! of the published page sees, which is not always what stands in its source: rule 3 of room version 12 is
//! written 1, 2, 3, 5 and the end of its rule 10 is written 10, 10; the page shows 3.4 and 10.11.

use std::fmt;

use protocol::RoomVersion;

/// Declares the rules, one column for each text that room versions share.
macro_rules! rules {
    ($($rule:ident: $($number:literal)+;)+) => {
        /// An authorization rule. The variant's documentation is its number in the texts of room versions 1
        /// to 2, 3 to 5, 6, 7, 8 to 9, 10, 11 and 12; a dash stands where there is no such rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = concat!($($number, " "),+)] $rule,)+
        }

        const ALL: &[Rule] = &[$(Rule::$rule),+];

        fn numbers(rule: Rule) -> [&'static str; 8] {
            match rule { $(Rule::$rule => [$($number),+],)+ }
        }
    };
}

rules! {
    //                            1–2       3–5       6         7         8–9       10        11        12
    CreateHasPrevEvents:         "1.1"     "1.1"     "1.1"     "1.1"     "1.1"     "1.1"     "1.1"     "1.1";
    CreateRoomId:                "1.2"     "1.2"     "1.2"     "1.2"     "1.2"     "1.2"     "1.2"     "1.2";
    CreateRoomVersion:           "1.3"     "1.3"     "1.3"     "1.3"     "1.3"     "1.3"     "1.3"     "1.3";
    CreateCreator:               "1.4"     "1.4"     "1.4"     "1.4"     "1.4"     "1.4"     "-"       "-";
    CreateAdditionalCreators:    "-"       "-"       "-"       "-"       "-"       "-"       "-"       "1.4";
    CreateAllowed:               "1.5"     "1.5"     "1.5"     "1.5"     "1.5"     "1.5"     "1.4"     "1.5";

    RoomIdIsCreateEvent:         "-"       "-"       "-"       "-"       "-"       "-"       "-"       "2";

    AuthEventsDuplicate:         "2.1"     "2.1"     "2.1"     "2.1"     "2.1"     "2.1"     "2.1"     "3.1";
    AuthEventsUnselected:        "2.2"     "2.2"     "2.2"     "2.2"     "2.2"     "2.2"     "2.2"     "3.2";
    AuthEventsRejected:          "2.3"     "2.3"     "2.3"     "2.3"     "2.3"     "2.3"     "2.3"     "3.3";
    AuthEventsLackCreate:        "2.4"     "2.4"     "2.4"     "2.4"     "2.4"     "2.4"     "2.4"     "-";
    AuthEventsOtherRoom:         "2.5"     "2.5"     "2.5"     "2.5"     "2.5"     "2.5"     "2.5"     "3.4";

    NotFederated:                "3"       "3"       "3"       "3"       "3"       "3"       "3"       "4";

    AliasesStateKey:             "4.1"     "4.1"     "-"       "-"       "-"       "-"       "-"       "-";
    AliasesDomain:               "4.2"     "4.2"     "-"       "-"       "-"       "-"       "-"       "-";
    AliasesAllowed:              "4.3"     "4.3"     "-"       "-"       "-"       "-"       "-"       "-";

    MemberProperties:            "5.1"     "5.1"     "4.1"     "4.1"     "4.1"     "4.1"     "4.1"     "5.1";
    MemberAuthoriserSignature:   "-"       "-"       "-"       "-"       "4.2.1"   "4.2.1"   "4.2.1"   "5.2.1";

    JoinOfCreator:               "5.2.1"   "5.2.1"   "4.2.1"   "4.2.1"   "4.3.1"   "4.3.1"   "4.3.1"   "5.3.1";
    JoinOfAnother:               "5.2.2"   "5.2.2"   "4.2.2"   "4.2.2"   "4.3.2"   "4.3.2"   "4.3.2"   "5.3.2";
    JoinBanned:                  "5.2.3"   "5.2.3"   "4.2.3"   "4.2.3"   "4.3.3"   "4.3.3"   "4.3.3"   "5.3.3";
    JoinInvited:                 "5.2.4"   "5.2.4"   "4.2.4"   "4.2.4"   "4.3.4"   "4.3.4"   "4.3.4"   "5.3.4";
    JoinRestrictedInvited:       "-"       "-"       "-"       "-"       "4.3.5.1" "4.3.5.1" "4.3.5.1" "5.3.5.1";
    JoinRestrictedAuthoriser:    "-"       "-"       "-"       "-"       "4.3.5.2" "4.3.5.2" "4.3.5.2" "5.3.5.2";
    JoinRestrictedAllowed:       "-"       "-"       "-"       "-"       "4.3.5.3" "4.3.5.3" "4.3.5.3" "5.3.5.3";
    JoinPublic:                  "5.2.5"   "5.2.5"   "4.2.5"   "4.2.5"   "4.3.6"   "4.3.6"   "4.3.6"   "5.3.6";
    JoinOtherwise:               "5.2.6"   "5.2.6"   "4.2.6"   "4.2.6"   "4.3.7"   "4.3.7"   "4.3.7"   "5.3.7";

    ThirdPartyBanned:            "5.3.1.1" "5.3.1.1" "4.3.1.1" "4.3.1.1" "4.4.1.1" "4.4.1.1" "4.4.1.1" "5.4.1.1";
    ThirdPartyUnsigned:          "5.3.1.2" "5.3.1.2" "4.3.1.2" "4.3.1.2" "4.4.1.2" "4.4.1.2" "4.4.1.2" "5.4.1.2";
    ThirdPartyProperties:        "5.3.1.3" "5.3.1.3" "4.3.1.3" "4.3.1.3" "4.4.1.3" "4.4.1.3" "4.4.1.3" "5.4.1.3";
    ThirdPartyTarget:            "5.3.1.4" "5.3.1.4" "4.3.1.4" "4.3.1.4" "4.4.1.4" "4.4.1.4" "4.4.1.4" "5.4.1.4";
    ThirdPartyToken:             "5.3.1.5" "5.3.1.5" "4.3.1.5" "4.3.1.5" "4.4.1.5" "4.4.1.5" "4.4.1.5" "5.4.1.5";
    ThirdPartySender:            "5.3.1.6" "5.3.1.6" "4.3.1.6" "4.3.1.6" "4.4.1.6" "4.4.1.6" "4.4.1.6" "5.4.1.6";
    ThirdPartySignature:         "5.3.1.7" "5.3.1.7" "4.3.1.7" "4.3.1.7" "4.4.1.7" "4.4.1.7" "4.4.1.7" "5.4.1.7";
    ThirdPartyOtherwise:         "5.3.1.8" "5.3.1.8" "4.3.1.8" "4.3.1.8" "4.4.1.8" "4.4.1.8" "4.4.1.8" "5.4.1.8";
    InviteByOutsider:            "5.3.2"   "5.3.2"   "4.3.2"   "4.3.2"   "4.4.2"   "4.4.2"   "4.4.2"   "5.4.2";
    InviteOfMember:              "5.3.3"   "5.3.3"   "4.3.3"   "4.3.3"   "4.4.3"   "4.4.3"   "4.4.3"   "5.4.3";
    InviteAllowed:               "5.3.4"   "5.3.4"   "4.3.4"   "4.3.4"   "4.4.4"   "4.4.4"   "4.4.4"   "5.4.4";
    InviteOtherwise:             "5.3.5"   "5.3.5"   "4.3.5"   "4.3.5"   "4.4.5"   "4.4.5"   "4.4.5"   "5.4.5";

    LeaveOfSender:               "5.4.1"   "5.4.1"   "4.4.1"   "4.4.1"   "4.5.1"   "4.5.1"   "4.5.1"   "5.5.1";
    LeaveByOutsider:             "5.4.2"   "5.4.2"   "4.4.2"   "4.4.2"   "4.5.2"   "4.5.2"   "4.5.2"   "5.5.2";
    LeaveOfBanned:               "5.4.3"   "5.4.3"   "4.4.3"   "4.4.3"   "4.5.3"   "4.5.3"   "4.5.3"   "5.5.3";
    LeaveAllowed:                "5.4.4"   "5.4.4"   "4.4.4"   "4.4.4"   "4.5.4"   "4.5.4"   "4.5.4"   "5.5.4";
    LeaveOtherwise:              "5.4.5"   "5.4.5"   "4.4.5"   "4.4.5"   "4.5.5"   "4.5.5"   "4.5.5"   "5.5.5";

    BanByOutsider:               "5.5.1"   "5.5.1"   "4.5.1"   "4.5.1"   "4.6.1"   "4.6.1"   "4.6.1"   "5.6.1";
    BanAllowed:                  "5.5.2"   "5.5.2"   "4.5.2"   "4.5.2"   "4.6.2"   "4.6.2"   "4.6.2"   "5.6.2";
    BanOtherwise:                "5.5.3"   "5.5.3"   "4.5.3"   "4.5.3"   "4.6.3"   "4.6.3"   "4.6.3"   "5.6.3";

    KnockJoinRule:               "-"       "-"       "-"       "4.6.1"   "4.7.1"   "4.7.1"   "4.7.1"   "5.7.1";
    KnockOfAnother:              "-"       "-"       "-"       "4.6.2"   "4.7.2"   "4.7.2"   "4.7.2"   "5.7.2";
    KnockAllowed:                "-"       "-"       "-"       "4.6.3"   "4.7.3"   "4.7.3"   "4.7.3"   "5.7.3";
    KnockOtherwise:              "-"       "-"       "-"       "4.6.4"   "4.7.4"   "4.7.4"   "4.7.4"   "5.7.4";

    MemberOtherwise:             "5.6"     "5.6"     "4.6"     "4.7"     "4.8"     "4.8"     "4.8"     "5.8";

    SenderNotJoined:             "6"       "6"       "5"       "5"       "5"       "5"       "5"       "6";
    ThirdPartyInviteLevel:       "7.1"     "7.1"     "6.1"     "6.1"     "6.1"     "6.1"     "6.1"     "7.1";
    RequiredPowerLevel:          "8"       "8"       "7"       "7"       "7"       "7"       "7"       "8";
    StateKeyOfAnother:           "9"       "9"       "8"       "8"       "8"       "8"       "8"       "9";

    LevelsNotIntegers:           "-"       "-"       "-"       "-"       "-"       "9.1"     "9.1"     "10.1";
    EventLevelsNotIntegers:      "-"       "-"       "-"       "-"       "-"       "9.2"     "9.2"     "10.2";
    UserLevelsMalformed:         "10.1"    "10.1"    "9.1"     "9.1"     "9.1"     "9.3"     "9.3"     "10.3";
    UserLevelsNameCreators:      "-"       "-"       "-"       "-"       "-"       "-"       "-"       "10.4";
    FirstLevels:                 "10.2"    "10.2"    "9.2"     "9.2"     "9.2"     "9.4"     "9.4"     "10.5";
    LevelsCurrent:               "10.3.1"  "10.3.1"  "9.3.1"   "9.3.1"   "9.3.1"   "9.5.1"   "9.5.1"   "10.6.1";
    LevelsNew:                   "10.3.2"  "10.3.2"  "9.3.2"   "9.3.2"   "9.3.2"   "9.5.2"   "9.5.2"   "10.6.2";
    EventLevelsCurrent:          "10.4.1"  "10.4.1"  "9.4.1"   "9.4.1"   "9.4.1"   "9.6.1"   "9.6.1"   "10.7.1";
    EventLevelsNew:              "10.5.1"  "10.5.1"  "9.5.1"   "9.5.1"   "9.5.1"   "9.7.1"   "9.7.1"   "10.8.1";
    UserLevelsCurrent:           "10.6.1"  "10.6.1"  "9.6.1"   "9.6.1"   "9.6.1"   "9.8.1"   "9.8.1"   "10.9.1";
    UserLevelsNew:               "10.7.1"  "10.7.1"  "9.7.1"   "9.7.1"   "9.7.1"   "9.9.1"   "9.9.1"   "10.10.1";
    LevelsAllowed:               "10.8"    "10.8"    "9.8"     "9.8"     "9.8"     "9.10"    "9.10"    "10.11";

    RedactionLevel:              "11.1"    "-"       "-"       "-"       "-"       "-"       "-"       "-";
    RedactionDomain:             "11.2"    "-"       "-"       "-"       "-"       "-"       "-"       "-";
    RedactionOtherwise:          "11.3"    "-"       "-"       "-"       "-"       "-"       "-"       "-";

    Otherwise:                   "12"      "11"      "10"      "10"      "10"      "10"      "10"      "11";
}

impl Rule {
    /// The rules of a room version, in the order of its text.
    pub fn of(version: &RoomVersion) -> impl Iterator<Item = Self> {
        ALL.iter().copied().filter(move |rule| rule.number(version).is_some())
    }

    /// The rule's number in the text of a room version, such as `4.3.2`; none where the version lacks the
    /// rule.
    pub fn number(self, version: &RoomVersion) -> Option<&'static str> {
        let column = match version.id {
            "1" | "2" => 0,
            "3" | "4" | "5" => 1,
            "6" => 2,
            "7" => 3,
            "8" | "9" => 4,
            "10" => 5,
            "11" => 6,
            _ => 7,
        };
        Some(numbers(self)[column]).filter(|number| *number != "-")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
