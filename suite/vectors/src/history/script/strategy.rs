//! Which scripts there are, and how often. Everything shrinks towards the plainest of its kind, which stands first.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::{
    Act, Actor, Amount, AuthEvents, Authoriser, Change, Depth, Flaw, JoinRule, OddCreate, OddMembership,
    Opening, OpeningLevels, Owner, Place, Script, Spelling, Time, Turn,
};

impl Script {
    /// Scripts in which branches contend, most of whose events are sensible and many hostile.
    pub fn any() -> impl Strategy<Value = Self> {
        // There are enough turns for a conflict, and yet any of them can be left out when the script is made smaller.
        let turns = vec(weighted(0.95, turn()), 8..=28);
        (opening(), turns)
            .prop_map(|(opening, turns)| Self { opening, turns: turns.into_iter().flatten().collect() })
    }
}

fn opening() -> impl Strategy<Value = Opening> {
    let levels = prop_oneof![
        6 => Just(OpeningLevels::Moderators),
        3 => Just(OpeningLevels::TwoAdministrators),
        1 => Just(OpeningLevels::OneAdministrator),
        1 => Just(OpeningLevels::Absent),
    ];
    let federated = prop_oneof![24 => Just(true), 1 => Just(false)];
    let additional_creators = prop_oneof![3 => Just(0_u8), 2 => 1_u8..3];
    (join_rule(), levels, 1_u8..6, federated, additional_creators).prop_map(
        |(join_rule, levels, members, federated, additional_creators)| Opening {
            join_rule,
            levels,
            members,
            federated,
            additional_creators,
        },
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    let place = prop_oneof![
        20 => (0_u8..4).prop_map(Place::Branch),
        6 => (0_u8..8).prop_map(Place::Fork),
        2 => (0_u8..4).prop_map(Place::Merge),
        1 => Just(Place::MergeAll),
    ];
    let actor = prop_oneof![
        15 => (0_u8..7).prop_map(Actor::Able),
        4 => (0_u8..7).prop_map(Actor::Joined),
        2 => (0_u8..7).prop_map(Actor::Anyone),
    ];
    let followed_if_rejected = prop_oneof![9 => Just(false), 1 => Just(true)];
    (place, act(), actor, 0_u8..7, auth_events(), time(), depth(), followed_if_rejected).prop_map(
        |(place, act, actor, target, auth_events, time, depth, followed_if_rejected)| Turn {
            place,
            act,
            actor,
            target,
            auth_events,
            time,
            depth,
            followed_if_rejected,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let owner = || select(vec![Owner::Own, Owner::Nobody, Owner::Target, Owner::Missing]);
    prop_oneof![
        6 => Just(Act::Topic),
        2 => Just(Act::Name),
        16 => change().prop_map(Act::Levels),
        7 => join_rule().prop_map(Act::JoinRules),
        8 => authoriser().prop_map(Act::Join),
        3 => Just(Act::Leave),
        4 => Just(Act::Invite),
        3 => Just(Act::Knock),
        7 => Just(Act::Ban),
        5 => Just(Act::Kick),
        3 => Just(Act::Unban),
        1 => Just(Act::Message),
        2 => owner().prop_map(Act::Note),
        3 => (0_u8..2).prop_map(Act::Offer),
        4 => (0_u8..3, flaw()).prop_map(|(token, flaw)| Act::Redeem(token, flaw)),
        2 => (0_u8..9).prop_map(Act::Redact),
        2 => owner().prop_map(Act::Aliases),
        3 => odd_membership().prop_map(Act::Membership),
        1 => odd_create().prop_map(Act::Create),
    ]
}

fn join_rule() -> impl Strategy<Value = JoinRule> {
    prop_oneof![
        5 => Just(JoinRule::Public),
        4 => Just(JoinRule::Invite),
        2 => Just(JoinRule::Knock),
        3 => Just(JoinRule::Restricted),
        2 => Just(JoinRule::KnockRestricted),
        1 => Just(JoinRule::Private),
    ]
}

fn authoriser() -> impl Strategy<Value = Authoriser> {
    prop_oneof![
        8 => (0_u8..7).prop_map(Authoriser::Fitting),
        1 => Just(Authoriser::Nobody),
        2 => (0_u8..7).prop_map(Authoriser::Anyone),
        1 => (0_u8..7).prop_map(Authoriser::Unsigned),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => amount().prop_map(Change::User),
        2 => Just(Change::RemoveUser),
        5 => (0_u8..7, amount()).prop_map(|(property, amount)| Change::Property(property, amount)),
        1 => (0_u8..7).prop_map(Change::RemoveProperty),
        4 => (0_u8..6, amount()).prop_map(|(event, amount)| Change::Event(event, amount)),
        1 => amount().prop_map(Change::Notification),
        1 => amount().prop_map(Change::Reset),
        2 => (0_u8..8).prop_map(Change::Malformed),
    ]
}

fn amount() -> impl Strategy<Value = Amount> {
    let spelling = prop_oneof![
        12 => Just(Spelling::Integer),
        2 => Just(Spelling::Text),
        1 => Just(Spelling::Padded),
        2 => Just(Spelling::Float),
    ];
    (0_u8..16, spelling).prop_map(|(level, spelling)| Amount { level, spelling })
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        8 => Just(Flaw::None),
        6 => select(vec![
            Flaw::Signature,
            Flaw::Target,
            Flaw::Unsigned,
            Flaw::NoToken,
            Flaw::NoUser,
            Flaw::Banned,
        ]),
    ]
}

fn odd_membership() -> impl Strategy<Value = OddMembership> {
    select(vec![
        OddMembership::JoinOther,
        OddMembership::KnockOther,
        OddMembership::Missing,
        OddMembership::NoStateKey,
        OddMembership::Unknown,
        OddMembership::InviteMember,
        OddMembership::KickAbsent,
        OddMembership::LeaveAbsent,
    ])
}

fn odd_create() -> impl Strategy<Value = OddCreate> {
    select(vec![
        OddCreate::Late,
        OddCreate::Again,
        OddCreate::RoomId,
        OddCreate::RoomVersion,
        OddCreate::Creator,
        OddCreate::AdditionalCreators,
    ])
}

fn auth_events() -> impl Strategy<Value = AuthEvents> {
    prop_oneof![
        40 => Just(AuthEvents::Right),
        4 => Just(AuthEvents::OfOtherBranch),
        4 => (1_u8..16).prop_map(AuthEvents::Stale),
        3 => (0_u8..5).prop_map(AuthEvents::Without),
        1 => prop_oneof![
            (0_u8..5).prop_map(AuthEvents::Twice),
            (0_u8..5).prop_map(AuthEvents::Rivals),
            (0_u8..9).prop_map(AuthEvents::Excess),
        ],
        1 => select(vec![AuthEvents::Rejected, AuthEvents::OtherRoom, AuthEvents::Elsewhere]),
    ]
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        14 => Just(Time::Next),
        7 => Just(Time::Same),
        3 => (0_u8..60).prop_map(Time::Early),
        1 => select(vec![Time::Latest, Time::Epoch, Time::Negative]),
    ]
}

fn depth() -> impl Strategy<Value = Depth> {
    prop_oneof![
        20 => Just(Depth::Next),
        3 => Just(Depth::Same),
        2 => (0_u8..30).prop_map(Depth::Jump),
        1 => select(vec![Depth::Limit, Depth::Zero]),
    ]
}
