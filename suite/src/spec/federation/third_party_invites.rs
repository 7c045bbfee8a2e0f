//! `server-server-api/#third-party-invites`

use protocol::RoomVersion;
use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver, Key, Remote, User,
        remote::{Question, Reply},
    },
    path,
    verdict::{Stop, Verdict, must},
};

/// The identity server in whose name a test signs; nobody asks it anything.
const IDENTITY_SERVER: &str = "identity.example";
const TOKEN: &str = "determinant-token";

/// The content of `m.room.third_party_invite`, with the key of the identity server. A remote says that it is valid.
fn invitation(key: &Key, remote: &Remote) -> Value {
    invitation_with(key, &format!("https://{}/_matrix/identity/v2/pubkey/isvalid", remote.name()))
}

/// The same, with where to ask whether the key is valid.
fn invitation_with(key: &Key, url: &str) -> Value {
    json!({
        "display_name": "d…@e…", "key_validity_url": url, "public_key": key.public(),
        "public_keys": [{"public_key": key.public(), "key_validity_url": url}],
    })
}

/// What the identity server signs when the address is bound to the user.
fn signed(key: &Key, user: &str) -> Result<Value, Stop> {
    let mut signed = json!({"mxid": user, "token": TOKEN});
    key.sign(&mut signed, IDENTITY_SERVER, "ed25519:0")?;
    Ok(signed)
}

async fn room_inviting_an_address(remote: &Remote, key: &Key) -> Result<(User, String), Stop> {
    let [alice] = remote.homeserver().users().await?;
    let room = alice.room_with(&[]).await?;
    alice.set_state(&room, "m.room.third_party_invite", TOKEN, invitation(key, remote)).await?;
    Ok((alice, room))
}

fn exchange(alice: &User, room: &str, user: &str, signed: &Value) -> Value {
    json!({
        "type": "m.room.member", "room_id": room, "sender": alice.id(), "state_key": user,
        "content": {"membership": "invite", "third_party_invite": {"display_name": "d…@e…", "signed": signed}},
    })
}

/// The owner of an invited address is invited when their server shows that the address is theirs.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid",
    level = Must,
    severity = Interop
)]
async fn owner_of_an_address_is_invited(hs: &Homeserver) -> Verdict {
    let key = Key::new()?;
    let remote = hs.remote().await?;
    let (alice, room) = room_inviting_an_address(&remote, &key).await?;
    let dave = remote.user("dave");
    let path = path!("/_matrix/federation/v1/exchange_third_party_invite/{}", room);

    remote.put(path, exchange(&alice, &room, &dave, &signed(&key, &dave)?))?.await?;

    let asked = remote.is_asked(Question::Invite).await?;
    let invited = asked.json["event"]["state_key"] == dave.as_str();
    must(invited, "the invite of the owner", || asked.json.to_string())?;
    alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "invite")
}

/// Nobody is invited for an address without the identity server's signature.
#[conformance(
    spec = "server-server-api/#verifying-the-invite",
    level = Must,
    severity = Security,
    proves = ["client-server-api/mroomthird_party_invite/4"]
)]
async fn forged_owner_is_not_invited(hs: &Homeserver) -> Verdict {
    let (key, other) = (Key::new()?, Key::new()?);
    let remote = hs.remote().await?;
    let (alice, room) = room_inviting_an_address(&remote, &key).await?;
    let dave = remote.user("dave");
    let path = path!("/_matrix/federation/v1/exchange_third_party_invite/{}", room);

    remote.put(path, exchange(&alice, &room, &dave, &signed(&other, &dave)?))?.answer().await?;

    alice.state(&room, "m.room.member", &dave).must_be(404).await.map(drop)
}

