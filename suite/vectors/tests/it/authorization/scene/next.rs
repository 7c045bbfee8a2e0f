//! What may happen next in a room on stage.

use protocol::Object;
use serde_json::{Value, json};
use vectors::Draft;

use super::{BEGINNING_TS, PAUSE_MS, Scene, object};

impl Scene {
    /// Any event, after the latest ones and with the auth events that the state gives it.
    pub(in super::super) fn event(
        &self,
        sender: &'static str,
        event_type: &'static str,
        state_key: Option<&'static str>,
        content: Value,
    ) -> Draft<'static> {
        let draft = Draft {
            sender,
            event_type,
            state_key,
            content,
            prev_events: self.last.clone(),
            origin_server_ts: BEGINNING_TS + PAUSE_MS * self.happened,
            ..Draft::default()
        };
        Draft { auth_events: self.room.auth_events_of(&draft, &self.state), ..draft }
    }

    pub(in super::super) fn sends(&self, sender: &'static str) -> Draft<'static> {
        self.event(sender, "m.room.message", None, json!({"msgtype": "m.text", "body": "hello"}))
    }

    pub(in super::super) fn sets(
        &self,
        sender: &'static str,
        event_type: &'static str,
        state_key: &'static str,
        content: Value,
    ) -> Draft<'static> {
        self.event(sender, event_type, Some(state_key), content)
    }

    /// A create event with an altered content.
    pub(in super::super) fn creates(&self, alter: impl FnOnce(&mut Object)) -> Draft<'static> {
        let mut content = object(json!({"room_version": self.version().id}));
        if self.version().creator_in_content {
            content.insert("creator".to_owned(), json!(self.founder));
        }
        alter(&mut content);
        let draft = self.event(self.founder, "m.room.create", Some(""), Value::Object(content));
        Draft { prev_events: Vec::new(), origin_server_ts: BEGINNING_TS, ..draft }
    }

    pub(in super::super) fn member(
        &self,
        sender: &'static str,
        target: &'static str,
        membership: &'static str,
    ) -> Draft<'static> {
        self.sets(sender, "m.room.member", target, json!({"membership": membership}))
    }

    pub(in super::super) fn joins(&self, user: &'static str) -> Draft<'static> {
        self.member(user, user, "join")
    }

    /// A join that another user authorised, signed by the servers of both.
    pub(in super::super) fn joins_by(&self, user: &'static str, authoriser: &'static str) -> Draft<'static> {
        let content = json!({"membership": "join", "join_authorised_via_users_server": authoriser});
        self.sets(user, "m.room.member", user, content)
    }

    pub(in super::super) fn invites(&self, sender: &'static str, target: &'static str) -> Draft<'static> {
        self.member(sender, target, "invite")
    }

    pub(in super::super) fn leaves(&self, user: &'static str) -> Draft<'static> {
        self.member(user, user, "leave")
    }

    pub(in super::super) fn kicks(&self, sender: &'static str, target: &'static str) -> Draft<'static> {
        self.member(sender, target, "leave")
    }

    pub(in super::super) fn bans(&self, sender: &'static str, target: &'static str) -> Draft<'static> {
        self.member(sender, target, "ban")
    }

    pub(in super::super) fn knocks(&self, user: &'static str) -> Draft<'static> {
        self.member(user, user, "knock")
    }

    pub(in super::super) fn names_room(&self, sender: &'static str) -> Draft<'static> {
        self.sets(sender, "m.room.name", "", json!({"name": "Room"}))
    }

    /// A change of the power levels in force.
    pub(in super::super) fn relevels(
        &self,
        sender: &'static str,
        change: impl FnOnce(&mut Value),
    ) -> Draft<'static> {
        let id = self.current("m.room.power_levels", "");
        let mut content = self.room.events().get(&id).unwrap().pdu()["content"].clone();
        change(&mut content);
        self.sets(sender, "m.room.power_levels", "", content)
    }
}
