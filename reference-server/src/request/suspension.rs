//! What a suspended user may still do: client-server-api/#account-suspension.
//!
//! The choice is the server's. Here such a user reads everything, keeps what is nobody else's concern, and does what the
//! text asks servers to permit; all else is refused, so that an operation that is added later is refused as well.

use http::Method;

/// What may be done beside reading. Three of these look closer themselves: of what is sent, only the redaction of own events
/// is let through, of state, only that the user leaves.
const PERMITTED: &[(Method, &str)] = &[
    // Reading that is not asked for with GET, and telling how far one has read.
    (Method::POST, "/_matrix/client/v3/search"),
    (Method::POST, "/_matrix/client/v3/publicRooms"),
    (Method::POST, "/_matrix/client/v3/user_directory/search"),
    (Method::POST, "/_matrix/client/v3/user/{user_id}/filter"),
    (Method::POST, "/_matrix/client/v3/rooms/{room_id}/read_markers"),
    (Method::POST, "/_matrix/client/v3/rooms/{room_id}/receipt/{receipt_type}/{event_id}"),
    // Verifying devices, cross-signing, key backups.
    (Method::POST, "/_matrix/client/v3/keys/upload"),
    (Method::POST, "/_matrix/client/v3/keys/query"),
    (Method::POST, "/_matrix/client/v3/keys/claim"),
    (Method::POST, "/_matrix/client/v3/keys/device_signing/upload"),
    (Method::POST, "/_matrix/client/v3/keys/signatures/upload"),
    (Method::PUT, "/_matrix/client/v3/sendToDevice/{event_type}/{transaction_id}"),
    (Method::POST, "/_matrix/client/v3/room_keys/version"),
    (Method::PUT, "/_matrix/client/v3/room_keys/version/{version}"),
    (Method::DELETE, "/_matrix/client/v3/room_keys/version/{version}"),
    (Method::PUT, "/_matrix/client/v3/room_keys/keys"),
    (Method::DELETE, "/_matrix/client/v3/room_keys/keys"),
    (Method::PUT, "/_matrix/client/v3/room_keys/keys/{room_id}"),
    (Method::DELETE, "/_matrix/client/v3/room_keys/keys/{room_id}"),
    (Method::PUT, "/_matrix/client/v3/room_keys/keys/{room_id}/{session_id}"),
    (Method::DELETE, "/_matrix/client/v3/room_keys/keys/{room_id}/{session_id}"),
    // Leaving, and taking back what one has said.
    (Method::POST, "/_matrix/client/v3/rooms/{room_id}/leave"),
    (Method::POST, "/_matrix/client/v3/rooms/{room_id}/forget"),
    (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/redact/{event_id}/{transaction_id}"),
    (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{transaction_id}"),
    (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/state/{type}"),
    (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/state/{type}/"),
    (Method::PUT, "/_matrix/client/v3/rooms/{room_id}/state/{type}/{state_key}"),
    // Sessions, and the account itself. Contacts may be added, not removed.
    (Method::POST, "/_matrix/client/v1/login/get_token"),
    (Method::POST, "/_matrix/client/v3/delete_devices"),
    (Method::PUT, "/_matrix/client/v3/devices/{device_id}"),
    (Method::DELETE, "/_matrix/client/v3/devices/{device_id}"),
    (Method::POST, "/_matrix/client/v3/account/password"),
    (Method::POST, "/_matrix/client/v3/account/deactivate"),
    (Method::POST, "/_matrix/client/v3/account/3pid"),
    (Method::POST, "/_matrix/client/v3/account/3pid/add"),
    // Settings, which nobody else sees.
    (Method::PUT, "/_matrix/client/v3/user/{user_id}/account_data/{type}"),
    (Method::PUT, "/_matrix/client/v3/user/{user_id}/rooms/{room_id}/account_data/{type}"),
    (Method::PUT, "/_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}"),
    (Method::DELETE, "/_matrix/client/v3/user/{user_id}/rooms/{room_id}/tags/{tag}"),
    (Method::PUT, "/_matrix/client/v3/pushrules/global/{kind}/{rule_id}"),
    (Method::DELETE, "/_matrix/client/v3/pushrules/global/{kind}/{rule_id}"),
    (Method::PUT, "/_matrix/client/v3/pushrules/global/{kind}/{rule_id}/actions"),
    (Method::PUT, "/_matrix/client/v3/pushrules/global/{kind}/{rule_id}/enabled"),
    (Method::POST, "/_matrix/client/v3/pushers/set"),
];

/// Whether a suspended user may ask for this, `route` being the path with the names of its parameters.
pub(super) fn permits(method: &Method, route: &str) -> bool {
    method == Method::GET || PERMITTED.iter().any(|(verb, path)| verb == method && *path == route)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_stands_there_once_and_is_no_reading() {
        let distinct: BTreeSet<_> = PERMITTED.iter().map(|(method, path)| (method.as_str(), *path)).collect();
        assert_eq!(distinct.len(), PERMITTED.len());
        assert!(PERMITTED.iter().all(|(method, _)| method != Method::GET));
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        assert!(permits(&Method::GET, "/_matrix/client/v3/sync"));
        assert!(permits(&Method::POST, "/_matrix/client/v3/rooms/{room_id}/leave"));
        assert!(!permits(&Method::POST, "/_matrix/client/v3/rooms/{room_id}/join"));
        assert!(!permits(&Method::DELETE, "/_matrix/client/v3/rooms/{room_id}/leave"));
        assert!(!permits(&Method::POST, "/_matrix/client/v3/something/new"));
    }
}
