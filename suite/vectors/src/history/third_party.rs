//! Invites by a third party: the offer and the proof (client-server-api/#mroomthird_party_invite).

use protocol::keys::{KEY_BYTES, SigningKey};
use protocol::{base64, signatures};
use serde_json::{Value, json};

use super::plan::Plan;
use super::scene::{Scene, USERS, short};
use super::script::Flaw;

/// The server that proves who is behind an address.
const IDENTITY_SERVER: &str = "identity.example";

/// Offers an invite to whoever proves to have an address.
pub(super) fn offer(number: u8) -> Plan {
    let key = key(number).verify_key();
    let content = json!({
        "display_name": format!("person {number}"),
        "key_validity_url": "https://identity.example/valid",
        "public_key": key.to_base64(),
        "public_keys": [{"public_key": key.to_base64()}],
    });
    Plan::state(
        "m.room.third_party_invite",
        &token(number),
        content,
        format!("offers an invite {}", token(number)),
    )
}

/// Invites the target by a proof.
pub(super) fn redeem(number: u8, flaw: Flaw, actor: &str, scene: &Scene<'_>) -> Plan {
    let memberships: &[Option<&str>] = match flaw {
        Flaw::Banned => &[Some("ban")],
        _ => &[None, Some("knock")],
    };
    let target = scene.target(actor, memberships);
    let signed = signed(number, flaw, target);
    let mut invite = json!({"display_name": format!("person {number}")});
    if flaw != Flaw::Unsigned {
        invite["signed"] = signed;
    }
    let content = json!({"membership": "invite", "third_party_invite": invite});
    let flaw = match flaw {
        Flaw::None | Flaw::Banned => "",
        Flaw::Signature => ", badly signed",
        Flaw::Target => ", proven for another",
        Flaw::Unsigned => ", without proof",
        Flaw::NoToken => ", without token",
        Flaw::NoUser => ", proven for nobody",
    };
    Plan::state(
        "m.room.member",
        target,
        content,
        format!("invites {} by {}{flaw}", short(target), token(number)),
    )
}

/// The proof that a user has the address of an offer.
fn signed(number: u8, flaw: Flaw, target: &str) -> Value {
    let other = USERS.into_iter().find(|user| *user != target).unwrap_or_default();
    let mut signed = protocol::Object::new();
    if flaw != Flaw::NoUser {
        signed.insert("mxid".to_owned(), json!(if flaw == Flaw::Target { other } else { target }));
    }
    if flaw != Flaw::NoToken {
        signed.insert("token".to_owned(), json!(token(number)));
    }
    let key = key(if flaw == Flaw::Signature { number + 100 } else { number });
    signatures::sign(&mut signed, IDENTITY_SERVER, &key).expect("strings can be encoded");
    Value::Object(signed)
}

fn token(number: u8) -> String {
    format!("token{number}")
}

fn key(number: u8) -> SigningKey {
    let seed = base64::encode([number; KEY_BYTES]);
    SigningKey::from_base64_seed("0", &seed).expect("the seed has its length")
}
