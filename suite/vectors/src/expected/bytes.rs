//! Canonical JSON, hashes, ids, signatures, redaction and format.

use std::str::FromStr;

use protocol::canonical_json;
use protocol::event::{self, Counts, Integrity};
use protocol::keys::{KeyId, KeyRing, PublishedKey, SigningKey, Validity, VerifyKey};
use protocol::{base64, redaction, signatures};
use serde_json::Value;

use super::{Answered, json, object, refuse, room_version};
use crate::answer::Answer;
use crate::question::{Form, Keys, OfEvent, Sign, Text, Verify};

pub(super) fn canonical_json(text: &Text, form: Form) -> Answered {
    let form = match form {
        Form::Strict => canonical_json::Form::Strict,
        Form::Lenient => canonical_json::Form::Lenient,
    };
    let canonical = canonical_json::encode(&json(text)?, form).map_err(refuse)?;
    Ok(Answer { canonical: Some(canonical), ..Answer::default() })
}

pub(super) fn content_hash(of: &OfEvent) -> Answered {
    let hash = event::content_hash(&object(&of.event)?, room_version(&of.room_version)?).map_err(refuse)?;
    Ok(Answer { sha256: Some(base64::encode(hash)), ..Answer::default() })
}

pub(super) fn event_id(of: &OfEvent) -> Answered {
    let event_id = event::event_id(&object(&of.event)?, room_version(&of.room_version)?).map_err(refuse)?;
    Ok(Answer { event_id: Some(event_id), ..Answer::default() })
}

pub(super) fn redact(of: &OfEvent) -> Answered {
    let version = room_version(&of.room_version)?;
    let redacted = redaction::redact(&object(&of.event)?, &version.redaction);
    let text = canonical_json::encode_object(&redacted, version.canonical_json).map_err(refuse)?;
    Ok(Answer { event: Some(Text::Utf8(text)), ..Answer::default() })
}

pub(super) fn sign(sign: &Sign) -> Answered {
    let mut object = object(&sign.json)?;
    let key_id = KeyId::from_str(&sign.key_id).map_err(refuse)?;
    let key = SigningKey::from_base64_seed(key_id.version(), &sign.seed).map_err(refuse)?;
    match &sign.room_version {
        None => signatures::sign(&mut object, &sign.server_name, &key).map_err(refuse)?,
        Some(id) => {
            event::hash_and_sign(&mut object, &sign.server_name, &key, room_version(id)?).map_err(refuse)?;
        }
    }
    let string = |value: &Value| value.as_str().map(str::to_owned);
    let sha256 = sign.room_version.as_ref().and_then(|_| string(object.get("hashes")?.get("sha256")?));
    let signature = object["signatures"][&sign.server_name].get(key_id.as_str()).and_then(string);
    Ok(Answer { sha256, signature, ..Answer::default() })
}

pub(super) fn verify(verify: &Verify) -> Answered {
    let object = object(&verify.json)?;
    let keys = key_ring(&verify.keys)?;
    match (&verify.room_version, &verify.server_name) {
        (Some(id), _) => {
            let verified = event::verify(&object, room_version(id)?, &keys);
            let intact = verified.as_ref().ok().map(|integrity| *integrity == Integrity::Intact);
            Ok(Answer { intact, ..Answer::valid(verified.is_ok()) })
        }
        (None, Some(server_name)) => {
            let find = |key_id: &KeyId| Some(keys.find(server_name, key_id)?.key);
            Ok(Answer::valid(signatures::verify(&object, server_name, find).is_ok()))
        }
        (None, None) => Err(Answer::refused("neither a room version nor a server name is given")),
    }
}

pub(super) fn check_format(version: &str, text: &Text, backfilled: bool) -> Answered {
    let counts = if backfilled { Counts::Unlimited } else { Counts::Limited };
    let checked = event::check_format(&object(text)?, room_version(version)?, counts);
    Ok(Answer::valid(checked.is_ok()))
}

/// The keys of a question.
pub(super) fn key_ring(keys: &Keys) -> Result<KeyRing, Answer> {
    let mut ring = KeyRing::default();
    for (server_name, by_id) in keys {
        for (key_id, key) in by_id {
            let validity = match (key.expired_ts, key.valid_until_ts) {
                (Some(expired_ts), _) => Validity::Expired(expired_ts),
                (None, valid_until_ts) => Validity::Until(valid_until_ts.unwrap_or(u64::MAX)),
            };
            let public = VerifyKey::from_base64(&key.key).map_err(refuse)?;
            let key_id = KeyId::from_str(key_id).map_err(refuse)?;
            ring.insert(server_name, key_id, PublishedKey { key: public, validity });
        }
    }
    Ok(ring)
}
