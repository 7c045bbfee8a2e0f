//! The reference record: what every check does and meets on a server without faults.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use fixtures::catalogue::{Api, Catalogue, Direction, Operation};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use reports::Verdict;
use serde_json::Value;

use super::{
    Kind,
    bonds::{Bonds, Freedom, freedom_of_refusal},
    mutant::{self, Change, Mutant},
    place::{self, Place},
};
use crate::{coverage::is_behaviour, exchange::Exchange, plan::Planned, scene::Act, stand::Attempt};

/// Checks that passed, each able to notice a fault, and the faults that each would meet.
#[derive(Default)]
pub(super) struct Reference {
    /// The checks that can notice something, those with the fewest exchanges first.
    pub(super) witnesses: Vec<Witness>,
    /// Every fault on the wire that some witness meets, by name.
    pub(super) mutants: BTreeMap<String, Met>,
}

/// A fault on the wire that some witness meets.
pub(super) struct Met {
    pub(super) mutant: Mutant,
    /// The witnesses that meet it, by number.
    pub(super) witnesses: BTreeSet<usize>,
    /// Why it touches no requirement, if it touches none in what any witness exchanges.
    pub(super) freedom: Option<Freedom>,
}

/// A check that can notice a fault.
pub(super) struct Witness {
    pub(super) planned: Planned,
    /// It was written by hand.
    pub(super) is_behaviour: bool,
}

impl Reference {
    /// Makes the record of what the checks came to.
    pub(super) fn of(mut attempts: Vec<(Planned, Attempt)>) -> Self {
        // A fault cannot turn those red that are red already, or that were not put.
        attempts.retain(|(_, attempt)| matches!(attempt.verdict, Verdict::Pass | Verdict::Observed));
        attempts.sort_by_cached_key(|(planned, attempt)| (exchanges(attempt).len(), planned.id.clone()));
        let mut reference = Reference::default();
        let mut schemas = Schemas::default();
        for (number, (planned, attempt)) in attempts.into_iter().enumerate() {
            let is_behaviour = is_behaviour(planned.test);
            let exchanges = exchanges(&attempt);
            let bonds = Bonds::of(exchanges.iter().map(AsRef::as_ref));
            let mut possible = Possible::default();
            let refusals = refusals(&attempt);
            for exchange in &exchanges {
                let is_required = refusals.iter().any(|refusal| Arc::ptr_eq(refusal, exchange));
                meet(exchange, is_required, &bonds, &mut schemas, &mut possible);
            }
            meet_again(&exchanges, &mut possible);
            for ((operation, status, place, change), freedom) in possible.0 {
                let mutant = Mutant { operation: operation.0, status, place, change };
                if mutant.kind() == Kind::Value && !(is_behaviour && attempt.verdict == Verdict::Pass) {
                    // What contracts see of values does not count.
                    continue;
                }
                let new = || Met { mutant: mutant.clone(), witnesses: BTreeSet::new(), freedom };
                let met = reference.mutants.entry(mutant.to_string()).or_insert_with(new);
                met.witnesses.insert(number);
                met.freedom = met.freedom.and(freedom);
            }
            reference.witnesses.push(Witness { planned, is_behaviour });
        }
        reference
    }

    /// The witnesses by the id of their check, with its case or without.
    pub(super) fn of_check<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Witness> {
        let is_it = move |found: &str| {
            found == id || found.strip_prefix(id).is_some_and(|case| case.starts_with('['))
        };
        self.witnesses.iter().filter(move |witness| is_it(&witness.planned.id))
    }
}

fn exchanges(attempt: &Attempt) -> Vec<Arc<Exchange>> {
    let acts = attempt.scene.acts();
    let exchanges = acts.iter().filter_map(|act| match act {
        Act::Exchanged(exchange) => Some(exchange.clone()),
        _ => None,
    });
    exchanges.collect()
}

/// The exchanges of which a check has required the status and the code.
fn refusals(attempt: &Attempt) -> Vec<Arc<Exchange>> {
    let acts = attempt.scene.acts();
    let refusals = acts.iter().filter_map(|act| match act {
        Act::Refusal(exchange) => Some(exchange.clone()),
        _ => None,
    });
    refusals.collect()
}

