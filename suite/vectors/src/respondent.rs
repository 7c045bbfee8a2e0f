//! An implementation behind an adapter: a process that is asked over its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::adapter::{Answered, Asked};
use crate::answer::Answer;
use crate::question::Question;

/// A running adapter. It ends when this is dropped.
#[derive(Debug)]
pub struct Respondent {
    process: Child,
    /// What is still to be written; dropping it ends the adapter's input.
    lines: Option<Sender<String>>,
    answers: Receiver<Line>,
    next_id: u64,
    limit: Duration,
}

/// Why an adapter gave no usable answer. Nothing is known of the implementation then.
#[derive(Debug, thiserror::Error)]
pub enum AdapterFault {
    /// It could not be started.
    #[error("cannot start adapter {command:?}: {source}; give a command that the shell can run")]
    Start {
        /// The command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended while it was asked.
    #[error("adapter ended with {status} instead of answering question {id}: {question}")]
    Ended {
        /// How it ended.
        status: String,
        /// The question's number.
        id: u64,
        /// The question, shortened.
        question: String,
    },
    /// It did not answer in time.
    #[error("adapter gave no answer to question {id} within {limit_s} s: {question}")]
    Silent {
        /// The question's number.
        id: u64,
        /// The limit in seconds.
        limit_s: u64,
        /// The question, shortened.
        question: String,
    },
    /// It wrote something else than the answer that was due.
    #[error("adapter wrote no answer to question {id} but {line:?}: {problem}")]
    Garbled {
        /// The question's number.
        id: u64,
        /// What it wrote, shortened.
        line: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl AdapterFault {
    /// The number of the question that was not answered.
    pub fn question_id(&self) -> Option<u64> {
        match self {
            Self::Start { .. } => None,
            Self::Ended { id, .. } | Self::Silent { id, .. } | Self::Garbled { id, .. } => Some(*id),
        }
    }
}

/// A line of the adapter, or why there is none.
type Line = Result<String, String>;

/// The longest line that is read; a longer one is no answer.
const MAX_LINE_BYTES: u64 = 64 << 20;

impl Respondent {
    /// Starts an adapter by a shell command; `limit` is how long one answer may take.
    ///
    /// # Errors
    /// [`AdapterFault::Start`].
    pub fn start(command: &str, limit: Duration) -> Result<Self, AdapterFault> {
        let mut shell = Command::new("sh");
        // `exec` makes the adapter itself the child, so that ending the child ends it.
        shell.arg("-c").arg(format!("exec {command}"));
        Self::spawn(shell, command, limit)
    }

    /// Starts a program as an adapter.
    ///
    /// # Errors
    /// [`AdapterFault::Start`].
    pub fn spawn(mut program: Command, command: &str, limit: Duration) -> Result<Self, AdapterFault> {
        let fail = |source| AdapterFault::Start { command: command.to_owned(), source };
        let mut process = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(fail)?;
        let (lines, to_write) = channel();
        let (read, answers) = channel();
        if let Some(input) = process.stdin.take() {
            thread::spawn(move || write_lines(input, &to_write));
        }
        if let Some(output) = process.stdout.take() {
            thread::spawn(move || read_lines(BufReader::new(output), &read));
        }
        Ok(Self { process, lines: Some(lines), answers, next_id: 0, limit })
    }

    /// How many questions were asked so far, which is the number of the next one.
    pub fn asked(&self) -> u64 {
        self.next_id
    }

    /// Asks one question.
    ///
    /// # Errors
    /// When no usable answer comes.
    pub fn ask(&mut self, question: &Question) -> Result<Answer, AdapterFault> {
        let mut answers = self.ask_all(std::slice::from_ref(question))?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Asks questions without waiting for the answers in between, and gives the answers in their order.
    ///
    /// # Errors
    /// When a usable answer is missing.
    pub fn ask_all(&mut self, questions: &[Question]) -> Result<Vec<Answer>, AdapterFault> {
        let first = self.next_id;
        for question in questions {
            let line = json!(Asked { id: self.next_id, question }).to_string();
            self.next_id += 1;
            // If nobody writes any more, the adapter has ended, which shows when its answer is missing.
            let _ = self.lines.as_ref().map(|lines| lines.send(line));
        }
        questions.iter().zip(first..).map(|(question, id)| self.answer(question, id)).collect()
    }

    fn answer(&mut self, question: &Question, id: u64) -> Result<Answer, AdapterFault> {
        let line = match self.answers.recv_timeout(self.limit) {
            Ok(Ok(line)) => line,
            Ok(Err(problem)) => return Err(AdapterFault::Garbled { id, line: String::new(), problem }),
            Err(RecvTimeoutError::Timeout) => {
                let question = shorten(&json!(question).to_string());
                return Err(AdapterFault::Silent { id, limit_s: self.limit.as_secs(), question });
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status =
                    self.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(AdapterFault::Ended {
                    status,
                    id,
                    question: shorten(&json!(question).to_string()),
                });
            }
        };
        let garbled = |problem: String| AdapterFault::Garbled { id, line: shorten(&line), problem };
        let answered: Answered = serde_json::from_str(&line).map_err(|error| garbled(error.to_string()))?;
        if answered.id != id {
            return Err(garbled(format!("its id is {}", answered.id)));
        }
        Ok(answered.answer)
    }
}

impl Drop for Respondent {
    fn drop(&mut self) {
        self.lines = None;
        // One that has ended cannot be killed, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_lines(mut input: ChildStdin, lines: &Receiver<String>) {
    while let Ok(line) = lines.recv() {
        if writeln!(input, "{line}").is_err() {
            return;
        }
    }
}

fn read_lines(mut output: impl BufRead, lines: &Sender<Line>) {
    loop {
        let mut line = Vec::new();
        let line = match std::io::Read::take(&mut output, MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE_BYTES => {
                Err(format!("a line of more than {MAX_LINE_BYTES} bytes"))
            }
            Ok(_) => String::from_utf8(line).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let is_garbled = line.is_err();
        if lines.send(line).is_err() || is_garbled {
            return;
        }
    }
}

fn shorten(text: &str) -> String {
    const CHARACTERS: usize = 300;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.trim_end().to_owned(),
    }
}
