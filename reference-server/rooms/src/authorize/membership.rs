//! The rules on `m.room.member`.

mod third_party;

use protocol::identifiers::server_name_of;

use super::{JoinRule, Rule, join_rule, reject, reject_if};
use crate::event::Pdu;
use crate::mistakes::{Mistake, mistaken};
use crate::power_levels::{Level, Power, PowerLevels, creators};
use crate::state::StateLookup;

pub(super) fn check<S: StateLookup>(event: &Pdu, state: &S) -> Result<(), Rule> {
    let (Some(target), Some(membership)) = (event.state_key(), event.content("membership")) else {
        return reject(Rule::MemberIncomplete);
    };
    check_authoriser_signature(event)?;
    let change = Change { event, target, state, levels: PowerLevels::of(event.version(), state) };
    match membership.as_str() {
        Some("join") => change.join(),
        Some("invite") => change.invite(),
        Some("leave") => change.leave(),
        Some("ban") => change.ban(),
        Some("knock") if event.version().knock => change.knock(),
        _ => reject(Rule::MembershipUnknown),
    }
}

/// Whether the signature is there; that every signature is valid was checked on receipt.
fn check_authoriser_signature(event: &Pdu) -> Result<(), Rule> {
    let Some(authoriser) = event.content(AUTHORISER).filter(|_| event.version().restricted) else {
        return Ok(());
    };
    let server_name = authoriser.as_str().and_then(server_name_of);
    let signatures = server_name.and_then(|server_name| event.object().get("signatures")?.get(server_name));
    reject_if(signatures.is_none(), Rule::AuthoriserSignature)
}

const AUTHORISER: &str = "join_authorised_via_users_server";

/// A change of membership and everything it is judged by.
struct Change<'a, S> {
    event: &'a Pdu,
    target: &'a str,
    state: &'a S,
    levels: PowerLevels<'a>,
}

impl<S: StateLookup> Change<'_, S> {
    fn join(&self) -> Result<(), Rule> {
        if self.is_first_join() && !mistaken(Mistake::CreatorJoinsByRule) {
            return Ok(());
        }
        reject_if(self.event.sender() != self.target, Rule::JoinOfOther)?;
        let membership = self.state.membership(self.target);
        reject_if(membership == "ban", Rule::JoinBanned)?;
        let is_expected = matches!(membership, "invite" | "join");
        match join_rule(self.event.version(), self.state) {
            JoinRule::Public => Ok(()),
            JoinRule::Invite | JoinRule::Knock => reject_if(!is_expected, Rule::JoinNotAllowed),
            JoinRule::Restricted | JoinRule::KnockRestricted => {
                let is_free = is_expected && !mistaken(Mistake::InvitedNeedAuthoriser);
                reject_if(!is_free && !self.authoriser_can_invite(), Rule::JoinAuthoriser)
            }
            JoinRule::Meaningless => reject(Rule::JoinNotAllowed),
        }
    }

    /// The creator's own join right after the create event. Additional creators join like everybody else.
    fn is_first_join(&self) -> bool {
        let Some(create) = self.state.create() else { return false };
        let follows_create =
            self.event.prev_events() == [create.event_id()] || mistaken(Mistake::CreatorJoinsAnyTime);
        let first = if mistaken(Mistake::AdditionalCreatorsJoinFirst) { usize::MAX } else { 1 };
        follows_create && creators(create).take(first).any(|creator| creator == self.target)
    }

    fn authoriser_can_invite(&self) -> bool {
        self.event.content_str(AUTHORISER).is_some_and(|authoriser| {
            let is_joined = self.state.membership(authoriser) == "join";
            let can_invite = self.levels.user(authoriser).reaches(self.levels.level(Level::Invite));
            (is_joined || mistaken(Mistake::AuthoriserMembershipUnchecked))
                && (can_invite || mistaken(Mistake::AuthoriserPowerUnchecked))
        })
    }

    fn invite(&self) -> Result<(), Rule> {
        let target_membership = self.state.membership(self.target);
        if let Some(invite) = self.event.content("third_party_invite") {
            reject_if(target_membership == "ban", Rule::ThirdPartyBanned)?;
            return third_party::check(self.event, self.target, invite, self.state);
        }
        reject_if(!self.sender_is_joined(), Rule::InviteByStranger)?;
        let is_banned = target_membership == "ban" && !mistaken(Mistake::InviteOfBanned);
        reject_if(is_banned || target_membership == "join", Rule::InviteOfMember)?;
        reject_if(!self.sender_reaches(Level::Invite), Rule::InviteLevel)
    }

    fn leave(&self) -> Result<(), Rule> {
        let membership = self.state.membership(self.target);
        if self.event.sender() == self.target {
            let can_leave = match membership {
                "invite" | "join" => true,
                "knock" => self.event.version().knock && !mistaken(Mistake::KnockNotRetractable),
                "ban" => mistaken(Mistake::BannedUserLeaves),
                _ => false,
            };
            return reject_if(!can_leave, Rule::LeaveByStranger);
        }
        reject_if(!self.sender_is_joined(), Rule::KickByStranger)?;
        let to_unban = if mistaken(Mistake::UnbanByKickLevel) { Level::Kick } else { Level::Ban };
        reject_if(membership == "ban" && !self.sender_reaches(to_unban), Rule::UnbanLevel)?;
        let exceeds = self.sender_exceeds_target(Mistake::KickOfEqual);
        reject_if(!self.sender_reaches(Level::Kick) || !exceeds, Rule::KickLevel)
    }

    fn ban(&self) -> Result<(), Rule> {
        reject_if(!self.sender_is_joined(), Rule::BanByStranger)?;
        let exceeds = self.sender_exceeds_target(Mistake::BanOfEqual);
        reject_if(!self.sender_reaches(Level::Ban) || !exceeds, Rule::BanLevel)
    }

    fn knock(&self) -> Result<(), Rule> {
        let can_knock = match join_rule(self.event.version(), self.state) {
            JoinRule::Knock | JoinRule::KnockRestricted => true,
            JoinRule::Restricted => mistaken(Mistake::KnockUnderRestricted),
            _ => false,
        };
        reject_if(!can_knock, Rule::KnockRule)?;
        reject_if(self.event.sender() != self.target, Rule::KnockOfOther)?;
        let membership = self.state.membership(self.target);
        let is_invited = membership == "invite" && !mistaken(Mistake::KnockOfInvited);
        reject_if(is_invited || matches!(membership, "ban" | "join"), Rule::KnockMembership)
    }

    fn sender_is_joined(&self) -> bool {
        self.state.membership(self.event.sender()) == "join"
    }

    fn sender_power(&self) -> Power {
        self.levels.user(self.event.sender())
    }

    fn sender_reaches(&self, level: Level) -> bool {
        self.sender_power().reaches(self.levels.level(level))
    }

    fn sender_exceeds_target(&self, unless_equal: Mistake) -> bool {
        let (sender, target) = (self.sender_power(), self.levels.user(self.target));
        sender > target || sender == target && mistaken(unless_equal)
    }
}
