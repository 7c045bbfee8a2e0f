//! The members that devices know of, so that lazy loading spares them what they know.
//!
//! client-server-api/#lazy-loading-room-members
//!
//! A member counts as known only when the client has shown, by the token of the answer that told of
//! it, that the answer has arrived: an answer that was lost is repeated in full.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::request::Requester;
use crate::rooms::event::Pdu;
use crate::stream::Position;

/// What all devices know.
#[derive(Debug, Default)]
pub(crate) struct ToldMembers(Mutex<HashMap<(String, String), Device>>);

/// A member event that goes out.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) room_id: String,
    pub(super) user_id: String,
    pub(super) event_id: String,
}

#[derive(Debug, Default)]
struct Device {
    /// Event ids by room and user.
    known: HashMap<String, HashMap<String, String>>,
    /// Members of answers that may not have arrived yet, by the token of the answer.
    unconfirmed: BTreeMap<Position, Vec<(String, String)>>,
    /// The last token that the client has sent back.
    confirmed: Position,
}

impl ToldMembers {
    /// A client goes on from a token, or begins anew.
    pub(super) fn resume(&self, requester: &Requester, since: Option<Position>) {
        let mut devices = self.lock();
        let device = devices.entry(key(requester)).or_default();
        match since.filter(|since| *since >= device.confirmed) {
            // Also when it goes back: what it forgot is not known.
            None => *device = Device { confirmed: since.unwrap_or(0), ..Device::default() },
            Some(since) => {
                let lost = device.unconfirmed.split_off(&(since + 1));
                for (room_id, user_id) in lost.into_values().flatten() {
                    if let Some(members) = device.known.get_mut(&room_id) {
                        members.remove(&user_id);
                    }
                }
                device.unconfirmed.clear();
                device.confirmed = since;
            }
        }
    }

    /// Whether a device knows this member event.
    pub(super) fn has(&self, requester: &Requester, room_id: &str, member: &Pdu) -> bool {
        let known = self.lock();
        let members = known.get(&key(requester)).and_then(|device| device.known.get(room_id));
        members
            .zip(member.state_key())
            .and_then(|(members, user_id)| members.get(user_id))
            .map(String::as_str)
            == Some(member.event_id())
    }

    /// Notes what goes out with the token `next`.
    pub(super) fn note(&self, requester: &Requester, told: Vec<Told>, next: Position) {
        if told.is_empty() {
            return;
        }
        let mut devices = self.lock();
        let device = devices.entry(key(requester)).or_default();
        for Told { room_id, user_id, event_id } in told {
            let members = device.known.entry(room_id.clone()).or_default();
            if members.insert(user_id.clone(), event_id.clone()).as_ref() != Some(&event_id) {
                device.unconfirmed.entry(next).or_default().push((room_id, user_id));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Device>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(requester: &Requester) -> (String, String) {
    (requester.user_id.clone(), requester.device_id.clone())
}

#[cfg(test)]
mod tests {
    use protocol::RoomVersion;
    use serde_json::{Value, json};

    use super::{Told, ToldMembers};
    use crate::request::Requester;
    use crate::rooms::event::Pdu;

    fn requester() -> Requester {
        Requester::named("@alice:a.example", "PHONE")
    }

    fn bob() -> Pdu {
        let event = json!({"type": "m.room.member", "state_key": "@bob:a.example", "sender": "@bob:a.example",
            "room_id": "!r:a.example", "content": {"membership": "join"}, "prev_events": [], "auth_events": []});
        let (Value::Object(event), Some(version)) = (event, RoomVersion::find("11")) else {
            unreachable!("an object and a room version")
        };
        Pdu::with_id("$bob".to_owned(), event, version).expect("a member event")
    }

    fn told() -> Vec<Told> {
        vec![Told {
            room_id: "!r:a.example".to_owned(),
            user_id: "@bob:a.example".to_owned(),
            event_id: "$bob".to_owned(),
        }]
    }

    fn knows(members: &ToldMembers) -> bool {
        members.has(&requester(), "!r:a.example", &bob())
    }

    #[test]
    fn what_has_arrived_is_known() {
        let members = ToldMembers::default();
        members.resume(&requester(), None);
        members.note(&requester(), told(), 5);
        members.resume(&requester(), Some(5));
        assert!(knows(&members));
        members.resume(&requester(), Some(9));
        assert!(knows(&members));
    }

    #[test]
    fn what_was_lost_is_told_again() {
        let members = ToldMembers::default();
        members.resume(&requester(), Some(3));
        members.note(&requester(), told(), 5);
        members.resume(&requester(), Some(3));
        assert!(!knows(&members));
    }

    #[test]
    fn a_client_that_goes_back_knows_nothing() {
        let members = ToldMembers::default();
        members.resume(&requester(), Some(3));
        members.note(&requester(), told(), 5);
        members.resume(&requester(), Some(5));
        members.resume(&requester(), Some(3));
        assert!(!knows(&members));
    }

    #[test]
    fn another_device_knows_nothing_of_it() {
        let members = ToldMembers::default();
        members.note(&requester(), told(), 5);
        let other = Requester::named("@alice:a.example", "TABLET");
        assert!(!members.has(&other, "!r:a.example", &bob()));
    }
}
