//! Faults in who is in a room, and what they may do there: `client-server-api/#room-membership`, `#permissions`.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    ("include-leave-ignored", &["client/leaving-rooms/left-room-is-shown-on-request"]),
    ("rooms-not-forgotten", &["client/leaving-rooms/forgotten-room-is-gone"]),
    (
        "reasons-lost",
        &["client/joining-rooms/reason-is-passed-on", "client/knocking-on-rooms/knock-shows-on-both-sides"],
    ),
    (
        "restricted-conditions-ignored",
        &[
            "client/restricted-rooms/only-joined-members-satisfy-the-condition",
            "federation/restricted-rooms/outsider-is-not-let-in",
            "federation/restricted-rooms/sent-join-that-cannot-be-checked-is-told",
            "federation/restricted-rooms/departed-member-of-the-other-room-is-not-let-in",
            "federation/restricted-rooms/condition-that-cannot-be-checked-is-told",
        ],
    ),
    (
        "invites-not-blocked",
        &[
            "client/invite-permission/invitations-are-refused",
            "client/invite-permission/earlier-invitations-are-hidden",
        ],
    ),
    ("forgetting-while-joined", &["client/leaving-rooms/members-cannot-forget"]),
    ("membership-filter-ignored", &["client/room-members/members-are-filtered-by-membership"]),
    ("members-at-ignored", &["client/room-members/members-at-a-point-in-time-are-listed"]),
    ("members-shown-to-strangers", &["client/room-members/joined-members-are-for-members-only"]),
    ("unbans-of-anybody", &["client/banning-users/nobody-else-is-unbanned"]),
    ("room-rules-creators-not-infinite", &["client/permissions/version-12-puts-creators-above-all"]),
    ("room-rules-equal-level-changeable", &["client/permissions/equals-cannot-be-demoted"]),
    ("room-rules-forgets-ban-level", &["client/banning-users/banning-requires-power"]),
    ("room-rules-forgets-invite-by-stranger", &["client/joining-rooms/only-members-invite"]),
    ("room-rules-forgets-invite-level", &["client/joining-rooms/inviting-requires-power"]),
    ("room-rules-forgets-invite-of-member", &["client/joining-rooms/members-cannot-be-invited"]),
    ("room-rules-forgets-join-banned", &["client/banning-users/banned-user-stays-out"]),
    (
        "room-rules-forgets-join-not-allowed",
        &[
            "client/joining-rooms/invite-is-required-where-the-rules-say-so",
            "client/knocking-on-rooms/invite-accepts-a-knock",
        ],
    ),
    (
        "room-rules-forgets-kick-level",
        &[
            "client/leaving-rooms/kicking-requires-power",
            "client/knocking-on-rooms/powerless-members-decide-no-knock",
        ],
    ),
    ("room-rules-forgets-knock-membership", &["client/knocking-on-rooms/related-users-cannot-knock"]),
    ("room-rules-forgets-knock-rule", &["client/knocking-on-rooms/join-rules-must-allow-it"]),
    ("room-rules-forgets-level-raised", &["client/permissions/required-levels-out-of-reach-stay"]),
    ("room-rules-forgets-levels-not-integers", &["client/permissions/levels-are-integers"]),
    ("room-rules-forgets-listed-level-above", &["client/permissions/required-levels-out-of-reach-stay"]),
    ("room-rules-forgets-user-level-above", &["client/permissions/equals-cannot-be-demoted"]),
    ("room-rules-forgets-user-level-raised", &["client/permissions/own-level-is-the-most-to-grant"]),
    ("room-rules-invite-of-banned", &["client/banning-users/banned-user-cannot-be-invited"]),
    ("room-rules-invited-need-authoriser", &["client/restricted-rooms/invite-admits-as-well"]),
    ("room-rules-kick-of-equal", &["client/leaving-rooms/kicking-requires-power"]),
    ("room-rules-knock-not-retractable", &["client/knocking-on-rooms/leaving-retracts-a-knock"]),
    ("room-rules-knock-restricted-unknown", &["client/restricted-rooms/knock-restricted-does-both"]),
    ("room-rules-levels-exceeded", &["client/permissions/defaults-hold-where-levels-are-left-out"]),
];
