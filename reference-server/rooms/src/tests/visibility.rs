//! History visibility, as a table.

use protocol::RoomVersion;
use rstest::rstest;
use serde_json::json;

use super::room::{ALICE, BOB, Room};
use crate::visibility::may_see;

fn room(visibility: &str, membership: &str) -> Room {
    let mut room = Room::new(RoomVersion::DEFAULT);
    room.given((ALICE, "m.room.history_visibility", Some(""), json!({"history_visibility": visibility})));
    room.given((BOB, "m.room.member", Some(BOB), json!({"membership": membership})));
    room
}

#[rstest]
#[case("world_readable", ["leave", "invite", "join"], [true, true, true], [true, true, true])]
#[case("shared", ["leave", "invite", "join"], [false, false, true], [true, true, true])]
#[case("invited", ["leave", "invite", "join"], [false, true, true], [false, true, true])]
#[case("joined", ["leave", "invite", "join"], [false, false, true], [false, false, true])]
#[case("nonsense", ["leave", "ban", "join"], [false, false, true], [true, true, true])]
fn messages(
    #[case] visibility: &str,
    #[case] memberships: [&str; 3],
    #[case] never_joined: [bool; 3],
    #[case] joined_later: [bool; 3],
) {
    for (index, membership) in memberships.into_iter().enumerate() {
        let room = room(visibility, membership);
        let message = room.build((ALICE, "m.room.message", None, json!({"body": "hi"})));
        assert_eq!(may_see(&message, BOB, &room.state, false), never_joined[index], "{membership}");
        assert_eq!(
            may_see(&message, BOB, &room.state, true),
            joined_later[index],
            "{membership}, joined later"
        );
    }
}

#[rstest]
#[case("joined", "world_readable", true)]
#[case("world_readable", "joined", true)]
#[case("joined", "invited", false)]
fn changes_of_visibility(#[case] from: &str, #[case] to: &str, #[case] visible: bool) {
    let room = room(from, "leave");
    let change =
        room.build((ALICE, "m.room.history_visibility", Some(""), json!({"history_visibility": to})));
    assert_eq!(may_see(&change, BOB, &room.state, false), visible);
}

#[rstest]
#[case("leave", BOB, "join", true)]
#[case("join", BOB, "leave", true)]
#[case("leave", BOB, "knock", false)]
#[case("leave", ALICE, "join", false)]
fn changes_of_membership(#[case] from: &str, #[case] user_id: &str, #[case] to: &str, #[case] visible: bool) {
    let room = room("joined", from);
    let change = room.build((user_id, "m.room.member", Some(user_id), json!({"membership": to})));
    assert_eq!(may_see(&change, BOB, &room.state, false), visible);
}
