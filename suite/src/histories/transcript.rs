//! A history as servers tell it: the same events, of users whose servers can be reached.

use std::collections::BTreeMap;

use oracle::{Event, Receipt};
use protocol::{Object, RoomVersion, identifiers::server_name_of, room_version::EventIdFormat};
use serde_json::{Value, json};
use vectors::history::{History, SERVERS};

use crate::{
    cast::{
        Homeserver, User,
        remote::{Draft, Pdu, Remote, Room},
    },
    verdict::Stop,
};

/// Why a history cannot be told over the wire.
pub(super) struct Untold(pub(super) &'static str);

/// Whether a history can be told to a server that joins after the first two events.
pub(super) fn told_by(history: &History) -> Result<(), Untold> {
    let moments = history.moments();
    let room = history.room();
    let made = |id: &String| moments.iter().any(|moment| moment.event_id == *id);
    for (number, moment) in moments.iter().enumerate() {
        let Some(event) = room.events().get(&moment.event_id) else { continue };
        if event.content("m.federate") == Some(&json!(false)) {
            return Err(Untold("other servers cannot join"));
        }
        if event.room_id().is_some_and(|id| id != room.room_id()) || !event.auth_events().iter().all(made) {
            return Err(Untold("an event of another room, which servers do not know"));
        }
        let is_early = event.prev_events().contains(&moments[0].event_id);
        if number > 1 && is_early {
            return Err(Untold("a branch that does not come after the guest's join"));
        }
        if number > 0 && event.prev_events().is_empty() {
            return Err(Untold("another beginning of the room, which follows nothing that servers know"));
        }
    }
    Ok(())
}

/// The remote homeservers of a history, one for each server in it.
pub(super) struct Company {
    remotes: Vec<Remote>,
}

impl Company {
    pub(super) async fn gather(hs: &Homeserver) -> Result<Self, Stop> {
        let mut remotes = Vec::new();
        for _ in SERVERS {
            remotes.push(hs.remote().await?);
        }
        Ok(Company { remotes })
    }

    pub(super) fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    /// The remote of a user.
    pub(super) fn of(&self, user_id: &str) -> &Remote {
        let server = server_name_of(user_id).unwrap_or_default();
        self.remotes.iter().find(|remote| remote.name() == server).unwrap_or(&self.remotes[0])
    }

    /// A text with the servers of a history replaced by remotes.
    fn renamed(&self, text: &str) -> String {
        let pairs = SERVERS.iter().zip(&self.remotes);
        pairs.fold(text.to_owned(), |text, (server, remote)| text.replace(server, remote.name()))
    }

    fn renamed_value(&self, value: &Value) -> Result<Value, Stop> {
        let text = self.renamed(&value.to_string());
        serde_json::from_str(&text).map_err(|error| Stop::Fault(format!("renaming {text}: {error}")))
    }
}

/// The events of a history, in a room that the server under test has joined, in the order in which they were made.
pub(super) struct Transcript {
    pub(super) room: Room,
    pub(super) lines: Vec<Line>,
    /// What people call the events, by id.
    names: BTreeMap<String, String>,
}

/// An event to be told.
pub(super) struct Line {
    pub(super) pdu: Pdu,
    /// Which lines it follows, by their number.
    pub(super) follows: Vec<usize>,
    /// What comes of it, where the events arrive in the order in which they were made.
    pub(super) receipt: Receipt,
}

impl Transcript {
    /// Writes it; `guest` joins the new room after its creator.
    pub(super) async fn write(history: &History, company: &Company, guest: &User) -> Result<Self, Stop> {
        let mut writer = Writer::begin(history, company)?;
        let joined = writer.admit(guest).await?;
        for moment in &history.moments()[2..] {
            writer.write(&moment.event_id, &joined)?;
        }
        Ok(writer.transcript)
    }

    /// What people call an event.
    pub(super) fn name(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

struct Writer<'a> {
    history: &'a History,
    company: &'a Company,
    transcript: Transcript,
    /// The events told so far, by the ids of the history.
    told: BTreeMap<String, Pdu>,
}

impl<'a> Writer<'a> {
    /// The room is created, and its creator joins: nobody is told of it yet.
    fn begin(history: &'a History, company: &'a Company) -> Result<Self, Stop> {
        let [create, join, ..] = history.moments() else {
            return Err(Stop::Fault("a history begins with two events".to_owned()));
        };
        let event = history.room().events().get(&create.event_id).ok_or_else(|| unknown(&create.event_id))?;
        let creator = company.renamed(event.sender());
        let content = company.renamed_value(event.pdu().get("content").unwrap_or(&Value::Null))?;
        let room = company.of(&creator).bare_room(history.version(), &creator, content)?;
        for remote in company.remotes() {
            if remote.name() != company.of(&creator).name() {
                room.shared_with(remote, &creator);
            }
        }
        let created = room.state("m.room.create", "").ok_or_else(|| unknown("of the creation"))?;
        let mut writer = Writer {
            history,
            company,
            transcript: Transcript { room, lines: Vec::new(), names: BTreeMap::new() },
            told: BTreeMap::new(),
        };
        writer.note(&create.event_id, created);
        let draft = writer.draft(&join.event_id, None)?;
        let joined = writer.transcript.room.add(draft)?;
        writer.note(&join.event_id, joined);
        Ok(writer)
    }

    /// The guest is invited, and joins.
    async fn admit(&mut self, guest: &User) -> Result<Pdu, Stop> {
        let room = self.transcript.room.clone();
        let invite = room.add(room.member(guest.id(), "invite"))?;
        guest.join_via(room.id(), self.company.of(room.speaker())).await?;
        let joined = room.state("m.room.member", guest.id()).ok_or_else(|| unknown("of the guest"))?;
        self.transcript.names.insert(invite.id().to_owned(), "the guest's invite".to_owned());
        self.transcript.names.insert(joined.id().to_owned(), "the guest's join".to_owned());
        Ok(joined)
    }

    fn write(&mut self, id: &str, joined: &Pdu) -> Result<(), Stop> {
        let pdu = self.draft(id, Some(joined))?.build()?;
        let receipt = self.transcript.room.keep_any(&pdu);
        let receipt =
            receipt.ok_or_else(|| Stop::Fault(format!("the oracle cannot receive {}", pdu.value())))?;
        let event = self.history.room().events().get(id).ok_or_else(|| unknown(id))?;
        let before: Vec<&Pdu> = event.prev_events().iter().filter_map(|id| self.told.get(id)).collect();
        let lines = self.transcript.lines.iter().enumerate();
        let follows = lines
            .filter(|(_, line)| before.iter().any(|pdu| pdu.id() == line.pdu.id()))
            .map(|it| it.0)
            .collect();
        self.note(id, pdu.clone());
        self.transcript.lines.push(Line { pdu, follows, receipt });
        Ok(())
    }

    fn note(&mut self, id: &str, pdu: Pdu) {
        let name = self.history.room().name(id).to_owned();
        self.transcript.names.insert(pdu.id().to_owned(), name);
        self.told.insert(id.to_owned(), pdu);
    }

    /// An event of the history, with its servers and ids replaced. What followed the creator's join follows the guest's.
    fn draft(&self, id: &str, joined: Option<&Pdu>) -> Result<Draft, Stop> {
        let event = self.history.room().events().get(id).ok_or_else(|| unknown(id))?;
        let room = &self.transcript.room;
        let sender = self.company.renamed(event.sender());
        let content = self.replaced(event.pdu().get("content").unwrap_or(&Value::Null))?;
        let draft = match event.state_key() {
            Some(key) => room.state_event(event.event_type(), &self.company.renamed(key), content.clone()),
            None => room.event(event.event_type(), content.clone()),
        };
        let creators_join = &self.history.moments()[1].event_id;
        let previous = event.prev_events().iter().map(|id| match joined {
            Some(joined) if id == creators_join => Ok(joined),
            _ => self.told.get(id).ok_or_else(|| unknown(id)),
        });
        let previous = previous.collect::<Result<Vec<_>, _>>()?;
        let authorizing = event.auth_events().iter().map(|id| self.told.get(id).ok_or_else(|| unknown(id)));
        let authorizing = authorizing.map(|pdu| pdu.map(Pdu::id)).collect::<Result<Vec<_>, _>>()?;
        let mut draft = draft
            .by(&sender)
            .with("origin_server_ts", json!(time(event)))
            .with("depth", json!(depth(event, room.version())))
            .after(&previous)
            .authorized_by(&authorizing)
            .signed_by(self.company.of(&sender));
        for (name, value) in others(event.pdu()) {
            draft = draft.with(name, self.replaced(value)?);
        }
        if room.version().event_id == EventIdFormat::Domain {
            let server = server_name_of(&sender).unwrap_or_default();
            draft = draft
                .with("event_id", json!(format!("$determinant-{:016x}:{server}", rand::random::<u64>())));
        }
        if let Some(authoriser) = content["join_authorised_via_users_server"].as_str() {
            let authorising = self.company.of(authoriser);
            if authorising.name() != self.company.of(&sender).name() {
                draft = draft.signed_also_by(authorising);
            }
        }
        Ok(draft)
    }

    /// A value with servers, and ids of events told before, replaced.
    fn replaced(&self, value: &Value) -> Result<Value, Stop> {
        let mut text = value.to_string();
        for (id, pdu) in &self.told {
            text = text.replace(&format!("{id:?}"), &format!("{:?}", pdu.id()));
        }
        let value = serde_json::from_str(&text)
            .map_err(|error| Stop::Fault(format!("replacing in {text}: {error}")))?;
        self.company.renamed_value(&value)
    }
}

/// Since room version 5, keys have to be valid when an event is made, and no key is valid for long. What the history has in a far
/// future happens soon.
fn time(event: &Event) -> i64 {
    const SOON_MS: u64 = 60 * 60 * 1000;
    let soon = i64::try_from(Room::now_ms().saturating_add(SOON_MS)).unwrap_or(i64::MAX);
    event.origin_server_ts().min(soon)
}

/// How much deeper everything is than in the history: by the invite and the join of the guest.
const DEEPER: i64 = 2;

fn depth(event: &Event, version: &RoomVersion) -> i64 {
    let limit = i64::try_from(version.max_depth).unwrap_or(i64::MAX);
    event.depth().saturating_add(DEEPER).min(limit)
}

/// Properties at the top level that not every event has.
fn others(pdu: &Object) -> impl Iterator<Item = (&str, &Value)> {
    const USUAL: [&str; 12] = [
        "auth_events",
        "content",
        "depth",
        "event_id",
        "hashes",
        "origin_server_ts",
        "prev_events",
        "room_id",
        "sender",
        "signatures",
        "state_key",
        "type",
    ];
    pdu.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| !USUAL.contains(name))
}

fn unknown(id: &str) -> Stop {
    Stop::Fault(format!("the history has no event {id}"))
}
