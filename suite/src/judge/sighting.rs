//! What an observer is told of the requests that a server makes itself.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::Aspect;
use crate::exchange::Exchange;

/// A request that a server made itself, as it was answered, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The request and its answer.
    pub exchange: Arc<Exchange>,
    /// What is wrong with the request, as far as that can be told from it alone.
    pub problems: Vec<String>,
}

/// Who is told.
#[derive(Debug)]
pub(crate) struct Observer(UnboundedSender<Sighting>);

impl Observer {
    pub(crate) fn new(told: UnboundedSender<Sighting>) -> Self {
        Observer(told)
    }

    /// An observer who has gone away misses it.
    pub(super) fn tell(&self, exchange: &Arc<Exchange>, findings: &[(Aspect, Result<(), String>)]) {
        let unknown = exchange.operation.is_none().then(|| "no operation of this API".to_owned());
        let found = findings.iter().filter_map(|(_, finding)| finding.clone().err());
        let problems = unknown.into_iter().chain(found).collect();
        let _ = self.0.send(Sighting { exchange: exchange.clone(), problems });
    }
}
