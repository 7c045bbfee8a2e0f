//! The reference record: what every check does and meets on a server without faults.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use fixtures::catalogue::{Catalogue, Operation};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use reports::Verdict;
use serde_json::Value;

use super::{
    Kind,
    mutant::{self, Change, Mutant},
    place::{self, Place},
};
use crate::{coverage::is_behaviour, exchange::Exchange, plan::Planned, scene::Act, stand::Attempt};

/// Checks that passed, each able to notice a fault, and the faults that each would meet.
#[derive(Default)]
pub(super) struct Reference {
    /// The checks that can notice something, those with the fewest exchanges first.
    pub(super) witnesses: Vec<Witness>,
    /// Every fault on the wire that some witness meets, in the order of their names, with the witnesses by number.
    pub(super) mutants: BTreeMap<String, (Mutant, BTreeSet<usize>)>,
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
            let mut met = HashSet::new();
            let exchanges = exchanges(&attempt);
            for exchange in &exchanges {
                meet(exchange, &mut schemas, &mut met);
            }
            meet_again(&exchanges, &mut met);
            for (operation, status, place, change) in met {
                let mutant = Mutant { operation: operation.0, status, place, change };
                if mutant.kind() == Kind::Value && !(is_behaviour && attempt.verdict == Verdict::Pass) {
                    // What contracts see of values does not count.
                    continue;
                }
                let entry = reference.mutants.entry(mutant.to_string());
                entry.or_insert_with(|| (mutant, BTreeSet::new())).1.insert(number);
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

type Met = HashSet<(Key, u16, Place, Change)>;

/// The faults that could have been committed in the response of one exchange.
fn meet(exchange: &Exchange, schemas: &mut Schemas, met: &mut Met) {
    let Some(operation) = exchange.operation else { return };
    let response = &exchange.response;
    let status = response.status.as_u16();
    let whole = |change| (Key(operation), status, Place::default(), change);
    if response.status.is_success() {
        met.extend([whole(Change::Status(201)), whole(Change::Status(400))]);
    } else if response.status.is_client_error() {
        met.insert(whole(Change::Status(if status == 403 { 400 } else { 403 })));
    }
    for header in [ACCESS_CONTROL_ALLOW_ORIGIN.as_str(), CONTENT_TYPE.as_str()] {
        if response.headers.contains_key(header) {
            met.insert(whole(Change::WithoutHeader(header_name(header))));
        }
    }
    let Some(json) = &response.json else {
        if !response.body.is_empty() && response.status.is_success() {
            met.insert(whole(Change::Altered));
        }
        return;
    };
    let schema = schemas.of(operation, status, json);
    for sight in place::sights(json, &schema) {
        if sight.place.to_string() == "/errcode" && !response.status.is_success() {
            let other = if response.errcode() == Some("M_UNKNOWN") { "M_FORBIDDEN" } else { "M_UNKNOWN" };
            met.insert((Key(operation), status, sight.place.clone(), Change::Code(other)));
        }
        let changes = mutant::changes(operation, &sight);
        // The values of an error response are its code, which has a fault of its own, and words for people.
        let of_an_error = |change: &Change| {
            response.status.is_success() || matches!(change, Change::Dropped | Change::Retyped)
        };
        met.extend(
            changes
                .into_iter()
                .filter(of_an_error)
                .map(|change| (Key(operation), status, sight.place.clone(), change)),
        );
    }
}

fn header_name(name: &str) -> &'static str {
    if name == CONTENT_TYPE.as_str() { "content-type" } else { "access-control-allow-origin" }
}

/// The faults that need more than one exchange: answers that are old, and answers that come late.
fn meet_again(exchanges: &[Arc<Exchange>], met: &mut Met) {
    let mut first: HashMap<(&str, &str), &Exchange> = HashMap::new();
    let whole = |operation, status, change| (Key(operation), status, Place::default(), change);
    for exchange in exchanges {
        let Some(operation) = exchange.operation else { continue };
        if !exchange.response.status.is_success() || !mutant::can_be_stale(operation) {
            continue;
        }
        let status = exchange.response.status.as_u16();
        let target = exchange.request.target.as_str();
        let who = exchange.request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let earlier = first.entry((who.unwrap_or_default(), target)).or_insert(exchange);
        if earlier.response.body != exchange.response.body {
            met.insert(whole(operation, status, Change::Stale));
        }
        if mutant::has_pages(operation) && target.contains("from=") {
            met.insert(whole(operation, status, Change::StalePage));
        }
        if operation.id == "sync" && target.contains("timeout=") && target.contains("since=") {
            met.insert(whole(operation, status, Change::Late));
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
