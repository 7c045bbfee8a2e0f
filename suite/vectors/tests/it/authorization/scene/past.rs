//! What happened before in a room on stage.

use serde_json::{Value, json};
use vectors::Draft;

use super::Scene;

impl Scene {
    pub(in super::super) fn joined(&mut self, user: &'static str) -> &mut Self {
        self.so(Self::joins(self, user))
    }

    pub(in super::super) fn invited(&mut self, user: &'static str) -> &mut Self {
        self.so(Self::invites(self, self.founder, user))
    }

    pub(in super::super) fn banned(&mut self, user: &'static str) -> &mut Self {
        self.so(Self::bans(self, self.founder, user))
    }

    /// The founder took the user out of the room, or the ban from the user.
    pub(in super::super) fn kicked(&mut self, user: &'static str) -> &mut Self {
        self.so(Self::kicks(self, self.founder, user))
    }

    pub(in super::super) fn left(&mut self, user: &'static str) -> &mut Self {
        self.so(Self::leaves(self, user))
    }

    pub(in super::super) fn knocked(&mut self, user: &'static str) -> &mut Self {
        self.so(Self::knocks(self, user))
    }

    pub(in super::super) fn join_rule(&mut self, join_rule: &'static str) -> &mut Self {
        let content = json!({"join_rule": join_rule});
        self.so(self.sets(self.founder, "m.room.join_rules", "", content))
    }

    /// The founder added these power levels; those of `users` to the ones that are there.
    pub(in super::super) fn levels(&mut self, added: Value) -> &mut Self {
        self.so(self.relevels(self.founder, |levels| add(levels, added)))
    }

    fn so(&mut self, draft: Draft<'static>) -> &mut Self {
        self.happens(draft);
        self
    }
}

/// Adds the properties of an object to another, and likewise below them.
fn add(to: &mut Value, added: Value) {
    match (to, added) {
        (Value::Object(to), Value::Object(added)) => {
            for (name, value) in added {
                add(to.entry(name).or_insert(Value::Null), value);
            }
        }
        (to, added) => *to = added,
    }
}
