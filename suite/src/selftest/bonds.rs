//! What the text determines of a value in an answer, and so which faults of value touch a requirement.
//!
//! A server may choose much of what it answers: its tokens, its limits, how it words things. A fault that changes what
//! was free to choose is no fault. So a fault of value counts only where the value is *determined*, and that is decided
//! by rules, from the schema and from what the checks exchanged:
//!
//! - a text, a large number or a fraction, when a client has sent it, or sends it back afterwards, or when an answer of another
//!   operation tells it too: an echo, an identifier, something that was set, a token that has to work;
//! - a boolean and a small number (a count, a level, a position) always: the text says when it is which; but nothing that
//!   the server measures, such as a span of time;
//! - an entry that is lost from a list or a map, when what it says is determined, so that it was expected there;
//! - an entry that is there twice, when it is a thing with an identity (an event, a room, a device) that is determined: a
//!   second mention of a mere word, such as the name of an algorithm, says nothing new;
//! - an optional field that is gone, when what it says is determined and is not what its absence says: `false`, zero,
//!   nothing;
//! - the order of a list, where the text fixes one; old answers, repeated pages and late answers, always.
//!
//! Of the faults of shape, those that change with which status or code something is refused count only where the text says
//! that: where the operation documents the code with that status, where the code is one that any operation gives with
//! that status, or where a check requires both by its citation.
//!
//! Everything else is counted apart, by its [`Freedom`].

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use fixtures::catalogue::{Direction, Operation};
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use serde_json::{Number, Value};

use super::{mutant::Change, place::Sight};
use crate::exchange::Exchange;

/// Why a fault of value touches no requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Freedom {
    /// Nobody has sent the value and no other operation tells it: it is the server's to choose.
    Chosen,
    /// The server measures, grants or estimates it, so that a little more is as right.
    Measured,
    /// Its absence says the same.
    Default,
    /// A second mention says nothing new.
    Mention,
    /// The text says that a server may leave it out.
    Permitted,
    /// The field is deprecated, and need not be there.
    Deprecated,
    /// The text does not say with which status and code this is refused.
    Unsaid,
}

impl Freedom {
    /// In a few words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Freedom::Chosen => {
                "the server chooses the value: no client sends it, and no other operation tells it"
            }
            Freedom::Measured => "the server measures, grants or estimates it: a little more is as right",
            Freedom::Default => "the absence of the optional field says the same",
            Freedom::Mention => "a second mention of a word says nothing new",
            Freedom::Permitted => "the text says that a server may leave it out",
            Freedom::Deprecated => "the field is deprecated and optional",
            Freedom::Unsaid => "the text does not say with which status and code this is refused",
        }
    }
}

/// Codes that any operation can give, with the status that the text fixes for them
/// (`client-server-api/#common-error-codes`, `#account-locking`, `#account-suspension`).
const OF_ALL_OPERATIONS: [(u16, &str); 7] = [
    (401, "M_MISSING_TOKEN"),
    (401, "M_UNKNOWN_TOKEN"),
    (401, "M_USER_LOCKED"),
    (403, "M_USER_SUSPENDED"),
    (404, "M_UNRECOGNIZED"),
    (405, "M_UNRECOGNIZED"),
    (429, "M_LIMIT_EXCEEDED"),
];

/// Why a change of status or code of a refusal touches no requirement; nothing where it does.
pub(super) fn freedom_of_refusal(exchange: &Exchange, is_required: bool) -> Option<Freedom> {
    let (status, response) = (exchange.response.status.as_u16(), &exchange.response);
    let documented = exchange.operation.and_then(|operation| operation.response(status));
    let is_said = response.errcode().map_or(response.is_authentication_challenge(), |code| {
        OF_ALL_OPERATIONS.contains(&(status, code))
            || documented.is_some_and(|documented| documented.error_codes.iter().any(|known| known == code))
    });
    (!is_said && !is_required).then_some(Freedom::Unsaid)
}

/// Numbers from here on are times and sizes, which can be any; those below are counts, levels and positions.
const LARGE: u64 = 1000;

/// Who said which texts and large numbers in one scene.
#[derive(Debug, Default)]
pub(super) struct Bonds {
    said: HashMap<String, Said>,
    /// Bodies that are no JSON, such as files, as somebody sent them.
    sent: HashSet<Bytes>,
}

