//! Where the next event of a peer goes in the graph of a room.

use std::collections::BTreeMap;
use std::str::FromStr;

use protocol::event::MAX_PREV_EVENTS;
use serde::Deserialize;

/// The shape that the events of the peers make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Each event follows the one before it, whoever sent that.
    #[default]
    Linear,
    /// Every peer goes on from its own last event, and knows of no other.
    Forks,
    /// All peers go on from the same event, and the next one puts their branches together.
    Merges,
}

/// What makes no shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected linear, forks or merges, got `{0}`")]
pub struct NotAShape(String);

impl FromStr for Shape {
    type Err = NotAShape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "linear" => Ok(Shape::Linear),
            "forks" => Ok(Shape::Forks),
            "merges" => Ok(Shape::Merges),
            _ => Err(NotAShape(text.to_owned())),
        }
    }
}

/// An event that nothing follows yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) id: String,
    pub(super) depth: u64,
}

/// The graph of a room, as far as new events are placed in it.
#[derive(Clone, Debug)]
pub(super) struct Dag {
    /// The newest event of all.
    last: Tip,
    /// The event that branches begin with.
    base: Tip,
    branches: BTreeMap<u32, Tip>,
    /// Branches that are to be put together.
    open: Vec<Tip>,
}

impl Dag {
    pub(super) fn new(root: Tip) -> Self {
        Dag { last: root.clone(), base: root, branches: BTreeMap::new(), open: Vec::new() }
    }

    /// The newest event.
    pub(super) fn last(&self) -> &Tip {
        &self.last
    }

    /// The events before the next one of a peer, where so many peers are in the room.
    pub(super) fn before(&self, shape: Shape, peer: u32, peers: usize) -> Vec<Tip> {
        match shape {
            Shape::Linear => vec![self.last.clone()],
            Shape::Forks => vec![self.branches.get(&peer).unwrap_or(&self.base).clone()],
            Shape::Merges if self.open.len() >= peers.clamp(2, MAX_PREV_EVENTS) => self.open.clone(),
            Shape::Merges => vec![self.base.clone()],
        }
    }

    /// The next event of a peer stands behind these.
    pub(super) fn place(&mut self, shape: Shape, peer: u32, before: &[Tip], tip: Tip) {
        match shape {
            Shape::Linear => {}
            Shape::Forks => drop(self.branches.insert(peer, tip.clone())),
            Shape::Merges if before.len() > 1 => {
                self.base = tip.clone();
                self.open.clear();
            }
            Shape::Merges => self.open.push(tip.clone()),
        }
        self.last = tip;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Six events of three peers in turn, each as its name and what it follows.
    fn drawn(shape: Shape) -> Vec<String> {
        let mut dag = Dag::new(Tip { id: "r".to_owned(), depth: 1 });
        let mut drawn = Vec::new();
        for number in 0..8_u64 {
            let peer = (number % 3) as u32;
            let before = dag.before(shape, peer, 3);
            let ids: Vec<&str> = before.iter().map(|tip| tip.id.as_str()).collect();
            drawn.push(format!("{number}<{}", ids.join("+")));
            dag.place(shape, peer, &before, Tip { id: number.to_string(), depth: number + 2 });
        }
        drawn
    }

    #[rstest]
    #[case(Shape::Linear, &["0<r", "1<0", "2<1", "3<2", "4<3", "5<4", "6<5", "7<6"])]
    #[case(Shape::Forks, &["0<r", "1<r", "2<r", "3<0", "4<1", "5<2", "6<3", "7<4"])]
    #[case(Shape::Merges, &["0<r", "1<r", "2<r", "3<0+1+2", "4<3", "5<3", "6<3", "7<4+5+6"])]
    fn shapes_are_what_they_are_called(#[case] shape: Shape, #[case] expected: &[&str]) {
        assert_eq!(drawn(shape), expected);
    }
}
