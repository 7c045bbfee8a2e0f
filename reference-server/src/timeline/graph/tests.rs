//! Forks, what they come to, and whether what is kept of them gives the same again.

use std::collections::HashMap;

use protocol::RoomVersion;
use protocol::keys::SigningKey;
use serde_json::{Value, json};

use super::{Graph, Growth, NOTHING, Standing, StateId, StateIds};
use crate::rooms::event::{Pdu, Place, Template};
use crate::rooms::state::{StateLookup, StateMap};

const ALICE: &str = "@alice:a.example";

/// A room in the making.
struct Room<'a> {
    growth: Growth<'a>,
    key: SigningKey,
    sent_ms: i64,
}

impl<'a> Room<'a> {
    /// A room with its creator in it.
    fn new(graph: &'a Graph, ids: &'a StateIds) -> Self {
        let key = SigningKey::generate("a").expect("randomness");
        let mut room = Self { growth: Growth::of(graph, version(), ids), key, sent_ms: 0 };
        room.send("m.room.create", "", json!({"room_version": "11"}), &[], Standing::Accepted);
        room.follow("m.room.member", ALICE, json!({"membership": "join"}));
        room
    }

    /// Sends state after all that nothing follows yet.
    fn follow(&mut self, event_type: &str, state_key: &str, content: Value) -> Pdu {
        let tips: Vec<_> = self.growth.tips().iter().map(|tip| (tip.pdu.clone(), tip.after)).collect();
        self.send(event_type, state_key, content, &tips, Standing::Accepted)
    }

    /// Sends state after some events, with the states that these left.
    fn send(
        &mut self,
        event_type: &str,
        state_key: &str,
        content: Value,
        after: &[(Pdu, StateId)],
        standing: Standing,
    ) -> Pdu {
        let before = self.growth.merge(after.iter().map(|(_, state)| *state)).expect("all are known");
        let state = self.growth.state(before);
        let prev_events: Vec<_> = after.iter().map(|(pdu, _)| pdu.clone()).collect();
        self.sent_ms += 1;
        let place = Place {
            version: version(),
            room_id: Some("!room:a.example"),
            prev_events: &prev_events,
            state: &state,
            origin_server_ts: self.sent_ms,
        };
        let Value::Object(content) = content else { unreachable!("content is an object") };
        let template = Template {
            event_type: event_type.to_owned(),
            state_key: Some(state_key.to_owned()),
            sender: ALICE.to_owned(),
            content,
        };
        let pdu = template.build(&place, "a.example", &self.key).expect("a good event");
        let covers = |event_id: &str| prev_events.iter().any(|prev| prev.event_id() == event_id);
        self.growth.add(pdu.clone(), standing, before, &covers, false).expect("all are known");
        pdu
    }

    /// The events that nothing follows yet.
    fn tips(&self) -> Vec<(Pdu, StateId)> {
        self.growth.tips().iter().map(|tip| (tip.pdu.clone(), tip.after)).collect()
    }

    fn now(&self) -> StateMap {
        self.growth.state(self.growth.current())
    }
}

fn version() -> &'static RoomVersion {
    RoomVersion::find("11").expect("a known version")
}

fn topic(state: &StateMap) -> Option<&str> {
    state.find("m.room.topic", "")?.content_str("topic")
}

#[test]
fn branches_are_resolved_and_joined() {
    let (graph, ids) = (Graph::default(), StateIds::default());
    let mut room = Room::new(&graph, &ids);
    let fork = room.tips();
    room.send("m.room.topic", "", json!({"topic": "first"}), &fork, Standing::Accepted);
    room.send("m.room.topic", "", json!({"topic": "second"}), &fork, Standing::Accepted);
    room.send("m.room.name", "", json!({"name": "den"}), &fork, Standing::Accepted);
    assert_eq!(room.tips().len(), 3);
    assert_eq!(topic(&room.now()), Some("second"));
    assert!(room.now().find("m.room.name", "").is_some());
    room.follow("m.room.avatar", "", json!({"url": "mxc://a.example/a"}));
    assert_eq!(room.tips().len(), 1);
    assert_eq!(topic(&room.now()), Some("second"));
}

#[test]
fn what_is_not_accepted_is_no_state_of_the_room() {
    let (graph, ids) = (Graph::default(), StateIds::default());
    let mut room = Room::new(&graph, &ids);
    let fork = room.tips();
    room.send("m.room.topic", "", json!({"topic": "soft"}), &fork, Standing::SoftFailed);
    room.send("m.room.topic", "", json!({"topic": "hard"}), &fork, Standing::Rejected);
    assert_eq!(topic(&room.now()), None);
    assert_eq!(room.tips().len(), 1);
    let placed = room.growth.finish().placed;
    let [.., soft, hard] = placed.as_slice() else { unreachable!("four events were sent") };
    assert_ne!(
        soft.before, soft.after,
        "a soft-failed event takes part in the resolution of those that follow it"
    );
    assert_eq!(hard.before, hard.after);
}

#[test]
fn what_is_kept_gives_every_state_again() {
    let (graph, ids) = (Graph::default(), StateIds::default());
    let mut room = Room::new(&graph, &ids);
    for round in 0..5 {
        let fork = room.tips();
        room.send("m.room.topic", "", json!({"topic": format!("one{round}")}), &fork, Standing::Accepted);
        room.send("m.room.name", "", json!({"name": format!("other{round}")}), &fork, Standing::Accepted);
        room.follow("org.example.round", "", json!({"number": round}));
    }
    let current = room.growth.current();
    let grown = room.growth.finish();
    let known: HashMap<_, _> = grown.events.clone();
    let loaded = Graph::load(known, grown.kept.clone());
    for placed in &grown.placed {
        for id in [placed.before, placed.after, placed.room] {
            let ids =
                |state: &StateMap| state.iter().map(|pdu| pdu.event_id().to_owned()).collect::<Vec<_>>();
            let expected = grown.state(id).unwrap_or_default();
            assert_eq!(ids(&loaded.state(id)), ids(&expected), "state {id}");
        }
    }
    assert_ne!(current, NOTHING);
}
