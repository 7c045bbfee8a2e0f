//! A sorted set of state events whose copies share what they have in common.
//!
//! It is a B-tree whose nodes are counted references: a change copies the nodes on the way to one leaf and shares all
//! others with the tree that it came from. So a copy costs nothing, a change the logarithm of the size, and two trees
//! that stem from one are compared in the time of what changed, since what both share need not be entered.

mod cursor;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

pub(super) use cursor::{Cursor, differences};

use super::{Place, place_of};
use crate::event::Pdu;

/// The most entries of a node. Wider nodes make flatter trees, whose nodes are dearer to copy.
const WIDTH: usize = 16;

/// The set: at most one event for each place.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: Node,
    /// How many levels of branches are above the leaves.
    height: usize,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Arc<Vec<Pdu>>),
    Branch(Arc<Vec<Child>>),
}

#[derive(Clone, Debug)]
struct Child {
    /// No event in the node is before this one, which itself may be gone.
    least: Pdu,
    node: Node,
}

impl Default for Tree {
    fn default() -> Self {
        Self { root: Node::Leaf(Arc::default()), height: 0, len: 0 }
    }
}

impl Tree {
    /// The number of events.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The event at a place.
    pub(super) fn find(&self, place: Place<'_>) -> Option<&Pdu> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Branch(children) => node = &children[child_for(children, place)].node,
                Node::Leaf(events) => return events.get(position(events, place).ok()?),
            }
        }
    }

    /// Puts a state event at its place, and gives back the one that was there.
    pub(super) fn insert(&mut self, event: Pdu) -> Option<Pdu> {
        let Inserted { replaced, split } = self.root.insert(event);
        if let Some(right) = split {
            let left = self.root.clone();
            let least = left.least().unwrap_or(&right.least).clone();
            self.root = Node::Branch(Arc::new(vec![Child { least, node: left }, right]));
            self.height += 1;
        }
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// Takes away what is at a place.
    pub(super) fn remove(&mut self, place: Place<'_>) {
        if self.find(place).is_none() {
            return;
        }
        self.root.remove(place);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
    }
}

/// What became of an insertion into a node.
struct Inserted {
    replaced: Option<Pdu>,
    /// The upper half of the node, if it grew too wide.
    split: Option<Child>,
}

impl Node {
    fn insert(&mut self, event: Pdu) -> Inserted {
        match self {
            Self::Leaf(events) => {
                let events = Arc::make_mut(events);
                match place_of(&event).map(|place| position(events, place)) {
                    Some(Ok(index)) => {
                        let replaced = Some(std::mem::replace(&mut events[index], event));
                        return Inserted { replaced, split: None };
                    }
                    Some(Err(index)) => events.insert(index, event),
                    // An event without state key is no state and has no place.
                    None => {}
                }
                let upper = split_off(events).map(|upper| (upper[0].clone(), Self::Leaf(Arc::new(upper))));
                let split = upper.map(|(least, node)| Child { least, node });
                Inserted { replaced: None, split }
            }
            Self::Branch(children) => {
                let children = Arc::make_mut(children);
                let index = place_of(&event).map_or(0, |place| child_for(children, place));
                if place_of(&event) < place_of(&children[index].least) {
                    children[index].least = event.clone();
                }
                let Inserted { replaced, split } = children[index].node.insert(event);
                children.splice(index + 1..index + 1, split);
                let upper =
                    split_off(children).map(|upper| (upper[0].least.clone(), Self::Branch(Arc::new(upper))));
                let split = upper.map(|(least, node)| Child { least, node });
                Inserted { replaced, split }
            }
        }
    }

    /// Takes away the event at a place, which is there. Nodes that become narrow are not joined: states lose few events.
    fn remove(&mut self, place: Place<'_>) {
        match self {
            Self::Leaf(events) => {
                if let Ok(index) = position(events, place) {
                    Arc::make_mut(events).remove(index);
                }
            }
            Self::Branch(children) => {
                let index = child_for(children, place);
                let children = Arc::make_mut(children);
                children[index].node.remove(place);
                if children[index].node.is_empty() {
                    children.remove(index);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(events) => events.is_empty(),
            Self::Branch(children) => children.is_empty(),
        }
    }

    fn least(&self) -> Option<&Pdu> {
        match self {
            Self::Leaf(events) => events.first(),
            Self::Branch(children) => children.first().map(|child| &child.least),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(left), Self::Leaf(right)) => Arc::ptr_eq(left, right),
            (Self::Branch(left), Self::Branch(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }
}

/// The upper half of what is too wide.
fn split_off<T>(entries: &mut Vec<T>) -> Option<Vec<T>> {
    (entries.len() > WIDTH).then(|| entries.split_off(entries.len() / 2))
}

/// Where an event is, or where it would have to be.
fn position(events: &[Pdu], place: Place<'_>) -> Result<usize, usize> {
    events.binary_search_by(|event| compare(event, place))
}

/// The child in which a place is, if it is anywhere.
fn child_for(children: &[Child], place: Place<'_>) -> usize {
    children.partition_point(|child| compare(&child.least, place).is_le()).saturating_sub(1)
}

fn compare(event: &Pdu, place: Place<'_>) -> Ordering {
    place_of(event).cmp(&Some(place))
}
