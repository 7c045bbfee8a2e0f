//! A reporter that keeps what it is told, and the settings of a quick run.

use std::{io, num::NonZeroUsize};

use futures_util::FutureExt as _;
use reports::{Check, Ending, Event, Reporter};
use suite::{Options, RunError, RunSettings, plan::Selection, registry::Test, target::Source};
use tokio::sync::oneshot;

/// What a run told.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) checks: Vec<Check>,
    pub(crate) notices: Vec<String>,
    pub(crate) ending: Option<Ending>,
}

impl Reporter for Tape {
    fn on(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Started(_) => {}
            Event::Finished(check) => self.checks.push((*check).clone()),
            Event::Notice(words) => self.notices.push((*words).to_owned()),
            Event::Ended(ending) => self.ending = Some((*ending).clone()),
        }
        Ok(())
    }
}

impl Tape {
    /// The check whose id ends like this.
    pub(crate) fn check(&self, name: &str) -> &Check {
        let found = self.checks.iter().find(|check| check.id.ends_with(name));
        found.unwrap_or_else(|| panic!("no check ends with {name}: {:#?}", self.checks))
    }
}

/// Rings when the first check has its verdict.
#[derive(Debug)]
pub(crate) struct Bell(Option<oneshot::Sender<()>>);

impl Bell {
    /// A bell, and what ends when it rings.
    pub(crate) fn new() -> (Self, impl Future<Output = ()> + Unpin) {
        let (bell, rings) = oneshot::channel();
        (Bell(Some(bell)), rings.map(drop))
    }
}

impl Reporter for Bell {
    fn on(&mut self, event: &Event<'_>) -> io::Result<()> {
        if matches!(event, Event::Finished(_))
            && let Some(bell) = self.0.take()
        {
            // Nobody listens once the run is over.
            let _ = bell.send(());
        }
        Ok(())
    }
}

/// Options for a server that is up, with limits of about a second.
pub(crate) fn options(url: url::Url) -> Options {
    Options {
        source: Source::Url(url),
        instances: NonZeroUsize::MIN,
        owned: false,
        selection: Selection::default(),
        settings: RunSettings {
            jobs: 8,
            repeat: 1,
            fail_fast: false,
            time_scale: 0.01,
            seed: 1,
            target_words: "http://puppet".to_owned(),
        },
        release: None,
        expectations: None,
        command: "determinant run".to_owned(),
    }
}

/// Puts the tests and gives what was told, and how it ended.
pub(crate) async fn record(tests: &[&'static Test], options: &Options) -> (Tape, Result<(), RunError>) {
    let mut tape = Tape::default();
    let never = Box::pin(std::future::pending::<()>());
    let ended = suite::conduct(tests, options, &mut [&mut tape], never).await;
    (tape, ended)
}
