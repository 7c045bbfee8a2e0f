//! Faults in the server-server API.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    ("versions-of-invites-handed-on", &["federation/inviting-to-a-room/unsupported-version-is-told"]),
    (
        "joins-not-put-to-policy",
        &[
            "federation/policy-servers/join-of-another-server-is-signed",
            "federation/policy-servers/refused-join-is-not-shown",
        ],
    ),
    ("policy-refusals-ignored", &["federation/policy-servers/refused-event-is-not-sent"]),
    ("policy-signatures-unchecked", &["federation/policy-servers/unsigned-event-is-not-sent"]),
    ("unsigned-by-policy-shown", &["federation/policy-servers/unsigned-event-is-not-shown"]),
    ("absent-policy-servers-used", &["federation/policy-servers/policy-has-to-be-complete"]),
    ("delegation-ignored", &["federation/resolving-server-names/server-is-asked-where-its-name-leads"]),
    ("delegation-kept-forever", &["federation/delegation/delegation-is-kept-as-long-as-it-says"]),
    ("redirected-delegation-ignored", &["federation/delegation/redirect-is-followed"]),
    ("services-ignored", &["federation/resolving-server-names/server-is-asked-where-its-name-leads"]),
    ("old-service-first", &["federation/resolving-server-names/server-is-asked-where-its-name-leads"]),
    ("hosts-undelegated", &["federation/resolving-server-names/host-header-names-the-server"]),
    ("keys-outlive-a-week", &["federation/signing-keys/keys-hold-for-a-week-at-most"]),
    (
        "validity-of-keys-ignored",
        &[
            "federation/signing-keys/keys-do-not-outlive-their-time",
            "federation/signing-keys/notary-looks-for-keys-that-hold-now",
        ],
    ),
    ("wishes-of-keys-ignored", &["federation/signing-keys/notary-looks-for-keys-that-hold"]),
    (
        "proposals-unchecked",
        &[
            "federation/joining-rooms/wrong-proposal-is-discarded",
            "federation/knocking-rooms/wrong-proposal-is-discarded",
            "federation/leaving-rooms/wrong-proposal-is-discarded",
        ],
    ),
    (
        "invites-unchecked",
        &[
            "federation/inviting-to-a-room/no-other-event-passes-for-an-invite",
            "federation/inviting-by-v1/no-other-event-passes-for-an-invite",
        ],
    ),
    ("knock-state-unchecked", &["federation/knocking-rooms/malformed-description-is-not-shown"]),
    ("device-updates-forgotten", &["federation/following-device-lists/update-replaces-one-device"]),
    ("device-updates-unlinked", &["federation/following-device-lists/updates-refer-to-each-other"]),
    ("hierarchies-forgotten", &["federation/spaces/hierarchy-of-another-server-is-kept"]),
    ("inaccessible-rooms-asked-for", &["federation/spaces/inaccessible-room-is-not-asked-for"]),
    ("transactions-renamed", &["federation/transactions/transaction-waits-for-the-last-one"]),
    ("transactions-unlimited", &["federation/transactions/ephemeral-data-units-are-limited"]),
    ("heroes-left-out", &["federation/send-join/heroes-are-not-omitted"]),
    (
        "history-limited",
        &["federation/backfilling-and-retrieving-missing-events/overfull-event-is-backfilled"],
    ),
    (
        "server-acls-ignored",
        &[
            "federation/server-access-control-lists/denied-server-is-refused",
            "federation/server-access-control-lists/ephemeral-data-of-a-denied-server-is-ignored",
            "federation/server-access-control-lists/events-of-a-denied-server-are-ignored",
        ],
    ),
    ("ports-of-servers-compared", &["federation/server-access-control-lists/names-are-matched-by-globs"]),
    (
        "incompatible-versions-proposed",
        &[
            "federation/joining-rooms/unknown-room-version-is-told",
            "federation/knocking-rooms/unknown-room-version-is-told",
        ],
    ),
    (
        "strangers-proposed",
        &[
            "federation/joining-rooms/join-for-a-user-of-another-server-is-refused",
            "federation/leaving-rooms/leave-for-a-user-of-another-server-is-refused",
            "federation/knocking-rooms/knock-for-a-user-of-another-server-is-refused",
        ],
    ),
    ("servers-in-room-omitted", &["federation/joining-rooms/omission-of-members-is-told"]),
    (
        "destinations-unchecked",
        &["federation/request-authentication/request-for-another-server-is-unauthorized"],
    ),
    ("whole-profiles-given", &["federation/querying-for-information/one-field-is-given"]),
    ("device-updates-not-sent", &["federation/device-management/new-device-is-told-to-other-servers"]),
    (
        "room-rules-forgets-third-party-signature",
        &["federation/third-party-invites/forged-invite-of-another-server-is-rejected"],
    ),
];
