//! Faults in keys, devices and messages between them: `client-server-api/#end-to-end-encryption`.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    ("one-time-key-counts-not-told", &["client/end-to-end-encryption/one-time-keys-are-counted"]),
    ("device-lists-not-told", &["client/tracking-device-lists/changed-keys-are-told"]),
    ("device-changes-not-told", &["client/tracking-device-lists/changed-keys-are-told"]),
    ("device-departures-not-told", &["client/tracking-device-lists/parting-is-told"]),
    ("device-arrivals-not-told", &["client/tracking-device-lists/newcomer-and-members-meet"]),
    ("devices-of-strangers-told", &["client/tracking-device-lists/changed-keys-are-told"]),
    (
        "keys-given-out-twice",
        &[
            "client/end-to-end-encryption/one-time-key-is-claimed-once",
            "federation/end-to-end-encryption/one-time-key-is-given-once",
        ],
    ),
    ("no-fallback", &["client/end-to-end-encryption/fallback-key-stands-in"]),
    ("user-signing-keys-shown", &["client/cross-signing/keys-are-shown-to-those-concerned"]),
    ("queried-devices-ignored", &["client/end-to-end-encryption/query-chooses-devices"]),
    (
        "cross-signing-unprotected",
        &[
            "client/cross-signing/replacement-is-authenticated",
            "client/oauth-2-0-grant-types/page-confirms-an-operation",
        ],
    ),
    ("old-backups-writable", &["client/server-side-key-backups/older-backup-takes-no-keys"]),
    ("worse-keys-kept", &["client/server-side-key-backups/better-key-is-kept"]),
    ("deleted-backups-found", &["client/server-side-key-backups/deleted-backup-is-gone"]),
    ("backup-algorithm-changeable", &["client/server-side-key-backups/only-auth-data-is-replaced"]),
    ("to-device-delivered-again", &["client/send-to-device-messaging/message-is-told-until-it-has-arrived"]),
    ("to-device-lost-with-answer", &["client/send-to-device-messaging/message-is-told-until-it-has-arrived"]),
    ("to-device-wildcard-ignored", &["client/send-to-device-messaging/star-stands-for-all-devices"]),
    ("to-device-to-all-devices", &["client/send-to-device-messaging/message-reaches-the-named-device"]),
    ("to-device-repeated", &["client/send-to-device-messaging/repetition-sends-nothing"]),
    (
        "devices-not-deleted",
        &[
            "client/device-management/deleted-device-is-logged-out",
            "client/sso-during-user-interactive-authentication/provider-confirms-an-operation",
        ],
    ),
    ("anything-signed", &["client/cross-signing/another-object-is-not-signed"]),
    ("cross-signing-keys-unsigned", &["client/cross-signing/wrong-signature-is-refused"]),
    ("cross-signing-keys-named-like-devices", &["client/cross-signing/key-is-not-named-like-a-device"]),
];
