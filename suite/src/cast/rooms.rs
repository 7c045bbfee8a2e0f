//! What users do in rooms, as plain verbs. Awaiting a verb requires its success.

use serde_json::{Value, json};

use super::{Answer, Call, User};
use crate::{
    path,
    verdict::{Stop, Verdict},
};

impl User {
    /// Creates a room; the body is that of `client-server-api/#post_matrixclientv3createroom`.
    pub fn create_room(&self, body: Value) -> Call<String> {
        self.post("/_matrix/client/v3/createRoom", body).reading(|answer| answer.must_have_text("/room_id"))
    }

    /// A private room that the others are invited to and have joined.
    pub async fn room_with(&self, others: &[&User]) -> Result<String, Stop> {
        self.room_of_version_with(None, others).await
    }

    /// The same, in a room version other than the default.
    pub async fn room_of_version_with(
        &self,
        version: Option<&str>,
        others: &[&User],
    ) -> Result<String, Stop> {
        let invite: Vec<&str> = others.iter().map(|other| other.id()).collect();
        let mut body = json!({"preset": "private_chat", "invite": invite});
        if let Some(version) = version {
            body["room_version"] = json!(version);
        }
        let room = self.create_room(body).await?;
        for other in others {
            other.join(&room).await?;
        }
        Ok(room)
    }

    /// A room that anybody may join, and that the others have joined.
    pub async fn public_room_with(&self, others: &[&User]) -> Result<String, Stop> {
        let room = self.create_room(json!({"preset": "public_chat"})).await?;
        for other in others {
            other.join(&room).await?;
        }
        Ok(room)
    }

    /// Joins a room by its id or by an alias.
    pub fn join(&self, room: &str) -> Call {
        self.post(path!("/_matrix/client/v3/join/{}", room), json!({}))
    }

    /// Joins a room by its id, with the operation that is open to guests as well (`client-server-api/#guest-access`).
    pub fn enter(&self, room: &str) -> Call {
        self.post(path!("/_matrix/client/v3/rooms/{}/join", room), json!({}))
    }

    /// Leaves a room, or rejects an invite.
    pub fn leave(&self, room: &str) -> Call {
        self.post(path!("/_matrix/client/v3/rooms/{}/leave", room), json!({}))
    }

    /// Forgets a room.
    pub fn forget(&self, room: &str) -> Call {
        self.post(path!("/_matrix/client/v3/rooms/{}/forget", room), json!({}))
    }

    /// Knocks on a room.
    pub fn knock(&self, room: &str) -> Call {
        self.post(path!("/_matrix/client/v3/knock/{}", room), json!({}))
    }

    /// Invites a user.
    pub fn invite(&self, room: &str, user: &User) -> Call {
        self.membership(room, "invite", user)
    }

    /// Kicks a user.
    pub fn kick(&self, room: &str, user: &User) -> Call {
        self.membership(room, "kick", user)
    }

    /// Bans a user.
    pub fn ban(&self, room: &str, user: &User) -> Call {
        self.membership(room, "ban", user)
    }

    /// Lifts the ban of a user.
    pub fn unban(&self, room: &str, user: &User) -> Call {
        self.membership(room, "unban", user)
    }

    fn membership(&self, room: &str, change: &str, user: &User) -> Call {
        self.post(path!("/_matrix/client/v3/rooms/{}/{}", room, change), json!({"user_id": user.id()}))
    }

    /// Sends a message event with a new transaction id; gives the event id.
    pub fn send(&self, room: &str, kind: &str, content: Value) -> Call<String> {
        let transaction = self.homeserver().unique();
        self.send_in(room, kind, &transaction, content)
    }

    /// Sends a message event with this transaction id; gives the event id.
    pub fn send_in(&self, room: &str, kind: &str, transaction: &str, content: Value) -> Call<String> {
        self.put(path!("/_matrix/client/v3/rooms/{}/send/{}/{}", room, kind, transaction), content)
            .reading(|answer| answer.must_have_text("/event_id"))
    }

    /// Sends a text message; gives the event id.
    pub fn say(&self, room: &str, text: &str) -> Call<String> {
        self.send(room, "m.room.message", json!({"msgtype": "m.text", "body": text}))
    }

