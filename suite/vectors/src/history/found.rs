//! Histories on which implementations parted, made small and kept in `fixtures/dags/found`: the questions as a file of
//! vectors, and the drawing beside it.

use std::fs;
use std::io;
use std::path::Path;

use super::History;
use crate::file::{Vector, VectorFile};

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