/// An operation that can be a key.
#[derive(Clone, Copy)]
struct Key(&'static Operation);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

/// The faults that could have been committed in one scene, and why one touches no requirement.
#[derive(Default)]
struct Possible(HashMap<(Key, u16, Place, Change), Option<Freedom>>);

impl Possible {
    fn add(
        &mut self,
        operation: &'static Operation,
        status: u16,
        place: &Place,
        change: Change,
        freedom: Option<Freedom>,
    ) {
        let known = self.0.entry((Key(operation), status, place.clone(), change)).or_insert(freedom);
        *known = known.and(freedom);
    }
}

/// A refusal that no operation documents, so that no requirement can leave the choice of it.
const UNUSED_STATUS: u16 = 410;
/// A code with a meaning that it has for one operation alone.
const RARE_CODE: &str = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM";

/// The faults that could have been committed in the response of one exchange.
fn meet(
    exchange: &Exchange,
    is_required: bool,
    bonds: &Bonds,
    schemas: &mut Schemas,
    possible: &mut Possible,
) {
    let Some(operation) = passing(exchange) else { return };
    let response = &exchange.response;
    let status = response.status.as_u16();
    let refusal = freedom_of_refusal(exchange, is_required).filter(|_| !response.status.is_success());
    let mut of_the_whole = |change| {
        let freedom = refusal.filter(|_| matches!(change, Change::Status(_)));
        possible.add(operation, status, &Place::default(), change, freedom);
    };
    if response.status.is_success() {
        of_the_whole(Change::Status(if status == 201 { 200 } else { 201 }));
        of_the_whole(Change::Status(400));
    } else if response.status.is_client_error() {
        of_the_whole(Change::Status(UNUSED_STATUS));
    }
    for header in [ACCESS_CONTROL_ALLOW_ORIGIN.as_str(), CONTENT_TYPE.as_str()] {
        if response.headers.contains_key(header) {
            of_the_whole(Change::WithoutHeader(header_name(header)));
        }
    }
    let Some(json) = &response.json else {
        if !response.body.is_empty() && response.status.is_success() {
            let freedom = bonds.freedom_of_bytes(&response.body);
            possible.add(operation, status, &Place::default(), Change::Altered, freedom);
        }
        return;
    };
    let schema = schemas.of(operation, status, json);
    for sight in place::sights(json, &schema) {
        if sight.place.to_string() == "/errcode" && !response.status.is_success() {
            let other = if response.errcode() == Some(RARE_CODE) { "M_UNKNOWN" } else { RARE_CODE };
            possible.add(operation, status, &sight.place, Change::Code(other), refusal);
        }
        for change in mutant::changes(operation, &sight) {
            // The values of an error response are its code, which has a fault of its own, and words for people.
            if response.status.is_success() || matches!(change, Change::Dropped | Change::Retyped) {
                let freedom = bonds.freedom(operation, &change, &sight);
                possible.add(operation, status, &sight.place, change, freedom);
            }
        }
    }
}

/// The operation of an exchange that passes the proxy, which stands before the client-server API alone.
fn passing(exchange: &Exchange) -> Option<&'static Operation> {
    let operation = exchange.operation.filter(|operation| operation.api == Api::ClientServer)?;
    (exchange.direction == Direction::Inbound).then_some(operation)
}

fn header_name(name: &str) -> &'static str {
    if name == CONTENT_TYPE.as_str() { "content-type" } else { "access-control-allow-origin" }
}

/// The faults that need more than one exchange: answers that are old, and answers that come late.
fn meet_again(exchanges: &[Arc<Exchange>], possible: &mut Possible) {
    let mut first: HashMap<(&str, &str), &Exchange> = HashMap::new();
    for exchange in exchanges {
        let Some(operation) = passing(exchange) else { continue };
        if !exchange.response.status.is_success() || !mutant::can_be_stale(operation) {
            continue;
        }
        let mut of_the_whole = |change| {
            possible.add(operation, exchange.response.status.as_u16(), &Place::default(), change, None)
        };
        let target = exchange.request.target.as_str();
        let who = exchange.request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let earlier = first.entry((who.unwrap_or_default(), target)).or_insert(exchange);
        if earlier.response.body != exchange.response.body {
            of_the_whole(Change::Stale);
        }
        if mutant::has_pages(operation) && target.contains("from=") {
            of_the_whole(Change::StalePage);
        }
        if operation.id == "sync" && target.contains("timeout=") && target.contains("since=") {
            of_the_whole(Change::Late);
        }
    }
}

/// The schemas of responses, composed once.
#[derive(Default)]
struct Schemas(HashMap<(&'static str, u16), Arc<Value>>);

impl Schemas {
    fn of(&mut self, operation: &'static Operation, status: u16, body: &Value) -> Arc<Value> {
        if body.get("errcode").is_some() {
            return self.errors();
        }
        let composed =
            || Arc::new(Catalogue::v1_19().response_schema(operation, status).unwrap_or(Value::Bool(true)));
        self.0.entry((&operation.id, status)).or_insert_with(composed).clone()
    }

    /// `client-server-api/#standard-error-response`
    fn errors(&mut self) -> Arc<Value> {
        let standard = || {
            let text = serde_json::json!({"type": "string"});
            Arc::new(
                serde_json::json!({"properties": {"errcode": text, "error": text}, "required": ["errcode", "error"]}),
            )
        };
        self.0.entry(("", 0)).or_insert_with(standard).clone()
    }
}
