//! What the verbs that put something to a server have in common: where the server comes from, and waiting for what comes of it.

use std::path::PathBuf;

use reference_server::misbehave::Fault;
use suite::{RunError, target::Source};
use url::Url;

use crate::{Failure, run};

/// Where a server comes from: an address, a target file, or else the built-in one, which may be told to commit a fault.
pub(crate) fn source(url: Option<&Url>, target: Option<&PathBuf>, misbehave: Option<Fault>) -> Source {
    match (url, target) {
        (Some(url), _) => Source::Url(url.clone()),
        (None, Some(path)) => Source::File(path.clone()),
        (None, None) => run::reference_server(misbehave.map(Fault::name).as_deref()),
    }
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
    ended.map_err(|error| match error {
        RunError::Usage(words) => Failure::Usage(words),
        error => Failure::Fault(error.to_string()),
    })
}
