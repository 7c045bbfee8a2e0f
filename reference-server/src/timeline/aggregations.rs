//! What other events say of an event, told along with it:
//! client-server-api/#aggregations-of-child-events.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Entry, Format, Record, Viewer};
use crate::misbehave::{Fault, commits};
use crate::rooms::event::Pdu;
use crate::stream::Position;

/// How replacements, threads and references relate to their parents.
const REPLACE: &str = "m.replace";
const THREAD: &str = "m.thread";
const REFERENCE: &str = "m.reference";

/// The relations that are told along with an event; of others, clients have to ask.
pub(super) const AGGREGATED: [&str; 3] = [REPLACE, THREAD, REFERENCE];

/// Child events by the id of their parent, oldest first.
#[derive(Debug, Default)]
pub(super) struct Aggregations(HashMap<String, Vec<Entry>>);

impl Aggregations {
    /// Notes an event, if it is a child that counts.
    pub(super) fn add(&mut self, entry: &Entry) {
        if let Some((rel_type, parent)) = relation(&entry.pdu)
            && AGGREGATED.contains(&rel_type)
            && (entry.pdu.state_key().is_none() || commits(Fault::ReplacementsOfStateTaken))
        {
            self.0.entry(parent.to_owned()).or_default().push(entry.clone());
        }
    }

    /// Forgets an event that is to be redacted: its relation goes with its content.
    pub(super) fn remove(&mut self, pdu: &Pdu) {
        let children = relation(pdu).and_then(|(_, parent)| self.0.get_mut(parent));
        if let Some(children) = children {
            children.retain(|child| {
                child.pdu.event_id() != pdu.event_id() || commits(Fault::RedactedChildrenCounted)
            });
        }
    }
}

/// A thread: its root, and where the last event in it stands.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    /// The id of the root.
    pub(crate) root: String,
    /// The position of the last event.
    pub(crate) last: Position,
    /// Whether the user who asks has said something in it.
    pub(crate) participated: bool,
}

impl Record {
    /// The threads of a room, the one with the newest event first.
    pub(crate) fn threads(&self, user_id: &str) -> Vec<Thread> {
        let mut threads: Vec<_> = self
            .aggregations
            .0
            .keys()
            .filter_map(|root| {
                let last = self.children(root, THREAD).last()?.position;
                let participated = self.children(root, THREAD).any(|child| child.pdu.sender() == user_id);
                Some(Thread { root: root.clone(), last, participated })
            })
            .collect();
        threads.sort_by_key(|thread| {
            std::cmp::Reverse(thread.last * if commits(Fault::ThreadsOldestFirst) { -1 } else { 1 })
        });
        threads
    }

    /// The bundled aggregations of an event, as somebody sees them.
    pub(super) fn bundle(&self, entry: &Entry, viewer: Viewer<'_>, format: Format) -> Map<String, Value> {
        let mut bundle = Map::new();
        if entry.pdu.state_key().is_some() && !commits(Fault::ReplacementsOfStateTaken) {
            return bundle;
        }
        let event_id = entry.pdu.event_id();
        let counts = |child: &&Entry| self.may_see(child, viewer.user_id) && !is_ignored(&child.pdu, viewer);
        let seen = |rel_type| self.children(event_id, rel_type).filter(counts);
        let references: Vec<_> =
            seen(REFERENCE).map(|child| json!({"event_id": child.pdu.event_id()})).collect();
        if !references.is_empty() {
            bundle.insert(REFERENCE.to_owned(), json!({"chunk": references}));
        }
        let newest = |child: &&Entry| {
            (
                child.pdu.origin_server_ts() * if commits(Fault::OldestReplacementTaken) { -1 } else { 1 },
                child.pdu.event_id().to_owned(),
            )
        };
        let replacement = seen(REPLACE).filter(|child| replaces(&child.pdu, entry)).max_by_key(newest);
        if let Some(replacement) = replacement {
            bundle.insert(REPLACE.to_owned(), self.show(replacement, viewer, format).into());
        }
        if let Some(last) = seen(THREAD).last() {
            let own = entry.pdu.sender() == viewer.user_id;
            let thread = json!({
                "latest_event": self.show(last, viewer, format),
                "count": seen(THREAD).count() + usize::from(commits(Fault::ThreadsCountTheirRoot)),
                "current_user_participated":
                    !commits(Fault::ParticipationNotTold) && (own || seen(THREAD).any(|child| child.pdu.sender() == viewer.user_id)),
            });
            bundle.insert(THREAD.to_owned(), thread);
        }
        bundle
    }

    fn children<'a>(&'a self, parent: &str, rel_type: &'a str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let children = self.aggregations.0.get(parent).into_iter().flatten();
        children.filter(move |child| relation(&child.pdu).is_some_and(|(other, _)| other == rel_type))
    }
}

/// Whether whoever looks does not want to hear the sender.
fn is_ignored(pdu: &Pdu, viewer: Viewer<'_>) -> bool {
    viewer.ignored.contains(pdu.sender()) && !commits(Fault::ChildrenOfIgnoredUsersCounted)
}

/// How an event relates to which other (client-server-api/#forming-relationships-between-events).
pub(super) fn relation(pdu: &Pdu) -> Option<(&str, &str)> {
    let relation = pdu.content("m.relates_to")?;
    let text = |name: &str| relation.get(name).and_then(Value::as_str);
    text("rel_type").zip(text("event_id"))
}

/// Whether a replacement is valid (client-server-api/#validity-of-replacement-events).
fn replaces(replacement: &Pdu, original: &Entry) -> bool {
    let pdu = &original.pdu;
    let says_new = replacement.content("m.new_content").is_some_and(Value::is_object);
    original.redacted_because.is_none()
        && (replacement.sender() == pdu.sender() || commits(Fault::ReplacementsOfOthersTaken))
        && (replacement.event_type() == pdu.event_type() || commits(Fault::ReplacementsOfOtherTypesTaken))
        && relation(pdu).is_none_or(|(rel_type, _)| rel_type != REPLACE)
        && (says_new || pdu.event_type() == "m.room.encrypted")
}
