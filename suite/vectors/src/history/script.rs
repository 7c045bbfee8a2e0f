//! What happens in a room, told so that it can be made smaller: small numbers and choices that only mean something once
//! they are played.

mod strategy;

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
    /// The script without a turn, where later ones count one less back if that leads over it.
    pub(super) fn without(&self, index: usize) -> Self {
        let mut script = self.clone();
        script.turns.remove(index);
        for (passed, turn) in script.turns[index..].iter_mut().enumerate() {
            let closed_up = |back: u8| if usize::from(back) > passed { back - 1 } else { back };
            if let Place::Fork(back) = turn.place {
                turn.place = Place::Fork(closed_up(back));
            }
            if let AuthEvents::Stale(back) = turn.auth_events {
                turn.auth_events = AuthEvents::Stale(closed_up(back));
            }
        }
        script
    }
}

impl Turn {
    /// A turn in which nothing is out of the ordinary.
    pub fn plain(place: Place, act: Act, actor: Actor) -> Self {
        Self {
            place,
            act,
            actor,
            target: 0,
            auth_events: AuthEvents::Right,
            time: Time::Next,
            depth: Depth::Next,
            followed_if_rejected: false,
        }
    }
}
