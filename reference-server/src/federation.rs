//! The server-server API: one submodule per chapter of the specification, with its name.

pub(crate) mod backfilling;
pub(crate) mod content_repository;
pub(crate) mod device_management;
mod edus;
pub(crate) mod end_to_end_encryption;
mod handshakes;
pub(crate) mod inviting;
pub(crate) mod joining_rooms;
pub(crate) mod key_server;
pub(crate) mod knocking_rooms;
pub(crate) mod leaving_rooms;
mod openid;
mod pdus;
pub(crate) mod policy_servers;
pub(crate) mod presence;
pub(crate) mod published_room_directory;
pub(crate) mod querying;
pub(crate) mod receipts;
mod request_authentication;
pub(crate) mod requests;
pub(crate) mod retrieving_events;
pub(crate) mod send_to_device;
pub(crate) mod server_acls;
pub(crate) mod server_discovery;
pub(crate) mod spaces;
pub(crate) mod third_party_invites;
pub(crate) mod transactions;
pub(crate) mod typing;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::MatrixError;
use crate::homeserver::Homeserver;

/// The routes that other servers use.
pub(crate) fn router(server: &Arc<Homeserver>) -> Router {
    Router::new()
        .route("/_matrix/federation/v1/version", get(server_discovery::version))
        .route("/_matrix/federation/v1/openid/userinfo", get(openid::user_info))
        .route(
            "/_matrix/federation/v1/3pid/onbind",
            // The identity service API has a POST for it (identity-service-api/#invitation-storage).
            put(third_party_invites::on_bind).post(third_party_invites::on_bind),
        )
        .route("/_matrix/federation/v1/send/{transaction_id}", put(transactions::send))
        .route("/_matrix/federation/v1/make_join/{room_id}/{user_id}", get(joining_rooms::make_join))
        .route("/_matrix/federation/v2/send_join/{room_id}/{event_id}", put(joining_rooms::send_join))
        .route("/_matrix/federation/v1/make_knock/{room_id}/{user_id}", get(knocking_rooms::make_knock))
        .route("/_matrix/federation/v1/send_knock/{room_id}/{event_id}", put(knocking_rooms::send_knock))
        .route("/_matrix/federation/v1/make_leave/{room_id}/{user_id}", get(leaving_rooms::make_leave))
        .route("/_matrix/federation/v2/send_leave/{room_id}/{event_id}", put(leaving_rooms::send_leave))
        .route("/_matrix/federation/v1/invite/{room_id}/{event_id}", put(inviting::invite_v1))
        .route("/_matrix/federation/v2/invite/{room_id}/{event_id}", put(inviting::invite))
        .route("/_matrix/federation/v1/event/{event_id}", get(retrieving_events::event))
        .route("/_matrix/federation/v1/event_auth/{room_id}/{event_id}", get(retrieving_events::event_auth))
        .route("/_matrix/federation/v1/state/{room_id}", get(retrieving_events::state))
        .route("/_matrix/federation/v1/state_ids/{room_id}", get(retrieving_events::state_ids))
        .route(
            "/_matrix/federation/v1/timestamp_to_event/{room_id}",
            get(retrieving_events::timestamp_to_event),
        )
        .route("/_matrix/federation/v1/backfill/{room_id}", get(backfilling::backfill))
        .route("/_matrix/federation/v1/get_missing_events/{room_id}", post(backfilling::get_missing_events))
        .route("/_matrix/federation/v1/query/directory", get(querying::directory))
        .route("/_matrix/federation/v1/query/profile", get(querying::profile))
        .route("/_matrix/federation/v1/query/{kind}", get(querying::other))
        .route("/_matrix/federation/v1/user/devices/{user_id}", get(device_management::devices))
        .route("/_matrix/federation/v1/user/keys/query", post(end_to_end_encryption::query))
        .route("/_matrix/federation/v1/user/keys/claim", post(end_to_end_encryption::claim))
        .route(
            "/_matrix/federation/v1/publicRooms",
            get(published_room_directory::listed).post(published_room_directory::searched),
        )
        .route("/_matrix/federation/v1/hierarchy/{room_id}", get(spaces::hierarchy))
        .route("/_matrix/federation/v1/media/download/{media_id}", get(content_repository::download))
        .route("/_matrix/federation/v1/media/thumbnail/{media_id}", get(content_repository::thumbnail))
        .route(
            "/_matrix/federation/v1/exchange_third_party_invite/{room_id}",
            put(third_party_invites::exchange),
        )
        .route("/_matrix/key/v2/server", get(key_server::server_keys))
        .route("/_matrix/key/v2/query", post(key_server::query))
        .route("/_matrix/key/v2/query/{server_name}", get(key_server::query_one))
        .route("/.well-known/matrix/server", get(server_discovery::well_known))
        .method_not_allowed_fallback(async || MatrixError::wrong_method())
        .fallback(async || MatrixError::unrecognized("this server has no such path"))
        .with_state(Arc::clone(server))
}

/// What stands for itself in a part of a path or query (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Text as a part of a path or query.
pub(crate) fn path_segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
