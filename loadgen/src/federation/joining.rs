//! How peers come into rooms of the server before a run, and what they know of them from then on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Object, RoomVersion, event};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Federation, Peer,
    archive::State,
    dag::{Dag, Tip},
    peer::{Event, Proposal},
    peers_in,
};
use crate::{
    connection::Problem,
    homes::Home,
    population::{At, Crew, Hears, Population},
    profile::Profile,
    request,
};

/// How many events of a room's past peers want to know of.
const PAST: u32 = 50;

/// A room that peers share with the server.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) id: String,
    pub(super) segment: String,
    pub(super) version: &'static RoomVersion,
    /// The peers in it: who speaks for each, and the auth events of what he says.
    speakers: BTreeMap<u32, Speaker>,
    /// Events from before the run, the latest first.
    pub(super) past: Vec<String>,
    /// A user of the server who is in it.
    pub(super) resident: String,
    dag: Mutex<Dag>,
}

/// A peer's user in a room.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) user: String,
    pub(super) auth_events: Vec<String>,
}

/// What a server answers to whoever joins.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(default)]
    state: Vec<Object>,
    #[serde(default)]
    auth_chain: Vec<Object>,
}

impl Shared {
    pub(super) fn has(&self, peer: u32) -> bool {
        self.speakers.contains_key(&peer)
    }

    pub(super) fn speaker(&self, peer: u32) -> Option<&Speaker> {
        self.speakers.get(&peer)
    }

    pub(super) fn peers(&self) -> usize {
        self.speakers.len()
    }

