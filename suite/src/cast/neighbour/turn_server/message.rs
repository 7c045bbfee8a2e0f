//! The few messages of STUN (RFC 8489) that it takes to ask a TURN server for a relay.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

const MAGIC_COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const HEADER_BYTES: usize = 20;
/// An attribute's own header.
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// What `MESSAGE-INTEGRITY` adds to a message: a header and an HMAC-SHA1.
const INTEGRITY_BYTES: usize = ATTRIBUTE_HEADER_BYTES + 20;

/// Method and class of a message; the classes of answers are set in its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u16);

impl Kind {
    pub(super) const BINDING: Self = Kind(0x0001);
    pub(super) const ALLOCATE: Self = Kind(0x0003);
    pub(super) const REFRESH: Self = Kind(0x0004);

    /// The bits of the class: both are set in an error, one in a success, none in a request.
    const CLASS: u16 = 0x0110;
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute(u16);

impl Attribute {
    pub(super) const USERNAME: Self = Attribute(0x0006);
    pub(super) const MESSAGE_INTEGRITY: Self = Attribute(0x0008);
    pub(super) const ERROR_CODE: Self = Attribute(0x0009);
    pub(super) const LIFETIME: Self = Attribute(0x000D);
    pub(super) const REALM: Self = Attribute(0x0014);
    pub(super) const NONCE: Self = Attribute(0x0015);
    pub(super) const XOR_RELAYED_ADDRESS: Self = Attribute(0x0016);
    pub(super) const REQUESTED_TRANSPORT: Self = Attribute(0x0019);
}

/// A message, and its bytes where it came from somebody else.
#[derive(Clone, Debug)]
pub(super) struct Message {
    kind: Kind,
    transaction: [u8; 12],
    attributes: Vec<(Attribute, Vec<u8>)>,
    bytes: Vec<u8>,
}

/// The key of long-term credentials (RFC 8489, section 9.2.2).
pub(super) fn key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    Md5::digest(format!("{username}:{realm}:{password}")).into()
}

impl Message {
    /// A request in a transaction of its own.
    pub(super) fn new(kind: Kind) -> Self {
        Message { kind, transaction: rand::random(), attributes: Vec::new(), bytes: Vec::new() }
    }

    /// The same with one more attribute.
    pub(super) fn with(mut self, attribute: Attribute, value: &[u8]) -> Self {
        self.attributes.push((attribute, value.to_vec()));
        self
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, attribute: Attribute) -> Option<&[u8]> {
        let mut attributes = self.attributes.iter();
        attributes.find(|(found, _)| *found == attribute).map(|(_, value)| value.as_slice())
    }

    /// Whether it answers a request.
    pub(super) fn answers(&self, request: &Message) -> bool {
        self.transaction == request.transaction && self.kind.0 & !Kind::CLASS == request.kind.0
    }

    /// The code and the words of an error.
    pub(super) fn error(&self) -> Option<(u16, String)> {
        if self.kind.0 & Kind::CLASS != Kind::CLASS {
            return None;
        }
        let value = self.attribute(Attribute::ERROR_CODE).unwrap_or_default();
        let [hundreds, rest] = [2, 3].map(|at| u16::from(value.get(at).copied().unwrap_or_default()));
        let reason = String::from_utf8_lossy(value.get(4..).unwrap_or_default()).into_owned();
        Some(((hundreds & 0x07) * 100 + rest, reason))
    }

