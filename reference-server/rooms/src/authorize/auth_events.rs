//! What must hold of the auth events that an event names.

use std::collections::BTreeSet;

use super::selection::auth_event_keys;
use super::{Rejection, Rule, reject_if};
use crate::event::Pdu;

/// An auth event and what became of it here.
#[derive(Clone, Copy, Debug)]
pub struct AuthEvent<'a> {
    /// The event.
    pub event: &'a Pdu,
    /// Whether it was itself rejected.
    pub rejected: bool,
}

/// Checks the auth events that an event names, all of which the caller has fetched.
pub fn check_auth_events(event: &Pdu, auth_events: &[AuthEvent<'_>]) -> Result<(), Rejection> {
    judge(event, auth_events).map_err(|rule| Rejection::new(rule, event.version()))
}

fn judge(event: &Pdu, auth_events: &[AuthEvent<'_>]) -> Result<(), Rule> {
    // The rules on create events come first and allow or reject without a look at auth events.
    if event.event_type() == "m.room.create" {
        return Ok(());
    }
    let place = |auth_event: &AuthEvent<'_>| {
        (auth_event.event.event_type().to_owned(), auth_event.event.state_key().map(str::to_owned))
    };
    let places: BTreeSet<_> = auth_events.iter().map(place).collect();
    reject_if(places.len() < auth_events.len(), Rule::AuthEventsDuplicate)?;

    let expected = expected_places(event);
    reject_if(!places.is_subset(&expected), Rule::AuthEventsUnexpected)?;
    reject_if(auth_events.iter().any(|auth_event| auth_event.rejected), Rule::AuthEventsRejected)?;
    if event.version().create_in_auth_events {
        let has_create = auth_events.iter().any(|auth_event| auth_event.event.is_state("m.room.create", ""));
        reject_if(!has_create, Rule::CreateMissing)?;
    }
    let is_foreign = |auth_event: &AuthEvent<'_>| auth_event.event.room_id() != event.room_id();
    reject_if(auth_events.iter().any(is_foreign), Rule::AuthEventsOfOtherRoom)
}

fn expected_places(event: &Pdu) -> BTreeSet<(String, Option<String>)> {
    let empty = protocol::Object::new();
    let content = event.object().get("content").and_then(|content| content.as_object()).unwrap_or(&empty);
    auth_event_keys(event.version(), event.event_type(), event.sender(), event.state_key(), content)
        .into_iter()
        .map(|(event_type, state_key)| (event_type.to_owned(), Some(state_key)))
        .collect()
}
