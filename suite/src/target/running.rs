//! A server that the run started, in whatever way.

use rustix::process::Signal;

use super::{Container, Process, TargetError, log::Log};

/// A server that runs, or was stopped. Ends with its owner.
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

    /// Stops it; what it has stored stays.
    pub(super) async fn stop(&mut self) -> Result<(), TargetError> {
        match self {
            Running::Process(process) => {
                process.stop().await;
                Ok(())
            }
            Running::Container(container) => container.stop().await,
        }
    }

    /// Starts it again where it was, and waits until it answers.
    pub(super) async fn start(&mut self) -> Result<(), TargetError> {
        match self {
            Running::Process(process) => process.start().await,
            Running::Container(container) => container.start().await,
        }
    }

    /// Has it do nothing, as if its machine slept: connections stay open, and nobody answers.
    pub(super) async fn pause(&mut self) -> Result<(), TargetError> {
        match self {
            Running::Process(process) => process.must_take(Signal::STOP),
            Running::Container(container) => container.pause().await,
        }
    }

    /// Has it go on after a pause.
    pub(super) async fn go_on(&mut self) -> Result<(), TargetError> {
        match self {
            Running::Process(process) => process.must_take(Signal::CONT),
            Running::Container(container) => container.go_on().await,
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
