//! Federation traffic: scripted servers that burden a homeserver, each with a name, a key and a door of its own.
//!
//! Whatever they send is built and signed before the run, so that no latency holds the time of a signature; only who joins
//! has to sign what the server proposes. What they lack in honesty they may not lack in manners: they answer whatever the
//! server asks of them about the events that they have sent.

mod archive;
mod dag;
mod door;
mod errand;
mod joining;
mod outbox;
mod peer;

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use crate::{
    connection::{Lane, Problem, Server},
    ledger::Ledger,
    population::Population,
    profile::Profile,
    recorder::Recorder,
};

use archive::Archive;
use door::Door;
use joining::Shared;

pub use dag::Shape;
pub(crate) use errand::{Errand, Errands, Plan, sign_ahead};
pub(crate) use peer::{Event, Peer, Proposal};

/// Where a server federates, and what its peers need that it has to trust.
#[derive(Clone, Debug)]
pub struct Peering {
    /// Its server-server API.
    pub url: Url,
    /// The authority that both sides trust, as PEM.
    pub authority: String,
    /// Where the peers listen, one for each.
    pub places: Vec<Arc<Place>>,
}

/// Where a peer listens.
#[derive(Debug)]
pub struct Place {
    /// The listener; the peer is named after its port.
    pub listener: TcpListener,
    /// Its certificate, signed by the authority.
    pub tls: Arc<rustls::ServerConfig>,
}

/// The scripted servers of a run, and the rooms that they share with the one that is burdened.
pub(crate) struct Federation {
    /// The server-server API of the one that is burdened.
    pub(crate) server: Arc<Server>,
    pub(crate) peers: Vec<Arc<Peer>>,
    /// By their places in the population.
    rooms: Mutex<HashMap<u32, Arc<Shared>>>,
    archive: Arc<Archive>,
    ears: Arc<Ears>,
    _doors: Vec<Door>,
}

/// Shared rooms, with their places in the population.
type Places = Vec<(u32, Arc<Shared>)>;

/// Where doors tell what came.
#[derive(Debug, Default)]
pub(crate) struct Ears(Mutex<Option<Hearing>>);

/// Who hears of it in a run.
#[derive(Clone, Debug)]
pub(crate) struct Hearing {
    /// Who owes what to which peer.
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) recorder: Recorder,
    /// What the marks of the run begin with.
    pub(crate) run: String,
}

impl Federation {
    /// Opens a door for every peer.
    ///
    /// # Errors
    /// When the server has no address, or a door cannot be opened.
    pub(crate) async fn open(peering: &Peering, destination: &str) -> Result<Self, Problem> {
        let unusable = Problem::Unconnected;
        let server = Server::resolve_trusting(&peering.url, &peering.authority).await;
        let server = Arc::new(server.map_err(|error| unusable(error.to_string()))?);
        let (archive, ears): (Arc<Archive>, Arc<Ears>) = Default::default();
        let (mut peers, mut doors) = (Vec::new(), Vec::new());
        for (number, place) in (0..).zip(&peering.places) {
            let address = place.listener.local_addr().map_err(|error| unusable(error.to_string()))?;
            let peer = Arc::new(Peer::new(number, address.port(), destination, Lane::new(server.clone()))?);
            let door = Door::open(place, peer.clone(), archive.clone(), ears.clone());
            doors.push(door.map_err(|error| Problem::of_listening(&error))?);
            peers.push(peer);
        }
        Ok(Federation { server, peers, rooms: Mutex::default(), archive, ears, _doors: doors })
    }

    /// From now on this run hears what comes.
    pub(crate) fn tell(&self, hearing: Hearing) {
        *self.ears.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hearing);
    }

    /// The rooms in which actions of peers are done: those of these kinds that the peer is in.
    fn rooms_of(&self, peer: u32, kinds: &[usize], population: &Population) -> Places {
        let rooms = self.rooms();
        let mut fitting: Places = rooms
            .iter()
            .filter(|(place, shared)| {
                kinds.contains(&population.rooms[**place as usize].kind) && shared.has(peer)
            })
            .map(|(place, shared)| (*place, shared.clone()))
            .collect();
        fitting.sort_by_key(|(place, _)| *place);
        fitting
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<u32, Arc<Shared>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Federation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peers: Vec<&str> = self.peers.iter().map(|peer| peer.name()).collect();
        formatter.debug_struct("Federation").field("peers", &peers).finish_non_exhaustive()
    }
}

impl Ears {
    fn hearing(&self) -> Option<Hearing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The peers in the rooms of a kind: each room has the next so many of them, so that all get their turn.
fn peers_in(profile: &Profile, kind: usize, number: u32) -> Vec<u32> {
    let all = profile.servers.as_ref().map_or(0, |servers| servers.count);
    let many = profile.rooms[kind].servers.min(all);
    (0..many).map(|peer| (number * many + peer) % all.max(1)).collect()
}
