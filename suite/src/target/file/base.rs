//! A target file that builds on another: what it does not say itself, the other one says.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::target::TargetError;

/// The key that names the other file.
const KEY: &str = "builds_on";

/// How many files may build on each other: no server needs as many, and a circle has no end.
const MOST: usize = 8;

/// A target file as a whole, and the files that it came from, its own first.
pub(super) struct Whole {
    pub(super) table: Table,
    pub(super) files: Vec<PathBuf>,
}

impl Whole {
    /// Reads what a target file builds on, whose text is at hand; nothing where it builds on nothing.
    pub(super) fn of(text: &str, path: &Path) -> Result<Option<Self>, TargetError> {
        let table = parse(text, path)?;
        if !table.contains_key(KEY) {
            return Ok(None);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut from = PathBuf::new();
        let mut whole = Self { table, files: vec![path.to_owned()] };
        while let Some(base) = whole.table.remove(KEY) {
            let Some(base) = base.as_str() else {
                return Err(usage(path, format!("expected the path of a target file as `{KEY}`")));
            };
            if whole.files.len() == MOST {
                return Err(usage(path, format!("builds on itself, or on more than {MOST} others")));
            }
            let file = target_file(folder.join(&from).join(base));
            let text = std::fs::read_to_string(&file)
                .map_err(|error| usage(path, format!("builds on {}: {error}", file.display())))?;
            let mut table = parse(&text, &file)?;
            from = folder_of(&file, folder);
            lead_from(&from, &mut table);
            overrule(&mut table, whole.table);
            whole.table = table;
            whole.files.push(file);
        }
        Ok(Some(whole))
    }
}

/// The folder of a file, as it is named from another folder.
fn folder_of(file: &Path, from: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    folder.strip_prefix(from).unwrap_or(folder).to_owned()
}

/// The file itself, or the `target.toml` of a folder.
pub(super) fn target_file(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join("target.toml") } else { path }
}

fn parse(text: &str, path: &Path) -> Result<Table, TargetError> {
    text.parse().map_err(|error: toml::de::Error| usage(path, error.to_string()))
}

fn usage(path: &Path, what: String) -> TargetError {
    TargetError::Usage(format!("{}: {what}", path.display()))
}

/// Lets what a table names beside its own file be found from elsewhere.
fn lead_from(folder: &Path, table: &mut Table) {
    let lead = |value: &mut Value| {
        if let Value::String(name) = value {
            *name = folder.join(&*name).display().to_string();
        }
    };
    for key in ["expectations", "ca_file"] {
        table.get_mut(key).map(lead);
    }
    let files = table.get_mut("files").and_then(Value::as_array_mut);
    for file in files.into_iter().flatten() {
        file.get_mut("template").map(lead);
    }
}

/// Puts what a file says over what it builds on: key by key, files by where they go.
fn overrule(base: &mut Table, own: Table) {
    for (key, own) in own {
        match (base.get_mut(&key), own) {
            (Some(Value::Table(base)), Value::Table(own)) => overrule(base, own),
            (Some(Value::Array(base)), Value::Array(own)) if key == "files" => {
                base.retain(|file| own.iter().all(|own| own.get("to") != file.get("to")));
                base.extend(own);
            }
            (_, own) => drop(base.insert(key, own)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A folder for each text, with a target file in it.
    fn written(targets: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (folder, text) in targets {
            let folder = root.path().join(folder);
            fs::create_dir(&folder).expect("a folder");
            fs::write(folder.join("target.toml"), text).expect("a file");
        }
        root
    }

    fn read(root: &TempDir, folder: &str) -> Result<Whole, TargetError> {
        let path = root.path().join(folder).join("target.toml");
        let text = fs::read_to_string(&path).expect("a target file");
        Whole::of(&text, &path).map(|whole| whole.expect("a file that builds on another"))
    }

    #[test]
    fn what_a_file_does_not_say_another_says() {
        let base = r#"
            name = "base"
            expectations = "expectations.toml"
            launch = { program = "server", arguments = ["a"] }
            files = [{ template = "a.in", to = "a" }, { template = "b.in", to = "b" }]
        "#;
        let own = r#"
            builds_on = "../base"
            name = "own"
            launch = { arguments = ["b"] }
            files = [{ template = "own.in", to = "b" }]
        "#;
        let root = written(&[("base", base), ("own", own)]);
        let whole = read(&root, "own").expect("a whole");
        let expected = r#"
            name = "own"
            expectations = "../base/expectations.toml"
            launch = { program = "server", arguments = ["b"] }
            files = [{ template = "../base/a.in", to = "a" }, { template = "own.in", to = "b" }]
        "#;
        assert_eq!(whole.table, expected.parse::<Table>().expect("a table"));
        assert_eq!(whole.files.len(), 2);
    }

    #[test]
    fn files_are_found_by_way_of_several() {
        let third = "files = [{ template = 'a.in', to = 'a' }]";
        let root = written(&[
            ("first", "builds_on = '../second'"),
            ("second", "builds_on = '../third'"),
            ("third", third),
        ]);
        let whole = read(&root, "first").expect("a whole");
        let template = whole.table["files"][0]["template"].as_str().expect("a path");
        assert_eq!(template, "../second/../third/a.in");
    }

    #[test]
    fn circle_is_refused() {
        let root = written(&[("left", "builds_on = '../right'"), ("right", "builds_on = '../left'")]);
        let error = read(&root, "left").err().expect("an error").to_string();
        assert!(error.contains("builds on itself"), "{error}");
    }

    #[test]
    fn missing_file_is_named() {
        let root = written(&[("left", "builds_on = '../nowhere'")]);
        let error = read(&root, "left").err().expect("an error").to_string();
        assert!(error.contains("nowhere"), "{error}");
    }
}
