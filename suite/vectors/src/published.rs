//! The vectors that the binary carries, and files of vectors from elsewhere.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::file::{FORMAT, UnknownEvent, Vector, VectorFile};
use crate::question::Question;

/// Name and text of every file of vectors under `fixtures/vectors` and `fixtures/dags/found`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/published.rs"));

/// A vector with the question as an adapter gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The vector.
    pub vector: Vector,
    /// The question, with the texts of its events.
    pub question: Question,
    /// The section of the specification from which the answer follows.
    pub specification: String,
}

/// Why vectors cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableVectors {
    /// The file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no file of vectors.
    #[error("{file} is no file of vectors: {source}; fixtures/vectors/README.md describes one")]
    Json {
        /// The file.
        file: String,
        /// What was expected, with line and column.
        source: serde_json::Error,
    },
    /// Its format is another one.
    #[error("{file} has the format {found:?}; this program reads {FORMAT:?}")]
    Format {
        /// The file.
        file: String,
        /// The format that it states.
        found: String,
    },
    /// A question refers to an unknown event.
    #[error("{file}: {source}")]
    Event {
        /// The file.
        file: String,
        /// What is unknown.
        source: UnknownEvent,
    },
}

/// Every published case, in the order of the files' names.
///
/// # Errors
/// None, as long as the files were tested before they were published.
pub fn cases() -> Result<Vec<Case>, UnreadableVectors> {
    let mut cases = Vec::new();
    for (name, text) in FILES {
        cases.extend(cases_of(name, text)?);
    }
    Ok(cases)
}

/// The cases of a file, or of every `.json` file in a folder.
///
/// # Errors
/// When something there is not readable or no file of vectors.
pub fn cases_from(path: &Path) -> Result<Vec<Case>, UnreadableVectors> {
    let unreadable = |source| UnreadableVectors::Io { path: path.to_owned(), source };
    if !path.is_dir() {
        let text = fs::read_to_string(path).map_err(unreadable)?;
        return cases_of(&path.display().to_string(), &text);
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        cases.extend(cases_from(&path)?);
    }
    Ok(cases)
}

fn cases_of(file: &str, text: &str) -> Result<Vec<Case>, UnreadableVectors> {
    let json = |source| UnreadableVectors::Json { file: file.to_owned(), source };
    let vectors: VectorFile = serde_json::from_str(text).map_err(json)?;
    if vectors.format != FORMAT {
        return Err(UnreadableVectors::Format { file: file.to_owned(), found: vectors.format });
    }
    let case = |vector: &Vector| {
        let event = |source| UnreadableVectors::Event { file: file.to_owned(), source };
        let specification = vector.specification.clone().unwrap_or_else(|| vectors.specification.clone());
        Ok(Case { vector: vector.clone(), question: vectors.question(vector).map_err(event)?, specification })
    };
    vectors.cases.iter().map(case).collect()
}
