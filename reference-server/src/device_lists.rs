//! Whose devices and keys a user has to look up again.
//!
//! client-server-api/#tracking-the-device-list-for-a-user

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::error::MatrixError;
use crate::federation::device_management::Before;
use crate::homeserver::Homeserver;
use crate::misbehave::{Fault, commits};
use crate::rooms::state::StateLookup;
use crate::store::StoreError;
use crate::store::device_lists::{self, Change};
use crate::stream::Position;
use crate::timeline::StateAt;

/// What a user is told.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Those whose devices or keys have changed, and those who have come into an encrypted room with the user.
    pub(crate) changed: BTreeSet<String>,
    /// Those who are in no encrypted room with the user any more.
    pub(crate) left: BTreeSet<String>,
}

/// Changes the devices or keys of a user, at a position of the stream, and wakes those who share a room with them.
pub(crate) async fn change<T: Send + 'static>(
    server: &Homeserver,
    user_id: &str,
    edit: impl FnOnce(&Connection, Position) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, MatrixError> {
    let place = server.stream.place();
    let position = place.position();
    let others = server.others_with(user_id);
    let (told, owner) = (others.clone(), user_id.to_owned());
    let change = move |connection: &Connection| {
        if told.is_empty() {
            return edit(connection, position);
        }
        let before = Before::of(connection, &owner)?;
        let changed = edit(connection, position)?;
        before.tell_changes(connection, &owner, &told)?;
        Ok(changed)
    };
    let changed = server.store.write(change).await?;
    place.finish(circle(server, user_id));
    server.delivery.wake(others);
    Ok(changed)
}

/// Notes that the devices or keys of a user elsewhere have changed, and wakes those who share a room with them.
pub(crate) async fn note_elsewhere(server: &Homeserver, user_id: &str) -> Result<(), MatrixError> {
    let place = server.stream.place();
    let (owner, position) = (user_id.to_owned(), place.position());
    server.store.write(move |connection| device_lists::note(connection, &owner, None, position)).await?;
    place.finish(circle(server, user_id));
    Ok(())
}

fn circle(server: &Homeserver, user_id: &str) -> BTreeSet<String> {
    let mut circle = BTreeSet::from([user_id.to_owned()]);
    for timeline in server.timelines.of_user(user_id) {
        let record = timeline.record();
        if record.membership(user_id) == "join" {
            circle.extend(record.joined().map(str::to_owned));
        }
    }
    circle
}

impl News {
    /// What came of these changes and of the rooms after `since` and up to `until`.
    pub(crate) fn of(
        server: &Homeserver,
        user_id: &str,
        changes: Vec<Change>,
        since: Position,
        until: Position,
    ) -> Self {
        let mut news = Self::default();
        for Change { user_id: other, confidential } in changes {
            if confidential
                || other == user_id
                || !commits(Fault::DeviceChangesNotTold)
                    && (server.timelines.share_a_room(user_id, &other)
                        || commits(Fault::DevicesOfStrangersTold))
            {
                news.changed.insert(other);
            }
        }
        for other in acquaintances(server, user_id, since, until) {
            let before = share_an_encrypted_room(server, user_id, &other, since);
            match (before, share_an_encrypted_room(server, user_id, &other, until)) {
                (false, true) if !commits(Fault::DeviceArrivalsNotTold) => news.changed.insert(other),
                (true, false) if !commits(Fault::DeviceDeparturesNotTold) => news.left.insert(other),
                _ => continue,
            };
        }
        news
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

/// Those with whom the user may have come into an encrypted room or be in one no more.
fn acquaintances(server: &Homeserver, user_id: &str, since: Position, until: Position) -> BTreeSet<String> {
    let mut others = BTreeSet::new();
    for timeline in server.timelines.of_user(user_id) {
        let record = timeline.record();
        if record.last <= since {
            continue;
        }
        let (before, after) = (record.history.at(since), record.history.at(until));
        let members = match (is_inside(&before, user_id), is_inside(&after, user_id)) {
            (false, false) => continue,
            (true, true) => after.changed_since(since).filter(is_member).collect::<Vec<_>>(),
            (true, false) => before.of_type("m.room.member").collect(),
            (false, true) => after.of_type("m.room.member").collect(),
        };
        others.extend(members.into_iter().filter_map(|member| member.state_key()).map(str::to_owned));
    }
    others.remove(user_id);
    others
}

fn is_member(pdu: &&crate::rooms::event::Pdu) -> bool {
    pdu.event_type() == "m.room.member"
}

fn share_an_encrypted_room(server: &Homeserver, one: &str, other: &str, at: Position) -> bool {
    server.timelines.of_user(one).iter().any(|timeline| {
        let record = timeline.record();
        let state = record.history.at(at);
        is_inside(&state, one) && is_inside(&state, other)
    })
}

/// Whether a room is encrypted and the user joined.
fn is_inside(state: &StateAt<'_>, user_id: &str) -> bool {
    state.membership(user_id) == "join" && state.find("m.room.encryption", "").is_some()
}
