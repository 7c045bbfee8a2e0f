//! How users of a remote come into rooms of the server under test, and out of them again.

use protocol::{Object, RoomVersion, event, room_version::EventIdFormat};
use serde_json::{Value, json};

use super::{Pdu, Remote, Room, draft::now_ms, resident};
use crate::{
    cast::{Answer, Call, User},
    path,
    verdict::Stop,
};

/// A membership event that the server under test proposed, in a room version.
#[derive(Clone, Debug)]
pub struct Template {
    /// The event, without hash and signature.
    pub event: Object,
    /// The room version.
    pub version: &'static RoomVersion,
    remote: Remote,
}

impl Template {
    /// Completes, hashes and signs it as a server does that joins, knocks or leaves
    /// (`server-server-api/#joining-rooms`).
    pub fn build(self) -> Result<Pdu, Stop> {
        self.build_with(|_| ())
    }

    /// The same, with changes before it is hashed.
    pub fn build_with(self, change: impl FnOnce(&mut Object)) -> Result<Pdu, Stop> {
        let Template { mut event, version, remote } = self;
        event.insert("origin".to_owned(), json!(remote.name()));
        event.insert("origin_server_ts".to_owned(), json!(now_ms()));
        if version.event_id == EventIdFormat::Domain {
            let id = format!("$determinant-{:016x}:{}", rand::random::<u64>(), remote.name());
            event.insert("event_id".to_owned(), json!(id));
        }
        change(&mut event);
        let fault = |what: String| Stop::Fault(format!("the proposed event cannot be signed: {what}"));
        event::hash_and_sign(&mut event, remote.name(), remote.key(), version)
            .map_err(|error| fault(error.to_string()))?;
        let id = event::event_id(&event, version).map_err(|error| fault(error.to_string()))?;
        Ok(Pdu::new(id, event))
    }
}

impl Remote {
    /// Asks the server for an event with which a user of this remote joins.
    pub fn make_join(&self, room: &str, user: &str) -> Result<Call<Template>, Stop> {
        self.make("make_join", room, user)
    }

    /// Asks the server for an event with which a user of this remote knocks.
    pub fn make_knock(&self, room: &str, user: &str) -> Result<Call<Template>, Stop> {
        self.make("make_knock", room, user)
    }

    /// Asks the server for an event with which a user of this remote leaves.
    pub fn make_leave(&self, room: &str, user: &str) -> Result<Call<Template>, Stop> {
        self.make("make_leave", room, user)
    }

    fn make(&self, endpoint: &str, room: &str, user: &str) -> Result<Call<Template>, Stop> {
        let mut call =
            self.get(format!("/_matrix/federation/v1/{endpoint}{}", path!("/{}/{}", room, user)))?;
        if endpoint != "make_leave" {
            for version in RoomVersion::ALL {
                call = call.query("ver", version.id);
            }
        }
        let remote = self.clone();
        Ok(call.reading(move |answer| remote.template(&answer)))
    }

    fn template(&self, answer: &Answer) -> Result<Template, Stop> {
        // Without a room version, servers assume 1 or 2: server-server-api/#get_matrixfederationv1make_joinroomiduserid.
        let version = answer.at("/room_version").as_str().unwrap_or("1");
        let found = RoomVersion::find(version);
        answer.must(found.is_some(), "a known room version at /room_version", || version.to_owned())?;
        let event = answer.at("/event").as_object().cloned();
        answer.must(event.is_some(), "an object at /event", || answer.at("/event").to_string())?;
        Ok(Template {
            event: event.unwrap_or_default(),
            version: found.unwrap_or(RoomVersion::DEFAULT),
            remote: self.clone(),
        })
    }

    /// Sends a finished event of a handshake: `send_join`, `send_knock` or `send_leave`.
    pub fn hand_in(&self, endpoint: &str, room: &str, pdu: &Pdu) -> Result<Call, Stop> {
        let release = if endpoint == "send_knock" { "v1" } else { "v2" };
        let path = format!("/_matrix/federation/{release}/{endpoint}{}", path!("/{}/{}", room, pdu.id()));
        self.put(path, pdu.value())
    }

    /// A user of this remote joins a room of the server under test, which it holds from then on.
    pub async fn joins(&self, room: &str, localpart: &str) -> Result<Room, Stop> {
        let user = self.user(localpart);
        let template = self.make_join(room, &user)?.await?;
        let version = template.version;
        let join = template.build()?;
        let answer = self.hand_in("send_join", room, &join)?.await?;
        self.hold(room, version, &user, &join, &answer)
    }

    /// Holds a room as the answer to `send_join` describes it.
    pub fn hold(
        &self,
        room: &str,
        version: &'static RoomVersion,
        user: &str,
        join: &Pdu,
        answer: &Answer,
    ) -> Result<Room, Stop> {
        let read = |pointer: &str| -> Result<Vec<Pdu>, Stop> {
            let events = answer.must_have_list(pointer)?.iter().filter_map(Value::as_object);
            events.map(|event| pdu(version, event.clone())).collect()
        };
        let join = match answer.at("/event").as_object() {
            Some(event) => pdu(version, event.clone())?,
            None => join.clone(),
        };
        let (state, auth_chain) = (read("/state")?, read("/auth_chain")?);
        let room = Room::told(self.identity(), room, version, user, &join, &state, &auth_chain)?;
        self.enter(&room);
        Ok(room)
    }

    /// An invite from a room that this remote holds, in the form in which it goes to the invited user's server.
    pub fn invitation(&self, room: &Room, user: &User) -> Result<(Pdu, Value), Stop> {
        // The schema of the endpoint has an origin, which the format of events has not.
        let invite = room.member(user.id(), "invite").with("origin", json!(self.name())).build()?;
        let body = json!({
            "room_version": room.version().id,
            "event": invite.json(),
            "invite_room_state": resident::invitation_state(room),
        });
        Ok((invite, body))
    }

    /// Invites a user of the server under test to a room that this remote holds, which takes the signed event.
    pub async fn invites(&self, room: &Room, user: &User) -> Result<Pdu, Stop> {
        let (invite, body) = self.invitation(room, user)?;
        let answer = self.send_invite(room, &invite, body)?.await?;
        let signed = answer.at("/event").as_object().cloned();
        answer.must(signed.is_some(), "the signed event at /event", || answer.at("/event").to_string())?;
        let signed = pdu(room.version(), signed.unwrap_or_default())?;
        room.keep(&signed)?;
        Ok(signed)
    }

    /// Sends an invite: `server-server-api/#put_matrixfederationv2inviteroomideventid`.
    pub fn send_invite(&self, room: &Room, invite: &Pdu, body: Value) -> Result<Call, Stop> {
        self.put(path!("/_matrix/federation/v2/invite/{}/{}", room.id(), invite.id()), body)
    }
}

/// An event of a room version, as another server sent it.
pub(super) fn pdu(version: &'static RoomVersion, json: Object) -> Result<Pdu, Stop> {
    let id = event::event_id(&json, version).map_err(|error| {
        Stop::unmet("an event with an id", format!("{error}: {}", Value::Object(json.clone())))
    })?;
    Ok(Pdu::new(id, json))
}
