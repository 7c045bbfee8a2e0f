//! Writes the list of published files of vectors, so that the binary carries them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Where files of vectors stand.
const FOLDERS: [&str; 2] = ["vectors", "dags/found"];

fn main() -> io::Result<()> {
    let fixtures = Path::new("../../fixtures").canonicalize()?;
    let mut files = Vec::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", fixtures.join(folder).display());
        collect(&fixtures.join(folder), &mut files)?;
    }
    files.sort();
    let entry = |path: &PathBuf| {
        let name = path.strip_prefix(&fixtures).unwrap_or(path).display().to_string();
        format!("    ({name:?}, include_str!({:?})),\n", path.display().to_string())
    };
    let list: String = files.iter().map(entry).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    fs::write(out.join("published.rs"), format!("&[\n{list}]\n"))
}

/// Tables of plain values are no vectors; a file says at its beginning which it is.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path)?;
            if text.trim_start_matches(['{', ' ', '\n']).starts_with("\"format\"") {
                files.push(path);
            }
        }
    }
    Ok(())
}
