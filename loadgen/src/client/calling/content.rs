//! The events of a call, version 1, as `client-server-api/#voice-over-ip` has them. Descriptions have the length that
//! browsers give them; nobody parses them.

use serde_json::{Value, json};

use crate::engine::mixed;

/// What every event of a call says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id<'i> {
    pub(super) call_id: &'i str,
    pub(super) party_id: &'i str,
}

/// Which half of a negotiation a description is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Description {
    Offer,
    Answer,
}

/// How long an invite is valid, in milliseconds: the least that the specification recommends.
const LIFETIME_MS: u64 = 90_000;
/// Candidates of a batch: a few addresses of a host, reflected and relayed.
const CANDIDATES: u64 = 4;
/// Lines of attributes that make a description as long as that of a call with sound alone: some 2 kB.
const ATTRIBUTES: u64 = 40;

/// So many letters and digits, as the grammar of opaque identifiers allows them.
pub(super) fn identifier(number: u64, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |place: usize| {
        let random = mixed(number.wrapping_add(mixed(place as u64)));
        char::from(LETTERS[(random % 62) as usize])
    };
    (0..length).map(letter).collect()
}

pub(super) fn invite(id: Id<'_>, invitee: &str) -> Value {
    let offer = description(id, Description::Offer);
    event(id, json!({"lifetime": LIFETIME_MS, "offer": offer, "invitee": invitee}))
}

pub(super) fn answer(id: Id<'_>) -> Value {
    event(id, json!({"answer": description(id, Description::Answer)}))
}

pub(super) fn select_answer(id: Id<'_>, selected_party_id: &str) -> Value {
    event(id, json!({"selected_party_id": selected_party_id}))
}

pub(super) fn negotiate(id: Id<'_>, half: Description) -> Value {
    event(id, json!({"lifetime": LIFETIME_MS, "description": description(id, half)}))
}

pub(super) fn hangup(id: Id<'_>, reason: &str) -> Value {
    event(id, json!({"reason": reason}))
}

pub(super) fn reject(id: Id<'_>) -> Value {
    event(id, json!({}))
}

/// A batch of candidates and the empty one that ends them.
pub(super) fn candidates(id: Id<'_>) -> Value {
    let candidate = |number: u64| {
        let line = format!(
            "candidate:{number} 1 udp 2122260223 192.0.2.{number} {} typ host generation 0 ufrag {}",
            50_000 + number,
            identifier(number, 4)
        );
        json!({"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0})
    };
    let mut all: Vec<Value> = (1..=CANDIDATES).map(candidate).collect();
    all.push(json!({"candidate": ""}));
    event(id, json!({"candidates": all}))
}

fn event(id: Id<'_>, mut content: Value) -> Value {
    content["call_id"] = id.call_id.into();
    content["party_id"] = id.party_id.into();
    content["version"] = "1".into();
    content
}

fn description(id: Id<'_>, half: Description) -> Value {
    let kind = match half {
        Description::Offer => "offer",
        Description::Answer => "answer",
    };
    let seed = id.call_id.bytes().fold(0, |sum: u64, byte| mixed(sum ^ u64::from(byte)));
    let mut sdp =
        "v=0\r\no=- 0 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".to_owned();
    for number in 0..ATTRIBUTES {
        sdp.push_str(&format!("a=x-load:{}\r\n", identifier(seed ^ number, 36)));
    }
    json!({"type": kind, "sdp": sdp})
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ID: Id<'_> = Id { call_id: "c", party_id: "p" };

    #[rstest]
    #[case(invite(ID, "@bob:example.org"), &["lifetime", "offer", "invitee"])]
    #[case(answer(ID), &["answer"])]
    #[case(select_answer(ID, "q"), &["selected_party_id"])]
    #[case(negotiate(ID, Description::Answer), &["lifetime", "description"])]
    #[case(hangup(ID, "user_hangup"), &["reason"])]
    #[case(reject(ID), &[])]
    #[case(candidates(ID), &["candidates"])]
    fn events_say_what_they_have_to(#[case] content: Value, #[case] keys: &[&str]) {
        for key in ["call_id", "party_id", "version"].iter().chain(keys) {
            assert!(!content[key].is_null(), "{key}: {content}");
        }
        assert_eq!(content["version"], "1");
    }

    #[test]
    fn the_last_candidate_ends_them() {
        let content = candidates(ID);
        assert_eq!(
            content["candidates"].as_array().and_then(|all| all.last()),
            Some(&json!({"candidate": ""}))
        );
    }
}
