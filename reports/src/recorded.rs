//! A folder of recorded results: a folder for each server, in it one for each version, in that the record and how it is reproduced.
//!
//! Whoever publishes results adds a folder; [`Recorded::complaints`] says what a reader would miss in it, and [`table`] sets all of
//! them side by side.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::load::LoadRecord;
use crate::{Record, Summary, matrix, text};

/// The heading below which a folder says how its record is made again.
const REPRODUCE: &str = "## Reproduce";

/// The heading below which a folder explains outcomes that no expectation foresees.
const UNEXPECTED: &str = "## Unexpected results";

/// The folder of a server that is no version: runs of single checks which tell releases with a bug from those without.
const BUGS: &str = "bugs";

/// The results of one version of a server.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The folder of the server, such as `synapse`.
    pub server: String,
    /// The folder of the version, such as `1.163.2`.
    pub version: String,
    /// The record of its conformance, if it can be read.
    pub record: Option<Record>,
    folder: PathBuf,
}

/// The results in a folder: servers by name, versions of a server from the oldest to the newest.
///
/// # Errors
/// When a folder cannot be listed. What is wrong within one is told by [`Recorded::complaints`].
pub fn read(folder: &Path) -> io::Result<Vec<Recorded>> {
    let mut recorded = Vec::new();
    for server in folders_in(folder)? {
        for version in folders_in(&folder.join(&server))?.into_iter().filter(|name| name != BUGS) {
            let folder = folder.join(&server).join(&version);
            let record = Record::read(folder.join("record.json")).ok();
            recorded.push(Recorded { server: server.clone(), version, record, folder });
        }
    }
    recorded.sort_by_cached_key(|recorded| (recorded.server.clone(), order_of(&recorded.version)));
    Ok(recorded)
}

impl Recorded {
    /// What keeps a reader from trusting these results, each a sentence; nothing if all is well.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let readme = fs::read_to_string(self.folder.join("README.md")).unwrap_or_default();
        let command = format!("{}/{}/record.json", self.server, self.version);
        match readme.split_once(REPRODUCE) {
            Some((_, after)) if after.contains(&command) => {}
            Some(_) => complaints
                .push(format!("README.md says below {REPRODUCE:?} no command that writes {command}")),
            None => complaints.push(format!("README.md has no heading {REPRODUCE:?}")),
        }
        match Record::read(self.folder.join("record.json")) {
            Err(error) => complaints.push(error.to_string()),
            Ok(record) => self.complain_of(&record, &readme, &mut complaints),
        }
        for path in self.load_records().unwrap_or_default() {
            if let Err(error) = LoadRecord::read(&path) {
                complaints.push(error.to_string());
            }
        }
        let place = format!("{}/{}", self.server, self.version);
        complaints.into_iter().map(|complaint| format!("{place}: {complaint}")).collect()
    }

    fn complain_of(&self, record: &Record, readme: &str, complaints: &mut Vec<String>) {
        if folder_name(&record.target.name) != self.server {
            complaints.push(format!("record.json is of {:?}", record.target.name));
        }
        if record.target.version.as_deref() != Some(&self.version) {
            let version = record.target.version.as_deref().unwrap_or("no version");
            complaints.push(format!("record.json is of {version:?}"));
        }
        if record.interrupted {
            complaints.push("the run of record.json ended before all of its checks were put".to_owned());
        }
        if let Some(path) = record.command.split_whitespace().find(|word| word.starts_with('/')) {
            complaints.push(format!("record.json was made with a path that only one machine has: {path}"));
        }
        let unexpected = Summary::of(&record.checks).unexpected;
        if unexpected > 0 && !readme.contains(UNEXPECTED) {
            let results = text::count(unexpected, "unexpected result");
            complaints.push(format!("record.json has {results}; README.md has no heading {UNEXPECTED:?}"));
        }
    }

    fn load_records(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("load") && name.ends_with(".json") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// All of them in one Markdown table: what was judged, and how many of the judged requirements were met.
#[must_use]
pub fn table(recorded: &[Recorded]) -> String {
    let mut table = "| server | version | judged by | passed | of judged | failed | advice | observed | not applicable |\n\
                     |---|---|---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for Recorded { server, version, record, .. } in recorded {
        let Some(record) = record else { continue };
        let summary = Summary::of(&record.checks);
        let counts = [
            text::thousands(summary.passed),
            text::thousands(matrix::judged(&summary)),
            text::thousands(summary.failed),
            text::thousands(summary.advised),
            text::thousands(summary.observed),
            text::thousands(summary.not_applicable),
        ];
        table += &format!("| {server} | {version} | {} | {} |\n", record.releases.judged, counts.join(" | "));
    }
    table
}

/// The name of a server as the name of a folder.
fn folder_name(name: &str) -> String {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn folders_in(folder: &Path) -> io::Result<Vec<String>> {
    let told =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot read {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Versions by their numbers, so that 1.9 comes before 1.10; what is no number comes last and by its letters.
fn order_of(version: &str) -> Vec<(u64, String)> {
    version.split(['.', '-', '+']).map(|part| (part.parse().unwrap_or(u64::MAX), part.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = ["1.120.2", "1.99.0", "1.163.2", "1.120.10", "1.120.2-rc1"];
        versions.sort_by_cached_key(|version| order_of(version));
        assert_eq!(versions, ["1.99.0", "1.120.2", "1.120.2-rc1", "1.120.10", "1.163.2"]);
    }

    #[test]
    fn names_become_folders() {
        assert_eq!(folder_name("Reference server"), "reference-server");
        assert_eq!(folder_name("synapse"), "synapse");
    }
}