    /// Redacts an event; gives the event id of the redaction.
    pub fn redact(&self, room: &str, event_id: &str) -> Call<String> {
        let transaction = self.homeserver().unique();
        self.put(path!("/_matrix/client/v3/rooms/{}/redact/{}/{}", room, event_id, transaction), json!({}))
            .reading(|answer| answer.must_have_text("/event_id"))
    }

    /// Sets a piece of room state; gives the event id.
    pub fn set_state(&self, room: &str, kind: &str, state_key: &str, content: Value) -> Call<String> {
        self.put(state_path(room, kind, state_key), content)
            .reading(|answer| answer.must_have_text("/event_id"))
    }

    /// Gives users a power level of their own, and leaves all other levels as they are.
    pub async fn empower(&self, room: &str, level: i64, users: &[&User]) -> Verdict {
        let mut levels = self.state(room, "m.room.power_levels", "").await?.json().clone();
        for user in users {
            levels["users"][user.id()] = json!(level);
        }
        self.set_state(room, "m.room.power_levels", "", levels).await?;
        Ok(())
    }

    /// The content of a piece of room state.
    pub fn state(&self, room: &str, kind: &str, state_key: &str) -> Call {
        self.get(state_path(room, kind, state_key))
    }

    /// The whole current state of a room, as an array.
    pub fn all_state(&self, room: &str) -> Call {
        self.get(path!("/_matrix/client/v3/rooms/{}/state", room))
    }

    /// One event of a room.
    pub fn event(&self, room: &str, event_id: &str) -> Call {
        self.get(path!("/_matrix/client/v3/rooms/{}/event/{}", room, event_id))
    }

    /// A page of a room's history; the caller adds `from`, `limit` and `filter`.
    pub fn messages(&self, room: &str, direction: &str) -> Call {
        self.get(path!("/_matrix/client/v3/rooms/{}/messages", room)).query("dir", direction)
    }

    /// An event with what happened just before and after it.
    pub fn context(&self, room: &str, event_id: &str) -> Call {
        self.get(path!("/_matrix/client/v3/rooms/{}/context/{}", room, event_id))
    }

    /// The membership events of a room; the caller adds filters.
    pub fn members(&self, room: &str) -> Call {
        self.get(path!("/_matrix/client/v3/rooms/{}/members", room))
    }

    /// Asks for the joined rooms until they are these, in any order, and no others.
    pub async fn has_joined(&self, rooms: &[&str]) -> Verdict {
        let mut expected = rooms.to_vec();
        expected.sort_unstable();
        let are_these = |answer: &Answer| {
            let mut joined: Vec<&str> = answer
                .at("/joined_rooms")
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            joined.sort_unstable();
            answer.at("/joined_rooms").is_array() && joined == expected
        };
        let what = format!("{expected:?} as the joined rooms");
        let ask = || self.get("/_matrix/client/v3/joined_rooms");
        self.homeserver().eventually(&what, ask, are_these).await.map(drop)
    }

    /// Maps a room alias to a room.
    pub fn name_room(&self, alias: &str, room: &str) -> Call {
        self.put(path!("/_matrix/client/v3/directory/room/{}", alias), json!({"room_id": room}))
    }

    /// Says that the user types, or has stopped.
    pub fn typing(&self, room: &str, typing: bool) -> Call {
        let body = if typing { json!({"typing": true, "timeout": 30_000}) } else { json!({"typing": false}) };
        self.put(path!("/_matrix/client/v3/rooms/{}/typing/{}", room, self.id()), body)
    }

    /// Sends a receipt.
    pub fn receipt(&self, room: &str, kind: &str, event_id: &str) -> Call {
        self.post(path!("/_matrix/client/v3/rooms/{}/receipt/{}/{}", room, kind, event_id), json!({}))
    }
}

/// The path of a piece of room state; an empty state key leaves its segment out.
fn state_path(room: &str, kind: &str, state_key: &str) -> String {
    if state_key.is_empty() {
        return path!("/_matrix/client/v3/rooms/{}/state/{}", room, kind);
    }
    path!("/_matrix/client/v3/rooms/{}/state/{}/{}", room, kind, state_key)
}
