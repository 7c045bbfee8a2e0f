//! Files of vectors: a question, its answer, and what people call it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::Answer;
use crate::question::{Authorize, Pool, Question, Resolve, Text};

/// The value of a file's `format`.
pub const FORMAT: &str = "determinant.vectors/1";

/// One file of vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFile {
    /// Always [`FORMAT`].
    pub format: String,
    /// The section of the specification from which the answers follow.
    pub specification: String,
    /// Events by id, so that each is written once.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, Text>,
    /// Short names of events, for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// The vectors.
    pub cases: Vec<Vector>,
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// A path that is unique among all files.
    pub id: String,
    /// What the case is about, in a sentence.
    pub says: String,
    /// The section from which the answer follows, where it is not that of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<String>,
    /// The question.
    pub question: Question,
    /// The one right answer.
    pub answer: Answer,
}

/// A question refers to an event that its file does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("case {case} refers to event {event_id}, which is not in the table of its file; add it to `events`")]
pub struct UnknownEvent {
    /// The case.
    pub case: String,
    /// The event.
    pub event_id: String,
}

impl VectorFile {
    /// An empty file.
    pub fn new(specification: impl Into<String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            specification: specification.into(),
            events: BTreeMap::new(),
            names: BTreeMap::new(),
            cases: Vec::new(),
        }
    }

    /// Adds a case whose events go to the table of the file.
    pub fn push(&mut self, mut vector: Vector) {
        if let Some(pool) = pool(&mut vector.question)
            && let Pool::Texts(texts) = pool
        {
            let texts = std::mem::take(texts);
            *pool = Pool::OfFile(texts.keys().cloned().collect());
            self.events.extend(texts);
        }
        self.cases.push(vector);
    }

    /// The file as it is published: an event, a name and a case to a line.
    pub fn to_text(&self) -> String {
        let object = |entries: Vec<String>| format!("{{\n    {}\n  }}", entries.join(",\n    "));
        let texts: Vec<_> =
            self.events.iter().map(|(id, text)| format!("{}: {}", json!(id), json!(text))).collect();
        let names: Vec<_> =
            self.names.iter().map(|(id, name)| format!("{}: {}", json!(id), json!(name))).collect();
        let cases: Vec<_> = self.cases.iter().map(|case| json!(case).to_string()).collect();
        let mut members = vec![
            format!("\"format\": {}", json!(self.format)),
            format!("\"specification\": {}", json!(self.specification)),
        ];
        if !texts.is_empty() {
            members.push(format!("\"events\": {}", object(texts)));
        }
        if !names.is_empty() {
            members.push(format!("\"names\": {}", object(names)));
        }
        members.push(format!("\"cases\": [\n    {}\n  ]", cases.join(",\n    ")));
        format!("{{\n  {}\n}}\n", members.join(",\n  "))
    }

    /// The question of a case as an adapter gets it, with the texts of its events.
    ///
    /// # Errors
    /// When an event is not in the table.
    pub fn question(&self, vector: &Vector) -> Result<Question, UnknownEvent> {
        let mut question = vector.question.clone();
        if let Some(pool) = pool(&mut question)
            && let Pool::OfFile(ids) = pool
        {
            let unknown = |id: &String| UnknownEvent { case: vector.id.clone(), event_id: id.clone() };
            let text_of =
                |id: &String| Ok((id.clone(), self.events.get(id).ok_or_else(|| unknown(id))?.clone()));
            *pool = Pool::Texts(ids.iter().map(text_of).collect::<Result<_, _>>()?);
        }
        Ok(question)
    }
}

fn pool(question: &mut Question) -> Option<&mut Pool> {
    match question {
        Question::Authorize(Authorize { events, .. }) | Question::Resolve(Resolve { events, .. }) => {
            Some(events)
        }
        _ => None,
    }
}
