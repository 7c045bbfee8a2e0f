//! Client traffic: what one user does when an arrival finds him.

mod calling;
mod federating;
mod keys;
mod media;
mod reading;
mod sending;
mod sessions;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::Instant;

use crate::{
    connection::{Lane, Problem},
    engine::{Slot, Work, mixed},
    federation::{Errand, Errands, Federation},
    homes::Homes,
    operation::Operation,
    population::{Population, Room, User},
    profile::{Action, Profile},
    recorder::{Measured, Moments, Recorder},
    sync::Watch,
};

pub use calling::Calls;

/// What users of a profile do.
#[derive(Debug)]
pub(crate) struct Traffic {
    watch: Arc<Watch>,
    actions: Vec<Deed>,
    /// Rooms that are there to be joined.
    lobbies: Vec<u32>,
    /// What was uploaded last, as the two segments of its path.
    uploaded: Mutex<Vec<String>>,
    within: Duration,
    homes: Homes,
    /// How calls go, and the lanes of those who were called.
    calls: Calls,
    callees: Mutex<HashMap<u32, Lane>>,
    events_sent: AtomicU64,
    federation: Option<Arc<Federation>>,
    errands: Mutex<Errands>,
}

/// An action with what is counted of it.
#[derive(Debug)]
struct Deed {
    action: Action,
    measured: Measured,
    delivery: Option<Measured>,
    /// The kinds of rooms in which it is done.
    kinds: Vec<usize>,
}

/// One arrival, taken up by one user.
struct Turn<'t> {
    traffic: &'t Traffic,
    deed: &'t Deed,
    lane: &'t mut Lane,
    place: u32,
    number: u64,
    moments: Moments,
}

impl Traffic {
    /// The traffic of a profile among the users who are watched.
    pub(crate) fn new(watch: Arc<Watch>, profile: &Profile, homes: Homes, calls: Calls) -> Self {
        let recorder = &watch.recorder;
        let deed = |action: &Action| Deed {
            measured: recorder.operation(action.operation.name()),
            delivery: action.operation.delivery().map(|name| recorder.operation(name)),
            kinds: profile.kinds(action),
            action: action.clone(),
        };
        let actions = profile.actions.iter().map(deed).collect();
        let is_lobby = |room: &Room| profile.rooms[room.kind].lobby;
        let lobbies = (0..).zip(&watch.population.rooms).filter(|(_, room)| is_lobby(room));
        Traffic {
            actions,
            lobbies: lobbies.map(|(place, _)| place).collect(),
            uploaded: Mutex::default(),
            within: watch.within,
            homes,
            calls,
            callees: Mutex::default(),
            events_sent: AtomicU64::new(0),
            federation: None,
            errands: Mutex::default(),
            watch,
        }
    }

    /// With scripted servers, and what they are to send.
    pub(crate) fn with(mut self, federation: Option<Arc<Federation>>, errands: Errands) -> Self {
        (self.federation, self.errands) = (federation, Mutex::new(errands));
        self
    }

    /// What a scripted server sends at a slot.
    fn errand(&self, number: u64) -> Option<Errand> {
        self.errands.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }

    /// What an arrival of an action counts as.
    pub(crate) fn measured(&self, action: usize) -> Measured {
        self.actions[action].measured
    }
}

/// A lane for actions of a user, or of a scripted server by its number. Bots and servers have several.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) user: u32,
    pub(crate) lane: Lane,
}

impl Work<Actor> for Traffic {
    async fn perform(&self, mut actor: Actor, _: u32, slot: Slot, due: Instant) -> Actor {
        let deed = &self.actions[slot.action];
        let moments = Moments { due, begun: Instant::now() };
        let Actor { user, lane } = &mut actor;
        let mut turn = Turn { traffic: self, deed, lane, place: *user, number: slot.number, moments };
        turn.take().await;
        actor
    }
}

