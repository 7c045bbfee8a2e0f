//! Any bytes: nothing panics, and what can be read keeps the promises that others build on.

use protocol::canonical_json::{self, Form};
use protocol::event::{self, Counts};
use protocol::identifiers::{EventId, MxcUri, RoomAlias, RoomId, ServerName, UserId, localpart_from};
use protocol::keys::{KeyId, KeyRing, SigningKey};
use protocol::redaction::redact;
use protocol::request::XMatrix;
use protocol::room_version::EventIdFormat;
use protocol::{Object, RoomVersion, base64, json, signatures};
use serde_json::Value;

/// Who signs what is signed here.
const SERVER_NAME: &str = "a.example";

/// Checks one input.
///
/// # Panics
/// When a promise is broken.
pub fn check(input: &[u8]) {
    let Some((version, input)) = crate::split(input) else { return };
    if let Ok(text) = str::from_utf8(input) {
        identifiers(text);
        header(text);
        encodings(text);
    }
    let Ok(value) = json::read(input) else { return };
    // The values may differ in the last digit of a float, which `serde_json` reads approximately.
    serde_json::from_slice::<Value>(input).expect("what is read here, anyone can read");
    canonical(&value);
    if let Value::Object(object) = value {
        signed(&object);
        event(&object, version);
    }
}

/// What parses keeps its text, and has the parts that its kind has.
fn identifiers(text: &str) {
    if let Ok(user_id) = UserId::parse(text) {
        assert_eq!(user_id.as_str(), text);
        assert!(ServerName::parse(user_id.server_name()).is_ok(), "{text:?} has a server");
        assert_eq!(format!("@{}:{}", user_id.localpart(), user_id.server_name()), text);
        assert!(
            UserId::parse_current(text).is_err() || user_id.is_compliant(),
            "{text:?} may be made and not shown"
        );
    }
    if let Ok(alias) = RoomAlias::parse(text) {
        assert_eq!(format!("#{}:{}", alias.localpart(), alias.server_name()), text);
    }
    if let Ok(uri) = MxcUri::parse(text) {
        assert_eq!(format!("mxc://{}/{}", uri.server_name(), uri.media_id()), text);
    }
    if let Ok(name) = ServerName::parse(text) {
        let port = name.port().map(|port| port.to_string());
        assert!(text.starts_with(name.hostname()), "{text:?} begins with its host");
        assert!(
            port.is_none_or(|port| text.ends_with(&port) || text.contains(":0")),
            "{text:?} ends with its port"
        );
    }
    for version in RoomVersion::ALL {
        assert!(RoomId::parse_as(version.room_id, text).is_err() || RoomId::parse(text).is_ok());
        assert!(EventId::parse_as(version.event_id, text).is_err() || EventId::parse(text).is_ok());
    }
    if text.len() < 100 {
        let made = format!("@{}:{SERVER_NAME}", localpart_from(text));
        assert!(
            text.is_empty() || UserId::parse_current(&made).is_ok() || made.len() > 255,
            "{made:?} may be made"
        );
    }
}

/// What was read is written so that it is read again.
fn header(text: &str) {
    let Ok(header) = text.parse::<XMatrix>() else { return };
    assert_eq!(header.to_string().parse().as_ref(), Ok(&header), "{text:?} is written and read");
}

fn encodings(text: &str) {
    if let Ok(bytes) = base64::decode(text) {
        assert_eq!(base64::decode(&base64::encode(&bytes)).as_ref(), Ok(&bytes));
    }
    if let Ok(bytes) = base64::decode_url_safe(text) {
        assert_eq!(base64::decode_url_safe(&base64::encode_url_safe(&bytes)).as_ref(), Ok(&bytes));
    }
    if let Ok(key_id) = text.parse::<KeyId>() {
        assert_eq!(format!("{}:{}", key_id.algorithm(), key_id.version()), text);
    }
}

/// An encoding is its own encoding, and what servers must enforce can be encoded.
fn canonical(value: &Value) {
    let lenient = canonical_json::encode(value, Form::Lenient).expect("the lenient form takes every number");
    again(&lenient, Form::Lenient);
    match canonical_json::encode(value, Form::Strict) {
        Ok(strict) => again(&strict, Form::Strict),
        Err(_) => assert!(canonical_json::enforce(value).is_err(), "what is enforced has a form"),
    }
}

fn again(text: &str, form: Form) {
    let value = json::read(text.as_bytes()).expect("canonical JSON is JSON");
    assert_eq!(canonical_json::encode(&value, form).as_deref(), Ok(text), "an encoding is its own encoding");
}

fn signed(object: &Object) {
    let key = key();
    let find = |key_id: &KeyId| (key_id == key.id()).then(|| key.verify_key());
    let _ = signatures::verify(object, SERVER_NAME, find);
    let mut object = object.clone();
    if signatures::sign(&mut object, SERVER_NAME, &key).is_ok() {
        signatures::verify(&object, SERVER_NAME, find).expect("what was signed verifies");
    }
}

/// Redaction is done once and for all, and leaves ids and signatures as they are; what is well-formed can be judged.
fn event(pdu: &Object, version: &RoomVersion) {
    let mut keys = KeyRing::default();
    keys.trust(SERVER_NAME, key().id().clone(), key().verify_key());
    let _ = event::verify(pdu, version, &keys);
    let redacted = redact(pdu, &version.redaction);
    assert_eq!(redact(&redacted, &version.redaction), redacted, "a redaction leaves nothing to redact");
    if version.event_id != EventIdFormat::Domain {
        assert_eq!(
            event::event_id(&redacted, version),
            event::event_id(pdu, version),
            "redaction keeps the id"
        );
    }
    let is_recent = event::check_format(pdu, version, Counts::Limited).is_ok();
    let is_well_formed = event::check_format(pdu, version, Counts::Unlimited).is_ok();
    assert!(is_well_formed || !is_recent, "history may have more references, not fewer");
    if !is_well_formed {
        return;
    }
    let id = event::event_id(pdu, version).expect("a well-formed event has an id");
    event::content_hash(pdu, version).expect("a well-formed event has a content hash");
    oracle::Event::new(version, id, pdu.clone()).expect("a well-formed event can be judged");
    let mut signed = pdu.clone();
    event::hash_and_sign(&mut signed, SERVER_NAME, &key(), version)
        .expect("a well-formed event can be signed");
    event::verify(&signed, version, &keys).ok().into_iter().for_each(|integrity| {
        assert_eq!(integrity, event::Integrity::Intact, "what was hashed is intact");
    });
}

fn key() -> SigningKey {
    vectors::room::server_key(SERVER_NAME)
}
