//! The authorization rules of all room versions, in the order of the text (rooms/, "Authorisation rules").
//!
//! The texts of the room versions are one text with insertions, so there is one function for each part of it;
//! a rule that only some versions have is guarded by the property of the version that brings it. [`Rule`] has
//! the numbers.

mod decision;
mod levels;
mod membership;
mod signers;
mod third_party;

use std::ops::ControlFlow;

use protocol::RoomVersion;
use protocol::identifiers::{UserId, server_name_of};
use protocol::keys::KeyRing;
use protocol::room_version::RoomIdFormat;
use serde_json::Value;

use super::auth_events::{AuthEvent, auth_event_keys};
use super::event::{Event, Events, StateMap};
use super::power_levels::{Level, PowerLevels};
use super::rule::Rule;

pub use decision::{Decision, Rejection};
pub use signers::WithKeys;

/// What the rules look at besides the event: a state, and whether a server signed.
pub trait AuthState {
    /// The event at `(event_type, state_key)` of the state.
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Event>;

    /// Whether a server validly signed the event, for `join_authorised_via_users_server`.
    ///
    /// By default every signature that is present is valid: events whose signatures fail are dropped before
    /// anybody authorizes them (server-server-api/#checks-performed-on-receipt-of-a-pdu).
    fn is_signed_by(&self, event: &Event, server_name: &str) -> bool {
        let signatures = event.pdu().get("signatures").and_then(|signatures| signatures.get(server_name));
        signatures.and_then(Value::as_object).is_some_and(|by_key| !by_key.is_empty())
    }
}

/// A state map together with the events that it names.
#[derive(Clone, Copy, Debug)]
pub struct StateOf<'a> {
    /// The state.
    pub state: &'a StateMap,
    /// Where its events are found.
    pub events: &'a Events,
}

impl AuthState for StateOf<'_> {
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Event> {
        self.events.get(self.state.get(&(event_type.to_owned(), state_key.to_owned()))?)
    }
}

/// Whether an event is authorized by a state.
///
/// The rules on the event's `auth_events` are left out: their outcome does not depend on the state, so they
/// are settled when an event is received. [`decide_by_auth_events`] has them.
///
/// # Errors
/// The rule that rejects the event.
pub fn authorize(version: &RoomVersion, event: &Event, state: &dyn AuthState) -> Result<(), Rejection> {
    decide(version, event, state).into_result()
}

/// [`authorize`], telling the rule that allowed the event as well.
pub fn decide(version: &RoomVersion, event: &Event, state: &dyn AuthState) -> Decision {
    Case::new(version, event, state, None).decide()
}

/// What the rules say of an event, given its own `auth_events` as the state
/// (server-server-api/#checks-performed-on-receipt-of-a-pdu, check 4).
///
/// `create` is the accepted event that the room id implies since room version 12, which is good for nothing unless
/// it is a create event; before, it is ignored, because the create event stands among the auth events. Without
/// `keys`, every signature that is present is valid.
pub fn decide_by_auth_events(
    version: &RoomVersion,
    event: &Event,
    auth_events: &[AuthEvent<'_>],
    create: Option<&Event>,
    keys: Option<&KeyRing>,
) -> Decision {
    let implied = create.filter(|event| !version.create_in_auth_events && event.is_create());
    let state = AuthEventsAsState { auth_events, create: implied };
    match keys {
        None => Case::new(version, event, &state, Some(auth_events)).decide(),
        Some(keys) => {
            let state = WithKeys { state: &state, version, keys };
            Case::new(version, event, &state, Some(auth_events)).decide()
        }
    }
}

struct AuthEventsAsState<'a> {
    auth_events: &'a [AuthEvent<'a>],
    create: Option<&'a Event>,
}

impl AuthState for AuthEventsAsState<'_> {
    fn get(&self, event_type: &str, state_key: &str) -> Option<&Event> {
        if let ("m.room.create", "", Some(create)) = (event_type, state_key, self.create) {
            return Some(create);
        }
        let is_at = |event: &Event| event.event_type() == event_type && event.state_key() == Some(state_key);
        self.auth_events.iter().map(|entry| entry.event).find(|event| is_at(event))
    }
}

/// A part of the rules either decides or leaves the event to the next part.
type Flow = ControlFlow<Decision>;

/// An event before the rules.
struct Case<'a> {
    version: &'a RoomVersion,
    event: &'a Event,
    state: &'a dyn AuthState,
    auth_events: Option<&'a [AuthEvent<'a>]>,
    create: Option<&'a Event>,
    levels: PowerLevels<'a>,
}

