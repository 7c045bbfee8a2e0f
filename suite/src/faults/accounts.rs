//! Faults in accounts, their sessions and profiles: `client-server-api/#client-authentication`.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    ("erasure-ignored", &["client/account-deactivation/erased-content-is-hidden-from-newcomers"]),
    ("everybody-administers", &["client/account-moderation/accounts-are-moderated-by-administrators-only"]),
    (
        "locks-ignored",
        &["client/account-moderation/locked-account-is-refused", "contract/account-locking/is-refused"],
    ),
    ("suspensions-ignored", &["contract/account-suspension/is-refused"]),
    ("query-tokens-ignored", &["client/access-tokens/both-places-are-accepted"]),
    ("refresh-tokens-usable-again", &["client/refresh-tokens/dies-when-the-new-access-token-is-used"]),
    ("sessions-outlive-logout", &["client/logout/ends-this-session-only"]),
    ("any-password-taken", &["client/login/wrong-password-is-refused"]),
    ("others-authenticate", &["client/user-interactive-authentication/credentials-of-others-are-refused"]),
    ("stages-not-needed", &["client/user-interactive-authentication/session-alone-is-not-enough"]),
    ("erasure-not-asked-for", &["client/account-deactivation/erased-content-is-hidden-from-newcomers"]),
    ("password-change-keeps-sessions", &["client/password-management/other-sessions-end"]),
    ("logout-devices-ignored", &["client/password-management/other-sessions-stay-when-asked"]),
    ("inhibit-login-ignored", &["client/registration/login-can-be-inhibited"]),
    (
        "taken-names-available",
        &[
            "client/registration/taken-username-is-not-available",
            "client/registration/taken-username-is-refused-at-once",
        ],
    ),
    ("profile-not-spread", &["client/events-on-change-of-profile-information/changes-reach-the-rooms"]),
    ("guests-join-anywhere", &["client/guest-access/other-rooms-cannot-be-joined"]),
    ("notices-rejected", &["client/server-notices/invitation-cannot-be-rejected"]),
    ("guests-stay", &["client/guest-access/guests-leave-when-access-ends"]),
    ("reports-by-strangers", &["client/reporting-content/outsiders-learn-nothing-of-events"]),
    ("openid-vouches-for-nobody", &["client/openid/token-tells-a-service-who-the-user-is"]),
    (
        "addresses-shared-by-accounts",
        &["client/adding-account-administrative-contact-information/number-belongs-to-one-account"],
    ),
    ("bindings-outlive-accounts", &["client/account-deactivation/identifiers-are-unbound"]),
    ("redirects-unchecked", &["client/oauth-2-0-api/foreign-redirect-is-refused"]),
    ("loopback-ports-fixed", &["client/oauth-2-0-grant-types/loopback-redirect-has-any-port"]),
    ("code-verifiers-unchecked", &["client/oauth-2-0-grant-types/code-cannot-be-misused"]),
    (
        "revoked-sessions-live",
        &[
            "client/oauth-2-0-token-revocation/leaked-token-can-be-revoked",
            "client/oauth-2-0-token-revocation/revocation-ends-both-tokens",
        ],
    ),
    ("strange-grants-refused", &["client/oauth-2-0-api/unknown-values-are-ignored"]),
    ("refused-addresses-taken", &["client/requesting-tokens/refused-address-is-denied"]),
    ("profile-values-unchecked", &["client/profiles/wrong-value-is-refused"]),
    ("plain-challenges-only", &["client/oauth-2-0-api/metadata-are-complete"]),
    ("large-profiles-taken", &["client/profile-fields/size-is-limited"]),
    ("profile-keys-unchecked", &["client/profile-fields/malformed-name-is-refused"]),
    ("login-tokens-unprotected", &["client/login/every-login-token-is-asked-for"]),
    (
        "login-tokens-usable-again",
        &[
            "client/login/login-token-serves-once",
            "client/sso-client-login-authentication/user-of-a-provider-logs-in",
        ],
    ),
    (
        "device-ids-invented",
        &["client/login/supplied-device-is-used", "client/registration/supplied-device-is-used"],
    ),
    ("guests-choose", &["client/registration/guest-cannot-choose"]),
    ("user-ids-unchecked", &["client/registration/forbidden-characters-never-reach-a-user-id"]),
];