#[derive(Debug, Default)]
struct Said {
    was_sent: bool,
    told_by: Option<&'static str>,
    told_by_others: bool,
}

impl Bonds {
    /// What is said in these exchanges.
    pub(super) fn of<'e>(exchanges: impl IntoIterator<Item = &'e Exchange>) -> Self {
        let mut bonds = Bonds::default();
        for exchange in exchanges {
            let (mut asked, mut answered) = (Vec::new(), Vec::new());
            in_target(&exchange.request.target, &mut asked);
            if let Some(token) = exchange.request.headers.get(AUTHORIZATION) {
                asked.extend(
                    token.to_str().ok().and_then(|token| token.strip_prefix("Bearer ")).map(str::to_owned),
                );
            }
            let body = exchange.request.body.as_ref();
            match exchange.direction {
                Direction::Inbound => bonds.sent.extend(body.cloned()),
                Direction::Outbound => drop(bonds.sent.insert(exchange.response.body.clone())),
            }
            if let Some(json) = body.and_then(|body| serde_json::from_slice::<Value>(body).ok()) {
                in_json(&json, &mut asked);
            }
            if let Some(json) = &exchange.response.json {
                in_json(json, &mut answered);
            }
            let operation = exchange.operation.map_or("", |operation| operation.id.as_str());
            let (sent, told) = match exchange.direction {
                Direction::Inbound => (asked, answered),
                Direction::Outbound => (answered, asked),
            };
            for text in sent {
                bonds.said.entry(text).or_default().was_sent = true;
            }
            for text in told {
                let said = bonds.said.entry(text).or_default();
                said.told_by_others |= said.told_by.is_some_and(|first| first != operation);
                said.told_by.get_or_insert(operation);
            }
        }
        bonds
    }

    /// Why a change of value touches no requirement; nothing where it does.
    pub(super) fn freedom(
        &self,
        operation: &Operation,
        change: &Change,
        sight: &Sight<'_>,
    ) -> Option<Freedom> {
        let determined = |value: &Value| self.determine(operation, value);
        let unless = |holds: bool, freedom: Freedom| (!holds).then_some(freedom);
        match change {
            Change::Altered if is_measured(operation, sight) => Some(Freedom::Measured),
            Change::Omitted if is_measured(operation, sight) && !says_when_it_ends(sight) => {
                Some(Freedom::Measured)
            }
            Change::Altered => unless(determined(sight.value), Freedom::Chosen),
            Change::Omitted if may_be_omitted(operation, sight) => Some(Freedom::Permitted),
            Change::Omitted if sight.is_deprecated => Some(Freedom::Deprecated),
            Change::Omitted if says_nothing(sight.value) || is_assumed(sight) => Some(Freedom::Default),
            Change::Omitted => unless(determined(sight.value), Freedom::Chosen),
            Change::Lost if ends_with_a_member(sight) => Some(Freedom::Permitted),
            Change::Lost => match sight.value {
                Value::Array(items) => unless(items.last().is_some_and(determined), Freedom::Chosen),
                Value::Object(map) => unless(
                    map.iter()
                        .next_back()
                        .is_some_and(|(key, value)| self.binds(operation, key) || determined(value)),
                    Freedom::Chosen,
                ),
                _ => None,
            },
            Change::Repeated => {
                let first = sight.value.as_array().and_then(|items| items.first());
                if !first.is_some_and(Value::is_object) {
                    return Some(Freedom::Mention);
                }
                unless(first.is_some_and(|item| self.identifies(operation, item)), Freedom::Mention)
            }
            _ => None,
        }
    }

    /// Why other bytes in a body that is no JSON touch no requirement; nothing where somebody has sent just these.
    pub(super) fn freedom_of_bytes(&self, body: &Bytes) -> Option<Freedom> {
        // What is fetched from another server comes in a wrapping.
        let is_sent = self.sent.iter().any(|sent| sent.windows(body.len()).any(|window| window == body));
        (!is_sent).then_some(Freedom::Chosen)
    }

    /// Whether something in the value is determined.
    fn determine(&self, operation: &Operation, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Bool(_) => true,
            Value::Number(number) => is_small(number) || self.binds(operation, &number.to_string()),
            Value::String(text) => self.binds(operation, text),
            Value::Array(items) => items.iter().any(|item| self.determine(operation, item)),
            Value::Object(fields) => {
                fields.is_empty() || fields.values().any(|value| self.determine(operation, value))
            }
        }
    }

    /// Whether an item is one thing of its own: an identifier of it, or of the event that it holds, is determined.
    fn identifies(&self, operation: &Operation, item: &Value) -> bool {
        let Some(fields) = item.as_object() else { return false };
        fields.iter().any(|(name, value)| {
            let names_it =
                name.ends_with("_id") || ["pushkey", "state_key", "address"].contains(&name.as_str());
            let holds_it = ["event", "result"].contains(&name.as_str());
            names_it && value.as_str().is_some_and(|text| self.binds(operation, text))
                || holds_it && self.identifies(operation, value)
        })
    }

    /// Whether a client has sent the text, or another operation tells it.
    fn binds(&self, operation: &Operation, text: &str) -> bool {
        let bound = |text: &str| {
            self.said.get(text).is_some_and(|said| {
                said.was_sent || said.told_by_others || said.told_by.is_some_and(|by| by != operation.id)
            })
        };
        // A file is asked for by the parts of its address.
        !text.is_empty()
            && (bound(text)
                || text.strip_prefix("mxc://").and_then(|file| file.split('/').nth(1)).is_some_and(bound))
    }
}

