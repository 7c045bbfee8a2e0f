//! The orders in which a history arrives.

use std::fmt;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::transcript::Line;

/// An order in which a history arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One event after the other, as they were made.
    AsMade,
    /// No event before those that it follows, and several in a transaction.
    Mixed,
    /// Nothing but the events that none follows: the server fetches the rest.
    LastOnly,
    /// Every event before those that it follows.
    Backwards,
}

/// Every order.
pub(super) const ALL: [Order; 4] = [Order::AsMade, Order::Mixed, Order::LastOnly, Order::Backwards];

/// No transaction has more events, where several are in one; 50 are permitted (server-server-api/#transactions).
const MOST_AT_ONCE: usize = 5;

impl Order {
    /// The numbers of the lines that each transaction holds. The seed decides what is left to chance.
    pub(super) fn transactions(self, lines: &[Line], seed: u64) -> Vec<Vec<usize>> {
        let alone = |number| vec![number];
        match self {
            Order::AsMade => (0..lines.len()).map(alone).collect(),
            Order::Backwards => (0..lines.len()).rev().map(alone).collect(),
            Order::LastOnly => last(lines).into_iter().map(alone).collect(),
            Order::Mixed => mixed(lines, &mut StdRng::seed_from_u64(seed)),
        }
    }

    /// Whether the server is told every event after those that it follows, so that it must know them all.
    pub(super) fn tells_all(self) -> bool {
        matches!(self, Order::AsMade | Order::Mixed)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Order::AsMade => "told in the order in which they were made",
            Order::Mixed => "told in another order, several at once",
            Order::LastOnly => "told the last ones alone",
            Order::Backwards => "told backwards",
        })
    }
}

/// The lines that no other follows.
pub(super) fn last(lines: &[Line]) -> Vec<usize> {
    let is_followed = |number: &usize| lines.iter().any(|line| line.follows.contains(number));
    (0..lines.len()).filter(|number| !is_followed(number)).collect()
}

fn mixed(lines: &[Line], random: &mut StdRng) -> Vec<Vec<usize>> {
    let mut left: Vec<usize> = (0..lines.len()).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let ready: Vec<usize> = (0..left.len())
            .filter(|place| lines[left[*place]].follows.iter().all(|number| order.contains(number)))
            .collect();
        let place = ready[random.random_range(0..ready.len())];
        order.push(left.remove(place));
    }
    let mut transactions = Vec::new();
    while !order.is_empty() {
        let size = random.random_range(1..=MOST_AT_ONCE).min(order.len());
        transactions.push(order.drain(..size).collect());
    }
    transactions
}
