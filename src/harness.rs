//! What the verbs that put something to a server have in common: where the server comes from, and waiting for what comes of it.

use std::path::PathBuf;

use reference_server::misbehave::Fault;
use suite::{RunError, target::Source};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::{Failure, run};

/// Where a server comes from: an address, a target file, an image, a target file in an image, or else the built-in one, which
/// may be told to commit faults.
pub(crate) fn source(
    url: Option<&Url>,
    target: Option<&PathBuf>,
    image: Option<&str>,
    misbehave: &[Fault],
) -> Source {
    match (url, target, image) {
        (Some(url), ..) => Source::Url(url.clone()),
        (None, Some(file), Some(image)) => Source::Image { image: image.to_owned(), file: file.clone() },
        (None, Some(file), None) => Source::File(file.clone()),
        (None, None, Some(image)) => run::image(image),
        (None, None, None) => run::reference_server(misbehave, false),
    }
}

/// Ends with the first signal that asks the process to end. Listening begins here, not when the future is first polled: no moment is
/// left in which a signal would kill. Needs a Tokio runtime.
pub(crate) fn interrupted() -> Result<impl Future<Output = ()> + Unpin, RunError> {
    let signals = |kind| signal(kind).map_err(|error| RunError::Fault(format!("no signal handler: {error}")));
    let (mut interrupt, mut terminate) =
        (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }))
}

/// Does the work on all processors, and waits for it to end.
pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, RunError>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Fault(format!("no runtime: {error}")))?;
    let ended = runtime.block_on(work);
    // A test that blocks its thread must not keep the process.
    runtime.shutdown_background();
    ended.map_err(Failure::from)
}