fn is_small(number: &Number) -> bool {
    number.as_i64().is_some_and(|number| number.unsigned_abs() < LARGE)
}

/// Whether it is a span of time, a time of something that only the server has seen, or an estimate, by the names that the
/// specification gives them.
fn is_measured(operation: &Operation, sight: &Sight<'_>) -> bool {
    let name = sight.place.name().filter(|_| sight.value.is_number()).unwrap_or_default();
    ["age", "ttl", "expires_in"].contains(&name)
        || ["_ago", "_ms", "_estimate"].iter().any(|ending| name.ends_with(ending))
        || name.starts_with("last_seen")
        // An approximation of the total number of results.
        || (operation.id == "search" && name == "count")
}

/// What the text lets a server leave out:
///
/// - the membership of the reader, which servers should tell wherever that is practical (`client-server-api/#room-event-format`);
/// - what is unsigned as a whole, which it calls optional extra information; each thing in it is a fault of its own;
/// - outside of the event stream, the transaction identifier (`client-server-api/#instant-messaging`, local echo) and what
///   an event has replaced, which is given only where the reader may see that;
/// - refresh tokens (`client-server-api/#refreshing-access-tokens`).
fn may_be_omitted(operation: &Operation, sight: &Sight<'_>) -> bool {
    const STREAM: [&str; 2] = ["sync", "getEvents"];
    const OF_THE_STREAM: [&str; 3] =
        ["/unsigned/transaction_id", "/unsigned/prev_content", "/unsigned/replaces_state"];
    let place = sight.place.to_string();
    let ends_with = |endings: &[&str]| endings.iter().any(|ending| place.ends_with(ending));
    ends_with(&["/unsigned", "/unsigned/membership"])
        || (ends_with(&OF_THE_STREAM) && !STREAM.contains(&operation.id.as_str()))
        || place == "/refresh_token"
}

/// Stripped state that ends with a membership, which is none of the events that it should have
/// (`client-server-api/#stripped-state`).
fn ends_with_a_member(sight: &Sight<'_>) -> bool {
    let place = sight.place.to_string();
    let is_stripped = ["/invite_state/events", "/knock_state/events"].iter().any(|end| place.ends_with(end));
    let last = sight.value.as_array().and_then(|events| events.last());
    is_stripped && last.is_some_and(|event| event["type"] == "m.room.member")
}

/// Whether the absence of a span says that there is no end.
fn says_when_it_ends(sight: &Sight<'_>) -> bool {
    sight.place.name().is_some_and(|name| name.starts_with("expires_in"))
}

/// Whether the value of an optional field is what its absence says.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(says_nothing),
    }
}

/// Whether a capability says what clients assume without it: that something is possible
/// (`client-server-api/#capabilities-negotiation`).
fn is_assumed(sight: &Sight<'_>) -> bool {
    const ASSUMED: [&str; 3] = ["m.change_password", "m.3pid_changes", "m.profile_fields"];
    sight.place.name().is_some_and(|name| ASSUMED.contains(&name)) && sight.value["enabled"] == true
}