impl<'a> Case<'a> {
    fn new(
        version: &'a RoomVersion,
        event: &'a Event,
        state: &'a dyn AuthState,
        auth_events: Option<&'a [AuthEvent<'a>]>,
    ) -> Self {
        let create = state.get("m.room.create", "");
        let levels = PowerLevels::new(version, state.get("m.room.power_levels", ""), create);
        Self { version, event, state, auth_events, create, levels }
    }

    fn decide(&self) -> Decision {
        match self.rules() {
            ControlFlow::Break(decision) => decision,
            ControlFlow::Continue(()) => self.allowed(Rule::Otherwise),
        }
    }

    /// The top level of the text.
    fn rules(&self) -> Flow {
        let event_type = self.event.event_type();
        if event_type == "m.room.create" {
            self.create_event()?;
        }
        if self.version.room_id == RoomIdFormat::CreateEvent {
            self.room_id()?;
        }
        if let Some(auth_events) = self.auth_events {
            self.auth_events(auth_events)?;
        }
        self.federation()?;
        if self.version.aliases_rule && event_type == "m.room.aliases" {
            self.aliases()?;
        }
        if event_type == "m.room.member" {
            self.member()?;
        }
        self.reject_if(
            Rule::SenderNotJoined,
            self.sender_membership() != Some("join"),
            "sender is not joined",
        )?;
        if event_type == "m.room.third_party_invite" {
            self.allow_only_if(
                Rule::ThirdPartyInviteLevel,
                self.sender_level() >= self.levels.invite(),
                "sender is below the invite level",
            )?;
        }
        self.required_power_level()?;
        self.state_key_of_another()?;
        if event_type == "m.room.power_levels" {
            self.power_levels()?;
        }
        if self.version.redaction_is_authorized && event_type == "m.room.redaction" {
            self.redaction()?;
        }
        Flow::Continue(())
    }

    /// If type is `m.room.create`.
    fn create_event(&self) -> Flow {
        let event = self.event;
        self.reject_if(Rule::CreateHasPrevEvents, !event.prev_events().is_empty(), "it has previous events")?;
        if self.version.room_id == RoomIdFormat::CreateEvent {
            self.reject_if(Rule::CreateRoomId, event.room_id().is_some(), "it has a room id")?;
        } else {
            let room_domain = event.room_id().and_then(server_name_of);
            self.reject_if(
                Rule::CreateRoomId,
                room_domain.is_none() || room_domain != server_name_of(event.sender()),
                "the room id's domain is not the sender's",
            )?;
        }
        if let Some(room_version) = event.content("room_version") {
            let recognised = room_version.as_str().is_some_and(|id| RoomVersion::find(id).is_some());
            self.reject_if(
                Rule::CreateRoomVersion,
                !recognised,
                format!("{room_version} is not recognised"),
            )?;
        }
        if self.version.creator_in_content {
            let has_creator = event.content("creator").is_some();
            self.reject_if(Rule::CreateCreator, !has_creator, "it names no creator")?;
        }
        if let (true, Some(additional)) =
            (self.version.privileged_creators, event.content("additional_creators"))
        {
            let is_user_id = |entry: &Value| entry.as_str().is_some_and(|id| UserId::parse(id).is_ok());
            let are_user_ids = additional.as_array().is_some_and(|entries| entries.iter().all(is_user_id));
            self.reject_if(
                Rule::CreateAdditionalCreators,
                !are_user_ids,
                "additional_creators is no list of user ids",
            )?;
        }
        self.allow(Rule::CreateAllowed)
    }

    /// The event's `room_id` must be the id of an accepted create event.
    // Choice: the create event of the state is the only one that can be meant; whoever gives the state vouches that
    // it was accepted.
    fn room_id(&self) -> Flow {
        let implied = self.event.implied_create_event(self.version);
        let is_create_event = implied.is_some() && implied.as_deref() == self.create.map(Event::id);
        self.reject_if(
            Rule::RoomIdIsCreateEvent,
            !is_create_event,
            "the room id is not that of an accepted create event",
        )
    }

    /// Considering the event's `auth_events`.
    fn auth_events(&self, auth_events: &[AuthEvent<'_>]) -> Flow {
        let keys: Vec<_> = auth_events
            .iter()
            .map(|entry| (entry.event.event_type().to_owned(), entry.event.state_key()))
            .collect();
        for (index, (event_type, state_key)) in keys.iter().enumerate() {
            let is_repeated = keys[..index].contains(&(event_type.clone(), *state_key));
            let why = format!("{event_type} with state key {state_key:?} is there twice");
            self.reject_if(Rule::AuthEventsDuplicate, is_repeated, why)?;
        }
        let selected = auth_event_keys(self.version, self.event);
        for entry in auth_events {
            let is_selected = entry.event.key().is_some_and(|key| selected.contains(&key));
            let why = format!("{} is not among the events to select", entry.event.id());
            self.reject_if(Rule::AuthEventsUnselected, !is_selected, why)?;
        }
        for entry in auth_events {
            let why = format!("{} was rejected", entry.event.id());
            self.reject_if(Rule::AuthEventsRejected, entry.rejected, why)?;
        }
        if self.version.create_in_auth_events {
            let has_create = auth_events.iter().any(|entry| entry.event.event_type() == "m.room.create");
            self.reject_if(Rule::AuthEventsLackCreate, !has_create, "the create event is not among them")?;
        }
        for entry in auth_events {
            let why = format!("{} is of another room", entry.event.id());
            self.reject_if(Rule::AuthEventsOtherRoom, entry.event.room_id() != self.event.room_id(), why)?;
        }
        Flow::Continue(())
    }

    /// Rooms that are not federated.
    // Choice: a state without create event restricts nobody; the text takes one for granted
    // (rooms/v1/#authorisation-rules, rule 3).
    fn federation(&self) -> Flow {
        let Some(create) = self.create else { return Flow::Continue(()) };
        self.reject_if(
            Rule::NotFederated,
            create.content("m.federate") == Some(&Value::Bool(false))
                && server_name_of(self.event.sender()) != server_name_of(create.sender()),
            "the room is not federated and the sender is not of its server",
        )
    }

    /// If type is `m.room.aliases`, up to room version 5.
    fn aliases(&self) -> Flow {
        let state_key = self.event.state_key();
        self.reject_if(Rule::AliasesStateKey, state_key.is_none(), "it has no state key")?;
        let is_own_domain = server_name_of(self.event.sender()) == state_key;
        self.reject_if(Rule::AliasesDomain, !is_own_domain, "the state key is not the sender's domain")?;
        self.allow(Rule::AliasesAllowed)
    }

    fn required_power_level(&self) -> Flow {
        let (required, level) = (self.levels.required(self.event), self.sender_level());
        let why = format!("{} needs {required}, the sender has {level}", self.event.event_type());
        self.reject_if(Rule::RequiredPowerLevel, required > level, why)
    }

    fn state_key_of_another(&self) -> Flow {
        let is_anothers = |state_key: &str| state_key.starts_with('@') && state_key != self.event.sender();
        self.reject_if(
            Rule::StateKeyOfAnother,
            self.event.state_key().is_some_and(is_anothers),
            "the state key is another user",
        )
    }

    /// If type is `m.room.redaction`, in room versions 1 and 2.
    fn redaction(&self) -> Flow {
        self.allow_if(Rule::RedactionLevel, self.sender_level() >= self.levels.redact())?;
        let redacted = self.event.pdu().get("redacts").and_then(Value::as_str);
        let domain_of_redacted = redacted.and_then(server_name_of);
        self.allow_if(
            Rule::RedactionDomain,
            domain_of_redacted.is_some() && domain_of_redacted == server_name_of(self.event.id()),
        )?;
        self.reject(
            Rule::RedactionOtherwise,
            "the sender is below the redact level and of another server than the redacted event",
        )
    }

    fn sender_level(&self) -> Level {
        self.levels.user(self.event.sender())
    }

    fn sender_membership(&self) -> Option<&str> {
        self.membership_of(self.event.sender())
    }

    /// The *current membership state* of a user; none if the user never had one.
    fn membership_of(&self, user_id: &str) -> Option<&str> {
        self.state.get("m.room.member", user_id)?.content_string("membership")
    }

    fn reject_if(&self, rule: Rule, condition: bool, why: impl Into<String>) -> Flow {
        if condition { self.reject(rule, why) } else { Flow::Continue(()) }
    }

    fn allow_if(&self, rule: Rule, condition: bool) -> Flow {
        if condition { self.allow(rule) } else { Flow::Continue(()) }
    }

    /// "Allow if and only if".
    fn allow_only_if(&self, rule: Rule, condition: bool, why: impl Into<String>) -> Flow {
        if condition { self.allow(rule) } else { self.reject(rule, why) }
    }

    fn reject(&self, rule: Rule, why: impl Into<String>) -> Flow {
        let (number, version) = (rule.number(self.version).unwrap_or_default(), self.version.id);
        Flow::Break(Decision::Reject(Rejection { rule: number, name: rule, version, why: why.into() }))
    }

    fn allow(&self, rule: Rule) -> Flow {
        Flow::Break(self.allowed(rule))
    }

    fn allowed(&self, rule: Rule) -> Decision {
        Decision::Allow { number: rule.number(self.version).unwrap_or_default(), rule }
    }
}
