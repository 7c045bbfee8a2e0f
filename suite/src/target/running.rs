//! A server that the run started, in whatever way.

use super::{Container, Process, log::Log};

/// A running server. Ends with its owner.
#[derive(Debug)]
pub enum Running {
    /// A process of this machine.
    Process(Process),
    /// A container.
    Container(Container),
}

impl Running {
    /// The number of its process, where that is a process of this machine.
    pub fn process_id(&self) -> Option<u32> {
        match self {
            Running::Process(process) => Some(process.id()),
            Running::Container(container) => container.process_id(),
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        match self {
            Running::Process(process) => process.ended(),
            Running::Container(container) => container.ended(),
        }
    }

    /// What it has written.
    pub(super) fn log(&self) -> &Log {
        match self {
            Running::Process(process) => process.log(),
            Running::Container(container) => container.log(),
        }
    }
}
