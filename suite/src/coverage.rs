//! What a run exercised of the specification, computed from what it really exchanged and required.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use fixtures::catalogue::{Api, Catalogue, Direction, Operation};
use http::Method;
use reports::{BothWays, Coverage, Share, Verdict};

use crate::{exchange::Exchange, registry::Test, requirements, scene::Act};

/// Collects what the scenes of a run show.
#[derive(Debug, Default)]
pub struct Exercised {
    seen: Mutex<Seen>,
}

/// An operation: some names exist in several APIs.
type Key = (Api, &'static str);

/// An operation in one of the two directions: some are served as well as called.
type Directed = (Direction, Key);

fn key(operation: &'static Operation) -> Key {
    (operation.api, &operation.id)
}

#[derive(Debug, Default)]
struct Seen {
    touched_operations: BTreeSet<Directed>,
    asserted_operations: BTreeSet<Directed>,
    touched_responses: BTreeSet<(Key, u16)>,
    asserted_responses: BTreeSet<(Key, u16)>,
    touched_codes: BTreeSet<String>,
    asserted_codes: BTreeSet<String>,
    touched_refusals: BTreeSet<(Key, u16, String)>,
    asserted_refusals: BTreeSet<(Key, u16, String)>,
    proved_requirements: BTreeSet<&'static str>,
}

impl Exercised {
    /// Adds what one run of one test did.
    pub fn add(&self, test: &'static Test, verdict: Verdict, acts: &[Act]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for act in acts {
            seen.note(act);
        }
        if is_behaviour(test) && verdict == Verdict::Pass {
            seen.asserted_operations.extend(asserted_operations(acts));
        }
        // Met or broken: the question was put. What was only observed proves nothing.
        if matches!(verdict, Verdict::Pass | Verdict::Fail | Verdict::Advice) {
            seen.proved_requirements.extend(test.proves);
        }
    }

    /// The figures of the run.
    pub fn coverage(&self) -> Coverage {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let catalogue = Catalogue::v1_19();
        let mut coverage = Coverage::default();
        let of = |api, direction| operations(catalogue, api, direction, &seen);
        coverage.operations.client_server = of(Api::ClientServer, Direction::Inbound);
        coverage.operations.server_server =
            both_ways(of(Api::ServerServer, Direction::Inbound), of(Api::ServerServer, Direction::Outbound));
        coverage.operations.application_service = of(Api::ApplicationService, Direction::Outbound);
        coverage.operations.identity = of(Api::Identity, Direction::Outbound);
        coverage.operations.push_gateway = of(Api::PushGateway, Direction::Outbound);
        coverage.responses = responses(catalogue, &seen);
        coverage.error_codes = error_codes(catalogue, &seen);
        coverage.refusals = refusals(catalogue, &seen);
        coverage.requirements = requirements::coverage(&seen.proved_requirements);
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
        | Act::Fit(exchange)
        | Act::Content(exchange)) = act;
        if exchange.direction == Direction::Outbound {
            // What is answered there is the suite's own.
            self.touched_operations.extend(directed(exchange));
            return;
        }
        // Error codes count on paths outside the specification as well: there is one for just these.
        let code = exchange.response.errcode().map(str::to_owned);
        let status = exchange.response.status.as_u16();
        let documented = exchange.operation.filter(|operation| operation.response(status).is_some());
        let response = documented.map(|operation| (key(operation), status));
        let refusal = response.zip(code.clone()).map(|((of, status), code)| (of, status, code));
        match act {
            Act::Exchanged(_) => {
                self.touched_operations.extend(directed(exchange));
                self.touched_responses.extend(response);
                self.touched_codes.extend(code);
                self.touched_refusals.extend(refusal);
            }
            Act::Refusal(_) | Act::Fit(_) => {
                self.asserted_responses.extend(response);
                self.asserted_codes.extend(code);
                self.asserted_refusals.extend(refusal);
            }
            Act::Status(_) | Act::Content(_) => self.asserted_responses.extend(response),
        }
    }
}

