//! How a request can fail, by kinds that reports count.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::Answer;

/// Why a request got no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nobody listens at the address.
    #[error("the connection was refused")]
    Refused,
    /// The connection could not be made for another reason.
    #[error("no connection: {0}")]
    Unconnected(String),
    /// The server closed the connection instead of answering.
    #[error("the connection was closed before the answer was whole")]
    Closed,
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The server answered with a status that is none of success.
    #[error("the answer was {status} {errcode}")]
    Status {
        /// The status.
        status: u16,
        /// The error code of its body, where it has one.
        errcode: String,
        /// How long to wait before asking again, where the body says it.
        retry_after_ms: Option<u64>,
    },
    /// The answer was no HTTP, or not the JSON that was asked for.
    #[error("the answer was malformed: {0}")]
    Malformed(String),
    /// The answer was well-formed and lacked something that had to be there.
    #[error("the answer lacks something: {0}")]
    Incomplete(String),
    /// This machine ran out of descriptors or ports.
    #[error("this machine gives out: {0}")]
    Exhausted(String),
}

impl Problem {
    /// A word for counting.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Problem::Refused => "refused".to_owned(),
            Problem::Unconnected(_) => "unconnected".to_owned(),
            Problem::Closed => "closed".to_owned(),
            Problem::TimedOut => "timeout".to_owned(),
            Problem::Status { status, errcode, .. } if errcode.is_empty() => status.to_string(),
            Problem::Status { status, errcode, .. } => format!("{status} {errcode}"),
            Problem::Malformed(_) => "malformed".to_owned(),
            Problem::Incomplete(_) => "incomplete".to_owned(),
            Problem::Exhausted(_) => "exhausted".to_owned(),
        }
    }

    /// Whether the server gave no sign of life.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Problem::Refused | Problem::Unconnected(_) | Problem::Closed | Problem::TimedOut)
    }

    /// How long the server wants to be left alone.
    pub(crate) fn pause(&self) -> Duration {
        match self {
            Problem::Status { retry_after_ms, .. } => {
                Duration::from_millis(retry_after_ms.unwrap_or_default())
            }
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn of_answer(answer: &Answer) -> Self {
        #[derive(Default, Deserialize)]
        struct Told {
            #[serde(default)]
            errcode: String,
            #[serde(default)]
            retry_after_ms: Option<u64>,
        }
        let told: Told = serde_json::from_slice(&answer.body).unwrap_or_default();
        // An error code becomes a key of the record: a server may not make it arbitrarily long.
        let errcode = told.errcode.chars().filter(|letter| letter.is_ascii_graphic()).take(64).collect();
        Problem::Status { status: answer.status.as_u16(), errcode, retry_after_ms: told.retry_after_ms }
    }

    pub(super) fn of_hyper(error: &hyper::Error) -> Self {
        if error.is_parse() { Problem::Malformed(error.to_string()) } else { Problem::Closed }
    }

    /// A door that could not be opened.
    pub(crate) fn of_listening(error: &io::Error) -> Self {
        Self::of_connecting(error)
    }

    pub(super) fn of_connecting(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Problem::Refused,
            io::ErrorKind::AddrNotAvailable => {
                Problem::Exhausted("no port is left for another connection".to_owned())
            }
            // EMFILE and ENFILE have no kind of their own.
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => {
                Problem::Exhausted("no descriptor is left for another connection".to_owned())
            }
            _ => Problem::Unconnected(error.to_string()),
        }
    }
}
