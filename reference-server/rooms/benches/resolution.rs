//! What resolving a fork costs, over the size of the room and the size of the fork.
//!
//! On one side of the fork a moderator bans members, on the other those members change their names; the levels
//! change on both. `first` knows nothing of the room, `again` has resolved an earlier fork of it.
//! Run with `cargo bench -p rooms --bench resolution`.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use protocol::RoomVersion;
use protocol::room_version::{V1, V11, V12};
use rooms::authorize::auth_event_keys;
use rooms::event::Pdu;
use rooms::resolution::{AuthChains, resolve, resolve_with};
use rooms::state::{StateLookup, StateMap};
use serde_json::{Value, json};

const MEMBERS: [usize; 3] = [1_000, 5_000, 20_000];
const CHANGES: [usize; 3] = [10, 100, 400];
const CREATOR: &str = "@creator:example.org";
const MODERATOR: &str = "@moderator:example.org";

struct Room {
    version: &'static RoomVersion,
    events: HashMap<String, Pdu>,
}

impl Room {
    fn new(version: &'static RoomVersion, members: usize) -> (Self, StateMap) {
        let mut room = Self { version, events: HashMap::new() };
        let mut state = StateMap::default();
        let create = json!({"room_version": version.id, "creator": CREATOR});
        room.send(&mut state, CREATOR, "m.room.create", "", create);
        room.send(&mut state, CREATOR, "m.room.member", CREATOR, json!({"membership": "join"}));
        room.set_levels(&mut state, 50);
        room.send(&mut state, CREATOR, "m.room.join_rules", "", json!({"join_rule": "public"}));
        room.send(&mut state, MODERATOR, "m.room.member", MODERATOR, json!({"membership": "join"}));
        for user_id in (0..members).map(user_id) {
            room.send(&mut state, &user_id, "m.room.member", &user_id, json!({"membership": "join"}));
        }
        (room, state)
    }

    fn set_levels(&mut self, state: &mut StateMap, kick: i64) {
        let mut content = json!({"users": {MODERATOR: 50}, "kick": kick});
        if !self.version.privileged_creators {
            content["users"][CREATOR] = json!(100);
        }
        self.send(state, CREATOR, "m.room.power_levels", "", content);
    }

    fn send(
        &mut self,
        state: &mut StateMap,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) {
        let keys =
            auth_event_keys(self.version, event_type, sender, Some(state_key), content.as_object().unwrap());
        let auth_events: Vec<Value> = keys
            .iter()
            .filter_map(|(event_type, state_key)| state.find(event_type, state_key))
            .map(|event| json!(event.event_id()))
            .map(|id| if self.version.id == "1" { json!([id, {}]) } else { id })
            .collect();
        let room_id = if self.version.privileged_creators { "!0" } else { "!room:example.org" };
        let number = self.events.len();
        let object = json!({
            "type": event_type, "state_key": state_key, "sender": sender, "room_id": room_id,
            "content": content, "origin_server_ts": number, "depth": number, "prev_events": [],
            "auth_events": auth_events,
        });
        let mut object = object.as_object().unwrap().clone();
        if self.version.privileged_creators && event_type == "m.room.create" {
            object.remove("room_id");
        }
        let event = Pdu::with_id(format!("${number}"), object, self.version).unwrap();
        state.insert(&event);
        self.events.insert(event.event_id().to_owned(), event);
    }

    fn fork(&mut self, trunk: &StateMap, changes: usize) -> [StateMap; 2] {
        let [mut left, mut right] = [trunk.clone(), trunk.clone()];
        self.set_levels(&mut left, 40);
        self.set_levels(&mut right, 30);
        for user_id in (0..changes).map(user_id) {
            self.send(&mut left, MODERATOR, "m.room.member", &user_id, json!({"membership": "ban"}));
            let content = json!({"membership": "join", "displayname": "n"});
            self.send(&mut right, &user_id, "m.room.member", &user_id, content);
        }
        [left, right]
    }
}

fn user_id(number: usize) -> String {
    format!("@user-{number}:example.org")
}

fn resolution(criterion: &mut Criterion) {
    for version in [&V1, &V11, &V12] {
        let mut group = criterion.benchmark_group(format!("resolution/version-{}", version.id));
        group.sample_size(20);
        for members in MEMBERS {
            let (mut room, trunk) = Room::new(version, members);
            let mut chains = AuthChains::default();
            let earlier = room.fork(&trunk, 1);
            resolve_with(&mut chains, version, &earlier, &room.events).unwrap();
            for changes in CHANGES {
                let states = room.fork(&trunk, changes);
                let case = format!("{members}-members-{changes}-changes");
                group.bench_function(BenchmarkId::new("first", &case), |bencher| {
                    bencher
                        .iter_with_large_drop(|| resolve(version, black_box(&states), &room.events).unwrap());
                });
                group.bench_function(BenchmarkId::new("again", &case), |bencher| {
                    bencher.iter_batched_ref(
                        || chains.clone(),
                        |chains| resolve_with(chains, version, black_box(&states), &room.events).unwrap(),
                        BatchSize::PerIteration,
                    );
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, resolution);
criterion_main!(benches);
