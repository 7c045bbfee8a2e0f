//! One fault on the wire: what it does to the responses of one operation.

use std::fmt;

use bytes::Bytes;
use fixtures::catalogue::{Location, Operation};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{
    Kind,
    place::{Field, Place, Sight},
};

/// A fault that a proxy commits in the responses of one operation with one status.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) operation: &'static Operation,
    pub(crate) status: u16,
    pub(crate) place: Place,
    pub(crate) change: Change,
}

/// What becomes of a response.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Change {
    /// A required field is gone.
    Dropped,
    /// A value is of another type.
    Retyped,
    /// The status is another.
    Status(u16),
    /// The error code is another.
    Code(&'static str),
    /// A header is gone.
    WithoutHeader(&'static str),
    /// A value is another of the same type.
    Altered,
    /// A list is in reverse order.
    Reversed,
    /// A list lacks its last item, a map one of its entries.
    Lost,
    /// A list has its first item again at its end.
    Repeated,
    /// An optional field is gone.
    Omitted,
    /// The first answer to a request is the answer to all like it.
    Stale,
    /// The first page is the answer to all requests that continue it.
    StalePage,
    /// A response that waits for something waits until its time is over.
    Late,
}

/// A response on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Mutant {
    pub(crate) fn kind(&self) -> Kind {
        match self.change {
            Change::Dropped
            | Change::Retyped
            | Change::Status(_)
            | Change::Code(_)
            | Change::WithoutHeader(_) => Kind::Shape,
            _ => Kind::Value,
        }
    }

    /// Whether it concerns a response of this operation with this status.
    pub(crate) fn concerns(&self, operation: &Operation, status: StatusCode) -> bool {
        self.operation.api == operation.api && self.operation.id == operation.id && self.status == status
    }

    /// Commits the fault in a response that it concerns, where that can be done in the response alone. Gives whether it
    /// has changed anything.
    pub(crate) fn commit(&self, response: &mut Passing) -> bool {
        match &self.change {
            Change::Status(status) => {
                response.status = StatusCode::from_u16(*status).unwrap_or(response.status);
                true
            }
            Change::WithoutHeader(name) => response.headers.remove(*name).is_some(),
            Change::Stale | Change::StalePage | Change::Late => false,
            _ => self.commit_in_body(&mut response.body),
        }
    }

    fn commit_in_body(&self, body: &mut Bytes) -> bool {
        let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
            return self.change == Change::Altered && alter_bytes(body);
        };
        let changed = match &self.change {
            Change::Dropped | Change::Omitted => self.place.take_away(&mut json),
            Change::Retyped => self.place.change(&mut json, retype),
            Change::Code(code) => self.place.change(&mut json, |errcode| {
                *errcode = json!(code);
                true
            }),
            Change::Altered if self.place.name().is_some_and(|name| TOKENS.contains(&name)) => {
                self.place.change(&mut json, alter_token)
            }
            Change::Altered => self.place.change(&mut json, alter),
            Change::Reversed => self.place.change(&mut json, reverse),
            Change::Lost => self.place.change(&mut json, lose),
            Change::Repeated => self.place.change(&mut json, repeat),
            _ => 0,
        };
        if changed > 0 {
            *body = Bytes::from(json.to_string());
        }
        changed > 0
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mutant { operation, status, place, change } = self;
        write!(formatter, "{} {status}", operation.id)?;
        match change {
            Change::Dropped => write!(formatter, " {place} dropped"),
            Change::Retyped => write!(formatter, " {place} retyped"),
            Change::Status(status) => write!(formatter, " turned into {status}"),
            Change::Code(code) => write!(formatter, " {place} turned into {code}"),
            Change::WithoutHeader(name) => write!(formatter, " without {name}"),
            Change::Altered => write!(formatter, " {place} altered"),
            Change::Reversed => write!(formatter, " {place} reversed"),
            Change::Lost => write!(formatter, " {place} without one entry"),
            Change::Repeated => write!(formatter, " {place} with one entry twice"),
            Change::Omitted => write!(formatter, " {place} omitted"),
            Change::Stale => write!(formatter, " stale"),
            Change::StalePage => write!(formatter, " the first page for ever"),
            Change::Late => write!(formatter, " late"),
        }
    }
}

/// The changes that can be made to a body where this stands.
pub(crate) fn changes(operation: &Operation, sight: &Sight<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    match sight.field {
        Some(Field::Required) => changes.push(Change::Dropped),
        Some(Field::Optional) => changes.push(Change::Omitted),
        None => {}
    }
    if sight.field.is_some() && retype(&mut sight.value.clone()) {
        changes.push(Change::Retyped);
    }
    match sight.value {
        Value::Array(items) => {
            if !items.is_empty() {
                changes.extend([Change::Lost, Change::Repeated]);
            }
            if is_ordered(operation, &sight.place) && reverse(&mut sight.value.clone()) {
                changes.push(Change::Reversed);
            }
        }
        Value::Object(_) if sight.is_map && lose(&mut sight.value.clone()) => changes.push(Change::Lost),
        // An empty body says nothing, and more than it has to say is permitted.
        Value::Object(fields) if sight.is_described || fields.is_empty() => {}
        Value::Null => {}
        _ => changes.push(Change::Altered),
    }
    changes
}

/// Whether an answer to the operation can be one that was true once: it asks and changes nothing.
pub(crate) fn can_be_stale(operation: &Operation) -> bool {
    operation.method.as_str() == "GET"
}

