//! The mainline ordering (rooms/v2/#definitions).

use std::cmp::Ordering;
use std::collections::HashSet;

use foldhash::{HashMap, HashMapExt};

use super::auth_chains::{AuthChains, Node, find};
use super::{EventStore, ResolutionError};
use crate::event::Pdu;
use crate::mistakes::{self, Mistake, mistaken};

/// Sorts events by the mainline of a power levels event, those that rest on its oldest part first.
///
/// Without power levels there is no mainline, and every event is infinitely far from it.
pub(super) fn sort(events: &mut [(Node, &Pdu)], power_levels: Option<Node>, chains: &AuthChains) {
    let mut mainline = Mainline::new(power_levels, chains);
    let infinity = if mistaken(Mistake::MainlineMissingNearest) { 0 } else { usize::MAX };
    events.sort_by_cached_key(|&(node, event)| Rank {
        position: mainline.position(node).unwrap_or(infinity),
        origin_server_ts: event.origin_server_ts(),
        event_id: event.event_id(),
    });
}

/// What orders events.
#[derive(PartialEq, Eq)]
struct Rank<'a> {
    position: usize,
    origin_server_ts: i64,
    event_id: &'a str,
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_position = mistakes::unless(Mistake::MainlineReversed, other.position.cmp(&self.position));
        let by_time = self.origin_server_ts.cmp(&other.origin_server_ts);
        let by_time = mistakes::unless(Mistake::MainlineTimeDescending, by_time);
        let by_id = mistakes::unless(Mistake::MainlineTieDescending, self.event_id.cmp(other.event_id));
        if mistaken(Mistake::MainlineTimeIgnored) {
            return by_position.then(by_id);
        }
        by_position.then(by_time).then(by_id)
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The whole mainline of a power levels event, itself first.
pub(super) fn from(power_levels: Option<Pdu>, events: &dyn EventStore) -> Result<Vec<Pdu>, ResolutionError> {
    let mut mainline = Vec::new();
    let mut passed = HashSet::new();
    let mut next = power_levels;
    while let Some(current) = next {
        if !passed.insert(current.event_id().to_owned()) {
            return Err(ResolutionError::Cycle { event_id: current.event_id().to_owned() });
        }
        next = None;
        for event_id in current.auth_events() {
            let auth_event = find(events, event_id, &current)?;
            if auth_event.is_state("m.room.power_levels", "") {
                next = Some(auth_event);
                break;
            }
        }
        mainline.push(current);
    }
    Ok(mainline)
}

/// The mainline of an event, walked no further than the positions asked for need.
struct Mainline<'a> {
    chains: &'a AuthChains,
    positions: HashMap<Node, usize>,
    /// The next event of the mainline, which is below all in `positions`.
    next: Option<Node>,
    /// Positions that were found for power levels events off the mainline.
    found: HashMap<Node, Option<usize>>,
}

impl<'a> Mainline<'a> {
    fn new(power_levels: Option<Node>, chains: &'a AuthChains) -> Self {
        Self { chains, positions: HashMap::new(), next: power_levels, found: HashMap::new() }
    }

    /// The mainline position of an event; none is infinity.
    fn position(&mut self, event: Node) -> Option<usize> {
        if mistaken(Mistake::MainlineSkipped) {
            return None;
        }
        let mut passed = Vec::new();
        let mut current = self.chains.power_levels(event);
        let position = loop {
            let Some(node) = current else { break None };
            if let Some(found) = self.found.get(&node) {
                break *found;
            }
            if let Some(position) = self.on_mainline(node) {
                break Some(position);
            }
            if mistaken(Mistake::MainlineOwnLevelsOnly) {
                break None;
            }
            passed.push(node);
            current = self.chains.power_levels(node);
        };
        self.found.extend(passed.into_iter().map(|node| (node, position)));
        position
    }

    fn on_mainline(&mut self, node: Node) -> Option<usize> {
        while let Some(next) = self.next.filter(|next| *next >= node) {
            self.positions.insert(next, self.positions.len());
            self.next = self.chains.power_levels(next);
        }
        self.positions.get(&node).copied()
    }
}