    /// How long an allocation stays.
    pub(super) fn lifetime_s(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.attribute(Attribute::LIFETIME)?.try_into().ok()?))
    }

    /// Whether it says where the relay is.
    pub(super) fn names_a_relay(&self) -> bool {
        self.attribute(Attribute::XOR_RELAYED_ADDRESS).is_some_and(|address| address.len() >= 8)
    }

    /// Its bytes; with a key, proved by it (RFC 8489, section 14.5).
    pub(super) fn encode(&self, key: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.kind.0.to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(MAGIC_COOKIE);
        bytes.extend(self.transaction);
        for (attribute, value) in &self.attributes {
            put(&mut bytes, *attribute, value);
        }
        if let Some(key) = key {
            set_length(&mut bytes, INTEGRITY_BYTES);
            let code = code(key, &bytes);
            put(&mut bytes, Attribute::MESSAGE_INTEGRITY, &code);
        }
        set_length(&mut bytes, 0);
        bytes
    }

    /// Reads a message; nothing where it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let kind = Kind(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?));
        if bytes.get(4..8)? != MAGIC_COOKIE {
            return None;
        }
        let transaction = bytes.get(8..HEADER_BYTES)?.try_into().ok()?;
        let (mut attributes, mut rest) = (Vec::new(), bytes.get(HEADER_BYTES..)?);
        while !rest.is_empty() {
            let attribute = Attribute(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
            let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
            let end = ATTRIBUTE_HEADER_BYTES + length;
            attributes.push((attribute, rest.get(ATTRIBUTE_HEADER_BYTES..end)?.to_vec()));
            rest = rest.get(end.next_multiple_of(4)..).unwrap_or_default();
        }
        Some(Message { kind, transaction, attributes, bytes: bytes.to_vec() })
    }

    /// Whether it was written by somebody who has this key.
    pub(super) fn is_proved_by(&self, key: &[u8]) -> bool {
        let until_proof = self.attributes.iter().take_while(|(it, _)| *it != Attribute::MESSAGE_INTEGRITY);
        let size = |value: &Vec<u8>| ATTRIBUTE_HEADER_BYTES + value.len().next_multiple_of(4);
        let covered = HEADER_BYTES + until_proof.map(|(_, value)| size(value)).sum::<usize>();
        let Some(covered) = self.bytes.get(..covered) else { return false };
        let mut covered = covered.to_vec();
        set_length(&mut covered, INTEGRITY_BYTES);
        self.attribute(Attribute::MESSAGE_INTEGRITY).is_some_and(|found| found == code(key, &covered))
    }
}

fn put(bytes: &mut Vec<u8>, attribute: Attribute, value: &[u8]) {
    bytes.extend(attribute.0.to_be_bytes());
    bytes.extend(short(value.len()));
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Writes how long a message is that so many bytes are still to be added to.
fn set_length(bytes: &mut [u8], missing: usize) {
    let length = short(bytes.len() + missing - HEADER_BYTES);
    bytes[2..4].copy_from_slice(&length);
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

fn code(key: &[u8], bytes: &[u8]) -> [u8; 20] {
    let Ok(mut code) = Hmac::<Sha1>::new_from_slice(key) else { return [0; 20] };
    code.update(bytes);
    code.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 5769, section 2.4.
    const PUBLISHED: &str = "\
        000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b9000000\
        15001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72\
        670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

    #[test]
    fn the_published_request_is_proved() {
        let byte = |at: usize| u8::from_str_radix(&PUBLISHED[at..at + 2], 16).expect("two digits");
        let bytes: Vec<u8> = (0..PUBLISHED.len()).step_by(2).map(byte).collect();
        let request = Message::decode(&bytes).expect("a message");
        assert!(request.is_proved_by(&key("マトリックス", "example.org", "TheMatrIX")));
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let key = key("user", "example.org", "password");
        let request = Message::new(Kind::ALLOCATE)
            .with(Attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
            .with(Attribute::USERNAME, b"odd length")
            .with(Attribute::NONCE, b"nonce");
        let bytes = request.encode(Some(&key));

        let read = Message::decode(&bytes).expect("a message");
        assert_eq!(read.attribute(Attribute::USERNAME), Some(b"odd length".as_slice()));
        assert!(read.is_proved_by(&key) && read.answers(&request) && read.error().is_none());
        assert!(!read.is_proved_by(&super::key("user", "example.org", "another")));
        assert!(Message::decode(&bytes[..bytes.len() - 1]).is_none());
    }
}
