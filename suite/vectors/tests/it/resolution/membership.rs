//! Join rules, invites and knocks, and who came in by them.

use oracle::Rule;
use protocol::{RoomVersion, signatures};
use serde_json::{Value, json};
use vectors::room::server_key;

use super::merge::{Merge, NOTHING};
use super::script::{ALICE, BOB, CAROL, DAVE, Script};
use super::{ALL, SINCE_V2, Scene};

/// Room versions that know restricted rooms, and in which rooms are knocked at.
const RESTRICTED: &[&str] = &["10", "11", "12"];

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "join-rule-beats-join",
        says: "Dave joins while Alice closes the room: he is not in. In v1, nothing contends with his join.",
        versions: ALL,
        play: join_rule_and_join,
    },
    Scene {
        name: "join-rules-of-two",
        says: "Alice closes the room and Bob opens it to knocks: hers is the act of the mightier and comes first, and his \
               replaces it.",
        versions: ALL,
        play: join_rules_of_two,
    },
    Scene {
        name: "join-rule-beats-return",
        says: "Carol leaves on one side and the room is closed there; on the other she only tells a new name: she is out, in \
               v1 because join rules are resolved before memberships.",
        versions: ALL,
        play: join_rule_and_return,
    },
    Scene {
        name: "ban-of-outsider-beats-join",
        says: "Dave joins for the first time while Alice bans him: he is banned.",
        versions: ALL,
        play: ban_of_an_outsider,
    },
    Scene {
        name: "withdrawn-invite-beats-join",
        says: "Dave accepts an invite while Alice withdraws it: he is not in.",
        versions: ALL,
        play: withdrawn_invite,
    },
    Scene {
        name: "invite-falls-and-join-stands",
        says: "Bob invites Dave, who joins, while Alice bans Bob: the invite falls, but since no membership of Dave's is in the \
               state, his join is judged by the invite among its auth events, and stands.",
        versions: ALL,
        play: invite_falls_and_join_stands,
    },
    Scene {
        name: "demoted-authoriser-of-restricted-join",
        says: "Dave joins a restricted room by Bob's leave while Alice takes the power to invite from Bob: Dave is not in.",
        versions: RESTRICTED,
        play: demoted_authoriser,
    },
    Scene {
        name: "departed-authoriser-of-restricted-join",
        says: "Dave joins a restricted room by Bob's leave, who left it before: Dave is not in.",
        versions: RESTRICTED,
        play: departed_authoriser,
    },
    Scene {
        name: "join-rule-beats-knock",
        says: "Dave knocks while Alice closes the room to knocks: he has not knocked.",
        versions: RESTRICTED,
        play: join_rule_and_knock,
    },
    Scene {
        name: "answered-knock-outlives-join-rule",
        says: "Dave knocked and Bob lets him in while Alice closes the room to knocks: the knock falls, but the invite stands.",
        versions: RESTRICTED,
        play: answered_knock,
    },
    Scene {
        name: "third-party-invite-revoked",
        says: "A third-party invite is used while it is revoked, by time before it: the use falls. In v1, nothing contends with \
               it.",
        versions: ALL,
        play: third_party_invite_revoked,
    },
    Scene {
        name: "third-party-invite-used",
        says: "A third-party invite is used while it is revoked, by time after it: the invite stands.",
        versions: SINCE_V2,
        play: third_party_invite_used,
    },
];

fn join_rule_and_join(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join_rule("closed", ALICE, "invite")
        .after(["carol"])
        .join("dave", DAVE)
        .merge(["closed", "dave"])
        .join_rule("closed")
        .in_v1(|merge| merge.member(DAVE, "dave"))
        .since_v2(|merge| merge.member(DAVE, NOTHING).rejects("dave", Rule::JoinOtherwise))
        .since_v2(|merge| merge.power_events("rule closed").remaining_events("dave"))
}

