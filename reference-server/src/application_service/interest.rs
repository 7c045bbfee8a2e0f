//! What an application service is told: application-service-api/#registration.

use protocol::identifiers::server_name_of;
use serde_json::{Map, Value, json};

use super::{ApplicationService, Kind};
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::store::receipts::{self, Receipt};
use crate::store::rooms;
use crate::stream::Position;
use crate::timeline::{Entry, StateAt, Timeline};

impl ApplicationService {
    /// Whether it wants to know of a user: its own, on this server.
    fn concerns_user(&self, server: &Homeserver, user_id: &str) -> bool {
        server_name_of(user_id) == Some(server.name()) && self.owns_user(user_id)
    }

    /// Whether everything in a room is for it, whoever is there.
    pub(super) async fn follows(&self, server: &Homeserver, room: &Timeline) -> Result<bool, MatrixError> {
        if self.registration.has_room(room.room_id()) {
            return Ok(true);
        }
        if !self.registration.has_aliases() {
            return Ok(false);
        }
        let room_id = room.room_id().to_owned();
        let aliases = server.store.read(move |connection| rooms::aliases_of(connection, &room_id)).await?;
        Ok(aliases.iter().any(|alias| self.has(Kind::Aliases, alias)))
    }

    /// Whether an event is for it because of who is, or comes, or goes.
    pub(super) fn concerns(&self, server: &Homeserver, room: &Timeline, entry: &Entry) -> bool {
        let target = (entry.pdu.event_type() == "m.room.member").then(|| entry.pdu.state_key()).flatten();
        commits(Fault::NamespacesIgnored)
            || target.is_some_and(|user_id| self.concerns_user(server, user_id))
            || self.is_in(server, &room.record().history.at(entry.position))
    }

    fn is_in(&self, server: &Homeserver, state: &StateAt<'_>) -> bool {
        let members = state.of_type("m.room.member");
        let mut joined = members.filter(|member| member.content_str("membership") == Some("join"));
        joined.any(|member| member.state_key().is_some_and(|user_id| self.concerns_user(server, user_id)))
    }

    /// What has passed in a room: who types, and what was read.
    pub(super) async fn ephemeral_in(
        &self,
        server: &Homeserver,
        room: &Timeline,
        since: Position,
        until: Position,
    ) -> Result<Vec<Value>, MatrixError> {
        let mut events = Vec::new();
        if !self.follows(server, room).await? && !self.is_in(server, &room.record().history.at(until)) {
            return Ok(events);
        }
        if let Some(users) = server.typing.changed(room.room_id(), since, until) {
            events.push(ephemeral("m.typing", room, json!({"user_ids": users})));
        }
        if room.record().last_receipt > since {
            let room_id = room.room_id().to_owned();
            let read = server.store.read(move |c| receipts::changed(c, &room_id, since, until)).await?;
            events.extend(read.into_iter().filter_map(|receipt| self.receipt(server, room, receipt)));
        }
        Ok(events)
    }

    /// Private receipts are for whoever has read only.
    fn receipt(&self, server: &Homeserver, room: &Timeline, receipt: Receipt) -> Option<Value> {
        if receipt.receipt_type == "m.read.private"
            && !self.concerns_user(server, &receipt.user_id)
            && !commits(Fault::PrivateReceiptsToldToServices)
        {
            return None;
        }
        let mut says = json!({"ts": receipt.received_ms});
        if let Some(thread_id) = receipt.thread_id {
            says["thread_id"] = thread_id.into();
        }
        let content = json!({receipt.event_id: {receipt.receipt_type: {receipt.user_id: says}}});
        Some(ephemeral("m.receipt", room, content))
    }

    /// The presence of its own users and of those who share a room with one.
    pub(super) fn presence(&self, server: &Homeserver, since: Position, until: Position) -> Vec<Value> {
        if commits(Fault::PresenceNotToldToServices) {
            return Vec::new();
        }
        let is_near = |user_id: &str| {
            self.concerns_user(server, user_id)
                || server.timelines.of_user(user_id).iter().any(|room| {
                    let record = room.record();
                    record.membership(user_id) == "join" && self.is_in(server, &record.history.now())
                })
        };
        let changed = server.presences.changed(since, until).into_iter();
        let near = changed.filter(|(_, user_id)| is_near(user_id));
        let event = |(_, user_id): (Position, String)| {
            let content = server.presences.content(&user_id)?;
            let mut event = Map::new();
            event.insert("type".to_owned(), "m.presence".into());
            event.insert("sender".to_owned(), user_id.into());
            event.insert("content".to_owned(), content.into());
            Some(Value::Object(event))
        };
        near.filter_map(event).collect()
    }
}

/// What passes in a room, as clients are told of it, with the room (application-service-api/#pushing-ephemeral-data).
fn ephemeral(event_type: &str, room: &Timeline, content: Value) -> Value {
    let mut event = json!({"type": event_type, "content": content});
    if !commits(Fault::EphemeralDataWithoutRoom) {
        event["room_id"] = room.room_id().into();
    }
    event
}
