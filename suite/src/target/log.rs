//! What a server wrote that the run started: both its outputs, in one file.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::TargetError;

/// How much of it a report shows at most.
const LONGEST_SLICE_BYTES: u64 = 16 * 1024;

/// The log of a server.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    /// An empty log in the folder of a server, and the file that is to be written.
    pub(super) fn begin(folder: &Path) -> Result<(Self, File), TargetError> {
        let path = folder.join("server.log");
        let file = File::create(&path)
            .map_err(|error| TargetError::Unreachable(format!("{}: {error}", path.display())))?;
        Ok((Log { path }, file))
    }

    /// The file that is to be written again, after what stands there.
    pub(super) fn go_on(&self) -> Result<File, TargetError> {
        let opened = File::options().append(true).open(&self.path);
        opened.map_err(|error| TargetError::Unreachable(format!("{}: {error}", self.path.display())))
    }

    /// How far it is now.
    pub(super) fn position(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// The end of what was written since a position.
    pub(super) fn since(&self, position: u64) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.path)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(position.max(end.saturating_sub(LONGEST_SLICE_BYTES))))?;
            let mut bytes = Vec::new();
            file.take(LONGEST_SLICE_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        self.without_folders(&read().unwrap_or_default())
    }

    /// Why a server did not come up, with the end of what it wrote.
    pub(super) fn stillborn(&self, what: &str) -> TargetError {
        let log = self.since(0);
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(30)..].join("\n");
        TargetError::Unreachable(format!("{what}; the end of its log:\n{end}"))
    }

    /// A log as a record may keep it: without the folders of this machine.
    fn without_folders(&self, log: &str) -> String {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let log = log.replace(&folder.display().to_string(), "{data_dir}");
        match std::env::var("HOME") {
            Ok(home) if home.len() > 1 => log.replace(&home, "~"),
            _ => log,
        }
    }
}
