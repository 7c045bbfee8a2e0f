//! Faults in the application service API.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    ("homeserver-token-left-out", &["application-service/pinging/ping-reaches-the-service"]),
    (
        "failed-transactions-lost",
        &["application-service/pushing-events/failed-transaction-is-repeated-unaltered"],
    ),
    (
        "failed-transactions-renumbered",
        &["application-service/pushing-events/failed-transaction-is-repeated-unaltered"],
    ),
    ("transactions-newest-first", &["application-service/pushing-events/what-has-waited-comes-in-order"]),
    ("namespaces-ignored", &["application-service/pushing-events/foreign-rooms-are-not-told"]),
    (
        "private-receipts-told-to-services",
        &["application-service/pushing-events/private-receipts-of-strangers-are-not-told"],
    ),
    (
        "services-not-queried",
        &[
            "application-service/querying/alias-is-there-when-it-was-made",
            "application-service/querying/unknown-alias-is-asked-for",
            "application-service/querying/unknown-user-is-asked-for",
        ],
    ),
    ("older-paths-not-tried", &["application-service/legacy-routes/older-path-comes-second"]),
    ("silent-services-asked-once", &["application-service/querying/silent-service-is-asked-again"]),
    ("service-pauses-constant", &["application-service/pushing-events/pauses-grow-while-the-service-fails"]),
    ("presence-not-told-to-services", &["application-service/pushing-events/presence-is-told"]),
    (
        "ephemeral-data-without-room",
        &[
            "application-service/pushing-events/private-receipts-of-strangers-are-not-told",
            "application-service/pushing-events/typing-is-told",
        ],
    ),
    (
        "services-act-as-anybody",
        &["application-service/client-server-extensions/service-acts-as-nobody-else"],
    ),
    (
        "service-devices-unchecked",
        &[
            "application-service/client-server-extensions/device-without-user-is-the-services-own",
            "application-service/client-server-extensions/service-acts-with-devices",
        ],
    ),
    ("service-times-unchecked", &["application-service/client-server-extensions/impossible-time-is-refused"]),
    (
        "services-authenticate-like-users",
        &[
            "application-service/client-server-extensions/service-removes-devices",
            "application-service/client-server-extensions/service-replaces-cross-signing-keys",
        ],
    ),
    (
        "namespaces-open-to-all",
        &[
            "application-service/client-server-extensions/namespace-of-aliases-is-exclusive",
            "application-service/client-server-extensions/namespace-of-users-is-exclusive",
        ],
    ),
    (
        "failed-pings-look-alike",
        &[
            "application-service/pinging/late-answer-is-told",
            "application-service/pinging/refused-ping-is-told",
            "application-service/pinging/service-without-url-is-not-pinged",
        ],
    ),
    ("pings-under-other-ids", &["application-service/pinging/ping-is-for-the-service-itself"]),
];
