//! The servers in a room.

use std::collections::BTreeMap;

use protocol::identifiers::server_name_of;

use crate::rooms::event::Pdu;

/// How many users of each server are joined; servers without any are not in it.
#[derive(Debug, Default)]
pub(super) struct Servers(BTreeMap<String, usize>);

impl Servers {
    /// The names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether users of a server are joined.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The member event of a user is replaced by another.
    pub(super) fn change(&mut self, user_id: &str, old: Option<&Pdu>, new: Option<&Pdu>) {
        let Some(name) = server_name_of(user_id) else { return };
        match (is_join(old), is_join(new)) {
            (false, true) => *self.0.entry(name.to_owned()).or_default() += 1,
            (true, false) => {
                if let Some(count) = self.0.get_mut(name) {
                    *count -= 1;
                    if *count == 0 {
                        self.0.remove(name);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_join(member: Option<&Pdu>) -> bool {
    member.and_then(|member| member.content_str("membership")) == Some("join")
}