fn in_target(target: &str, said: &mut Vec<String>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    said.extend(path.split('/').map(decoded));
    for pair in query.split('&') {
        let value = decoded(pair.split_once('=').map_or("", |(_, value)| value));
        if let Ok(json) = serde_json::from_str::<Value>(&value) {
            in_json(&json, said);
        }
        said.push(value);
    }
}

fn in_json(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::String(text) => said.push(text.clone()),
        Value::Number(number) if !is_small(number) => said.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| in_json(item, said)),
        Value::Object(fields) => {
            for (key, value) in fields {
                said.push(key.clone());
                in_json(value, said);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use fixtures::catalogue::Catalogue;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// A scene in which a client has sent `sent`, and in which `getDevice` and `getDevices` both tell `shared`.
    fn freedom(of: &str, change: Change, value: &Value, place: &str) -> Option<Freedom> {
        let spoken = |was_sent, told_by, told_by_others| Said { was_sent, told_by, told_by_others };
        let said = HashMap::from([
            ("sent".to_owned(), spoken(true, None, false)),
            ("shared".to_owned(), spoken(false, Some("getDevice"), true)),
            ("lonely".to_owned(), spoken(false, Some("getDevice"), false)),
        ]);
        let bonds = Bonds { said, sent: HashSet::new() };
        let operation = Catalogue::v1_19().operation(of).expect("the operation");
        let body = json!({place: value});
        let schema = json!({"properties": {place: {}}});
        let sights = super::super::place::sights(&body, &schema);
        let sight = sights.into_iter().find(|sight| sight.field.is_some()).expect("the field");
        bonds.freedom(operation, &change, &sight)
    }

    #[rstest]
    #[case(Change::Altered, json!("sent"), "name", None)]
    #[case(Change::Altered, json!("shared"), "name", None)]
    #[case(Change::Altered, json!("lonely"), "name", Some(Freedom::Chosen))]
    #[case(Change::Altered, json!(3), "count", None)]
    #[case(Change::Altered, json!(3_000), "count", Some(Freedom::Chosen))]
    #[case(Change::Altered, json!(3), "age", Some(Freedom::Measured))]
    #[case(Change::Altered, json!(false), "limited", None)]
    #[case(Change::Omitted, json!(false), "limited", Some(Freedom::Default))]
    #[case(Change::Omitted, json!(true), "limited", None)]
    #[case(Change::Lost, json!(["sent", "lonely"]), "names", Some(Freedom::Chosen))]
    #[case(Change::Lost, json!(["lonely", "sent"]), "names", None)]
    #[case(Change::Repeated, json!(["sent"]), "names", Some(Freedom::Mention))]
    #[case(Change::Repeated, json!([{"room_id": "sent"}]), "rooms", None)]
    #[case(Change::Repeated, json!([{"room_id": "lonely"}]), "rooms", Some(Freedom::Mention))]
    #[case(Change::Stale, json!("lonely"), "name", None)]
    fn what_is_determined_touches_a_requirement(
        #[case] change: Change,
        #[case] value: Value,
        #[case] place: &str,
        #[case] expected: Option<Freedom>,
    ) {
        assert_eq!(freedom("getDevice", change, &value, place), expected);
    }

    #[rstest]
    #[case("login", json!("sent"), "refresh_token", Some(Freedom::Permitted))]
    #[case("getDevice", json!({"age": 3}), "unsigned", Some(Freedom::Permitted))]
    #[case("search", json!(3), "count", Some(Freedom::Measured))]
    #[case("getThreadRoots", json!(3), "count", None)]
    #[case("getCapabilities", json!({"enabled": true}), "m.3pid_changes", Some(Freedom::Default))]
    #[case("getCapabilities", json!({"enabled": true}), "m.get_login_token", None)]
    fn what_the_text_lets_a_server_leave_out_touches_none(
        #[case] of: &str,
        #[case] value: Value,
        #[case] place: &str,
        #[case] expected: Option<Freedom>,
    ) {
        assert_eq!(freedom(of, Change::Omitted, &value, place), expected);
    }
}
