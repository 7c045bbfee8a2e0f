//! Reading records: our own, cut-off ones, and files that are something else.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use crate::{Check, FORMAT, Record, Summary, layout};

impl Record {
    /// Reads a record.
    ///
    /// A file that was cut off in the middle of a write is read as far as it goes; the record then says in a notice
    /// where it ends, and that it was interrupted.
    ///
    /// # Errors
    /// When there is no such file, or when it is not a record of this format.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let bytes =
            fs::read(path).map_err(|source| ReadError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ReadError> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(record) if record.format == FORMAT => Ok(record),
            Ok(record) => Err(ReadError::Foreign { path: path.to_owned(), format: record.format }),
            Err(error) => salvage(bytes).ok_or_else(|| refuse(path, bytes, &error)),
        }
    }

    /// The record as text, laid out like the file that a run writes.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut text = layout::opening(self)?;
        for (index, check) in self.checks.iter().enumerate() {
            text.push_str(&layout::line(check, index == 0)?);
        }
        text.push_str(&layout::closing(self)?);
        Ok(text)
    }
}

/// Why a file could not be read as a record.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read the record {path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is empty: its run never started.
    #[error("{path} is empty: the run that was to write it never started", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is JSON of another format.
    #[error("{path} has the format `{format}`, not `{FORMAT}`: read it with the release that wrote it", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The format that it claims.
        format: String,
    },
    /// The file is not a record.
    #[error("{path} is not a record: line {line}, column {column}: {problem}; pass a file that `--record` wrote", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, counted from one.
        line: usize,
        /// Column in bytes, counted from one.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
}

/// Whatever stands before the cut, from a file that lies as [`layout`] says.
fn salvage(bytes: &[u8]) -> Option<Record> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut opening = lines.next()?.strip_suffix(b",")?.to_vec();
    opening.push(b'}');
    let mut record: Record = serde_json::from_slice(&opening).ok()?;
    if record.format != FORMAT || lines.next() != Some(layout::FIRST_CHECK_AFTER.as_bytes()) {
        return None;
    }
    for line in lines {
        let line = line.strip_suffix(b",").unwrap_or(line);
        let Ok(check) = serde_json::from_slice::<Check>(line) else { break };
        record.checks.push(check);
    }
    record.summary = Summary::of(&record.checks);
    record.interrupted = true;
    let line = record.checks.len() + 2;
    record
        .notices
        .push(format!("the file of this record is cut off after line {line}; what stands before was kept"));
    Some(record)
}

/// Why these bytes are no record, as exactly as it can be said.
pub(crate) fn refuse(path: &Path, bytes: &[u8], error: &serde_json::Error) -> ReadError {
    #[derive(Deserialize)]
    struct Claim {
        format: String,
    }
    let path = path.to_owned();
    if bytes.trim_ascii().is_empty() {
        return ReadError::Empty { path };
    }
    if let Ok(Claim { format }) = serde_json::from_slice(bytes)
        && format != FORMAT
    {
        return ReadError::Foreign { path, format };
    }
    let (line, column) = (error.line(), error.column());
    let problem = error.to_string();
    let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
    ReadError::Malformed { path, line, column, problem }
}
