//! The mistakes by name.

use crate::authorize::Rule;
use crate::power_levels::Level;

/// Declares the mistakes that have a place of their own, each with a sentence.
macro_rules! mistakes {
    ($($mistake:ident: $sentence:literal;)+) => {
        /// One way in which the room rules can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Mistake {
            /// An authorization rule is not applied.
            Forgets(Rule),
            /// A level counts as if it were not stated.
            Ignores(Level),
            $(#[doc = $sentence] $mistake,)+
        }

        impl Mistake {
            /// Those that have a place of their own.
            const OTHERS: &[Self] = &[$(Self::$mistake),+];

            /// What is wrong, in a sentence.
            pub fn sentence(self) -> String {
                match self {
                    Self::Forgets(rule) => format!("The rule is forgotten: {rule}."),
                    Self::Ignores(level) => {
                        format!("The {} of the power levels is ignored in favour of its default.", level.name())
                    }
                    $(Self::$mistake => $sentence.to_owned(),)+
                }
            }
        }
    };
}

mistakes! {
    // Power levels.
    LevelsExceeded: "Users need more power than the level that is required.";
    StateEventsLikeMessages: "State events that are not listed need the level of messages.";
    ListedEventsIgnored: "The levels in events are ignored.";
    InviteLevelFifty: "Without a stated level, inviting needs 50.";
    CreatorsNotInfinite: "Creators have no more power than the levels give them.";
    AdditionalCreatorsIgnored: "Additional creators are no creators.";
    CreatorWithoutLevelsPowerless: "Without a power levels event, the creator has no power either.";
    CreatorFromContentAlways: "The creator is the one named in the content in every room version.";
    StringLevelsAlwaysRead: "Levels may be strings in every room version.";
    StringLevelsNeverRead: "Levels that are strings count as absent in every room version.";
    StringLevelsNotTrimmed: "Levels that are strings with white space around them count as absent.";
    FloatLevelsAlwaysRead: "Levels may be floats in every room version.";
    FloatLevelsRounded: "Levels that are floats are rounded instead of truncated.";

    // Changes of power levels.
    NotificationLevelsAlwaysChecked: "Changes of notification levels are checked in every room version.";
    NotificationLevelsNeverChecked: "Changes of notification levels are checked in no room version.";
    OwnLevelProtected: "Users cannot lower their own level.";
    EqualLevelChangeable: "The level of another user with the same power can be changed.";
    UnchangedLevelsChecked: "Levels that stay as they are need to be within the sender's power.";
    AddedEntriesUnchecked: "Entries that a list did not have before are not checked.";
    RemovedEntriesUnchecked: "Entries that a list loses are not checked.";
    FirstLevelsChecked: "The first power levels of a room are compared with the defaults.";
    ChangeJudgedByProposedPower: "A change of levels is judged by the power that it would give its sender.";

    // Membership and the other rules.
    CreatorJoinsAnyTime: "The creator can join at any time.";
    CreatorJoinsByRule: "The creator's first join needs a join rule like any other.";
    AdditionalCreatorsJoinFirst: "Every creator can join right after the create event.";
    MissingJoinRulePublic: "A room without join rule is public.";
    RestrictedAlwaysKnown: "The restricted join rule is known in every room version.";
    KnockRestrictedUnknown: "The knock_restricted join rule is known in no room version.";
    InvitedNeedAuthoriser: "Invited users need an authorising user to join a restricted room.";
    AuthoriserPowerUnchecked: "The authorising user need not be able to invite.";
    AuthoriserMembershipUnchecked: "The authorising user need not be joined.";
    UnbanByKickLevel: "The level to kick is enough to lift a ban.";
    KickOfEqual: "Users with the same power can be kicked.";
    BanOfEqual: "Users with the same power can be banned.";
    BannedUserLeaves: "Banned users can leave, and so lift their ban.";
    KnockNotRetractable: "A knock cannot be retracted.";
    KnockUnderRestricted: "Users can knock where the join rule is restricted.";
    KnockOfInvited: "Invited users can knock.";
    InviteOfBanned: "Banned users can be invited.";
    ThirdPartyListedKeysIgnored: "Only public_key verifies a third-party invite, not what public_keys lists.";
    ThirdPartyInviteNeedsStateLevel: "Third-party invites need the level of state events as well.";
    InvitedUsersSend: "Users who are only invited can send.";
    UnfederatedUnlessTrue: "Other servers are kept out wherever m.federate is not true.";
    AliasesRuleAlways: "Aliases have a rule of their own in every room version.";
    RedactionBySender: "A redaction counts as one's own when its sender is of the server of the redacted event.";
    RedactionRuleAlways: "Redactions have a rule of their own in every room version.";

    // The selection of auth events.
    InviteSelectsNoJoinRules: "The join rules are no auth event of an invite.";
    KnockSelectsNoJoinRules: "The join rules are no auth event of a knock.";
    TargetNotSelected: "The membership of the target is no auth event.";
    AuthoriserNotSelected: "The membership of the authorising user is no auth event.";
    ThirdPartyInviteNotSelected: "The third-party invite is no auth event of the invite that redeems it.";
    CreateAlwaysSelected: "The create event is an auth event in every room version.";

    // What is in conflict.
    AbsenceNoConflict: "A place is not in conflict when some states have nothing there and the others agree.";
    AbsenceConflictInVersion1: "A place that some states lack is in conflict in room version 1 too.";
    AuthDifferenceOmitted: "The auth difference is no part of the full conflicted set.";
    AuthDifferenceTooWide: "The auth difference counts what conflicted events rest on, though unconflicted events do as well.";
    SubgraphOmitted: "The conflicted state subgraph is no part of the full conflicted set.";
    SubgraphAlways: "The conflicted state subgraph is part of the full conflicted set before room version 12 too.";

    // Power events and their order.
    KicksNoPowerEvents: "Kicks are no power events.";
    BansNoPowerEvents: "Bans are no power events.";
    LeavesPowerEvents: "Users' own leaving is a power event.";
    JoinRulesNoPowerEvents: "Join rules are no power events.";
    PowerEventsAlone: "Power events are sorted without what of the full conflicted set is in their auth chains.";
    PowerPassSkipped: "There is no first pass: all events are sorted by the mainline.";
    PowerAscending: "Of the power events that may come next, the one by the least powerful sender does.";
    PowerIgnored: "Power events are not ordered by the power of their senders.";
    PowerAfterTime: "Power events are ordered by time before power.";
    PowerTimeDescending: "Of power events by equally powerful senders, the newest comes first.";
    PowerTieDescending: "Of power events that nothing else orders, the one with the greatest id comes first.";
    PowerOfTarget: "The power of the state key's user orders power events, not the sender's.";
    PowerOfCreatorForgotten: "When power events are ordered, creators have only the power that levels give them.";
    PowerTopologyIgnored: "Power events may come before their auth events.";

    // The mainline.
    MainlineSkipped: "The second pass is ordered by time, without a mainline.";
    MainlineReversed: "Events that rest on the newest part of the mainline come first.";
    MainlineMissingNearest: "Events that do not rest on the mainline count as its nearest.";
    MainlineOwnLevelsOnly: "Only the event's own power levels are looked for in the mainline, not those before them.";
    MainlineOfUnresolved: "The mainline is that of the first state's power levels.";
    MainlineTimeIgnored: "Events at the same mainline position are ordered by id alone.";
    MainlineTimeDescending: "Of events at the same mainline position, the newest comes first.";
    MainlineTieDescending: "Of events at the same position and time, the one with the greatest id comes first.";

    // The iterative auth checks.
    AuthEventsNotConsulted: "What the state lacks is not looked for in the event's auth events.";
    AuthEventsFirst: "Events are judged by their auth events before the state.";
    RejectedAuthEventsConsulted: "Auth events that were rejected are consulted.";
    RejectedEventsApplied: "Events are applied though the rules reject them.";
    StartsFromUnconflicted: "Room version 12 starts from the unconflicted state map.";
    StartsEmpty: "Room versions before 12 start from an empty state.";
    UnconflictedLost: "What is not in conflict is not restored at the end.";
    UnconflictedReplaced: "What the checks arrived at replaces what was not in conflict.";
    LosersStay: "A place where every event was rejected keeps what a state had there.";

    // Room version 1.
    ClimbFromDeepest: "Climbing starts at the deepest event.";
    ClimbTiesReversed: "Events of the same depth are climbed by ascending hash of their ids.";
    ClimbChecksFirst: "The event from which climbing starts has to be allowed as well.";
    ClimbGoesOn: "Climbing passes over an event that is not allowed.";
    PickShallowest: "Of other events, the shallowest that is allowed is taken.";
    PickTiesReversed: "Of other events at the same depth, the one with the greatest hash of its id comes first.";
    PickUnseen: "Of other events, the deepest is taken unseen.";
    PassesReversed: "Members are resolved before join rules, and those before power levels.";
}

impl Mistake {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let forgets = Rule::ALL.iter().copied().map(Self::Forgets);
        let ignores = Level::ALL.into_iter().map(Self::Ignores);
        forgets.chain(ignores).chain(Self::OTHERS.iter().copied())
    }

    /// The mistake of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|mistake| mistake.name() == name)
    }

    /// The name by which it can be asked for.
    pub fn name(self) -> String {
        match self {
            Self::Forgets(rule) => format!("forgets-{}", with_hyphens(&format!("{rule:?}"))),
            Self::Ignores(level) => format!("ignores-{}", with_hyphens(&format!("{level:?}"))),
            other => with_hyphens(&format!("{other:?}")),
        }
    }
}

/// `CamelCase` in lower case with hyphens.
fn with_hyphens(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
