//! Flaws in requests, from a seed: in their structure, in their text, and in how they are signed.

use std::fmt;

use protocol::event;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::request::{Ground, Request};
use crate::{
    cast::{Call, Homeserver},
    verdict::Stop,
};

/// Nesting deeper than this is not made: it is far more than parsers permit.
const DEEP: usize = 2_000;
/// Texts longer than this are not made.
const LONG: usize = 100_000;
/// And longer than this in the target of a request.
const SHORT: usize = 8_000;
/// Lists longer than this are not made.
const MANY: usize = 2_000;
/// Nor those of more bytes: of what is longer than any request, a server need not read so much that its answer is read
/// (RFC 9112, section 9.6).
const LARGE: usize = 4 * 1024 * 1024;

/// A request with flaws in it.
pub(super) struct Flawed<'a> {
    ground: &'a Ground,
    pub(super) operation: &'static str,
    request: Result<Request, Stop>,
    /// The body as it is sent, where it is no longer JSON.
    text: Option<Vec<u8>>,
    seal: Seal,
    flaws: Vec<String>,
}

/// How the request is signed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seal {
    Right,
    Missing,
    ForAnother,
    Garbled(usize),
}

impl<'a> Flawed<'a> {
    pub(super) fn any(ground: &'a Ground, random: &mut StdRng) -> Self {
        let mut request = ground.request(random.random_range(0..Ground::KINDS));
        let mut flaws = Vec::new();
        let mut text = None;
        let operation = request.as_ref().map_or("", |request| request.operation);
        if let Ok(request) = &mut request {
            for _ in 0..random.random_range(1..=3) {
                flaws.push(spoil(request, ground, random));
            }
            if let Some(body) = &mut request.body {
                if random.random_bool(0.5) {
                    sign_events(body, ground);
                }
                if random.random_bool(0.1) {
                    let (spoilt, flaw) = spoil_text(body.to_string().into_bytes(), random);
                    text = Some(spoilt);
                    flaws.push(flaw);
                }
            }
        }
        let seal = match random.random_range(0..20) {
            0 => Seal::Missing,
            1 => Seal::ForAnother,
            2 => Seal::Garbled(random.random_range(0..GARBLED.len())),
            _ => Seal::Right,
        };
        if seal != Seal::Right {
            flaws.push(format!("seal {seal:?}"));
        }
        Flawed { ground, operation, request, text, seal, flaws }
    }

    /// Sends it, and gives the status of the answer. A server may close a connection at any time between two requests, and one
    /// that refuses a request early need not read all of it: what was not answered is sent once more.
    pub(super) async fn send(&self, hs: &Homeserver) -> Result<u16, Stop> {
        match self.call(hs)?.answer().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(_) => Ok(self.call(hs)?.answer().await?.status().as_u16()),
        }
    }

    fn call(&self, hs: &Homeserver) -> Result<Call, Stop> {
        let request = self.request.as_ref().map_err(Clone::clone)?;
        let call = hs.federation_request(request.method.clone(), request.target())?;
        let call: Call = match (&self.text, &request.body) {
            (Some(text), _) => call.header("content-type", "application/json").bytes(text.clone()),
            (None, Some(body)) => call.json(body),
            (None, None) => call,
        };
        let remote = &self.ground.remote;
        Ok(match self.seal {
            Seal::Right => call.sealed(remote.seal(|header| header.to_string())),
            Seal::Missing => call,
            Seal::ForAnother => call
                .sealed(remote.seal_for(Some("elsewhere.example".to_owned()), |header| header.to_string())),
            Seal::Garbled(number) => call.header("authorization", GARBLED[number]),
        })
    }
}

impl fmt::Display for Flawed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(request) = &self.request else {
            return formatter.write_str("a request that could not be made");
        };
        let target: String = request.target().chars().take(160).collect();
        write!(formatter, "{} {target} with {}", request.method, self.flaws.join(", "))
    }
}

/// Headers that nobody should be able to read.
const GARBLED: [&str; 6] = [
    "X-Matrix",
    "X-Matrix origin=\"",
    "X-Matrix origin=,key=,sig=",
    "X-Matrix origin=\"a\",origin=\"b\",key=\"ed25519:a\",sig=\"=\"",
    "X-Matrix key=\"ed25519:a\",sig=\"\\\",origin=\"x",
    "Bearer nobody",
];

/// Does one thing to a request, and says what.
fn spoil(request: &mut Request, ground: &Ground, random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0 if request.path.len() > 2 => {
            let place = random.random_range(2..request.path.len());
            request.path[place] = short_word(ground, random);
            format!("another segment {place} of the path")
        }
        1 => {
            let value = short_word(ground, random);
            match random.random_range(0..=request.query.len()) {
                place if place < request.query.len() => request.query[place].1 = value,
                _ => request.query.push((short_word(ground, random), value)),
            }
            "another query".to_owned()
        }
        _ => match &mut request.body {
            Some(body) => {
                let place = random.random_range(0..nodes(body));
                spoil_node(body, place, ground, random)
            }
            None => {
                request.body = Some(value(ground, random));
                "a body that it does not have".to_owned()
            }
        },
    }
}

