//! The presence of those whom the user shares a room with.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Context;
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::stream::Position;

impl Context<'_> {
    /// Whose presence has changed, and who has come into a room with the user.
    pub(super) fn presence(&self) -> Vec<Value> {
        let filter = &self.question.filter.presence;
        if !filter.admits_type("m.presence") || commits(Fault::PresenceNotTold) {
            return Vec::new();
        }
        let user_id = &self.requester.user_id;
        let since = self.question.since.unwrap_or(0);
        let changed = self.server.presences.changed(since, self.until).into_iter();
        let mut users: BTreeSet<String> = changed
            .filter(|(position, _)| Some(*position) != self.question.announced)
            .map(|(_, other)| other)
            .filter(|other| {
                commits(Fault::PresenceShownToStrangers)
                    || other == user_id
                    || self.server.timelines.share_a_room(user_id, other)
            })
            .collect();
        if self.question.since.is_some() {
            self.extend_with_met(&mut users, since);
        }
        let event = |other: String| {
            let content = self.server.presences.content(&other)?;
            let mut event = Map::new();
            event.insert("type".to_owned(), "m.presence".into());
            event.insert("sender".to_owned(), other.into());
            event.insert("content".to_owned(), Value::Object(content));
            Some(event)
        };
        let events = users.into_iter().filter_map(event);
        events.filter(|event| filter.admits(event, "")).map(Value::Object).collect()
    }

    /// Adds the members of rooms that the user has come into, and those who have come into the user's.
    fn extend_with_met(&self, users: &mut BTreeSet<String>, since: Position) {
        let user_id = &self.requester.user_id;
        for timeline in self.server.timelines.of_user(user_id) {
            let record = timeline.record();
            if record.last <= since {
                continue;
            }
            let state = record.history.at(self.until);
            let joined = |member: &&Pdu| member.content_str("membership") == Some("join");
            let came = |(position, member)| position > since && joined(&member);
            match state.placed("m.room.member", user_id) {
                Some(own) if came(own) => {
                    let members = state.of_type("m.room.member").filter(joined);
                    users.extend(members.filter_map(|member| member.state_key()).map(str::to_owned));
                }
                Some((_, own)) if joined(&own) => {
                    let changes = state.changed_since(since).filter(joined);
                    let members = changes.filter(|member| member.event_type() == "m.room.member");
                    users.extend(members.filter_map(|member| member.state_key()).map(str::to_owned));
                }
                _ => {}
            }
        }
        users.remove(user_id);
    }
}
