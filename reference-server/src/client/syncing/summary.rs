//! What a client needs to name a room.

use serde_json::{Value, json};

use super::Context;
use super::state::Span;
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::rooms::state::StateLookup;
use crate::stream::Position;
use crate::timeline::Record;

/// How many members stand for a room without a name.
const HEROES: usize = 5;

/// The summary of a room.
pub(super) struct Summary<'a> {
    joined: usize,
    invited: usize,
    named: bool,
    /// The members who stand for the room.
    pub(super) heroes: Vec<&'a str>,
}

impl Context<'_> {
    /// The summary, if it may have changed.
    pub(super) fn summary<'a>(&self, record: &'a Record, span: &Span) -> Option<Summary<'a>> {
        let state = record.history.at(span.until);
        let changed = state.changed_since(span.since).any(|pdu| {
            matches!(pdu.event_type(), "m.room.member" | "m.room.name" | "m.room.canonical_alias")
        });
        if (!changed || commits(Fault::SummaryNotRenewed)) && !span.whole {
            return None;
        }
        let count = |membership: &str| {
            let members = state.of_type("m.room.member");
            members.filter(|member| member.content_str("membership") == Some(membership)).count()
        };
        let says = |event_type: &str, key: &str| {
            let value = state.find(event_type, "").and_then(|event: &Pdu| event.content_str(key));
            value.is_some_and(|value| !value.is_empty())
        };
        let named = says("m.room.name", "name") || says("m.room.canonical_alias", "alias");
        Some(Summary {
            joined: count("join") + if commits(Fault::JoinedCountWithInvited) { count("invite") } else { 0 },
            invited: count("invite"),
            named,
            heroes: if named { Vec::new() } else { heroes(record, &self.requester.user_id, span.until) },
        })
    }
}

impl From<Summary<'_>> for Value {
    fn from(summary: Summary<'_>) -> Self {
        let mut value = json!({
            "m.joined_member_count": summary.joined,
            "m.invited_member_count": summary.invited,
        });
        if !summary.named {
            value["m.heroes"] = summary.heroes.into();
        }
        value
    }
}

/// The first members who are there or invited, or else who were.
fn heroes<'a>(record: &'a Record, user_id: &str, until: Position) -> Vec<&'a str> {
    let state = record.history.at(until);
    let among = |memberships: [&str; 2]| {
        let mut members: Vec<_> = state
            .of_type("m.room.member")
            .filter(|member| member.content_str("membership").is_some_and(|m| memberships.contains(&m)))
            .filter_map(|member| {
                Some((
                    record
                        .history
                        .place_of(member, member.state_key()?)?
                        .min(if commits(Fault::HeroesByName) { 0 } else { Position::MAX }),
                    member.state_key()?,
                ))
            })
            .filter(|(_, member)| *member != user_id || commits(Fault::HeroesIncludeOneself))
            .collect();
        members.sort_unstable();
        members.into_iter().take(HEROES).map(|(_, member)| member).collect::<Vec<_>>()
    };
    let present = among(["join", "invite"]);
    if present.is_empty() && !commits(Fault::HeroesOfEmptyRoomsOmitted) {
        among(["leave", "ban"])
    } else {
        present
    }
}
