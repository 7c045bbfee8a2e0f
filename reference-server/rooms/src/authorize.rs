//! The authorization rules of all room versions (rooms/v1/#authorisation-rules to rooms/v12/#authorisation-rules).
//!
//! The rules are written once, in the order of the text; where versions differ, the room version table decides.
//! [`Rule::number`] gives the number that a rule has in the text of a version.

mod auth_events;
mod creation;
mod levels;
mod membership;
mod rule;
mod selection;

use protocol::RoomVersion;
use protocol::identifiers::server_name_of;
use serde_json::Value;

pub use auth_events::{AuthEvent, check_auth_events};
pub use rule::{Rejection, Rule};
pub use selection::auth_event_keys;

use super::event::{Pdu, room_id_of_create};
use super::mistakes::{self, Mistake, mistaken};
use super::power_levels::{Level, PowerLevels};
use super::state::{StateLookup, StateMap};

/// Judges an event by a state: the one its auth events make up, the one before it, or the current one.
///
/// What concerns the auth events themselves is [`check_auth_events`]. That signatures are valid is for
/// [`check`](super::check) to establish before; here it only counts whose are present.
pub fn authorize(event: &Pdu, state: &impl StateLookup) -> Result<(), Rejection> {
    judge(event, state).map_err(|rule| Rejection::new(rule, event.version()))
}

/// Judges an event by the auth events that it names, all of which the caller has fetched: the fourth check on receipt
/// (server-server-api/#checks-performed-on-receipt-of-a-pdu).
///
/// `create` is the accepted create event that the room id implies since room version 12; before, it is not looked at,
/// because it is one of the auth events.
pub fn authorize_by_auth_events(
    event: &Pdu,
    auth_events: &[AuthEvent<'_>],
    create: Option<&Pdu>,
) -> Result<(), Rejection> {
    let mut state: StateMap = auth_events.iter().map(|auth_event| auth_event.event.clone()).collect();
    if !event.version().create_in_auth_events {
        create.map(|create| state.insert(create));
        let is_create = event.event_type() == "m.room.create";
        let named = if is_create { Ok(()) } else { check_room_id(event, &state) };
        named.map_err(|rule| Rejection::new(rule, event.version()))?;
    }
    check_auth_events(event, auth_events)?;
    authorize(event, &state)
}

fn judge(event: &Pdu, state: &impl StateLookup) -> Result<(), Rule> {
    let version = event.version();
    if event.event_type() == "m.room.create" {
        return creation::check(event);
    }
    check_room_id(event, state)?;
    check_federation(event, state)?;
    let has_aliases_rule = version.aliases_rule || mistaken(Mistake::AliasesRuleAlways);
    if has_aliases_rule && event.event_type() == "m.room.aliases" {
        return check_aliases(event);
    }
    if event.event_type() == "m.room.member" {
        return membership::check(event, state);
    }
    let is_joined = match state.membership(event.sender()) {
        "join" => true,
        "invite" => mistaken(Mistake::InvitedUsersSend),
        _ => false,
    };
    reject_if(!is_joined, Rule::SenderNotJoined)?;
    let levels = PowerLevels::of(version, state);
    let power = levels.user(event.sender());
    if event.event_type() == "m.room.third_party_invite" {
        reject_if(!power.reaches(levels.level(Level::Invite)), Rule::ThirdPartyInviteLevel)?;
        if !mistaken(Mistake::ThirdPartyInviteNeedsStateLevel) {
            return Ok(());
        }
    }
    let needed = levels.to_send(event.event_type(), event.state_key().is_some());
    reject_if(!power.reaches(needed), Rule::RequiredLevel)?;
    let names_other_user = event.state_key().is_some_and(|key| key.starts_with('@') && key != event.sender());
    reject_if(names_other_user, Rule::StateKeyOfOther)?;
    if event.event_type() == "m.room.power_levels" {
        return levels::check(event, &levels);
    }
    let has_redaction_rule = version.redaction_is_authorized || mistaken(Mistake::RedactionRuleAlways);
    if has_redaction_rule && event.event_type() == "m.room.redaction" {
        return check_redaction(event, &levels);
    }
    Ok(())
}

/// Since room version 12, the room id names the create event.
fn check_room_id(event: &Pdu, state: &impl StateLookup) -> Result<(), Rule> {
    let is_named = |create: &Pdu| room_id_of_create(create.event_id()) == event.room_id();
    let is_wrong = !event.version().create_in_auth_events && !state.create().is_some_and(is_named);
    reject_if(is_wrong, Rule::RoomIdWithoutCreate)
}

/// A state without create event closes nothing: that one must be there is asked of auth events alone
/// (rooms/v1/#authorisation-rules, rule 2.4), and since room version 12 of the room id.
fn check_federation(event: &Pdu, state: &impl StateLookup) -> Result<(), Rule> {
    let Some(create) = state.create() else { return Ok(()) };
    let is_closed = match create.content("m.federate") {
        Some(Value::Bool(is_open)) => !is_open,
        _ => mistaken(Mistake::UnfederatedUnlessTrue),
    };
    let is_foreign = server_name_of(event.sender()) != server_name_of(create.sender());
    reject_if(is_closed && is_foreign, Rule::NotFederated)
}

fn check_aliases(event: &Pdu) -> Result<(), Rule> {
    let Some(state_key) = event.state_key() else { return reject(Rule::AliasesWithoutStateKey) };
    reject_if(server_name_of(event.sender()) != Some(state_key), Rule::AliasesOfOtherServer)
}

/// Compares the servers in the event ids, as the text of the two versions says, not those of the senders.
fn check_redaction(event: &Pdu, levels: &PowerLevels<'_>) -> Result<(), Rule> {
    let target_server = event.redacts().and_then(server_name_of);
    let redacting = if mistaken(Mistake::RedactionBySender) { event.sender() } else { event.event_id() };
    let is_own = target_server.is_some() && target_server == server_name_of(redacting);
    let reaches = levels.user(event.sender()).reaches(levels.level(Level::Redact));
    reject_if(!reaches && !is_own, Rule::RedactionLevel)
}

fn reject_if(condition: bool, rule: Rule) -> Result<(), Rule> {
    if condition { reject(rule) } else { Ok(()) }
}

/// Rejects, unless the rule is to be forgotten.
fn reject(rule: Rule) -> Result<(), Rule> {
    if mistakes::forgets(rule) { Ok(()) } else { Err(rule) }
}

/// The join rule as far as the room version knows it; `invite` where the room has none.
fn join_rule(version: &RoomVersion, state: &impl StateLookup) -> JoinRule {
    let event = state.find("m.room.join_rules", "");
    let default = if mistaken(Mistake::MissingJoinRulePublic) { "public" } else { "invite" };
    match event.map_or(Some(default), |event| event.content_str("join_rule")) {
        Some("public") => JoinRule::Public,
        Some("invite") => JoinRule::Invite,
        Some("knock") if version.knock => JoinRule::Knock,
        Some("restricted") if version.restricted || mistaken(Mistake::RestrictedAlwaysKnown) => {
            JoinRule::Restricted
        }
        Some("knock_restricted") if mistaken(Mistake::KnockRestrictedUnknown) => JoinRule::Meaningless,
        Some("knock_restricted") if version.knock_restricted => JoinRule::KnockRestricted,
        _ => JoinRule::Meaningless,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinRule {
    Public,
    Invite,
    Knock,
    Restricted,
    KnockRestricted,
    /// A rule that this room version does not know: nobody joins by it.
    Meaningless,
}