/// Any key of an invite is enough to sign its token, whichever stands first; a key that does not say where to ask about it
/// holds for ever.
#[conformance(
    spec = "client-server-api/#mroomthird_party_invite",
    level = Must,
    severity = Interop,
    each = places_of_keys,
    proves = ["client-server-api/mroomthird_party_invite/4", "client-server-api/mroomthird_party_invite/6"]
)]
async fn any_key_of_the_invite_is_enough(hs: &Homeserver, place: &'static str) -> Verdict {
    let (key, other) = (Key::new()?, Key::new()?);
    let remote = hs.remote().await?;
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let mut content = invitation(&other, &remote);
    match place {
        "public_key" => content["public_key"] = json!(key.public()),
        _ => content["public_keys"] = json!([{"public_key": other.public()}, {"public_key": key.public()}]),
    }
    alice.set_state(&room, "m.room.third_party_invite", TOKEN, content).await?;
    let dave = remote.user("dave");
    let path = path!("/_matrix/federation/v1/exchange_third_party_invite/{}", room);

    remote.put(path, exchange(&alice, &room, &dave, &signed(&key, &dave)?))?.await?;

    alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "invite")
}

fn places_of_keys() -> [&'static str; 2] {
    ["public_key", "public_keys without an address for checks"]
}

/// An invite by address that another server makes is rejected unless a key of the room's event has signed its token, however
/// much power its sender has.
#[conformance(
    spec = "client-server-api/#third-party-invites",
    level = Must,
    severity = Security,
    each = signers,
    proves = [
        "client-server-api/server-behaviour-10/2",
        "client-server-api/server-behaviour-10/7",
        "server-server-api/verifying-the-invite/1"
    ]
)]
async fn forged_invite_of_another_server_is_rejected(hs: &Homeserver, signer: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let (key, other) = (Key::new()?, Key::new()?);
    let remote = hs.remote().await?;
    let room = remote.room_with(&alice).await?;
    remote.send(room.state_event("m.room.third_party_invite", TOKEN, invitation(&key, &remote))).await?;
    let dave = remote.user("dave");
    let by = if signer == "of the room" { &key } else { &other };
    let content = json!({
        "membership": "invite",
        "third_party_invite": {"display_name": "d…@e…", "signed": signed(by, &dave)?},
    });
    let invite = room.state_event("m.room.member", &dave, content);
    if signer == "of the room" {
        let invite = remote.send(invite).await?;
        alice.sees_event(room.id(), invite.id()).await?;
        return remote.must_not_have_seen("question to an identity server", |asked| {
            asked.target.starts_with("/_matrix/identity/")
        });
    }
    let invite = invite.build()?;
    remote.transmit(&[&invite]).await?;
    let later = remote.send(room.message("all is well")).await?;
    alice.must_not_be_shown(&room, &invite, &later).await
}

fn signers() -> [&'static str; 2] {
    ["of the room", "of nobody"]
}

/// Another server has an invite by address exchanged only while the identity server says, where the invite tells to ask it,
/// that the key is valid.
#[conformance(
    spec = "client-server-api/#third-party-invites",
    level = Must,
    severity = Security,
    each = kinds_of_keys,
    proves = ["client-server-api/server-behaviour-10/4", "client-server-api/server-behaviour-10/3"]
)]
async fn key_has_to_be_valid(hs: &Homeserver, operation: &'static str) -> Verdict {
    let identity = hs.identity_server()?;
    identity.answers(operation, Reply::json(json!({"valid": true})));
    let key = Key::new()?;
    let remote = hs.remote().await?;
    let [alice] = hs.users().await?;
    let room = alice.room_with(&[]).await?;
    let kind = if operation == "isEphemeralPubKeyValidV2" { "ephemeral/" } else { "" };
    let url = format!("https://{}/_matrix/identity/v2/pubkey/{kind}isvalid", identity.name());
    alice.set_state(&room, "m.room.third_party_invite", TOKEN, invitation_with(&key, &url)).await?;
    let path = path!("/_matrix/federation/v1/exchange_third_party_invite/{}", room);

    let dave = remote.user("dave");
    remote.put(path.clone(), exchange(&alice, &room, &dave, &signed(&key, &dave)?))?.await?;
    let asked = identity.is_asked(operation).await?;
    must(asked.parameter("public_key") == key.public(), "the key of the invite", || asked.target.clone())?;
    alice.state(&room, "m.room.member", &dave).await?.must_hold("/membership", "invite")?;

    identity.answers(operation, Reply::json(json!({"valid": false})));
    let erin = remote.user("erin");
    remote.put(path, exchange(&alice, &room, &erin, &signed(&key, &erin)?))?.answer().await?;
    alice.state(&room, "m.room.member", &erin).must_be(404).await.map(drop)
}