fn join_rules_of_two(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .topic("topic", BOB)
        .at(90_000)
        .deep(19)
        .join_rule("by-alice", ALICE, "invite")
        .after(["topic"])
        .at(10_000)
        .deep(20)
        .join_rule("by-bob", BOB, "knock")
        .merge(["by-alice", "by-bob"])
        .join_rule("by-bob")
        .since_v2(|merge| merge.power_events("by-alice by-bob"))
}

fn join_rule_and_return(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .at(50_000)
        .member("left", CAROL, CAROL, "leave")
        .join_rule("closed", ALICE, "invite")
        .after(["carol"])
        .at(60_000)
        .deep(20)
        .rename("renamed", CAROL)
        .merge(["closed", "renamed"])
        .join_rule("closed")
        .member(CAROL, "left")
        .since_v2(|merge| merge.power_events("rule closed"))
        .in_v2(|merge| merge.remaining_events("left renamed"))
        .in_v2_1(|merge| merge.remaining_events("carol left renamed").rejects("carol", Rule::JoinOtherwise))
        .rejects("renamed", Rule::JoinOtherwise)
}

fn ban_of_an_outsider(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .ban("ban", ALICE, DAVE)
        .after(["carol"])
        .deep(20)
        .join("dave", DAVE)
        .merge(["ban", "dave"])
        .member(DAVE, "ban")
        .rejects("dave", Rule::JoinBanned)
}

fn withdrawn_invite(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join_rule("closed", ALICE, "invite")
        .member("invite", ALICE, DAVE, "invite")
        .kick("withdrawn", ALICE, DAVE)
        .after(["invite"])
        .deep(20)
        .join("dave", DAVE)
        .merge(["withdrawn", "dave"])
        .member(DAVE, "withdrawn")
        .since_v2(|merge| merge.power_events("withdrawn").remaining_events("dave"))
        .rejects("dave", Rule::JoinOtherwise)
}

fn invite_falls_and_join_stands(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join_rule("closed", ALICE, "invite")
        .ban("ban", ALICE, BOB)
        .after(["closed"])
        .member("invite", BOB, DAVE, "invite")
        .join("dave", DAVE)
        .merge(["ban", "dave"])
        .member(BOB, "ban")
        .member(DAVE, "dave")
        .since_v2(|merge| merge.power_events("closed bob ban").remaining_events("invite dave"))
        .since_v2(|merge| merge.rejects("bob", Rule::JoinOtherwise).rejects("invite", Rule::InviteByOutsider))
}

/// A room in which members of another may join by the leave of those who may invite: Alice, and Bob by `strict`.
fn restricted(version: &'static RoomVersion) -> Script {
    let allow = json!([{"type": "m.room_membership", "room_id": "!other:a.example"}]);
    Script::plain(version).levels_with("strict", ALICE, json!({BOB: 50}), json!({"invite": 50})).state(
        "restricted",
        ALICE,
        "m.room.join_rules",
        "",
        json!({"join_rule": "restricted", "allow": allow}),
    )
}

/// Dave joins by Bob's leave.
fn joins_by_leave_of_bob(script: Script) -> Script {
    let content = json!({"membership": "join", "join_authorised_via_users_server": BOB});
    script.state("dave", DAVE, "m.room.member", DAVE, content)
}

fn demoted_authoriser(version: &'static RoomVersion) -> Merge {
    let forked = restricted(version)
        .levels_with("demotion", ALICE, json!({BOB: 0}), json!({"invite": 50}))
        .after(["restricted"]);
    joins_by_leave_of_bob(forked)
        .merge(["demotion", "dave"])
        .levels("demotion")
        .member(BOB, "bob")
        .member(DAVE, NOTHING)
        .power_events("strict restricted demotion")
        .remaining_events("bob dave")
        .in_v2_1(|merge| merge.rejects("bob", Rule::JoinRestrictedAuthoriser))
        .rejects("dave", Rule::JoinRestrictedAuthoriser)
}

