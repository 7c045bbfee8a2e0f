//! `client-server-api/#third-party-invites`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, IdentityServer, Key, neighbour::identity_server::ACCESS_TOKEN, remote::Reply},
    path,
    registry::Case,
    verdict::Verdict,
};

/// Whoever has an address that the identity server knows is invited by their user id.
#[conformance(
    spec = "client-server-api/#thirdparty_post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Interop
)]
async fn known_address_is_invited_by_user_id(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice, bob] = hs.users().await?;
    identity.knows(ADDRESS, bob.id());
    let room = alice.create_room(json!({})).await?;
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), invite(&identity)).await?;

    identity.is_asked("getHashDetails").await?;
    identity.is_asked("lookupUsersV2").await?;
    bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "invite").map(drop)
}

/// An address that the identity server does not know is kept there, and an event with its token and keys stands for
/// whoever has it. The address itself is not in the event.
#[conformance(
    spec = "client-server-api/#third-party-invites",
    level = Must,
    severity = Security,
    proves = ["client-server-api/server-behaviour-10/1"]
)]
async fn unknown_address_waits_in_the_room(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({"name": "A room to be invited to"})).await?;
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), invite(&identity)).await?;

    let stored = identity.is_asked("storeInviteV2").await?;
    let state = alice.all_state(&room).await?;
    for (name, expected) in [
        ("medium", json!("email")),
        ("address", json!(ADDRESS)),
        ("room_id", json!(room)),
        ("sender", json!(alice.id())),
        ("room_name", json!("A room to be invited to")),
    ] {
        state.must(
            stored.json[name] == expected,
            format!("{name}: {expected} for the identity server"),
            || stored.json.to_string(),
        )?;
    }
    let events = state.json().as_array().map_or(&[][..], Vec::as_slice);
    let event = events.iter().find(|event| event["type"] == "m.room.third_party_invite").cloned();
    let event = event.unwrap_or(Value::Null);
    let key = identity.key().verify_key().to_base64();
    state.must(
        event["content"]["public_key"] == key.as_str(),
        "the key of the invite in the room",
        || event.to_string(),
    )?;
    state.must(
        event["state_key"].as_str().is_some_and(|token| token.starts_with("token-")),
        "its token",
        || event.to_string(),
    )?;
    state.must(!event.to_string().contains(ADDRESS), "nothing of the address", || event.to_string())
}

/// Whoever shows to an identity server that an invited address is theirs, and has it bound to their user id, is invited into the
/// room, and joins.
#[conformance(
    spec = "client-server-api/#third-party-invites",
    level = Must,
    severity = Interop
)]
async fn owner_of_the_address_is_invited(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), invite(&identity)).await?;
    let letter = identity.letter_to(ADDRESS).await?;

    let body = json!({
        "sid": identity.validated_session(ADDRESS, "bind-secret"), "client_secret": "bind-secret",
        "id_server": identity.name(), "id_access_token": ACCESS_TOKEN,
    });
    bob.post("/_matrix/client/v3/account/3pid/bind", body).await?;

    bob.sees("the invite", |sync| !sync.invited(&room).is_null()).await?;
    let member = alice.state(&room, "m.room.member", bob.id()).await?;
    member.must_hold("/membership", "invite")?;
    member.must_hold("/third_party_invite/signed/token", letter.token.as_str())?;
    member.must_hold("/third_party_invite/signed/mxid", bob.id())?;
    bob.join(&room).await.map(drop)
}

/// What the identity server refuses is no invite.
#[conformance(
    spec = "client-server-api/#thirdparty_post_matrixclientv3roomsroomidinvite",
    level = Must,
    severity = Interop
)]
async fn refused_invite_is_none(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    identity.answers("storeInviteV2", Reply::error(403, "M_FORBIDDEN"));
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let invited =
        alice.post(path!("/_matrix/client/v3/rooms/{}/invite", room), invite(&identity)).answer().await?;
    invited.must(!invited.status().is_success(), "an error", || invited.status().to_string())?;
    alice.all_state(&room).await?.must_not_mention("m.room.third_party_invite")
}

/// Who joins with what an identity server has signed is let in if a key of a pending invite has signed it, if it is the join
/// of the user who is named, and while the identity server says that the key is valid.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3roomsroomidjoin",
    level = Must,
    severity = Security,
    each = signatures,
    proves = [
        "client-server-api/post_matrixclientv3joinroomidoralias/2",
        "client-server-api/post_matrixclientv3roomsroomidjoin/1",
        "client-server-api/mroomthird_party_invite/7",
    ]
)]
async fn signature_lets_its_user_in(hs: &Homeserver, signature: Signature) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice, bob, eve] = hs.users().await?;
    let key = Key::new()?;
    let room = alice.create_room(json!({"preset": "private_chat"})).await?;
    let url = format!("https://{}/_matrix/identity/v2/pubkey/isvalid", identity.name());
    let content = json!({
        "display_name": "d…@e…", "key_validity_url": url, "public_key": key.public(),
        "public_keys": [{"public_key": key.public(), "key_validity_url": url}],
    });
    alice.set_state(&room, "m.room.third_party_invite", "the-token", content).await?;

    let (mxid, token) = match signature.of {
        "another user" => (eve.id(), "the-token"),
        "another token" => (bob.id(), "another-token"),
        _ => (bob.id(), "the-token"),
    };
    // As `identity-service-api/#post_matrixidentityv2sign-ed25519` has it.
    let mut signed = json!({"mxid": mxid, "token": token, "sender": alice.id()});
    let signer = if signature.of == "another key" { &Key::new()? } else { &key };
    signer.sign(&mut signed, &identity.name(), "ed25519:0")?;
    let stands_by_it = signature.of != "a withdrawn key";
    identity.answers("isPubKeyValidV2", Reply::json(json!({"valid": stands_by_it})));
    let path = match signature.operation {
        "join by id or alias" => path!("/_matrix/client/v3/join/{}", room),
        _ => path!("/_matrix/client/v3/rooms/{}/join", room),
    };
    let join = bob.post(path, json!({"third_party_signed": signed})).answer().await?;

    if signature.of == "all" {
        join.must_be(200)?.must_hold("/room_id", room.as_str())?;
        return alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", "join");
    }
    join.must_be_refused()?;
    alice.state(&room, "m.room.member", bob.id()).must_be(404).await.map(drop)
}

/// What is put together to be let in, and by which operation.
#[derive(Clone, Copy)]
struct Signature {
    operation: &'static str,
    of: &'static str,
}

impl Case for Signature {
    fn label(&self) -> String {
        format!("{}, {}", self.operation, self.of)
    }
}

fn signatures() -> impl Iterator<Item = Signature> {
    let kinds = ["all", "another user", "another token", "another key", "a withdrawn key"];
    ["join by id", "join by id or alias"]
        .into_iter()
        .flat_map(move |operation| kinds.map(|of| Signature { operation, of }))
}

const ADDRESS: &str = "somebody@example.org";

fn invite(identity: &IdentityServer) -> Value {
    json!({
        "medium": "email", "address": ADDRESS, "id_server": identity.name(), "id_access_token": ACCESS_TOKEN,
    })
}
