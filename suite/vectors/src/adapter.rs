//! The adapter's side of the conversation, for implementations in Rust.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::question::Question;

/// A question on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked<Q = Question> {
    /// Which question it is.
    pub id: u64,
    /// The question.
    #[serde(flatten)]
    pub question: Q,
}

/// An answer on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Which question it answers.
    pub id: u64,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
}

/// Answers every line of the input until it ends. A line that is no question is refused.
///
/// # Errors
/// When the input cannot be read or the output not be written.
pub fn serve(
    input: impl BufRead,
    mut output: impl Write,
    mut answer: impl FnMut(&Question) -> Answer,
) -> io::Result<()> {
    for line in input.lines() {
        let line = line?;
        let told = match serde_json::from_str::<Asked>(&line) {
            Ok(asked) => json!(Answered { id: asked.id, answer: answer(&asked.question) }),
            Err(error) => {
                let id = serde_json::from_str::<Value>(&line).ok().and_then(|line| line.get("id").cloned());
                let mut refusal = json!(Answer::refused(format!("not a question: {error}")));
                refusal["id"] = id.unwrap_or_default();
                refusal
            }
        };
        writeln!(output, "{told}")?;
        output.flush()?;
    }
    Ok(())
}