fn departed_authoriser(version: &'static RoomVersion) -> Merge {
    let forked = restricted(version).member("left", BOB, BOB, "leave").after(["restricted"]);
    joins_by_leave_of_bob(forked)
        .merge(["left", "dave"])
        .member(BOB, "left")
        .member(DAVE, NOTHING)
        .power_events("restricted")
        .remaining_events("bob left dave")
        .rejects("bob", Rule::JoinRestrictedAuthoriser)
        .rejects("dave", Rule::JoinRestrictedAuthoriser)
}

fn join_rule_and_knock(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join_rule("knocking", ALICE, "knock")
        .join_rule("closed", ALICE, "invite")
        .after(["knocking"])
        .member("knock", DAVE, DAVE, "knock")
        .merge(["closed", "knock"])
        .join_rule("closed")
        .member(DAVE, NOTHING)
        .power_events("knocking closed")
        .remaining_events("knock")
        .rejects("knock", Rule::KnockJoinRule)
}

fn answered_knock(version: &'static RoomVersion) -> Merge {
    Script::plain(version)
        .join_rule("knocking", ALICE, "knock")
        .member("knock", DAVE, DAVE, "knock")
        .join_rule("closed", ALICE, "invite")
        .after(["knock"])
        .member("invite", BOB, DAVE, "invite")
        .merge(["closed", "invite"])
        .join_rule("closed")
        .member(DAVE, "invite")
        .power_events("knocking closed")
        .remaining_events("bob knock invite")
        .in_v2_1(|merge| merge.rejects("bob", Rule::JoinOtherwise))
        .rejects("knock", Rule::KnockJoinRule)
}

fn third_party_invite_revoked(version: &'static RoomVersion) -> Merge {
    third_party_invite(version, 50_000, 60_000)
        .at("m.room.third_party_invite", TOKEN, "revoked")
        .in_v1(|merge| merge.member(DAVE, "used"))
        .since_v2(|merge| merge.member(DAVE, NOTHING).remaining_events("offer revoked used"))
        .since_v2(|merge| merge.rejects("used", Rule::ThirdPartyOtherwise))
}

fn third_party_invite_used(version: &'static RoomVersion) -> Merge {
    third_party_invite(version, 60_000, 50_000)
        .at("m.room.third_party_invite", TOKEN, "revoked")
        .member(DAVE, "used")
        .remaining_events("offer used revoked")
}

const IDENTITY_SERVER: &str = "identity.example";
const TOKEN: &str = "token";

/// Alice's offer to whoever an identity server says is its address, revoked on one side and used on the other.
fn third_party_invite(version: &'static RoomVersion, revoked_at_ms: i64, used_at_ms: i64) -> Merge {
    let public_key = server_key(IDENTITY_SERVER).verify_key().to_base64();
    let offer = json!({
        "display_name": "d...@d...", "key_validity_url": "https://identity.example/valid", "public_key": public_key,
        "public_keys": [{"public_key": public_key}],
    });
    let used = json!({
        "membership": "invite", "third_party_invite": {"display_name": "d...@d...", "signed": proof_for_dave()},
    });
    Script::plain(version)
        .state("offer", ALICE, "m.room.third_party_invite", TOKEN, offer)
        .at(revoked_at_ms)
        .state("revoked", ALICE, "m.room.third_party_invite", TOKEN, json!({}))
        .after(["offer"])
        .at(used_at_ms)
        .state("used", ALICE, "m.room.member", DAVE, used)
        .merge(["revoked", "used"])
}

fn proof_for_dave() -> Value {
    let mut proof = protocol::Object::new();
    proof.insert("mxid".to_owned(), json!(DAVE));
    proof.insert("token".to_owned(), json!(TOKEN));
    signatures::sign(&mut proof, IDENTITY_SERVER, &server_key(IDENTITY_SERVER)).unwrap();
    Value::Object(proof)
}
