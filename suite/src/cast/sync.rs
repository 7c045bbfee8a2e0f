//! One `/sync` response, with names for its places: `client-server-api/#get_matrixclientv3sync`.

use serde_json::Value;

use super::Answer;

/// One `/sync` response.
#[derive(Clone, Debug)]
pub struct Sync {
    answer: Answer,
}

impl Sync {
    pub(crate) fn new(answer: Answer) -> Self {
        Sync { answer }
    }

    /// The response as such.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The token that continues here.
    pub fn next_batch(&self) -> &str {
        self.answer.at("/next_batch").as_str().unwrap_or_default()
    }

    /// A room that the user has joined; `null` where it is not in the response.
    pub fn joined(&self, room: &str) -> &Value {
        &self.answer.at("/rooms/join")[room]
    }

    /// A room that the user is invited to; `null` where it is not in the response.
    pub fn invited(&self, room: &str) -> &Value {
        &self.answer.at("/rooms/invite")[room]
    }

    /// A room that the user has left or was banned from; `null` where it is not in the response.
    pub fn left(&self, room: &str) -> &Value {
        &self.answer.at("/rooms/leave")[room]
    }

    /// A room that the user has knocked on; `null` where it is not in the response.
    pub fn knocked(&self, room: &str) -> &Value {
        &self.answer.at("/rooms/knock")[room]
    }

    /// The timeline of a joined room.
    pub fn timeline(&self, room: &str) -> &[Value] {
        events(&self.joined(room)["timeline"])
    }

    /// The state of a joined room, as the response gives it beside the timeline.
    pub fn state(&self, room: &str) -> &[Value] {
        events(&self.joined(room)["state"])
    }

    /// State events of a joined room, wherever they stand: before the timeline or in it.
    pub fn state_events<'a>(&'a self, room: &str, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        let everywhere = self.state(room).iter().chain(self.timeline(room));
        everywhere.filter(move |event| event["type"] == kind && event.get("state_key").is_some())
    }

    /// The ephemeral events of a joined room.
    pub fn ephemeral(&self, room: &str) -> &[Value] {
        events(&self.joined(room)["ephemeral"])
    }

    /// The content of an ephemeral event of a joined room.
    pub fn ephemeral_content(&self, room: &str, kind: &str) -> Option<&Value> {
        self.ephemeral(room).iter().find(|event| event["type"] == kind).map(|event| &event["content"])
    }

    /// Who types in a joined room; `None` where the response says nothing of it.
    pub fn typing(&self, room: &str) -> Option<Vec<&str>> {
        let users = self.ephemeral_content(room, "m.typing")?["user_ids"].as_array()?;
        Some(users.iter().filter_map(Value::as_str).collect())
    }

    /// The account data of a joined room.
    pub fn room_account_data(&self, room: &str) -> &[Value] {
        events(&self.joined(room)["account_data"])
    }

    /// The global account data.
    pub fn account_data(&self) -> &[Value] {
        events(self.answer.at("/account_data"))
    }

    /// The presence events.
    pub fn presence(&self) -> &[Value] {
        events(self.answer.at("/presence"))
    }

    /// The to-device messages.
    pub fn to_device(&self) -> &[Value] {
        events(self.answer.at("/to_device"))
    }

    /// Whether the response tells, in one of the lists of `device_lists` (`changed` or `left`), of this user.
    pub fn device_list_has(&self, list: &str, user_id: &str) -> bool {
        self.answer.at("/device_lists")[list].as_array().into_iter().flatten().any(|listed| listed == user_id)
    }

    /// The ids of the events in the timeline of a joined room, in order.
    pub fn event_ids(&self, room: &str) -> Vec<&str> {
        self.timeline(room).iter().filter_map(|event| event["event_id"].as_str()).collect()
    }

    /// A stripped state event of an invite or a knock; `null` without one.
    pub fn stripped_state(&self, room: &str, kind: &str, state_key: &str) -> &Value {
        let (invite, knock) = (&self.invited(room)["invite_state"], &self.knocked(room)["knock_state"]);
        let mut events = events(invite).iter().chain(events(knock));
        events.find(|event| event["type"] == kind && event["state_key"] == state_key).unwrap_or(&Value::Null)
    }

    /// Whether the timeline of a joined room holds this event.
    pub fn has_event(&self, room: &str, event_id: &str) -> bool {
        self.timeline(room).iter().any(|event| event["event_id"] == event_id)
    }

    /// Whether the response gives a joined room a membership event of this user with this membership.
    pub fn has_membership(&self, room: &str, user_id: &str, membership: &str) -> bool {
        self.state_events(room, "m.room.member")
            .any(|event| event["state_key"] == user_id && event["content"]["membership"] == membership)
    }

    /// Whether this text stands anywhere in the response.
    pub fn mentions(&self, text: &str) -> bool {
        String::from_utf8_lossy(self.answer.body()).contains(text)
    }
}

fn events(section: &Value) -> &[Value] {
    section["events"].as_array().map_or(&[], Vec::as_slice)
}
