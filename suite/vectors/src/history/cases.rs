//! The questions that a history puts, with the oracle's answers.

use oracle::Decision;

use super::{History, Merge, Moment, Occasion};
use crate::answer::Answer;
use crate::expected;
use crate::file::Vector;

impl History {
    /// Whether each event is allowed by its auth events, and by the state before it; what the states come to wherever
    /// branches meet that differ.
    pub fn questions(&self) -> Vec<Vector> {
        let of_events = self.moments.iter().flat_map(|moment| self.of_event(moment));
        let of_merges = self.merges.iter().filter(|merge| merge.differs()).enumerate();
        of_events.chain(of_merges.map(|(number, merge)| self.of_merge(number + 1, merge))).collect()
    }

    /// What people call an event: its name, its sender and what it does.
    pub fn says(&self, event_id: &str) -> Option<String> {
        let moment = self.moments.iter().find(|moment| moment.event_id == event_id)?;
        let sender = self.room.events().get(event_id)?.sender();
        let name = self.room.name(event_id);
        Some(format!("{name} {} {}", super::scene::short(sender), moment.says))
    }

    fn of_event(&self, moment: &Moment) -> [Vector; 2] {
        let id = &moment.event_id;
        let says = self.says(id).unwrap_or_default();
        let case = |by: &str, question, decision: &Decision| Vector {
            id: format!("{}/by-{}", self.room.name(id), by.replace(' ', "-")),
            says: format!("{says}: judged by its {by}."),
            specification: None,
            question,
            answer: answer(decision),
        };
        [
            case("auth events", self.room.ask_authorize(id, None), &moment.by_auth_events),
            case("state before", self.room.ask_authorize(id, Some(&moment.before)), &moment.by_state),
        ]
    }

    fn of_merge(&self, number: usize, merge: &Merge) -> Vector {
        let names: Vec<&str> = merge.tips.iter().map(|id| self.room.name(id)).collect();
        let occasion = match &merge.occasion {
            Occasion::Event(id) => format!("before {}", self.room.name(id)),
            Occasion::Forward => "at the end".to_owned(),
            Occasion::Grouping => "if they met".to_owned(),
        };
        Vector {
            id: format!("merge-{number}/{}", names.join("-")),
            says: format!("The states after {}, resolved {occasion}.", names.join(", ")),
            specification: None,
            question: self.room.ask_resolve(&merge.state_sets),
            answer: expected::resolved(self.version(), &merge.resolution),
        }
    }
}

fn answer(decision: &Decision) -> Answer {
    match decision {
        Decision::Allow { .. } => Answer::allowed(),
        Decision::Reject(rejection) => Answer::rejected(rejection.rule),
    }
}
