//! What happens in a room, told so that it can be made smaller: small numbers and choices that only mean something once
//! they are played. Everything shrinks towards the plainest of its kind, which stands first.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// The story of a room. It can be played in any room version; what a version lacks is then rejected there.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// How the room begins.
    pub opening: Opening,
    /// What happens then, in this order.
    pub turns: Vec<Turn>,
}

/// How a room begins: a create event, the creator's join, power levels, join rules, and the joins of some users.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The join rule, once everybody of the opening has joined.
    pub join_rule: JoinRule,
    /// The first power levels.
    pub levels: OpeningLevels,
    /// How many users join besides the creator.
    pub members: u8,
    /// Whether other servers may take part.
    pub federated: bool,
    /// How many `additional_creators` there are, where the room version knows them.
    pub additional_creators: u8,
}

/// The first power levels of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningLevels {
    /// The second user has 50, the third too.
    Moderators,
    /// The second user has as much as the creator.
    TwoAdministrators,
    /// Only the creator has any, as far as creators are named.
    OneAdministrator,
    /// There is no such event.
    Absent,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What it follows.
    pub place: Place,
    /// What it does.
    pub act: Act,
    /// Whose deed it is.
    pub actor: Actor,
    /// To whom it is done, counted among those to whom it can be done.
    pub target: u8,
    /// What it gives as `auth_events`.
    pub auth_events: AuthEvents,
    /// Its `origin_server_ts`.
    pub time: Time,
    /// Its `depth`.
    pub depth: Depth,
    /// Whether later events follow it even if it was rejected.
    pub followed_if_rejected: bool,
}

/// Where an event stands in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It continues a branch.
    Branch(u8),
    /// It begins a branch that many events back.
    Fork(u8),
    /// It joins a branch and the next.
    Merge(u8),
    /// It joins all branches.
    MergeAll,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The first user, counted from this one on, whom the rules allow it.
    Able(u8),
    /// One of the joined users, able or not.
    Joined(u8),
    /// Anybody.
    Anyone(u8),
}

/// What an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Sets the topic.
    Topic,
    /// Sets the name.
    Name,
    /// Changes the power levels.
    Levels(Change),
    /// Sets the join rule.
    JoinRules(JoinRule),
    /// Joins.
    Join(Authoriser),
    /// Leaves.
    Leave,
    /// Invites the target.
    Invite,
    /// Knocks.
    Knock,
    /// Bans the target.
    Ban,
    /// Removes the target, who is in the room.
    Kick,
    /// Lifts the target's ban.
    Unban,
    /// Sends a message.
    Message,
    /// Sets a state event of a type without rules, under a key.
    Note(Owner),
    /// Makes a third-party invite.
    Offer(u8),
    /// Invites the target by a third-party invite.
    Redeem(u8, Flaw),
    /// Redacts the event that many back.
    Redact(u8),
    /// Sets aliases of a server.
    Aliases(Owner),
    /// Joins, knocks or leaves in somebody else's name, or with no proper membership.
    Membership(OddMembership),
    /// Creates the room once more, with or without previous events and with a flaw or none.
    Create(OddCreate),
}

/// A join rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinRule {
    /// `public`
    Public,
    /// `invite`
    Invite,
    /// `knock`
    Knock,
    /// `restricted`
    Restricted,
    /// `knock_restricted`
    KnockRestricted,
    /// `private`, which is reserved and means nothing.
    Private,
}

/// Who authorises a restricted join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authoriser {
    /// Somebody who may invite, if the join rule asks for it.
    Fitting(u8),
    /// Nobody, whatever the join rule.
    Nobody,
    /// Anybody, whatever the join rule.
    Anyone(u8),
    /// Somebody whose server does not sign.
    Unsigned(u8),
}

/// A change of the power levels in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Gives the target a level.
    User(Amount),
    /// Removes the target's entry.
    RemoveUser,
    /// Sets one of the seven levels at the top.
    Property(u8, Amount),
    /// Removes one of them.
    RemoveProperty(u8),
    /// Sets the level of an event type.
    Event(u8, Amount),
    /// Sets a notification level.
    Notification(Amount),
    /// Begins anew, with the target as the only one who has power.
    Reset(Amount),
    /// Breaks the form.
    Malformed(u8),
}

/// A power level and how it is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Which level, from a list.
    pub level: u8,
    /// The spelling, where the room version allows it.
    pub spelling: Spelling,
}

/// How a power level is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As an integer.
    Integer,
    /// As a string.
    Text,
    /// As a string with blanks and a sign.
    Padded,
    /// As a number with a fraction.
    Float,
}

/// Under whose state key an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The sender's, or the sender's server's.
    Own,
    /// Nobody's: the empty one.
    Nobody,
    /// That of the target, or the target's server.
    Target,
    /// None: it is no state event.
    Missing,
}

/// What is wrong with the proof of a third-party invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It is not signed by the key of the offer.
    Signature,
    /// It is for somebody else.
    Target,
    /// `signed` is missing.
    Unsigned,
    /// `signed` lacks its token.
    NoToken,
    /// `signed` lacks its user.
    NoUser,
    /// The target is banned, if anybody is.
    Banned,
}

/// A membership event that is no plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddMembership {
    /// The sender joins the target.
    JoinOther,
    /// The sender knocks for the target.
    KnockOther,
    /// `membership` is missing.
    Missing,
    /// The `state_key` is missing.
    NoStateKey,
    /// `membership` is a word without meaning.
    Unknown,
    /// The sender invites a member.
    InviteMember,
    /// The sender removes somebody who is not there.
    KickAbsent,
    /// The sender leaves without being there.
    LeaveAbsent,
}

/// A create event that is not the room's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddCreate {
    /// It has previous events.
    Late,
    /// It is another beginning.
    Again,
    /// The room id is not what it must be.
    RoomId,
    /// The room version is unknown.
    RoomVersion,
    /// The creator is missing.
    Creator,
    /// The additional creators are no list of users.
    AdditionalCreators,
}

/// What an event gives as `auth_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthEvents {
    /// What the state before it selects.
    Right,
    /// What the state of the next branch selects.
    OfOtherBranch,
    /// What the state after an event that many back selects.
    Stale(u8),
    /// One is missing.
    Without(u8),
    /// One is there twice.
    Twice(u8),
    /// Two of one key are there.
    Rivals(u8),
    /// One is there that is not to be selected.
    Excess(u8),
    /// A rejected one is among them.
    Rejected,
    /// One is of another room.
    OtherRoom,
    /// They are right, but the event itself is of another room.
    Elsewhere,
}

/// The `origin_server_ts` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// A second after the event made before.
    Next,
    /// That of the event made before.
    Same,
    /// That many seconds before the room began.
    Early(u8),
    /// The largest integer.
    Latest,
    /// The epoch.
    Epoch,
    /// Before the epoch.
    Negative,
}

/// The `depth` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// One more than the greatest among the previous events.
    Next,
    /// As much as the greatest among the previous events.
    Same,
    /// That much more.
    Jump(u8),
    /// The largest.
    Limit,
    /// None.
    Zero,
}

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