impl Turn<'_> {
    async fn take(&mut self) {
        match self.deed.action.operation {
            Operation::Send => self.send().await,
            Operation::SendEncrypted => self.send_encrypted().await,
            Operation::ToDevice => self.message_device().await,
            Operation::Typing => self.typing().await,
            Operation::Receipt => self.receipt().await,
            Operation::Messages => self.messages().await,
            Operation::State => self.state().await,
            Operation::Members => self.members().await,
            Operation::IncrementalSync => self.incremental_sync().await,
            Operation::InitialSync => Box::pin(self.initial_sync()).await,
            Operation::Login => Box::pin(self.login()).await,
            Operation::SignUp => Box::pin(self.sign_up()).await,
            Operation::Search => self.search().await,
            Operation::Join => self.join().await,
            Operation::Upload => self.upload().await,
            Operation::Download => self.download().await,
            Operation::KeysUpload => self.keys_upload().await,
            Operation::KeysQuery => self.keys_query().await,
            Operation::KeysClaim => self.keys_claim().await,
            Operation::Call => Box::pin(self.call()).await,
            Operation::ServerJoin => Box::pin(self.server_join()).await,
            Operation::ServerSend
            | Operation::ServerTyping
            | Operation::ServerReceipt
            | Operation::Backfill
            | Operation::StateIds
            | Operation::MissingEvents
            | Operation::ServerKeysQuery => Box::pin(self.errand()).await,
        }
    }

    /// Puts the one request of the operation and records what came of it.
    async fn measure(&mut self, request: Request<Full<Bytes>>) -> Option<Bytes> {
        self.measure_as(self.deed.measured, self.moments, request).await
    }

    /// Puts a request that counts as this operation.
    async fn measure_as(
        &mut self,
        operation: Measured,
        moments: Moments,
        request: Request<Full<Bytes>>,
    ) -> Option<Bytes> {
        self.recorder().started(operation, moments.due, 1);
        let came = self.lane.success(request, self.traffic.within).await;
        self.recorder().ended(operation, moments, came.as_ref().map(|_| ()));
        came.ok()
    }

    /// Puts a request that follows from one of the schedule: it is due when it is begun.
    async fn follow(&mut self, operation: &str, request: Request<Full<Bytes>>) -> Option<Bytes> {
        let operation = self.recorder().operation(operation);
        self.measure_as(operation, now(), request).await
    }

    /// The operation failed before or after its request.
    fn fails(&self, problem: &Problem) {
        let recorder = self.recorder();
        recorder.started(self.deed.measured, self.moments.due, 1);
        recorder.ended(self.deed.measured, self.moments, Err(problem));
    }

    fn recorder(&self) -> &Recorder {
        &self.traffic.watch.recorder
    }

    fn population(&self) -> &Population {
        &self.traffic.watch.population
    }

    fn user(&self) -> &User {
        &self.population().users[self.place as usize]
    }

    /// A number that follows from the slot, another one for each purpose.
    fn chance(&self, purpose: u64) -> u64 {
        mixed(self.number ^ mixed(purpose))
    }

    /// One of the rooms that are there to be joined.
    fn lobby(&self, fits: impl Fn(&Room) -> bool) -> Option<&Room> {
        let rooms = self.traffic.lobbies.iter().map(|place| &self.population().rooms[*place as usize]);
        let fitting: Vec<_> = rooms.filter(|room| fits(room)).collect();
        let chosen = usize::try_from(self.chance(4)).unwrap_or_default() % fitting.len().max(1);
        fitting.get(chosen).copied()
    }

    /// One of the user's rooms in which this is done.
    fn room(&self) -> Option<(u32, &Room)> {
        let rooms = &self.population().rooms;
        let fits = |place: &&u32| self.deed.kinds.contains(&rooms[**place as usize].kind);
        let fitting: Vec<u32> = self.user().rooms.iter().filter(fits).copied().collect();
        let place =
            *fitting.get(usize::try_from(self.chance(1)).unwrap_or_default() % fitting.len().max(1))?;
        Some((place, &rooms[place as usize]))
    }

    /// Somebody else in a room.
    fn other_in(&self, room: &Room) -> Option<u32> {
        let others = room.members.len().checked_sub(1).filter(|others| *others > 0)?;
        let mine = room.members.binary_search(&self.place).unwrap_or(others);
        let chosen = usize::try_from(self.chance(2)).unwrap_or_default() % others;
        room.members.get(if chosen < mine { chosen } else { chosen + 1 }).copied()
    }
}

/// The moments of what nobody planned: it is due when it is begun.
fn now() -> Moments {
    let now = Instant::now();
    Moments { due: now, begun: now }
}

/// An arrival that the profile gives no room for.
fn nowhere() -> Problem {
    Problem::Malformed("the profile gives this user no room for it".to_owned())
}
