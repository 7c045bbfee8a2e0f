//! A resolution told to people, step by step, so that an implementer sees where the paths part.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use super::{Outcome, Pass, Resolution, Step};
use crate::authorization::Decision;
use crate::event::StateMap;

impl Display for Resolution {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        state(formatter, "unconflicted state", &self.unconflicted_state)?;
        set(formatter, "conflicted state set", &self.conflicted_state)?;
        set(formatter, "auth difference", &self.auth_difference)?;
        set(formatter, "conflicted state subgraph", &self.conflicted_state_subgraph)?;
        set(formatter, "full conflicted set", &self.full_conflicted_set)?;
        let power_events = self
            .power_events
            .iter()
            .map(|event| format!("{} (sender {})", event.event_id, event.sender_level));
        list(formatter, "power events, in reverse topological power ordering", power_events)?;
        list(formatter, "mainline", self.mainline.iter())?;
        let remaining = self.remaining_events.iter().map(|event| match event.mainline_position {
            Some(position) => format!("{} (position {position})", event.event_id),
            None => format!("{} (position infinity)", event.event_id),
        });
        list(formatter, "remaining events, in mainline ordering", remaining)?;
        list(formatter, "steps", self.steps.iter())?;
        state(formatter, "resolved state", &self.state)
    }
}

impl Display for Step {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} ", self.pass, self.event_id)?;
        match &self.outcome {
            Outcome::Taken => write!(formatter, "is the first and taken unchecked"),
            Outcome::Checked(Decision::Allow { number, .. }) => {
                write!(formatter, "is allowed by rule {number}")
            }
            Outcome::Checked(Decision::Reject(rejection)) => {
                write!(formatter, "is rejected by rule {}: {}", rejection.rule, rejection.why)
            }
        }?;
        if !self.from_auth_events.is_empty() {
            let ids: Vec<_> = self.from_auth_events.values().map(String::as_str).collect();
            write!(formatter, " (with {} from its auth events)", ids.join(", "))?;
        }
        Ok(())
    }
}

impl Display for Pass {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PowerLevels => "power levels",
            Self::JoinRules => "join rules",
            Self::Members => "members",
            Self::OtherState => "other state",
            Self::PowerEvents => "power events",
            Self::RemainingEvents => "remaining events",
        })
    }
}

fn state(formatter: &mut Formatter<'_>, title: &str, state: &StateMap) -> fmt::Result {
    let entries =
        state.iter().map(|((event_type, state_key), id)| format!("{event_type} {state_key:?} = {id}"));
    list(formatter, title, entries)
}

fn set(formatter: &mut Formatter<'_>, title: &str, ids: &BTreeSet<String>) -> fmt::Result {
    list(formatter, title, ids.iter())
}

/// A title and indented lines; nothing at all for an empty list.
fn list(
    formatter: &mut Formatter<'_>,
    title: &str,
    lines: impl Iterator<Item = impl Display>,
) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(formatter, "{title}:")?;
    }
    lines.try_for_each(|line| writeln!(formatter, "  {line}"))
}
