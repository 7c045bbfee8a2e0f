//! Inviting by address: client-server-api/#third-party-invites.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;
use crate::identity::IdentityServer;
use crate::request::{Fields, Requester};
use crate::rooms::event::Template;
use crate::rooms::state::StateLookup;
use crate::store::addresses::{Address, Medium};
use crate::store::profiles;
use crate::timeline::Timeline;
use crate::validation;

/// What becomes of an invite by address.
pub(super) enum Invitee {
    /// The identity server knows whose the address is.
    Known(String),
    /// It does not, and keeps the invite until somebody proves to read the address.
    Pending(Template),
}

/// Finds out who is invited, or what event stands for whoever will be.
pub(super) async fn find(
    server: &Homeserver,
    requester: &Requester,
    room: &Arc<Timeline>,
    body: &Map<String, Value>,
) -> Result<Invitee, MatrixError> {
    let address = match Medium::find(body.text("medium")?) {
        Some(Medium::Email) => validation::email(body.text("address")?)
            .ok_or_else(|| MatrixError::invalid_param("address must be an e-mail address"))?,
        _ => {
            return Err(MatrixError::threepid_denied("this server invites by e-mail address and by user id"));
        }
    };
    let address = Address { medium: Medium::Email, address };
    let (name, access_token) = (body.text("id_server")?, body.text("id_access_token")?);
    if room.record().membership(&requester.user_id) != "join" {
        return Err(crate::timeline::not_a_member());
    }
    let identity_server = IdentityServer::new(server, name, access_token);
    if let Some(user_id) = identity_server.lookup(&address).await? {
        return Ok(Invitee::Known(user_id));
    }
    let invite = describe(server, requester, room, &address).await?;
    let stored = identity_server.store_invite(&invite).await?;
    Ok(Invitee::Pending(template(requester, name, &stored)?))
}

/// What an identity server tells whoever is invited (identity-service-api/#post_matrixidentityv2store-invite).
async fn describe(
    server: &Homeserver,
    requester: &Requester,
    room: &Timeline,
    address: &Address,
) -> Result<Map<String, Value>, MatrixError> {
    let user_id = requester.user_id.clone();
    let profile = server.store.read(move |connection| profiles::all(connection, &user_id)).await?;
    let record = room.record();
    let state = record.history.now();
    let says = |event_type: &str, name: &str| {
        state.find(event_type, "").and_then(|event| event.content_str(name)).map(Value::from)
    };
    let own = |name: &str| profile.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone());
    let fields = [
        ("medium", Some(address.medium.name().into())),
        ("address", Some(address.address.as_str().into())),
        ("room_id", Some(room.room_id().into())),
        ("sender", Some(requester.user_id.as_str().into())),
        ("sender_display_name", own("displayname")),
        ("sender_avatar_url", own("avatar_url")),
        ("room_alias", says("m.room.canonical_alias", "alias")),
        ("room_avatar_url", says("m.room.avatar", "url")),
        ("room_join_rules", says("m.room.join_rules", "join_rule")),
        ("room_name", says("m.room.name", "name")),
        ("room_type", says("m.room.create", "type")),
    ];
    Ok(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// The event that stands for whoever is invited; its state key is the token of the invite.
fn template(requester: &Requester, name: &str, stored: &Value) -> Result<Template, MatrixError> {
    let unusable =
        || MatrixError::unknown(format!("identity server {name}: it has not answered as one does"));
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let token = text(stored, "token").ok_or_else(unusable)?;
    let validity_of = |kind: &str| format!("https://{name}/_matrix/identity/v2/pubkey/{kind}isvalid");
    let mut keys = Vec::new();
    for key in stored.get("public_keys").and_then(Value::as_array).into_iter().flatten() {
        let public_key = text(key, "public_key").ok_or_else(unusable)?;
        let validity = text(key, "key_validity_url").unwrap_or_else(|| validity_of(""));
        keys.push(json!({"public_key": public_key, "key_validity_url": validity}));
    }
    let first = keys.first().ok_or_else(unusable)?;
    let content = json!({
        "display_name": text(stored, "display_name").ok_or_else(unusable)?,
        "public_key": first["public_key"],
        "key_validity_url": first["key_validity_url"],
        "public_keys": keys,
    });
    let Value::Object(content) = content else { return Err(unusable()) };
    Ok(Template {
        event_type: "m.room.third_party_invite".to_owned(),
        state_key: Some(token),
        sender: requester.user_id.clone(),
        content,
    })
}

/// Invites whoever has proved to read an address: the block is signed by the identity server, which the rules of the
/// room check, and the invite is that of whoever has invited the address.
pub(crate) async fn accept(
    server: &Homeserver,
    room: &Arc<Timeline>,
    signed: &Map<String, Value>,
) -> Result<(), MatrixError> {
    let (user_id, token) = (signed.text("mxid")?, signed.text("token")?);
    let (sender, display_name) = {
        let record = room.record();
        let now = record.history.now();
        let pending = now.find("m.room.third_party_invite", token);
        let pending = pending.filter(|pending| pending.content("public_key").is_some());
        let pending = pending.ok_or_else(|| MatrixError::forbidden("there is no such invite"))?;
        (pending.sender().to_owned(), pending.content("display_name").cloned().unwrap_or_default())
    };
    let content = json!({
        "membership": "invite",
        "third_party_invite": {"display_name": display_name, "signed": signed},
    });
    let Value::Object(content) = content else { return Ok(()) };
    let template = Template {
        event_type: "m.room.member".to_owned(),
        state_key: Some(user_id.to_owned()),
        sender,
        content,
    };
    room.append(server, template.into()).await.map(drop)
}
