//! What users say. Its length is what matters; its words follow from a number.

use serde_json::{Value, json};

use crate::engine::mixed;

/// The key of the content that a message is recognised by when another user's sync brings it.
pub(crate) const MARK: &str = "org.determinant.slot";

const WORDS: [&str; 32] = [
    "about", "after", "again", "and", "because", "before", "but", "could", "done", "for", "good", "have",
    "here", "just", "later", "maybe", "meeting", "morning", "not", "okay", "please", "should", "thanks",
    "that", "the", "there", "this", "today", "tomorrow", "with", "yes", "you",
];

/// Bytes of a message where the profile does not say it: between a short answer and two sentences.
const USUAL_BYTES: std::ops::Range<u64> = 12..140;

/// One of the words that users say.
pub(crate) fn word(number: u64) -> &'static str {
    WORDS[(mixed(number) % 32) as usize]
}

/// The content of a text message, marked where its delivery is measured.
pub(crate) fn text(number: u64, bytes: Option<usize>, mark: Option<&str>) -> Value {
    let usual = USUAL_BYTES.start + mixed(number) % (USUAL_BYTES.end - USUAL_BYTES.start);
    let bytes = bytes.unwrap_or(usual as usize);
    let mut body = String::with_capacity(bytes + 10);
    let mut random = number;
    while body.len() < bytes {
        random = mixed(random);
        body.push_str(WORDS[(random % 32) as usize]);
        body.push(' ');
    }
    body.truncate(bytes.max(1));
    let mut content = json!({"msgtype": "m.text", "body": body});
    if let Some(mark) = mark {
        content[MARK] = mark.into();
    }
    content
}

/// The content of an encrypted message, as long as it would be: nobody but the recipient could tell the difference.
pub(crate) fn encrypted(number: u64, bytes: Option<usize>, mark: &str) -> Value {
    let ciphertext = opaque(number, bytes.unwrap_or(400));
    let mut content = json!({
        "algorithm": "m.megolm.v1.aes-sha2",
        "ciphertext": ciphertext,
        "session_id": opaque(number >> 7, 43),
    });
    content[MARK] = mark.into();
    content
}

/// So many characters of unpadded base64.
pub(crate) fn opaque(number: u64, characters: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = number;
    let mut text = String::with_capacity(characters + 10);
    while text.len() < characters {
        random = mixed(random);
        (0..10).for_each(|place| text.push(char::from(ALPHABET[(random >> (6 * place)) as usize & 63])));
    }
    text.truncate(characters);
    text
}
