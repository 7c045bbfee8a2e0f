//! The reverse topological power ordering (rooms/v2/#definitions).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt};
use protocol::RoomVersion;

use super::ResolutionError;
use super::auth_chains::{AuthChains, Node};
use super::iterative_auth_checks::{AuthEvents, Named};
use crate::event::Pdu;
use crate::mistakes::{self, Mistake, mistaken};
use crate::power_levels::{Power, PowerLevels};

/// Sorts events by Kahn's algorithm: whatever has all its auth events before it may come next, and of those
/// the one by the most powerful sender does, then the oldest, then the one with the least id.
///
/// The graph is the one that auth events form among the events to be sorted. A path that leaves the set and
/// comes back does not order its ends, as the text speaks of the vertices of the sorting only.
pub(super) fn sort<'a>(
    version: &RoomVersion,
    events: &BTreeMap<Node, &'a Pdu>,
    chains: &AuthChains,
    auth_events: &AuthEvents<'_>,
) -> Result<Vec<&'a Pdu>, ResolutionError> {
    let mut waiting_for: HashMap<Node, usize> = HashMap::new();
    let mut cited_by: HashMap<Node, Vec<Node>> = HashMap::new();
    for &node in events.keys() {
        let in_order = |event: &Node| events.contains_key(event) && !mistaken(Mistake::PowerTopologyIgnored);
        for auth_event in chains.auth_events(node).filter(in_order) {
            *waiting_for.entry(node).or_default() += 1;
            cited_by.entry(auth_event).or_default().push(node);
        }
    }
    let rank = |event, node| -> Result<_, ResolutionError> {
        Ok(rank(version, event, &auth_events.of_power(event, node, chains)?))
    };
    let mut candidates = BTreeSet::new();
    for (&node, event) in events.iter().filter(|(node, _)| !waiting_for.contains_key(node)) {
        candidates.insert((rank(event, node)?, node));
    }
    let mut sorted = Vec::with_capacity(events.len());
    while let Some((_, node)) = candidates.pop_first() {
        sorted.extend(events.get(&node).copied());
        for citing in cited_by.remove(&node).unwrap_or_default() {
            let waiting = waiting_for.entry(citing).or_default();
            *waiting = waiting.saturating_sub(1);
            if let (0, Some(event)) = (*waiting, events.get(&citing)) {
                candidates.insert((rank(event, citing)?, citing));
            }
        }
    }
    Ok(sorted)
}

/// What orders events that could all come next.
#[derive(PartialEq, Eq)]
struct Rank<'a> {
    power: Power,
    origin_server_ts: i64,
    event_id: &'a str,
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_power = mistakes::unless(Mistake::PowerAscending, other.power.cmp(&self.power));
        let by_time = self.origin_server_ts.cmp(&other.origin_server_ts);
        let by_time = mistakes::unless(Mistake::PowerTimeDescending, by_time);
        let by_id = mistakes::unless(Mistake::PowerTieDescending, self.event_id.cmp(other.event_id));
        if mistaken(Mistake::PowerAfterTime) {
            return by_time.then(by_power).then(by_id);
        }
        by_power.then(by_time).then(by_id)
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn rank<'a>(version: &RoomVersion, event: &'a Pdu, auth_events: &Named) -> Rank<'a> {
    let levels = PowerLevels::of(version, auth_events);
    let power = match event.state_key() {
        _ if mistaken(Mistake::PowerIgnored) => Power::Level(0),
        _ if mistaken(Mistake::PowerOfCreatorForgotten) => levels.of_listed(event.sender()),
        Some(target) if mistaken(Mistake::PowerOfTarget) => levels.user(target),
        _ => levels.user(event.sender()),
    };
    Rank { power, origin_server_ts: event.origin_server_ts(), event_id: event.event_id() }
}
