//! Who is typing elsewhere, and telling others who does here: server-server-api/#typing-notifications.

use std::sync::Arc;
use std::time::Duration;

use protocol::Object;
use serde_json::json;

use super::edus::edu;
use super::pdus::is_of;
use super::server_acls;
use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::request::Fields;
use crate::timeline::Timeline;
use crate::typing;

/// How long somebody elsewhere types who is not heard of again.
const LIFETIME: Duration = Duration::from_secs(60);

/// Somebody types, or does no longer.
pub(super) fn receive(server: &Arc<Homeserver>, origin: &str, content: &Object) -> Result<(), MatrixError> {
    let (room_id, user_id) = (content.text("room_id")?, content.text("user_id")?);
    let room = server.timelines.get(room_id)?;
    {
        let record = room.record();
        server_acls::check(&record.history.now(), origin)?;
        if !is_of(user_id, origin) || record.membership(user_id) != "join" {
            return Err(MatrixError::forbidden("the user is not of that server, or not in the room"));
        }
    }
    if content.flag("typing")? {
        typing::begin(server, room, user_id.to_owned(), LIFETIME);
    } else {
        typing::end(server, &room, user_id);
    }
    Ok(())
}

/// Tells the other servers of a room.
pub(crate) fn tell(server: &Homeserver, room: &Timeline, user_id: &str, types: bool) {
    let content = json!({"room_id": room.room_id(), "user_id": user_id, "typing": types});
    server.delivery.send_passing(server.others_in(room), &edu("m.typing", content));
}
