//! Keys of devices. Servers keep them without being able to check them, so their bytes only have the right length.

use serde_json::{Map, Value, json};

use super::{Turn, nowhere};
use crate::{message::opaque, request};

/// One-time keys of one upload: clients top up in small numbers.
const ONE_TIME_KEYS: u64 = 10;
/// Characters of a Curve25519 or Ed25519 key, and of a signature, in unpadded base64.
const KEY: usize = 43;
const SIGNATURE: usize = 86;

impl Turn<'_> {
    pub(super) async fn keys_upload(&mut self) {
        let user = self.user();
        let place = u64::from(self.place);
        let signatures =
            |number: u64| json!({&user.id: {format!("ed25519:{}", user.device): opaque(number, SIGNATURE)}});
        let one_time_keys: Map<String, Value> = (0..ONE_TIME_KEYS)
            .map(|number| {
                let number = self.chance(100 + number);
                let key = json!({"key": opaque(number, KEY), "signatures": signatures(number)});
                (format!("signed_curve25519:{}", opaque(number, 11)), key)
            })
            .collect();
        let body = json!({
            "device_keys": {
                "user_id": user.id,
                "device_id": user.device,
                "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
                "keys": {
                    format!("curve25519:{}", user.device): opaque(place, KEY),
                    format!("ed25519:{}", user.device): opaque(!place, KEY),
                },
                "signatures": signatures(place),
            },
            "one_time_keys": one_time_keys,
        });
        let upload = request::post("/_matrix/client/v3/keys/upload", Some(&user.bearer), &body);
        self.measure(upload).await;
    }

    pub(super) async fn keys_query(&mut self) {
        let Some((_, room)) = self.room() else { return self.fails(&nowhere()) };
        let everybody: Map<String, Value> = room
            .members
            .iter()
            .map(|member| (self.population().users[*member as usize].id.clone(), json!([])))
            .collect();
        let body = json!({"device_keys": everybody});
        let query = request::post("/_matrix/client/v3/keys/query", Some(&self.user().bearer), &body);
        self.measure(query).await;
    }

    pub(super) async fn keys_claim(&mut self) {
        let Some(other) = self.room().and_then(|(_, room)| self.other_in(room)) else {
            return self.fails(&nowhere());
        };
        let other = &self.population().users[other as usize];
        let body = json!({"one_time_keys": {&other.id: {&other.device: "signed_curve25519"}}});
        let claim = request::post("/_matrix/client/v3/keys/claim", Some(&self.user().bearer), &body);
        self.measure(claim).await;
    }
}
