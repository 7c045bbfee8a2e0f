//! Bans, kicks, and what the removed did meanwhile.

use oracle::Rule;
use protocol::RoomVersion;
use serde_json::json;

use super::merge::Merge;
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{EVERY_FORMAT, Scene};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "ban-beats-power-levels-of-the-banned",
        says: "Bob gives Carol power while Alice bans him: hers is the act of the mightier, and his power levels fall.",
        versions: EVERY_FORMAT,
        play: power_levels_of_the_banned,
    },
    Scene {
        name: "ban-beats-topic-of-the-banned",
        says: "Bob changes the topic while Alice bans him: the topic is as before.",
        versions: EVERY_FORMAT,
        play: topic_of_the_banned,
    },
    Scene {
        name: "ban-beats-new-name-of-the-banned",
        says: "Bob changes his display name while Alice bans him: he is banned.",
        versions: EVERY_FORMAT,
        play: new_name_of_the_banned,
    },
    Scene {
        name: "ban-beats-departure-of-the-banned",
        says: "Bob leaves while Alice bans him: he is banned, since the banned cannot leave.",
        versions: EVERY_FORMAT,
        play: departure_of_the_banned,
    },
    Scene {
        name: "ban-beats-ban-by-the-banned",
        says: "Bob bans Carol while Alice bans Bob: only Bob is banned.",
        versions: EVERY_FORMAT,
        play: ban_by_the_banned,
    },
    Scene {
        name: "kick-before-join-in-public-room",
        says: "Carol changes her display name, and so joins again, while Bob kicks her: the kick is a power event and comes \
               first, and a public room lets her in again.",
        versions: EVERY_FORMAT,
        play: kick_in_a_public_room,
    },
    Scene {
        name: "kick-beats-join-in-invite-only-room",
        says: "Carol joins again while Bob kicks her from a room that was closed before: she is out. In v2.1 Bob's own join is \
               rejected as well, by the join rule that came after it, and comes back with the unconflicted state.",
        versions: EVERY_FORMAT,
        play: kick_in_an_invite_only_room,
    },
    Scene {
        name: "renewed-ban-and-unban",
        says: "Bob ends Dave's ban while Alice bans Dave once more: her act comes first, and his undoes it.",
        versions: EVERY_FORMAT,
        play: renewed_ban_and_unban,
    },
    Scene {
        name: "unban-and-join-against-renewed-ban",
        says: "Bob ends Dave's ban and Dave joins, while Alice bans Dave once more: the end of the ban is checked after the \
               renewed one, so that Dave's join stands. The history of v1 is decided by depth.",
        versions: EVERY_FORMAT,
        play: unban_and_join,
    },
    Scene {
        name: "ban-by-the-demoted",
        says: "Bob bans Carol while Alice takes his power: nobody is banned.",
        versions: EVERY_FORMAT,
        play: ban_by_the_demoted,
    },
];

fn power_levels_of_the_banned(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, BOB)
        .after(["carol"])
        .levels("coup", BOB, json!({BOB: 50, CAROL: 50}))
        .merge(["ban", "coup"])
        .member(BOB, "ban")
        .levels("levels")
        .in_v2(|merge| merge.power_events("levels bob ban coup"))
        .in_v2_1(|merge| merge.power_events("levels rule bob ban coup"))
        .since_v2(|merge| merge.mainline("levels").remaining_events(""))
        .rejects("coup", Rule::SenderNotJoined)
}

fn topic_of_the_banned(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("old", ALICE)
        .ban("ban", ALICE, BOB)
        .after(["old"])
        .topic("new", BOB)
        .merge(["ban", "new"])
        .member(BOB, "ban")
        .topic("old")
        .since_v2(|merge| merge.power_events("bob ban").remaining_events("old new"))
        .in_v2(|merge| merge.mainline("levels"))
        .in_v2_1(|merge| merge.mainline(""))
        .rejects("new", Rule::SenderNotJoined)
}

fn new_name_of_the_banned(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, BOB)
        .after(["carol"])
        .deep(20)
        .rename("renamed", BOB)
        .merge(["ban", "renamed"])
        .member(BOB, "ban")
        .since_v2(|merge| merge.power_events("ban").remaining_events("renamed"))
        .rejects("renamed", Rule::JoinBanned)
}

fn departure_of_the_banned(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, BOB)
        .after(["carol"])
        .deep(20)
        .member("left", BOB, BOB, "leave")
        .merge(["ban", "left"])
        .member(BOB, "ban")
        .since_v2(|merge| merge.power_events("ban").remaining_events("left"))
        .rejects("left", Rule::LeaveOfSender)
}

fn ban_by_the_banned(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, BOB)
        .after(["carol"])
        .ban("revenge", BOB, CAROL)
        .merge(["ban", "revenge"])
        .member(BOB, "ban")
        .member(CAROL, "carol")
        .since_v2(|merge| merge.power_events("bob ban carol revenge").remaining_events(""))
        .rejects("revenge", Rule::BanByOutsider)
}

fn kick_in_a_public_room(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .kick("kick", BOB, CAROL)
        .after(["carol"])
        .deep(20)
        .rename("renamed", CAROL)
        .merge(["kick", "renamed"])
        .member(CAROL, "renamed")
        .since_v2(|merge| merge.power_events("bob kick").remaining_events("renamed"))
}

fn kick_in_an_invite_only_room(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join_rule("closed", ALICE, "invite")
        .kick("kick", BOB, CAROL)
        .after(["closed"])
        .deep(20)
        .rename("renamed", CAROL)
        .merge(["kick", "renamed"])
        .member(BOB, "bob")
        .member(CAROL, "kick")
        .since_v2(|merge| merge.power_events("closed bob kick").remaining_events("renamed"))
        .in_v2_1(|merge| merge.rejects("bob", Rule::JoinOtherwise))
        .rejects("renamed", Rule::JoinOtherwise)
}

fn renewed_ban_and_unban(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, DAVE)
        .deep(19)
        .ban("renewed", ALICE, DAVE)
        .after(["ban"])
        .deep(20)
        .at(0)
        .kick("unban", BOB, DAVE)
        .merge(["renewed", "unban"])
        .member(DAVE, "unban")
        .since_v2(|merge| merge.power_events("renewed bob unban").remaining_events(""))
}

fn unban_and_join(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, DAVE)
        .kick("unban", BOB, DAVE)
        .deep(20)
        .join("dave", DAVE)
        .after(["ban"])
        .deep(19)
        .ban("renewed", ALICE, DAVE)
        .merge(["dave", "renewed"])
        .in_v1(|merge| merge.member(DAVE, "renewed").rejects("dave", Rule::JoinBanned))
        .since_v2(|merge| {
            merge.member(DAVE, "dave").power_events("renewed bob unban").remaining_events("dave")
        })
}

fn ban_by_the_demoted(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .levels("demotion", ALICE, json!({BOB: 0}))
        .after(["carol"])
        .ban("ban", BOB, CAROL)
        .merge(["demotion", "ban"])
        .levels("demotion")
        .member(CAROL, "carol")
        .rejects("ban", Rule::BanOtherwise)
}
