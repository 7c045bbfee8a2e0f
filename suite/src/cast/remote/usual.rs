//! What a remote answers when nothing else was agreed: what a homeserver does that keeps to the specification.

use serde_json::{Value, json};

use super::{
    draft::now_ms,
    house::House,
    keys::document,
    policy_server,
    question::{Asked, Question},
    reply::Reply,
    resident,
};

/// The usual answer.
pub(super) fn answer(house: &House, asked: &Asked) -> Reply {
    let name = &house.identity.name;
    // The identity server whose keys third-party invites name is played as well: its keys are valid.
    if asked.target.starts_with("/_matrix/identity/v2/pubkey/isvalid") {
        return Reply::json(json!({"valid": true}));
    }
    let Some(question) = asked.question else { return Reply::error(404, "M_UNRECOGNIZED") };
    match question {
        Question::ServerKeys => Reply::json(document(name, &house.identity.key, now_ms())),
        Question::Version => Reply::json(json!({"server": {"name": "determinant-remote", "version": "1"}})),
        Question::Transaction => resident::transaction(house, asked),
        Question::MakeJoin => resident::make(house, asked, "join"),
        Question::MakeLeave => resident::make(house, asked, "leave"),
        Question::MakeKnock => resident::make(house, asked, "knock"),
        Question::SendJoin | Question::SendLeave | Question::SendKnock => resident::send(house, asked),
        Question::Invite | Question::InviteV1 => resident::invite(house, asked),
        Question::State => resident::state(house, asked),
        Question::StateIds => resident::state_ids(house, asked),
        Question::Event => resident::event(house, asked),
        Question::EventAuth => resident::event_auth(house, asked),
        Question::Backfill => resident::backfill(house, asked),
        Question::MissingEvents => resident::missing_events(house, asked),
        Question::EventByTimestamp => resident::event_by_timestamp(house, asked),
        Question::Hierarchy => resident::hierarchy(house, asked),
        Question::PublicRooms | Question::SearchPublicRooms => resident::public_rooms(house),
        Question::Directory => directory(house, asked),
        Question::Profile => profile(asked),
        Question::Devices => {
            Reply::json(json!({"user_id": asked.parameter("userId"), "stream_id": 1, "devices": []}))
        }
        Question::QueryKeys => {
            Reply::json(json!({"device_keys": nothing_for_each(&asked.json["device_keys"])}))
        }
        Question::ClaimKeys => Reply::json(json!({"one_time_keys": {}})),
        Question::Media | Question::Thumbnail => media(house, asked),
        Question::ThirdPartyInvite => Reply::json(json!({})),
        Question::OpenId => Reply::error(401, "M_UNKNOWN_TOKEN"),
        Question::KeyQuery | Question::BulkKeyQuery => Reply::json(json!({"server_keys": []})),
        Question::Policy => policy_server::answer(house, asked),
        Question::WellKnown => Reply::error(404, "M_UNRECOGNIZED"),
    }
}

/// `server-server-api/#get_matrixfederationv1querydirectory`
fn directory(house: &House, asked: &Asked) -> Reply {
    match house.belongings().aliases.get(asked.parameter("room_alias")) {
        Some(room) => Reply::json(json!({"room_id": room, "servers": [house.identity.name]})),
        None => Reply::error(404, "M_NOT_FOUND"),
    }
}

/// `server-server-api/#get_matrixfederationv1queryprofile`: everybody is called by their localpart.
fn profile(asked: &Asked) -> Reply {
    let name = asked.parameter("user_id").trim_start_matches('@').split(':').next().unwrap_or_default();
    match asked.parameter("field") {
        "" | "displayname" => Reply::json(json!({"displayname": name})),
        _ => Reply::json(json!({})),
    }
}

fn nothing_for_each(users: &Value) -> Value {
    users.as_object().into_iter().flatten().map(|(user, _)| (user.clone(), json!({}))).collect()
}

/// `server-server-api/#get_matrixfederationv1mediadownloadmediaid`: metadata and file, in two parts.
fn media(house: &House, asked: &Asked) -> Reply {
    const BOUNDARY: &str = "determinant-part";
    let belongings = house.belongings();
    let Some((media_type, bytes)) = belongings.media.get(asked.parameter("mediaId")) else {
        return Reply::error(404, "M_NOT_FOUND");
    };
    let mut body = format!(
        "--{BOUNDARY}\r\ncontent-type: application/json\r\n\r\n{{}}\r\n--{BOUNDARY}\r\ncontent-type: {media_type}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Reply::bytes(200, &format!("multipart/mixed; boundary={BOUNDARY}"), body)
}
