//! Faults in what clients and other services are given beside rooms: pushers, media, identity servers.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    ("new-rules-last", &["client/push-rules/rules-are-placed"]),
    (
        "rules-before-come-after",
        &["client/push-rules/rules-are-placed", "client/push-rules/before-counts-more-than-after"],
    ),
    ("rules-after-come-before", &["client/push-rules/rules-are-placed"]),
    ("predefined-rules-removable", &["client/push-rules/reserved-name-is-refused"]),
    ("rejected-pushkeys-kept", &["client/push-notifications/rejected-pusher-is-removed"]),
    ("failed-notifications-lost", &["client/push-notifications/notification-is-repeated"]),
    ("notification-format-ignored", &["client/push-notifications/event-id-alone-is-told"]),
    ("notification-pauses-constant", &["client/push-notifications/notification-is-repeated"]),
    ("pusher-data-cut", &["client/push-notifications/gateway-is-told"]),
    ("unread-counts-not-pushed", &["client/push-notifications/event-id-alone-is-told"]),
    ("zero-counts-pushed", &["client/push-notifications/counts-of-zero-are-left-out"]),
    ("unmatched-events-pushed", &["client/push-notifications/silent-event-is-not-told"]),
    ("own-events-pushed", &["client/push-notifications/silent-event-is-not-told"]),
    ("peppers-left-out", &["client/third-party-invites/known-address-is-invited-by-user-id"]),
    (
        "identity-tokens-left-out",
        &[
            "client/third-party-invites/known-address-is-invited-by-user-id",
            "client/notes-on-identity-servers/address-is-bound-and-unbound",
        ],
    ),
    (
        "identity-errors-hidden",
        &["client/notes-on-identity-servers/errors-of-identity-servers-are-handed-on"],
    ),
    (
        "bindings-not-exchanged",
        &[
            "client/third-party-invites/owner-of-the-address-is-invited",
            "federation/third-party-invites/bound-address-is-exchanged-for-an-invite",
        ],
    ),
    ("unbindings-unsigned", &["client/notes-on-identity-servers/address-is-bound-and-unbound"]),
    ("bindings-forgotten", &["client/notes-on-identity-servers/deleted-address-is-unbound"]),
    (
        "invite-keys-unchecked",
        &[
            "client/third-party-invites/signature-lets-its-user-in",
            "federation/third-party-invites/key-has-to-be-valid",
        ],
    ),
    (
        "huge-files-passed-on",
        &[
            "client/thumbnails/huge-thumbnail-of-another-server-is-refused",
            "federation/content-repository/huge-file-of-another-server-is-refused",
        ],
    ),
    (
        "limits-of-media-untold",
        &[
            "client/content-repository-security-considerations/number-of-files-is-limited",
            "client/content-repository-security-considerations/number-of-pending-uploads-is-limited",
        ],
    ),
    (
        "thumbnails-always-move",
        &[
            "client/thumbnails/thumbnail-stands-still-on-request",
            "client/thumbnails/thumbnail-stands-still-unless-asked-to-move",
            "federation/content-repository/thumbnail-stands-still-on-request",
        ],
    ),
    ("small-images-redrawn", &["client/thumbnails/small-image-is-its-own-thumbnail"]),
    ("unproved-addresses-handed-on", &["client/notes-on-identity-servers/unproved-address-is-not-added"]),
    (
        "everything-attached",
        &[
            "client/thumbnails/thumbnail-is-inline",
            "client/older-media-paths/thumbnail-is-inline-and-stands-still",
        ],
    ),
    ("file-names-lost", &["client/content-repository/file-name-is-kept"]),
    ("content-types-lost", &["client/content-repository/content-comes-back"]),
    ("gateways-unchecked", &["client/push-notifications/defective-pusher-is-refused"]),
    ("pushers-of-others-kept", &["client/push-notifications/device-belongs-to-one-user"]),
];
