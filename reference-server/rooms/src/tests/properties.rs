//! What no sequence of events can bring about, whatever users try.

use proptest::prelude::*;
use protocol::RoomVersion;
use protocol::event::Counts;
use serde_json::{Value, json};

use super::room::{ALICE, BOB, EVE, MOD, Room, judge_wholly, key_ring};
use crate::check;
use crate::power_levels::{Power, PowerLevels};
use crate::state::StateLookup;

const USERS: [&str; 4] = [ALICE, MOD, BOB, EVE];

/// Something that a user may try, not caring whether it is allowed.
#[derive(Clone, Debug)]
enum Attempt {
    Membership { sender: usize, target: usize, membership: &'static str },
    Levels { sender: usize, target: usize, level: i64, other: i64 },
    JoinRule { sender: usize, rule: &'static str },
    Message { sender: usize },
}

impl Attempt {
    fn sender(&self) -> &'static str {
        match self {
            Self::Membership { sender, .. }
            | Self::Levels { sender, .. }
            | Self::JoinRule { sender, .. }
            | Self::Message { sender } => USERS[*sender],
        }
    }

    fn said(&self, room: &Room) -> (&'static str, &'static str, Option<&'static str>, Value) {
        let sender = self.sender();
        match self {
            Self::Membership { target, membership, .. } => {
                (sender, "m.room.member", Some(USERS[*target]), json!({"membership": membership}))
            }
            Self::Levels { target, level, other, .. } => {
                let current = room.state.find("m.room.power_levels", "").unwrap();
                let mut content = current.object()["content"].clone();
                content["users"][USERS[*target]] = json!(level);
                content["kick"] = json!(other);
                (sender, "m.room.power_levels", Some(""), content)
            }
            Self::JoinRule { rule, .. } => {
                (sender, "m.room.join_rules", Some(""), json!({"join_rule": rule}))
            }
            Self::Message { .. } => (sender, "m.room.message", None, json!({"body": "hi"})),
        }
    }
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let user = || 0..USERS.len();
    let membership = prop::sample::select(vec!["join", "invite", "leave", "ban", "knock"]);
    let rule = prop::sample::select(vec!["public", "invite", "knock", "restricted", "private"]);
    let level = || prop::sample::select(vec![-1_i64, 0, 49, 50, 51, 100]);
    prop_oneof![
        5 => (user(), user(), membership)
            .prop_map(|(sender, target, membership)| Attempt::Membership { sender, target, membership }),
        2 => (user(), user(), level(), level())
            .prop_map(|(sender, target, level, other)| Attempt::Levels { sender, target, level, other }),
        2 => (user(), rule).prop_map(|(sender, rule)| Attempt::JoinRule { sender, rule }),
        1 => user().prop_map(|sender| Attempt::Message { sender }),
    ]
}

fn powers(room: &Room) -> [Power; 4] {
    let levels = PowerLevels::of(room.version, &room.state);
    USERS.map(|user_id| levels.user(user_id))
}

fn memberships(room: &Room) -> [String; 4] {
    USERS.map(|user_id| room.state.membership(user_id).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn power_and_membership_change_only_by_those_who_may(
        version in prop::sample::select(RoomVersion::ALL.as_slice()),
        attempts in prop::collection::vec(attempt(), 1..24),
    ) {
        let mut room = Room::new(version);
        for attempt in attempts {
            let event = room.build(attempt.said(&room));
            prop_assert!(check::receive(event.object().clone(), version, &key_ring(), Counts::Limited).is_ok());
            if judge_wholly(&event, &room.state).is_err() {
                continue;
            }
            let (powers_before, members_before) = (powers(&room), memberships(&room));
            let sender = USERS.iter().position(|user_id| *user_id == attempt.sender()).unwrap();
            room.add(event);
            let (powers_after, members_after) = (powers(&room), memberships(&room));

            for user in 0..USERS.len() {
                if powers_before[user] != powers_after[user] {
                    prop_assert!(powers_after[user] <= powers_before[sender], "nobody gives power they lack");
                    prop_assert!(
                        user == sender || powers_before[user] < powers_before[sender],
                        "nobody takes power from equals"
                    );
                }
                let change = (members_before[user].as_str(), members_after[user].as_str());
                prop_assert!(change != ("ban", "join") && change != ("ban", "invite"), "bans are lifted first");
                if change.0 != change.1 && user != sender {
                    prop_assert_eq!(&members_before[sender], "join", "strangers change nobody's membership");
                    prop_assert!(change.1 != "join" && change.1 != "knock", "nobody joins for another");
                }
            }
            if version.privileged_creators {
                prop_assert_eq!(powers_after[0], Power::Infinite);
            }
        }
    }
}
