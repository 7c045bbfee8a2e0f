//! Faults in rooms as a whole: how they are made, named, found and replaced.

use super::Killers;

pub(super) const KILLERS: &[Killers] = &[
    (
        "settings-stay-behind",
        &["client/room-upgrades/tags-follow-their-user", "client/room-upgrades/push-rules-follow-their-user"],
    ),
    ("visibility-ignored", &["client/published-room-directory/published-room-is-listed"]),
    ("room-version-ignored", &["client/room-creation/room-has-the-version-asked-for"]),
    ("canonical-alias-not-set", &["client/room-creation/alias-becomes-canonical"]),
    ("name-not-set", &["client/room-creation/name-and-topic-overwrite-initial-state"]),
    ("topic-not-set", &["client/room-creation/name-and-topic-overwrite-initial-state"]),
    ("invites-not-sent", &["client/room-creation/invites-carry-is-direct"]),
    ("is-direct-lost", &["client/room-creation/invites-carry-is-direct"]),
    ("creation-content-ignored", &["client/spaces/rooms-are-walked-depth-first"]),
    ("power-level-override-ignored", &["client/room-creation/power-levels-are-overridden"]),
    ("initial-state-ignored", &["client/room-creation/initial-state-overrides-the-preset"]),
    ("initial-state-overruled", &["client/room-creation/events-come-in-the-stated-order"]),
    ("trust-not-given", &["client/room-creation/trusted-invitees-equal-the-creator"]),
    ("trusted-are-no-creators", &["client/room-creation/trusted-invitees-become-creators"]),
    ("canonical-aliases-unchecked", &["client/room-aliases/canonical-alias-must-lead-to-the-room"]),
    ("aliases-shown-to-strangers", &["client/room-aliases/aliases-are-listed-for-members"]),
    ("unpublished-rooms-listed", &["client/published-room-directory/private-room-is-not-listed"]),
    ("smallest-rooms-first", &["client/published-room-directory/largest-rooms-come-first"]),
    ("search-term-ignored", &["client/published-room-directory/largest-rooms-come-first"]),
    ("room-types-ignored", &["client/published-room-directory/rooms-are-filtered-by-type"]),
    ("directory-limit-ignored", &["client/published-room-directory/list-respects-the-limit"]),
    ("suggested-only-ignored", &["client/spaces/suggested-rooms-are-shown-on-request"]),
    ("max-depth-ignored", &["client/spaces/rooms-are-walked-depth-first"]),
    ("space-order-ignored", &["client/spaces/rooms-are-walked-depth-first"]),
    ("hidden-rooms-walked", &["client/spaces/private-rooms-are-hidden"]),
    ("children-without-via-walked", &["client/spaces/removed-child-is-not-shown"]),
    ("additional-creators-ignored", &["client/room-upgrades/additional-creators-are-those-of-the-request"]),
    ("tombstones-like-other-state", &["client/room-creation/power-levels-of-version-12-leave-creators-out"]),
    ("room-rules-creator-joins-by-rule", &["client/room-creation/creator-is-joined"]),
    (
        "room-rules-forgets-create-additional-creators",
        &["client/room-creation/additional-creators-are-user-ids"],
    ),
    (
        "room-rules-forgets-levels-of-creators",
        &["client/room-creation/version-12-refuses-levels-for-creators"],
    ),
];
