//! "If type is `m.room.member`": joins, invites, leaves, kicks, bans and knocks.

use protocol::identifiers::server_name_of;
use serde_json::Value;

use super::{Case, Flow};
use crate::power_levels::first_creator;
use crate::rule::Rule;

impl Case<'_> {
    pub(super) fn member(&self) -> Flow {
        let (Some(target), Some(membership)) = (self.event.state_key(), self.event.content("membership"))
        else {
            return self.reject(Rule::MemberProperties, "it has no state key or no membership");
        };
        if let (true, Some(authoriser)) =
            (self.version.restricted, self.event.content("join_authorised_via_users_server"))
        {
            self.authoriser_signature(authoriser)?;
        }
        match membership.as_str() {
            Some("join") => self.join(target),
            Some("invite") => self.invite(target),
            Some("leave") => self.leave(target),
            Some("ban") => self.ban(target),
            Some("knock") if self.version.knock => self.knock(target),
            _ => self.reject(Rule::MemberOtherwise, format!("{membership} is no membership")),
        }
    }

    fn authoriser_signature(&self, authoriser: &Value) -> Flow {
        let server_name = authoriser.as_str().and_then(server_name_of);
        let is_signed = server_name.is_some_and(|name| self.state.is_signed_by(self.event, name));
        self.reject_if(
            Rule::MemberAuthoriserSignature,
            !is_signed,
            format!("the server of {authoriser} did not sign it"),
        )
    }

    fn join(&self, target: &str) -> Flow {
        self.allow_if(Rule::JoinOfCreator, self.follows_create_event() && self.is_first_creator(target))?;
        self.reject_if(Rule::JoinOfAnother, self.event.sender() != target, "the sender joins somebody else")?;
        let membership = self.membership_of(target);
        self.reject_if(Rule::JoinBanned, membership == Some("ban"), "the sender is banned")?;
        let is_invited_or_joined = matches!(membership, Some("invite" | "join"));
        let join_rule = self.join_rule();
        if join_rule == Some("invite") || (self.version.knock && join_rule == Some("knock")) {
            self.allow_if(Rule::JoinInvited, is_invited_or_joined)?;
        }
        if self.version.restricted && join_rule == Some("restricted")
            || self.version.knock_restricted && join_rule == Some("knock_restricted")
        {
            self.allow_if(Rule::JoinRestrictedInvited, is_invited_or_joined)?;
            self.reject_if(
                Rule::JoinRestrictedAuthoriser,
                !self.has_authoriser(),
                "no joined user who may invite authorised it",
            )?;
            self.allow(Rule::JoinRestrictedAllowed)?;
        }
        self.allow_if(Rule::JoinPublic, join_rule == Some("public"))?;
        let why = format!("the join rule is {join_rule:?} and the sender's membership {membership:?}");
        self.reject(Rule::JoinOtherwise, why)
    }

    /// Whether the only previous event is the create event.
    fn follows_create_event(&self) -> bool {
        match (self.event.prev_events(), self.create) {
            ([only], Some(create)) => only == create.id(),
            _ => false,
        }
    }

    fn is_first_creator(&self, user_id: &str) -> bool {
        self.create.and_then(|create| first_creator(self.version, create)) == Some(user_id)
    }

    // Choice: without join rules, users have to be invited. The text gives no default
    // (client-server-api/#mroomjoin_rules); it lets nobody in who was not let in, and homeservers agree on it.
    fn join_rule(&self) -> Option<&str> {
        match self.state.get("m.room.join_rules", "") {
            Some(join_rules) => join_rules.content_string("join_rule"),
            None => Some("invite"),
        }
    }

    /// Whether `join_authorised_via_users_server` is a joined user with sufficient permission to invite.
    fn has_authoriser(&self) -> bool {
        let authoriser = self.event.content_string("join_authorised_via_users_server");
        authoriser.is_some_and(|authoriser| {
            self.levels.user(authoriser) >= self.levels.invite()
                && self.membership_of(authoriser) == Some("join")
        })
    }

    fn invite(&self, target: &str) -> Flow {
        if let Some(invite) = self.event.content("third_party_invite") {
            self.third_party_invite(target, invite)?;
        }
        let sender_joined = self.sender_membership() == Some("join");
        self.reject_if(Rule::InviteByOutsider, !sender_joined, "the sender is not joined")?;
        let membership = self.membership_of(target);
        let is_there = matches!(membership, Some("join" | "ban"));
        self.reject_if(Rule::InviteOfMember, is_there, format!("{target} has {membership:?}"))?;
        self.allow_if(Rule::InviteAllowed, self.sender_level() >= self.levels.invite())?;
        self.reject(Rule::InviteOtherwise, "the sender is below the invite level")
    }

    fn leave(&self, target: &str) -> Flow {
        let membership = self.membership_of(target);
        if self.event.sender() == target {
            let can_leave = matches!(membership, Some("invite" | "join"))
                || self.version.knock && membership == Some("knock");
            let why = format!("the sender cannot leave from {membership:?}");
            self.allow_only_if(Rule::LeaveOfSender, can_leave, why)?;
        }
        let sender_joined = self.sender_membership() == Some("join");
        self.reject_if(Rule::LeaveByOutsider, !sender_joined, "the sender is not joined")?;
        let level = self.sender_level();
        self.reject_if(
            Rule::LeaveOfBanned,
            membership == Some("ban") && level < self.levels.ban(),
            "the sender is below the ban level",
        )?;
        let can_kick = level >= self.levels.kick() && self.levels.user(target) < level;
        self.allow_if(Rule::LeaveAllowed, can_kick)?;
        self.reject(Rule::LeaveOtherwise, format!("{level} does not suffice to kick {target}"))
    }

    fn ban(&self, target: &str) -> Flow {
        let sender_joined = self.sender_membership() == Some("join");
        self.reject_if(Rule::BanByOutsider, !sender_joined, "the sender is not joined")?;
        let level = self.sender_level();
        let can_ban = level >= self.levels.ban() && self.levels.user(target) < level;
        self.allow_if(Rule::BanAllowed, can_ban)?;
        self.reject(Rule::BanOtherwise, format!("{level} does not suffice to ban {target}"))
    }

    fn knock(&self, target: &str) -> Flow {
        let join_rule = self.join_rule();
        let can_knock = join_rule == Some("knock")
            || self.version.knock_restricted && join_rule == Some("knock_restricted");
        self.reject_if(Rule::KnockJoinRule, !can_knock, format!("the join rule is {join_rule:?}"))?;
        self.reject_if(Rule::KnockOfAnother, self.event.sender() != target, "the sender is not the target")?;
        let membership = self.sender_membership();
        self.allow_if(Rule::KnockAllowed, !matches!(membership, Some("ban" | "invite" | "join")))?;
        self.reject(Rule::KnockOtherwise, format!("the sender has {membership:?}"))
    }
}
