//! Going through a tree in order, and through two at once past what they share.

use std::cmp::Ordering;

use super::{Child, Node, Tree, child_for, compare};
use crate::event::Pdu;
use crate::state::{Place, is_same, place_of};

/// A way through a tree that can pass over whole nodes.
pub(in crate::state) struct Cursor<'a> {
    /// What is left of the leaf that was entered last.
    leaf: &'a [Pdu],
    /// What is left of each branch above, from the root downwards.
    branches: Vec<&'a [Child]>,
    height: usize,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Next<'a> {
    Event(&'a Pdu),
    Node(&'a Child),
    End,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub(in crate::state) fn new(tree: &'a Tree) -> Self {
        let mut cursor = Self { leaf: &[], branches: Vec::new(), height: tree.height };
        cursor.enter(&tree.root);
        cursor
    }

    /// At a place, or where it would have to be.
    pub(in crate::state) fn at(tree: &'a Tree, place: Place<'_>) -> Self {
        let mut cursor = Self::new(tree);
        while let Some(children) = cursor.branches.last_mut().filter(|_| cursor.leaf.is_empty()) {
            let (child, others) = match children[child_for(children, place)..].split_first() {
                Some(found) => found,
                None => break,
            };
            *children = others;
            cursor.enter(&child.node);
        }
        let passed = cursor.leaf.partition_point(|event| compare(event, place).is_lt());
        cursor.leaf = &cursor.leaf[passed..];
        cursor
    }

    fn enter(&mut self, node: &'a Node) {
        match node {
            Node::Leaf(events) => self.leaf = events,
            Node::Branch(children) => self.branches.push(children),
        }
    }

    fn peek(&mut self) -> Next<'a> {
        if let Some(event) = self.leaf.first() {
            return Next::Event(event);
        }
        while let Some(children) = self.branches.last() {
            match children.first() {
                Some(child) => return Next::Node(child),
                None => self.branches.pop(),
            };
        }
        Next::End
    }

    /// Passes over what [`Self::peek`] saw.
    fn pass(&mut self) {
        if !self.leaf.is_empty() {
            self.leaf = &self.leaf[1..];
        } else if let Some(children) = self.branches.last_mut() {
            *children = &children[1..];
        }
    }

    /// Enters the node that [`Self::peek`] saw.
    fn descend(&mut self, child: &'a Child) {
        self.pass();
        self.enter(&child.node);
    }

    /// How far above the leaves the node is that comes next.
    fn level(&self) -> usize {
        self.height - self.branches.len()
    }
}

impl<'a> Iterator for Cursor<'a> {
    type Item = &'a Pdu;

    fn next(&mut self) -> Option<&'a Pdu> {
        loop {
            match self.peek() {
                Next::Event(event) => {
                    self.pass();
                    return Some(event);
                }
                Next::Node(child) => self.descend(child),
                Next::End => return None,
            }
        }
    }
}

/// An event of either tree at a place where they differ.
pub(in crate::state) type Difference<'a> = (Option<&'a Pdu>, Option<&'a Pdu>);

/// The places at which two trees differ, with what either has there.
pub(in crate::state) fn differences<'a>(left: &'a Tree, right: &'a Tree) -> Vec<Difference<'a>> {
    let mut differences = Vec::new();
    if left.root.is_same(&right.root) {
        return differences;
    }
    let (mut lefts, mut rights) = (Cursor::new(left), Cursor::new(right));
    loop {
        match (lefts.peek(), rights.peek()) {
            (Next::End, Next::End) => return differences,
            (Next::Node(left), Next::Node(right)) => {
                if left.node.is_same(&right.node) {
                    lefts.pass();
                    rights.pass();
                    continue;
                }
                let order = lefts.level().cmp(&rights.level());
                if order.is_ge() {
                    lefts.descend(left);
                }
                if order.is_le() {
                    rights.descend(right);
                }
            }
            (Next::Node(node), Next::Event(event)) if !is_before(event, node) => lefts.descend(node),
            (Next::Event(event), Next::Node(node)) if !is_before(event, node) => rights.descend(node),
            (Next::Node(node), Next::End) => lefts.descend(node),
            (Next::End, Next::Node(node)) => rights.descend(node),
            (Next::Event(left), Next::Event(right)) => {
                let is_shared = is_same(left, right);
                let order = if is_shared { Ordering::Equal } else { place_of(left).cmp(&place_of(right)) };
                let left = order.is_le().then_some(left);
                let right = order.is_ge().then_some(right);
                if !is_shared {
                    differences.push((left, right));
                }
                if order.is_le() {
                    lefts.pass();
                }
                if order.is_ge() {
                    rights.pass();
                }
            }
            (Next::Event(event), _) => {
                differences.push((Some(event), None));
                lefts.pass();
            }
            (_, Next::Event(event)) => {
                differences.push((None, Some(event)));
                rights.pass();
            }
        }
    }
}

/// Whether an event comes before everything in a node.
fn is_before(event: &Pdu, node: &Child) -> bool {
    place_of(event) < place_of(&node.least)
}
