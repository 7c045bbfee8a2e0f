//! Histories on which implementations parted, made small and kept in `fixtures/dags/found`: the questions as a file of
//! vectors, and the drawing beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::History;
use crate::agreement::{Agreement, compare};
use crate::answer::Answer;
use crate::file::{UnknownEvent, Vector, VectorFile};
use crate::question::Question;

/// Why a kept file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check that it is there", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no file of vectors.
    #[error("{} is no file of vectors: {source}; write it anew", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A question refers to an event that the file lacks.
    #[error(transparent)]
    UnknownEvent(#[from] UnknownEvent),
}

/// Keeps those questions of a history on which somebody differs: `name.json`, and the drawing with the note as
/// `name.txt`.
///
/// # Errors
/// When the files cannot be written.
pub fn save(
    folder: &Path,
    name: &str,
    note: &str,
    history: &History,
    questions: &[Vector],
) -> io::Result<()> {
    let mut file = VectorFile::new(format!("rooms/v{}/", history.version().id));
    for question in questions {
        let id = format!("found/{name}/{}", question.id);
        file.push(Vector { id, ..question.clone() });
    }
    for id in file.events.keys() {
        let says = history.says(id).unwrap_or_else(|| history.room().name(id).to_owned());
        file.names.insert(id.clone(), says);
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name).with_extension("json"), file.to_text())?;
    fs::write(folder.join(name).with_extension("txt"), format!("{note}\n\n{}", history.draw()))
}

/// Reads what was kept.
///
/// # Errors
/// See [`FoundError`].
pub fn load(path: &Path) -> Result<VectorFile, FoundError> {
    let text =
        fs::read_to_string(path).map_err(|source| FoundError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| FoundError::Format { path: path.to_owned(), source })
}

/// Asks again what was kept, and tells every question that is not answered as the file has it.
///
/// # Errors
/// When a question refers to an event that the file lacks.
pub fn ask_again(
    file: &VectorFile,
    mut answer: impl FnMut(&Question) -> Answer,
) -> Result<Vec<(String, Agreement)>, FoundError> {
    let mut wrong = Vec::new();
    for vector in &file.cases {
        let agreement = compare(&vector.answer, &answer(&file.question(vector)?));
        if agreement != Agreement::Agrees {
            wrong.push((vector.id.clone(), agreement));
        }
    }
    Ok(wrong)
}
