//! The mainline ordering (rooms/v2/#definitions).

use std::cmp::Reverse;
use std::collections::HashMap;

use super::auth_chains::{AuthChains, Node};
use crate::event::Pdu;

/// Sorts events by the mainline of a power levels event, those that rest on its oldest part first.
///
/// Without power levels there is no mainline, and every event is infinitely far from it.
pub(super) fn sort(events: &mut [(Node, &Pdu)], power_levels: Option<Node>, chains: &AuthChains) {
    let mut mainline = Mainline::new(power_levels, chains);
    events.sort_by_cached_key(|(node, event)| {
        let position = mainline.position(*node).unwrap_or(usize::MAX);
        (Reverse(position), event.origin_server_ts(), event.event_id().to_owned())
    });
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
