//! The rules by which an event can be rejected, and the numbers that they have in each version's text.

use std::fmt;

use protocol::RoomVersion;
use protocol::room_version::PowerLevelForm;

/// A rejected event and the rule that rejected it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The rule.
    pub rule: Rule,
    /// Its number in the text of the room version, such as `4.3.2`.
    pub number: String,
}

impl Rejection {
    pub(super) fn new(rule: Rule, version: &RoomVersion) -> Self {
        Self { rule, number: rule.number(version) }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (authorization rule {})", self.rule, self.number)
    }
}

impl std::error::Error for Rejection {}

/// Declares the rules, each with what was wrong with the event.
macro_rules! rules {
    ($($rule:ident: $says:literal;)+) => {
        /// A rule of authorization that rejects. Its text says what was wrong with the event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
        #[allow(missing_docs, reason = "the messages are the documentation")]
        pub enum Rule {
            $(#[error($says)] $rule,)+
        }

        impl Rule {
            /// All of them, in the order of the text.
            pub const ALL: &[Self] = &[$(Self::$rule),+];
        }
    };
}

rules! {
    CreateHasPreviousEvents: "a create event must not have previous events";
    CreateRoomIdDomain: "the room id must have the domain of the creator";
    CreateHasRoomId: "a create event must not have a room id in this room version";
    CreateRoomVersion: "the create event names a room version that is not known";
    CreateWithoutCreator: "the create event must name its creator";
    CreateAdditionalCreators: "additional_creators must be a list of user ids";
    RoomIdWithoutCreate: "the room id must be that of an accepted create event";
    AuthEventsDuplicate: "two auth events have the same type and state key";
    AuthEventsUnexpected: "an auth event is none that the event needs";
    AuthEventsRejected: "an auth event was itself rejected";
    CreateMissing: "the create event is missing";
    AuthEventsOfOtherRoom: "an auth event is from another room";
    NotFederated: "the room does not take events from other servers than its creator's";
    AliasesWithoutStateKey: "aliases must have a state key";
    AliasesOfOtherServer: "the state key of aliases must be the sender's server";
    MemberIncomplete: "a member event must have a state key and a membership";
    AuthoriserSignature: "the server of the authorising user must have signed";
    JoinOfOther: "users can join only for themselves";
    JoinBanned: "the user is banned";
    JoinAuthoriser: "the authorising user must be joined and able to invite";
    JoinNotAllowed: "the join rule does not let the user join";
    ThirdPartyBanned: "the invited user is banned";
    ThirdPartyUnsigned: "the third-party invite must have a signed block";
    ThirdPartyIncomplete: "the signed block must have a user id and a token";
    ThirdPartyOtherTarget: "the signed block is for another user";
    ThirdPartyToken: "the room has no third-party invite with this token";
    ThirdPartyOtherSender: "the third-party invite was made by another user";
    ThirdPartySignature: "no signature matches a public key of the third-party invite";
    InviteByStranger: "only members can invite";
    InviteOfMember: "the invited user is already joined or banned";
    InviteLevel: "the sender's power does not reach the invite level";
    LeaveByStranger: "the user is not in the room";
    KickByStranger: "only members can kick";
    UnbanLevel: "the sender's power does not reach the ban level, so the ban stays";
    KickLevel: "the sender's power does not reach the kick level or does not exceed the target's";
    BanByStranger: "only members can ban";
    BanLevel: "the sender's power does not reach the ban level or does not exceed the target's";
    KnockRule: "the join rule does not let users knock";
    KnockOfOther: "users can knock only for themselves";
    KnockMembership: "the user is banned, invited or joined already";
    MembershipUnknown: "the membership is not known in this room version";
    SenderNotJoined: "the sender is not joined";
    ThirdPartyInviteLevel: "the sender's power does not reach the invite level";
    RequiredLevel: "the sender's power does not reach the level of this type of event";
    StateKeyOfOther: "the state key is the user id of somebody else";
    LevelsNotIntegers: "power levels must be integers";
    LevelListsNotIntegers: "events and notifications must be objects of integers";
    LevelsOfUsers: "users must be an object from user ids to levels";
    LevelsOfCreators: "users must not list a creator";
    LevelAbove: "a level above the sender's power cannot be changed";
    LevelRaised: "a level cannot be set above the sender's power";
    ListedLevelAbove: "the level of an event or notification above the sender's power cannot be changed";
    ListedLevelRaised: "the level of an event or notification cannot be set above the sender's power";
    UserLevelAbove: "the level of another user who has the sender's power or more cannot be changed";
    UserLevelRaised: "the level of a user cannot be set above the sender's power";
    RedactionLevel: "the sender's power does not reach the redact level and the event is another server's";
}

impl Rule {
    /// The number of the rule in the text of a room version.
    pub fn number(self, version: &RoomVersion) -> String {
        let sections = Sections::of(version);
        let Sections {
            auth_events, member, invite, leave, ban, knock, join, power_levels, alterations, ..
        } = sections;
        match self {
            Self::CreateHasPreviousEvents => "1.1".into(),
            Self::CreateRoomIdDomain | Self::CreateHasRoomId => "1.2".into(),
            Self::CreateRoomVersion => "1.3".into(),
            Self::CreateWithoutCreator | Self::CreateAdditionalCreators => "1.4".into(),
            Self::RoomIdWithoutCreate => "2".into(),
            Self::AuthEventsDuplicate => format!("{auth_events}.1"),
            Self::AuthEventsUnexpected => format!("{auth_events}.2"),
            Self::AuthEventsRejected => format!("{auth_events}.3"),
            Self::CreateMissing => format!("{auth_events}.4"),
            // The rule on the create event is not there any more, which moves this one up on the page.
            Self::AuthEventsOfOtherRoom if version.create_in_auth_events => format!("{auth_events}.5"),
            Self::AuthEventsOfOtherRoom => format!("{auth_events}.4"),
            Self::NotFederated => format!("{}", auth_events + 1),
            Self::AliasesWithoutStateKey => format!("{}.1", member - 1),
            Self::AliasesOfOtherServer => format!("{}.2", member - 1),
            Self::MemberIncomplete => format!("{member}.1"),
            Self::AuthoriserSignature => format!("{member}.2.1"),
            Self::JoinOfOther => format!("{member}.{join}.2"),
            Self::JoinBanned => format!("{member}.{join}.3"),
            Self::JoinAuthoriser => format!("{member}.{join}.5.2"),
            Self::JoinNotAllowed => format!("{member}.{join}.{}", if version.restricted { 7 } else { 6 }),
            Self::ThirdPartyBanned => format!("{member}.{invite}.1.1"),
            Self::ThirdPartyUnsigned => format!("{member}.{invite}.1.2"),
            Self::ThirdPartyIncomplete => format!("{member}.{invite}.1.3"),
            Self::ThirdPartyOtherTarget => format!("{member}.{invite}.1.4"),
            Self::ThirdPartyToken => format!("{member}.{invite}.1.5"),
            Self::ThirdPartyOtherSender => format!("{member}.{invite}.1.6"),
            Self::ThirdPartySignature => format!("{member}.{invite}.1.8"),
            Self::InviteByStranger => format!("{member}.{invite}.2"),
            Self::InviteOfMember => format!("{member}.{invite}.3"),
            Self::InviteLevel => format!("{member}.{invite}.5"),
            Self::LeaveByStranger => format!("{member}.{leave}.1"),
            Self::KickByStranger => format!("{member}.{leave}.2"),
            Self::UnbanLevel => format!("{member}.{leave}.3"),
            Self::KickLevel => format!("{member}.{leave}.5"),
            Self::BanByStranger => format!("{member}.{ban}.1"),
            Self::BanLevel => format!("{member}.{ban}.3"),
            Self::KnockRule => format!("{member}.{knock}.1"),
            Self::KnockOfOther => format!("{member}.{knock}.2"),
            Self::KnockMembership => format!("{member}.{knock}.4"),
            Self::MembershipUnknown => format!("{member}.{}", sections.unknown_membership),
            Self::SenderNotJoined => format!("{}", member + 1),
            Self::ThirdPartyInviteLevel => format!("{}.1", member + 2),
            Self::RequiredLevel => format!("{}", member + 3),
            Self::StateKeyOfOther => format!("{}", member + 4),
            Self::LevelsNotIntegers => format!("{power_levels}.1"),
            Self::LevelListsNotIntegers => format!("{power_levels}.2"),
            Self::LevelsOfUsers => format!("{power_levels}.{}", sections.users),
            Self::LevelsOfCreators => format!("{power_levels}.4"),
            Self::LevelAbove => format!("{power_levels}.{alterations}.1"),
            Self::LevelRaised => format!("{power_levels}.{alterations}.2"),
            Self::ListedLevelAbove => format!("{power_levels}.{}.1", alterations + 1),
            Self::ListedLevelRaised => format!("{power_levels}.{}.1", alterations + 2),
            Self::UserLevelAbove => format!("{power_levels}.{}.1", alterations + 3),
            Self::UserLevelRaised => format!("{power_levels}.{}.1", alterations + 4),
            Self::RedactionLevel => format!("{}.3", power_levels + 1),
        }
    }
}

/// Where the sections whose number moves between versions stand.
struct Sections {
    auth_events: u8,
    member: u8,
    /// Within the member section.
    join: u8,
    invite: u8,
    leave: u8,
    ban: u8,
    knock: u8,
    unknown_membership: u8,
    power_levels: u8,
    /// Within the power levels section.
    users: u8,
    alterations: u8,
}

impl Sections {
    fn of(version: &RoomVersion) -> Self {
        let auth_events = if version.create_in_auth_events { 2 } else { 3 };
        let member = auth_events + 2 + u8::from(version.aliases_rule);
        let join = 2 + u8::from(version.restricted);
        let users = if version.power_levels == PowerLevelForm::Integer { 3 } else { 1 };
        Self {
            auth_events,
            member,
            join,
            invite: join + 1,
            leave: join + 2,
            ban: join + 3,
            knock: join + 4,
            unknown_membership: join + 4 + u8::from(version.knock),
            power_levels: member + 5,
            users,
            alterations: users + 2 + u8::from(version.privileged_creators),
        }
    }
}
