//! Writes the list of conformance tests: the paths of their statics, nothing else.
//!
//! Every function under `src/spec` that carries `#[conformance(…)]` is listed by its module path. A file whose module
//! is not declared leaves a path that does not resolve, so it cannot be forgotten silently.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/spec");
    println!("cargo::rerun-if-changed=src/spec.rs");
    let mut tests = Vec::new();
    collect(Path::new("src/spec"), "crate::spec", &mut tests)?;
    tests.sort();
    let list: String = tests.iter().map(|path| format!("    &{path},\n")).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    fs::write(out.join("tests.rs"), format!("&[\n{list}]\n"))
}

fn collect(folder: &Path, module: &str, tests: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let module = format!("{module}::{stem}");
        if path.is_dir() {
            collect(&path, &module, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path)?;
            tests.extend(test_names(&source).map(|name| format!("{module}::{name}")));
        }
    }
    Ok(())
}

/// The names of the functions that follow a `#[conformance` at the start of a line.
fn test_names(source: &str) -> impl Iterator<Item = &str> {
    source.split("\n#[conformance(").skip(1).filter_map(|rest| {
        let (_, after) = rest.split_once("async fn ")?;
        after.split(['(', '<']).next()
    })
}