/// Whether the operation gives pages.
pub(crate) fn has_pages(operation: &Operation) -> bool {
    can_be_stale(operation) && operation.parameter(Location::Query, "from").is_some()
}

/// The lists whose order the text fixes: newest or oldest first, by rank, by priority, by size.
fn is_ordered(operation: &Operation, place: &Place) -> bool {
    const ORDERED: [(&str, &str); 12] = [
        ("sync", "/rooms/join/*/timeline/events"),
        ("sync", "/rooms/leave/*/timeline/events"),
        ("sync", "/to_device/events"),
        ("getRoomEvents", "/chunk"),
        ("getEventContext", "/events_before"),
        ("getEventContext", "/events_after"),
        ("getRelatingEvents", "/chunk"),
        ("getRelatingEventsWithRelType", "/chunk"),
        ("getRelatingEventsWithRelTypeAndEventType", "/chunk"),
        ("getThreadRoots", "/chunk"),
        ("getPublicRooms", "/chunk"),
        ("queryPublicRooms", "/chunk"),
    ];
    let place = place.to_string();
    ORDERED.iter().any(|(id, ordered)| operation.id == *id && place == *ordered)
}

fn retype(value: &mut Value) -> bool {
    *value = match value {
        Value::String(_) => json!(7),
        Value::Number(_) | Value::Bool(_) => json!("seven"),
        Value::Array(_) => json!({}),
        Value::Object(_) => json!([]),
        Value::Null => return false,
    };
    true
}

/// Another value of the same type, as like the first as can be.
fn alter(value: &mut Value) -> bool {
    match value {
        Value::String(text) => *text = another(text),
        Value::Bool(truth) => *truth = !*truth,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => *value = json!(integer.wrapping_add(1)),
            (None, Some(float)) => *value = json!(float + 1.0),
            (None, None) => return false,
        },
        Value::Array(items) => return items.iter_mut().any(alter),
        Value::Object(fields) => match fields.values_mut().find(|value| !value.is_null()) {
            Some(value) => return alter(value),
            None => drop(fields.insert("org.determinant.altered".to_owned(), json!(true))),
        },
        Value::Null => return false,
    }
    true
}

/// The names of tokens that lead on.
const TOKENS: [&str; 4] = ["start", "end", "next_batch", "prev_batch"];

/// A token that leads elsewhere: of one that is made of numbers, another last figure of one may lead to the same place.
fn alter_token(value: &mut Value) -> bool {
    let Some(token) = value.as_str() else { return alter(value) };
    let other = |letter: char| match letter {
        '9' => '8',
        digit if digit.is_ascii_digit() => char::from(digit as u8 + 1),
        letter => letter,
    };
    let altered: String = token.chars().map(other).collect();
    *value = json!(if altered == token { another(token) } else { altered });
    true
}

/// A text in which one letter or digit is another: the last before a colon, so that an identifier stays one and keeps its
/// domain.
fn another(text: &str) -> String {
    let before_colon = text.find(':').unwrap_or(text.len());
    let found = text[..before_colon].rfind(|letter: char| letter.is_ascii_alphanumeric());
    let Some(place) = found.or_else(|| text.rfind(|letter: char| letter.is_ascii_alphanumeric())) else {
        return format!("{text}x");
    };
    let other = match text.as_bytes()[place] {
        b'9' => '8',
        digit if digit.is_ascii_digit() => char::from(digit + 1),
        b'x' => 'y',
        b'X' => 'Y',
        letter if letter.is_ascii_uppercase() => 'X',
        _ => 'x',
    };
    format!("{}{other}{}", &text[..place], &text[place + 1..])
}

fn reverse(value: &mut Value) -> bool {
    let Some(items) = value.as_array_mut() else { return false };
    let before = items.clone();
    items.reverse();
    *items != before
}

fn lose(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => items.pop().is_some(),
        Value::Object(map) => {
            let last = map.keys().next_back().cloned();
            last.is_some_and(|key| map.remove(&key).is_some())
        }
        _ => false,
    }
}

fn repeat(value: &mut Value) -> bool {
    let Some(items) = value.as_array_mut() else { return false };
    let first = items.first().cloned();
    items.extend(first);
    !items.is_empty()
}

fn alter_bytes(body: &mut Bytes) -> bool {
    let mut bytes = body.to_vec();
    let Some(last) = bytes.last_mut() else { return false };
    *last ^= 1;
    *body = Bytes::from(bytes);
    true
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("@alice:localhost:8448", "@alicx:localhost:8448")]
    #[case("$abc9", "$abc8")]
    #[case("join", "joix")]
    #[case("", "x")]
    fn a_text_stays_what_it_is(#[case] text: &str, #[case] other: &str) {
        assert_eq!(another(text), other);
    }

    #[rstest]
    #[case("s12_9", "s23_8")]
    #[case("opaque", "opaqux")]
    fn a_token_leads_elsewhere(#[case] token: &str, #[case] other: &str) {
        let mut value = json!(token);
        assert!(alter_token(&mut value));
        assert_eq!(value, json!(other));
    }

    #[rstest]
    #[case(json!(1), json!(2))]
    #[case(json!(true), json!(false))]
    #[case(json!({"body": "hello"}), json!({"body": "hellx"}))]
    #[case(json!({}), json!({"org.determinant.altered": true}))]
    fn an_altered_value_keeps_its_type(#[case] mut value: Value, #[case] other: Value) {
        assert!(alter(&mut value));
        assert_eq!(value, other);
    }
}
