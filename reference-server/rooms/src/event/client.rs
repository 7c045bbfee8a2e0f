//! Events as clients see them (client-server-api/#room-event-format, client-server-api/#stripped-state).

use protocol::Object;
use serde_json::{Value, json};

use super::Pdu;

/// What survives of the federation format; everything else there is between servers.
const SHARED: [&str; 5] = ["type", "state_key", "sender", "origin_server_ts", "content"];

/// What stripped state consists of.
const STRIPPED: [&str; 4] = ["type", "state_key", "sender", "content"];

impl Pdu {
    /// The event as clients get it where the answer does not name the room. The caller adds `unsigned`, which
    /// depends on who asks and when.
    pub fn to_client(&self) -> Object {
        let mut client = self.to_client_without_room_id();
        client.insert("room_id".to_owned(), json!(self.room_id()));
        client
    }

    /// The event as clients get it where the room is clear, as in `/sync`.
    pub fn to_client_without_room_id(&self) -> Object {
        let mut client = self.select(&SHARED);
        client.insert("event_id".to_owned(), json!(self.event_id()));
        self.show_redacts(&mut client);
        client
    }

    /// The event as stripped state.
    pub fn to_stripped_state(&self) -> Object {
        self.select(&STRIPPED)
    }

    fn select(&self, names: &[&str]) -> Object {
        let property = |name: &&str| Some(((*name).to_owned(), self.object().get(*name)?.clone()));
        names.iter().filter_map(property).collect()
    }

    /// Clients of any age find `redacts` where they look for it
    /// (rooms/v11/#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property).
    fn show_redacts(&self, client: &mut Object) {
        let Some(redacts) = self.redacts() else { return };
        client.insert("redacts".to_owned(), json!(redacts));
        if let Some(content) = client.get_mut("content").and_then(Value::as_object_mut) {
            content.insert("redacts".to_owned(), json!(redacts));
        }
    }
}