    pub(super) fn dag(&self) -> MutexGuard<'_, Dag> {
        self.dag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Federation {
    /// Brings peers into those rooms of the population that are to have some and have none.
    ///
    /// # Errors
    /// With the first join that could not be completed.
    pub(crate) async fn enter(
        &self,
        population: &mut Population,
        profile: &Profile,
        hands: usize,
        within: std::time::Duration,
        hears: &impl Hears,
    ) -> Result<(), Problem> {
        let wanted = self.wanted(population, profile);
        let mut crew = Crew::new([&self.server; 2], hands, within);
        let (rooms, done) = (&*population, AtomicUsize::new(0));
        let entered = crew.each(wanted.len(), async |hand, number| {
            let mut hand = hand.at(Home::Here);
            let (place, peers) = &wanted[number];
            let shared = self.enter_one(&mut hand, rooms, *place, peers).await?;
            hears.made("rooms of servers", done.fetch_add(1, Ordering::Relaxed) + 1, wanted.len());
            Ok((*place, shared))
        });
        let entered = entered.await?;
        for (place, shared) in entered {
            population.rooms[place as usize].servers = shared.speakers.keys().copied().collect();
            self.rooms().insert(place, Arc::new(shared));
        }
        Ok(())
    }

    /// Rooms without peers that are to have some, and which.
    fn wanted(&self, population: &Population, profile: &Profile) -> Vec<(u32, Vec<u32>)> {
        let mut of_kind = vec![0; profile.rooms.len()];
        let mut wanted = Vec::new();
        for (place, room) in (0..).zip(&population.rooms) {
            let peers = peers_in(profile, room.kind, of_kind[room.kind]);
            of_kind[room.kind] += 1;
            if !peers.is_empty() && room.servers.is_empty() {
                wanted.push((place, peers));
            }
        }
        wanted
    }

    async fn enter_one(
        &self,
        hand: &mut At<'_>,
        population: &Population,
        place: u32,
        peers: &[u32],
    ) -> Result<Shared, Problem> {
        let room = &population.rooms[place as usize];
        let mut entered = None;
        let mut users = BTreeMap::new();
        for number in peers {
            let peer = &self.peers[*number as usize];
            let user = peer.user(&format!("load-{place}"));
            entered = Some(join(hand, peer, &room.segment, &user).await?);
            users.insert(*number, user);
        }
        let (Some((join, told, version)), Some(last)) = (entered, peers.last()) else {
            return Err(Problem::Incomplete("no server was to join".to_owned()));
        };
        let state = self.keep(&room.id, &join, told, version)?;
        let speakers = users.into_iter().map(|(number, user)| {
            let auth_events = auth_events(&state, &user, version);
            auth_events.map(|auth_events| (number, Speaker { user, auth_events }))
        });
        let resident = room.members.first().map(|member| population.users[*member as usize].id.clone());
        let root = Tip { depth: depth(&join.json), id: join.id };
        Ok(Shared {
            id: room.id.clone(),
            segment: room.segment.clone(),
            version,
            speakers: speakers.collect::<Result<_, Problem>>()?,
            past: self.past(hand, *last, &room.segment, &root.id, version).await?,
            resident: resident.unwrap_or_default(),
            dag: Mutex::new(Dag::new(root)),
        })
    }

    /// Keeps what the last of the peers was told of a room. Gives the state after his join.
    fn keep(
        &self,
        room: &str,
        join: &Event,
        told: Told,
        version: &RoomVersion,
    ) -> Result<Vec<Event>, Problem> {
        let mut state = identified(told.state, version)?;
        let key = |event: &Event| {
            Some((property(event, "type")?.to_owned(), property(event, "state_key")?.to_owned()))
        };
        state.retain(|event| key(event) != key(join));
        state.push(join.clone());
        let auth_chain = identified(told.auth_chain, version)?;
        let ids = |events: &[Event]| events.iter().map(|event| event.id.clone()).collect();
        let kept = State { state: ids(&state), auth_chain: ids(&auth_chain) };
        state.iter().chain(&auth_chain).for_each(|event| self.archive.keep(event));
        self.archive.keep_state(room, kept);
        Ok(state)
    }

    /// The ids of what was said in a room before the peers came.
    async fn past(
        &self,
        hand: &mut At<'_>,
        peer: u32,
        room: &str,
        root: &str,
        version: &RoomVersion,
    ) -> Result<Vec<String>, Problem> {
        #[derive(Deserialize)]
        struct Past {
            pdus: Vec<Object>,
        }
        let path =
            format!("/_matrix/federation/v1/backfill/{room}?v={}&limit={PAST}", request::segment(root));
        let past: Past =
            hand.read(self.peers[peer as usize].request(http::Method::GET, &path, None)?).await?;
        let mut past = identified(past.pdus, version)?;
        past.sort_by_key(|event| std::cmp::Reverse(depth(&event.json)));
        Ok(past.into_iter().map(|event| event.id).collect())
    }
}

/// A user of a peer joins: `server-server-api/#joining-rooms`.
async fn join(
    hand: &mut At<'_>,
    peer: &Peer,
    room: &str,
    user: &str,
) -> Result<(Event, Told, &'static RoomVersion), Problem> {
    let proposal: Proposal = hand.read(peer.proposal("make_join", room, user)?).await?;
    let (event, version) = peer.complete(proposal)?;
    let told: Told = hand.read(peer.handing_in("send_join", room, &event)?).await?;
    Ok((event, told, version))
}

fn identified(events: Vec<Object>, version: &RoomVersion) -> Result<Vec<Event>, Problem> {
    let identify = |json: Object| {
        let id = event::event_id(&json, version).map_err(|error| Problem::Malformed(error.to_string()))?;
        Ok(Event { id, json })
    };
    events.into_iter().map(identify).collect()
}

/// The auth events of what a user says who has joined: `server-server-api/#auth-events-selection`.
fn auth_events(state: &[Event], user: &str, version: &RoomVersion) -> Result<Vec<String>, Problem> {
    let find = |kind: &str, key: &str| {
        let is_it = |event: &&Event| {
            property(event, "type") == Some(kind) && property(event, "state_key") == Some(key)
        };
        let found = state.iter().find(is_it);
        let missing = || Problem::Incomplete(format!("the state has no {kind} of {key:?}"));
        found.map(|event| event.id.clone()).ok_or_else(missing)
    };
    let mut events = vec![find("m.room.power_levels", "")?, find("m.room.member", user)?];
    if version.create_in_auth_events {
        events.push(find("m.room.create", "")?);
    }
    Ok(events)
}

fn property<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    event.json.get(name)?.as_str()
}

fn depth(event: &Object) -> u64 {
    event.get("depth").and_then(Value::as_u64).unwrap_or_default()
}