/// How many values there are in a value, itself among them.
fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(nodes).sum::<usize>(),
        Value::Object(object) => object.values().map(nodes).sum(),
        _ => 0,
    }
}

/// Does something to the value of that number, counted from the outside in, and says what.
fn spoil_node(root: &mut Value, place: usize, ground: &Ground, random: &mut StdRng) -> String {
    fn find<'v>(value: &'v mut Value, left: &mut usize, path: &mut String) -> Option<&'v mut Value> {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
        let children: Vec<(String, &mut Value)> = match value {
            Value::Array(list) => {
                list.iter_mut().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
            }
            Value::Object(object) => object.iter_mut().map(|(name, child)| (name.clone(), child)).collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            let length = path.len();
            path.push('/');
            path.push_str(&name);
            if let Some(found) = find(child, left, path) {
                return Some(found);
            }
            path.truncate(length);
        }
        None
    }
    let (mut left, mut path) = (place, String::new());
    let Some(node) = find(root, &mut left, &mut path) else { return "nothing".to_owned() };
    let what = match (random.random_range(0..4), &mut *node) {
        (0, Value::Object(object)) if !object.is_empty() => {
            let names: Vec<String> = object.keys().cloned().collect();
            let name = names.choose(random).cloned().unwrap_or_default();
            object.remove(&name);
            format!("without {name}")
        }
        (1, Value::Object(object)) => {
            object.insert(word(ground, random), value(ground, random));
            "with another property".to_owned()
        }
        (0, Value::Array(list)) if !list.is_empty() => {
            let entry = list[random.random_range(0..list.len())].clone();
            let most = LARGE / entry.to_string().len().max(1);
            list.extend(std::iter::repeat_n(entry, random.random_range(1..MANY).min(most)));
            format!("{} times", list.len())
        }
        _ => {
            let other = value(ground, random);
            let shown: String = other.to_string().chars().take(24).collect();
            *node = other;
            format!("as {shown}")
        }
    };
    format!("body{path} {what}")
}

/// A value that does not belong there.
fn value(ground: &Ground, random: &mut StdRng) -> Value {
    match random.random_range(0..16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(i64::MAX),
        5 => json!(u64::MAX),
        6 => json!(9_007_199_254_740_992_i64),
        7 => json!(1e300),
        8 => json!([]),
        9 => json!({}),
        10 => json!([[[{}]]]),
        11 => json!({"": {"": ""}}),
        12 => (0..random.random_range(1..DEEP / 20)).fold(json!("deep"), |inner, _| json!([inner])),
        _ => json!(word(ground, random)),
    }
}

/// A text that does not belong there, or that belongs somewhere else.
fn word(ground: &Ground, random: &mut StdRng) -> String {
    match random.random_range(0..12) {
        0 => String::new(),
        1 => "x".repeat(random.random_range(1..LONG)),
        2 => "\u{0}\u{1}".to_owned(),
        3 => "\u{202e}👩‍👩‍👧\u{fffd}".to_owned(),
        4 => "../../..".to_owned(),
        5 => "%00%ff".to_owned(),
        6 => "!:".to_owned(),
        7 => "$".repeat(random.random_range(1..300)),
        8 => "@a:b:c:d".to_owned(),
        9 => "' OR 1=1 --".to_owned(),
        _ => ground.id(random.random_range(0..8)),
    }
}

/// The same, for targets: those of more than 64 KiB are no URIs to most HTTP libraries.
fn short_word(ground: &Ground, random: &mut StdRng) -> String {
    word(ground, random).chars().take(SHORT).collect()
}

/// Makes something of the text of a body that is no JSON any more, or unusual JSON.
fn spoil_text(mut text: Vec<u8>, random: &mut StdRng) -> (Vec<u8>, String) {
    let place = random.random_range(0..text.len().max(1));
    let flaw = match random.random_range(0..5) {
        0 => {
            text.truncate(place);
            "cut off"
        }
        1 => {
            if let Some(byte) = text.get_mut(place) {
                *byte ^= 1 << random.random_range(0..8);
            }
            "one bit flipped"
        }
        2 => {
            text.splice(place..place, [0xff, 0xfe]);
            "no UTF-8"
        }
        3 => {
            text = [vec![b'['; DEEP], text].concat();
            "nested deeply"
        }
        _ => {
            text.extend_from_within(..);
            "twice"
        }
    };
    (text, format!("text {flaw}"))
}

/// Hashes and signs the events in a transaction again, so that what is wrong with them is met later than in their signatures.
fn sign_events(body: &mut Value, ground: &Ground) {
    let Some(pdus) = body.get_mut("pdus").and_then(Value::as_array_mut) else { return };
    for pdu in pdus.iter_mut().take(10).filter_map(Value::as_object_mut) {
        for name in ["hashes", "signatures"] {
            pdu.remove(name);
        }
        // What has no canonical form stays unsigned.
        let _ = event::hash_and_sign(pdu, ground.remote.name(), ground.remote.key(), ground.abroad.version());
    }
}