/// The operations that a passed behaviour put with a documented success, and whose content it required something of;
/// or, where they change something, whose effect it did: something was required of a later answer to another operation.
/// What the server itself asked was judged when it came, and always stands for an effect.
fn asserted_operations(acts: &[Act]) -> BTreeSet<Directed> {
    let mut asserted = BTreeSet::new();
    for (place, act) in acts.iter().enumerate() {
        match act {
            Act::Content(exchange) => asserted.extend(succeeded(exchange)),
            Act::Exchanged(exchange)
                if exchange.request.method != Method::GET || exchange.direction == Direction::Outbound =>
            {
                let of_another = |act: &Act| match act {
                    Act::Content(later) => {
                        let asked = (later.direction, later.operation.map(key));
                        succeeded(exchange).is_none_or(|(direction, key)| asked != (direction, Some(key)))
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

/// The operation, in the direction in which it was put.
fn directed(exchange: &Exchange) -> Option<Directed> {
    exchange.operation.map(|operation| (exchange.direction, key(operation)))
}

/// The operation, where the exchange is one of its documented successes.
fn succeeded(exchange: &Exchange) -> Option<Directed> {
    let operation = exchange.operation?;
    let status = exchange.response.status;
    let documented = operation.response(status.as_u16()).is_some();
    (documented && (status.is_success() || status.is_redirection())).then(|| directed(exchange)).flatten()
}

fn operations(catalogue: &'static Catalogue, api: Api, direction: Direction, seen: &Seen) -> Share {
    let possible = |operation: &&Operation| operation.excluded(direction).is_none();
    let counted = catalogue.operations.iter().filter(|operation| operation.api == api).filter(possible);
    share(counted.map(|operation| Counted {
        name: operation.id.clone(),
        asserted: seen.asserted_operations.contains(&(direction, key(operation))),
        touched: seen.touched_operations.contains(&(direction, key(operation))),
    }))
}

/// What the server serves, and what it calls.
fn both_ways(inbound: Share, outbound: Share) -> BothWays {
    BothWays {
        total: inbound.total,
        total_outbound: Some(outbound.total),
        asserted_inbound: inbound.asserted,
        touched_inbound: inbound.touched,
        missing_inbound: inbound.missing,
        asserted_outbound: outbound.asserted,
        touched_outbound: outbound.touched,
        missing_outbound: outbound.missing,
    }
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
                name: format!("{} {}", name(operation), response.status),
                asserted: among(&seen.asserted_responses),
                touched: among(&seen.touched_responses),
            }
        })
    }))
}

/// The operation's own name in the client-server API, and with the API before it elsewhere: some names are in several.
fn name(operation: &Operation) -> String {
    match operation.api {
        Api::ClientServer => operation.id.clone(),
        _ => operation.key(),
    }
}

fn error_codes(catalogue: &'static Catalogue, seen: &Seen) -> Share {
    let counted = catalogue.error_codes.iter().filter(|code| code.excluded.is_none());
    share(counted.map(|code| Counted {
        name: code.code.clone(),
        asserted: seen.asserted_codes.contains(&code.code),
        touched: seen.touched_codes.contains(&code.code),
    }))
}

/// The error codes that operations of the client-server API list with their responses.
fn refusals(catalogue: &'static Catalogue, seen: &Seen) -> Share {
    let counted = catalogue.operations_of(Api::ClientServer).filter(|operation| counts(operation));
    let responses = counted.flat_map(|operation| operation.responses.iter().map(move |it| (operation, it)));
    // A code within a success is a part of its content: what failed among many things.
    let possible =
        responses.filter(|(_, response)| response.excluded.is_none() && !response.status.matches(200));
    share(possible.flat_map(|(operation, response)| {
        response.error_codes.iter().map(move |code| {
            let among = |set: &BTreeSet<(Key, u16, String)>| {
                let is = |(of, status, came): &(Key, u16, String)| {
                    *of == key(operation) && response.status.matches(*status) && came == code
                };
                set.iter().any(is)
            };
            Counted {
                name: format!("{} {} {code}", operation.id, response.status),
                asserted: among(&seen.asserted_refusals),
                touched: among(&seen.touched_refusals),
            }
        })
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
