//! Journeys: what a person does in a sitting, step by step.

use serde::Deserialize;
use serde::de::{Deserializer, IntoDeserializer, value::StrDeserializer};

use super::{Action, Course, Profile};
use crate::operation::Operation;

/// What a person goes through: each step follows the answer to the one before it, and a while of thinking.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// What it is called.
    pub name: String,
    /// How often it is chosen, beside the others.
    pub weight: u32,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
    /// For how many seconds he thinks after a step, at least and at most.
    pub think: [f64; 2],
    /// Why it is as it is.
    pub why: String,
}

/// A step: `send`, or `call in pair` where it is done in rooms of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// In which rooms; without it, in all of his that are no lobby.
    pub within: Option<String>,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (operation, within) = text
            .split_once(" in ")
            .map_or((&*text, None), |(operation, within)| (operation, Some(within.to_owned())));
        let operation: StrDeserializer<'_, D::Error> = operation.into_deserializer();
        Ok(Step { operation: Operation::deserialize(operation)?, within })
    }
}

impl Step {
    fn is(&self, action: &Action) -> bool {
        (self.operation, &self.within) == (action.operation, &action.within)
    }
}

impl Profile {
    /// Gives every step of a journey an action that no schedule has arrivals of.
    pub(super) fn act_journeys(&mut self) {
        for step in self.journeys.iter().flat_map(|journey| &journey.steps) {
            if !self.actions.iter().any(|action| step.is(action)) {
                self.actions.push(Action {
                    operation: step.operation,
                    by: None,
                    within: step.within.clone(),
                    per_hour: 0.0,
                    course: Course::default(),
                    why: "a step of a journey".to_owned(),
                    bytes: None,
                    events: 1,
                });
            }
        }
    }

    /// The actions of a journey, by their places in the profile.
    #[must_use]
    pub fn actions_of(&self, journey: &Journey) -> Vec<usize> {
        let place = |step: &Step| self.actions.iter().position(|action| step.is(action));
        journey.steps.iter().filter_map(place).collect()
    }

    /// What is wrong with the journeys, beside what is wrong with their actions.
    pub(super) fn contradiction_of_journeys(&self) -> Option<String> {
        if !self.journeys.is_empty() && self.actions.iter().any(|action| action.per_hour > 0.0) {
            return Some("it has journeys, whose people wait, and actions, which do not; a profile has one or the other".to_owned());
        }
        let wrong = |journey: &Journey| {
            let [least, most] = journey.think;
            if journey.steps.is_empty() {
                Some("has no steps".to_owned())
            } else if journey.weight == 0 {
                Some("is never chosen: its weight is 0".to_owned())
            } else if !(0.0 <= least && least <= most && most.is_finite()) {
                Some(format!("has no time to think: {least} to {most} s"))
            } else {
                let step = journey.steps.iter().find(|step| step.operation.is_of_servers())?;
                Some(format!("is of people, and {} is done by servers", step.operation.name()))
            }
        };
        self.journeys
            .iter()
            .find_map(|journey| Some(format!("the journey {} {}", journey.name, wrong(journey)?)))
    }
}
