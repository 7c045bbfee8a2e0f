//! The record of a run that still goes, on disk.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use crate::{Check, Ending, Event, Header, Record, Reporter, layout};

/// Writes the record of a run while it goes, into one file that is complete JSON after every event.
///
/// Each check is appended together with a new closing, over the old closing, in a single write. Nothing is held
/// back, so that a killed run loses no verdict; should the kill fall into the write itself, [`Record::read`] keeps
/// every check before it. Until the run ends, the record says of itself that it was interrupted.
///
/// Secrets are shortened and long bodies are cut before a check enters the record (see [`Check::for_record`]).
#[derive(Debug)]
pub struct RecordWriter {
    file: File,
    record: Option<Record>,
    started: Instant,
    /// Where the next check goes, in bytes from the start of the file.
    checks_end: u64,
    /// Length of what was written after the checks, in bytes.
    closing_len: usize,
}

impl RecordWriter {
    /// Creates the file, and the folders above it, or empties what was there.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let failed = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot create the record {}: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::create(path).map_err(failed)?;
        Ok(Self { file, record: None, started: Instant::now(), checks_end: 0, closing_len: 0 })
    }

    /// The record as it stands in the file; nothing before the run has started.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// The record as it stands in the file, and no more writing.
    #[must_use]
    pub fn into_record(self) -> Option<Record> {
        self.record
    }

    fn start(&mut self, header: &Header) -> io::Result<()> {
        if self.record.is_some() {
            return Err(io::Error::other("a record holds one run: create another writer for the next one"));
        }
        self.started = Instant::now();
        let record = Record::begun(header);
        let opening = layout::opening(&record)?;
        self.record = Some(record);
        self.append(&opening)
    }

    fn finish(&mut self, check: &Check) -> io::Result<()> {
        let check = check.for_record();
        let record = self.begun()?;
        let line = layout::line(&check, record.checks.is_empty())?;
        let summary = record.summary;
        record.summary.count(&check);
        record.checks.push(check);
        self.append(&line).inspect_err(|_| {
            // The next check is written where this one failed to be, so the record must not have it either.
            if let Some(record) = &mut self.record {
                record.checks.pop();
                record.summary = summary;
            }
        })
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        let record = self.begun()?;
        record.coverage.clone_from(&ending.coverage);
        record.interrupted = ending.interrupted;
        record.duration_ms = ending.duration_ms;
        record.exchanges = ending.exchanges;
        record.harness_cpu_ms = ending.harness_cpu_ms;
        self.append("")
    }

    fn begun(&mut self) -> io::Result<&mut Record> {
        let elapsed_ms = self.started.elapsed().as_secs_f64() * 1e3;
        let record = self
            .record
            .as_mut()
            .ok_or_else(|| io::Error::other("the run has to start before anything else"))?;
        record.duration_ms = elapsed_ms.round();
        Ok(record)
    }

    /// Puts text after the checks, and the closing after it.
    fn append(&mut self, text: &str) -> io::Result<()> {
        let Some(record) = &self.record else { return Ok(()) };
        let closing = layout::closing(record)?;
        let mut bytes = String::with_capacity(text.len() + closing.len().max(self.closing_len));
        bytes.push_str(text);
        bytes.push_str(&closing);
        // Whatever of the old closing would still stick out is covered, because JSON may end in spaces; only then is
        // the file shortened, so that there is no moment at which it is not complete.
        let length = bytes.len();
        bytes.extend(std::iter::repeat_n(' ', self.closing_len.saturating_sub(length)));
        self.file.seek(SeekFrom::Start(self.checks_end))?;
        self.file.write_all(bytes.as_bytes())?;
        if bytes.len() > length {
            self.file.set_len(self.checks_end + length as u64)?;
        }
        self.checks_end += text.len() as u64;
        self.closing_len = closing.len();
        Ok(())
    }
}

impl Reporter for RecordWriter {
    fn on(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Started(header) => self.start(header),
            Event::Finished(check) => self.finish(check),
            Event::Notice(notice) => {
                self.begun()?.notices.push((*notice).to_owned());
                self.append("")
            }
            Event::Ended(ending) => self.end(ending),
        }
    }
}
