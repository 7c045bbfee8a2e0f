//! What a run exercised of the specification, computed from what it really exchanged and required.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use fixtures::catalogue::{Api, Catalogue, Direction, Operation};
use http::Method;
use reports::{Coverage, Requirements, Share, Verdict};

use crate::{exchange::Exchange, registry::Test, scene::Act};

/// Collects what the scenes of a run show.
#[derive(Debug, Default)]
pub struct Ledger {
    seen: Mutex<Seen>,
}

/// An operation: some names exist in several APIs.
type Key = (Api, &'static str);

fn key(operation: &'static Operation) -> Key {
    (operation.api, &operation.id)
}

#[derive(Debug, Default)]
struct Seen {
    touched_operations: BTreeSet<Key>,
    asserted_operations: BTreeSet<Key>,
    touched_responses: BTreeSet<(Key, u16)>,
    asserted_responses: BTreeSet<(Key, u16)>,
    touched_codes: BTreeSet<String>,
    asserted_codes: BTreeSet<String>,
    put_requirements: BTreeSet<String>,
    broken_requirements: BTreeSet<String>,
}

impl Ledger {
    /// Adds what one run of one test did.
    pub fn add(&self, test: &'static Test, verdict: Verdict, acts: &[Act]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for act in acts {
            seen.note(act);
        }
        if is_behaviour(test) && verdict == Verdict::Pass {
            seen.asserted_operations.extend(asserted_operations(acts));
        }
        match verdict {
            Verdict::Pass => drop(seen.put_requirements.insert(test.id())),
            Verdict::NotApplicable => {}
            _ => drop(seen.broken_requirements.insert(test.id())),
        }
    }

    /// The figures of the run. `requirements` is how many tests the suite holds.
    pub fn coverage(&self, requirements: usize) -> Coverage {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let catalogue = Catalogue::v1_19();
        let mut coverage = Coverage::default();
        coverage.operations.client_server = operations(catalogue, Api::ClientServer, &seen);
        let server_server = operations(catalogue, Api::ServerServer, &seen);
        coverage.operations.server_server.total = server_server.total;
        coverage.operations.server_server.asserted_inbound = server_server.asserted;
        coverage.operations.server_server.touched_inbound = server_server.touched;
        coverage.operations.server_server.missing_inbound = server_server.missing;
        coverage.operations.application_service = operations(catalogue, Api::ApplicationService, &seen);
        coverage.operations.identity = operations(catalogue, Api::Identity, &seen);
        coverage.operations.push_gateway = operations(catalogue, Api::PushGateway, &seen);
        coverage.responses = responses(catalogue, &seen);
        coverage.error_codes = error_codes(catalogue, &seen);
        let proved = seen.put_requirements.difference(&seen.broken_requirements).count();
        coverage.requirements = Requirements { total: requirements, proved, missing: Vec::new() };
        coverage
    }
}

/// Contracts are generated and judgements of exchanges are passive; everything else was written by hand.
pub(crate) fn is_behaviour(test: &Test) -> bool {
    let id = test.id();
    !id.starts_with("contract/") && !id.starts_with("exchange/")
}

impl Seen {
    fn note(&mut self, act: &Act) {
        let (Act::Exchanged(exchange)
        | Act::Status(exchange)
        | Act::Refusal(exchange)
        | Act::Content(exchange)) = act;
        // Error codes count on paths outside the specification as well: there is one for just these.
        let code = exchange.response.errcode().map(str::to_owned);
        let status = exchange.response.status.as_u16();
        let documented = exchange.operation.filter(|operation| operation.response(status).is_some());
        let response = documented.map(|operation| (key(operation), status));
        match act {
            Act::Exchanged(_) => {
                self.touched_operations.extend(exchange.operation.map(key));
                self.touched_responses.extend(response);
                self.touched_codes.extend(code);
            }
            Act::Refusal(_) => {
                self.asserted_responses.extend(response);
                self.asserted_codes.extend(code);
            }
            Act::Status(_) | Act::Content(_) => self.asserted_responses.extend(response),
        }
    }
}

/// The operations that a passed behaviour put with a documented success, and whose content it required something of;
/// or, where they change something, whose effect it did: something was required of a later answer to another operation.
fn asserted_operations(acts: &[Act]) -> BTreeSet<Key> {
    let mut asserted = BTreeSet::new();
    for (place, act) in acts.iter().enumerate() {
        match act {
            Act::Content(exchange) => asserted.extend(succeeded(exchange)),
            Act::Exchanged(exchange) if exchange.request.method != Method::GET => {
                let of_another = |act: &Act| match act {
                    Act::Content(later) => {
                        later.operation.is_none_or(|later| succeeded(exchange) != Some(key(later)))
                    }
                    _ => false,
                };
                if acts[place..].iter().any(of_another) {
                    asserted.extend(succeeded(exchange));
                }
            }
            _ => {}
        }
    }
    asserted
}

/// The operation, where the exchange is one of its documented successes.
fn succeeded(exchange: &Exchange) -> Option<Key> {
    let operation = exchange.operation?;
    let status = exchange.response.status;
    let documented = operation.response(status.as_u16()).is_some();
    (documented && (status.is_success() || status.is_redirection())).then_some(key(operation))
}

fn operations(catalogue: &'static Catalogue, api: Api, seen: &Seen) -> Share {
    let counted = catalogue.operations.iter().filter(|operation| operation.api == api && counts(operation));
    share(counted.map(|operation| Counted {
        name: operation.id.clone(),
        asserted: seen.asserted_operations.contains(&key(operation)),
        touched: seen.touched_operations.contains(&key(operation)),
    }))
}

/// Whether a homeserver can be made to serve it, or, in the APIs whose client it is, to call it.
fn counts(operation: &Operation) -> bool {
    let direction = match operation.api {
        Api::ClientServer | Api::ServerServer => Direction::Inbound,
        Api::ApplicationService | Api::Identity | Api::PushGateway => Direction::Outbound,
    };
    operation.excluded(direction).is_none()
}

fn responses(catalogue: &'static Catalogue, seen: &Seen) -> Share {
    let counted = catalogue.operations.iter().filter(|operation| counts(operation));
    share(counted.flat_map(|operation| {
        let possible = operation.responses.iter().filter(|response| response.excluded.is_none());
        possible.map(|response| {
            let among = |set: &BTreeSet<(Key, u16)>| {
                set.iter().any(|(of, status)| *of == key(operation) && response.status.matches(*status))
            };
            Counted {
                name: format!("{} {}", operation.id, response.status),
                asserted: among(&seen.asserted_responses),
                touched: among(&seen.touched_responses),
            }
        })
    }))
}

fn error_codes(catalogue: &'static Catalogue, seen: &Seen) -> Share {
    let counted = catalogue.error_codes.iter().filter(|code| code.excluded.is_none());
    share(counted.map(|code| Counted {
        name: code.code.clone(),
        asserted: seen.asserted_codes.contains(&code.code),
        touched: seen.touched_codes.contains(&code.code),
    }))
}

/// One of the things that are counted.
struct Counted {
    name: String,
    asserted: bool,
    touched: bool,
}

fn share(all: impl Iterator<Item = Counted>) -> Share {
    let mut share = Share::default();
    for counted in all {
        share.total += 1;
        share.touched += usize::from(counted.touched);
        share.asserted += usize::from(counted.asserted);
        if !counted.asserted {
            share.missing.push(counted.name);
        }
    }
    share
}