fn kinds_of_keys() -> [&'static str; 2] {
    ["isPubKeyValidV2", "isEphemeralPubKeyValidV2"]
}

/// When an identity server tells of a bound address, the server asks the room's server to invite its user.
#[conformance(
    spec = "server-server-api/#put_matrixfederationv13pidonbind",
    level = Must,
    severity = Interop,
    proves = [
        "server-server-api/put_matrixfederationv1exchange_third_party_inviteroomid/1",
        "server-server-api/put_matrixfederationv1exchange_third_party_inviteroomid/2",
        "server-server-api/put_matrixfederationv1exchange_third_party_inviteroomid/3",
    ]
)]
async fn bound_address_is_exchanged_for_an_invite(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let key = Key::new()?;
    let remote = hs.remote().await?;
    let room = remote.room_by_rule(hs.usual_room_version(), "invite")?;
    room.add(room.state_event("m.room.third_party_invite", TOKEN, invitation(&key, &remote)))?;
    let signed = signed(&key, alice.id())?;
    let invite = json!({
        "medium": "email", "address": "alice@example.org", "mxid": alice.id(), "room_id": room.id(),
        "sender": room.speaker(), "signed": signed,
    });
    let body =
        json!({"medium": "email", "address": "alice@example.org", "mxid": alice.id(), "invites": [invite]});

    let call = hs.federation_request(http::Method::PUT, "/_matrix/federation/v1/3pid/onbind")?;
    call.json(&body).await?;

    let asked = remote.is_asked(Question::ThirdPartyInvite).await?;
    let right = asked.json["type"] == "m.room.member"
        && asked.json["room_id"] == room.id()
        && asked.json["content"]["membership"] == "invite"
        && asked.json["sender"] == room.speaker()
        && asked.json["state_key"] == alice.id()
        && asked.json["content"]["third_party_invite"]["signed"]["token"] == TOKEN;
    must(right, "the invite to be made, with what the identity server signed", || asked.json.to_string())
}

/// An invite by address may come from another server than its sender's: what the identity server has signed speaks for it.
#[conformance(
    spec = "server-server-api/#validating-hashes-and-signatures-on-received-events",
    level = Must,
    severity = Interop,
    each = super::event_formats_with_hashed_ids,
    proves = ["server-server-api/validating-hashes-and-signatures-on-received-events/3"]
)]
async fn invite_may_come_from_another_server(hs: &Homeserver, version: &'static RoomVersion) -> Verdict {
    let [alice] = hs.users().await?;
    let key = Key::new()?;
    let (remote, other) = (hs.remote().await?, hs.remote().await?);
    let room = remote.room_of_version_with(version, &alice).await?;
    remote.send(room.state_event("m.room.third_party_invite", TOKEN, invitation(&key, &remote))).await?;
    let theirs = room.shared_with(&other, &other.user("erin"));
    let join = theirs.add(theirs.member(theirs.speaker(), "join"))?;
    remote.deliver(&join).await?;
    alice.sees("erin", |sync| sync.has_membership(room.id(), theirs.speaker(), "join")).await?;
    let dave = other.user("dave");
    let content = json!({
        "membership": "invite",
        "third_party_invite": {"display_name": "d…@e…", "signed": signed(&key, &dave)?},
    });

    let invite = theirs.state_event("m.room.member", &dave, content).by(room.speaker()).build()?;
    other.transmit(&[&invite]).await?;

    alice.sees_event(room.id(), invite.id()).await.map(drop)
}
