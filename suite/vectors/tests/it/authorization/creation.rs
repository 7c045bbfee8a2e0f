//! "If type is `m.room.create`", and since room version 12 the room id that follows from it.

use oracle::Rule::*;
use protocol::RoomVersion;
use protocol::room_version::RoomIdFormat;
use serde_json::{Value, json};
use vectors::Draft;

use super::leaf::Verdict::{Allowed, Rejected};
use super::leaf::{Leaf, leaf};
use super::scene::{ALICE, BOB, Beginning, Scene, object};

pub(super) fn leaves() -> Vec<Leaf> {
    vec![
        leaf(CreateHasPrevEvents)
            .rejected("A create event comes after another event.", CreateHasPrevEvents, |s| Draft {
                prev_events: s.last(),
                ..s.creates(|_| {})
            })
            .accepted("A create event comes after nothing.", CreateAllowed, |s| s.creates(|_| {})),
        room_id_of_create(),
        room_version_of_create(),
        leaf(CreateCreator)
            .rejected("A create event names no creator.", CreateCreator, |s| {
                s.creates(|content| drop(content.remove("creator")))
            })
            .accepted("A create event names its creator.", CreateAllowed, |s| s.creates(|_| {}))
            .variant(
                "not-the-sender",
                "The creator is another user than the sender, which no rule forbids.",
                Allowed(CreateAllowed),
                |s| s.creates(|content| drop(content.insert("creator".into(), json!(BOB)))),
            ),
        additional_creators(),
        leaf(CreateAllowed)
            .accepted("A plain create event.", CreateAllowed, |s| s.creates(|_| {}))
            .rejected(
                "A create event is plain but for a room version that nobody knows.",
                CreateRoomVersion,
                |s| s.creates(|content| drop(content.insert("room_version".into(), json!("unheard-of")))),
            )
            .variant(
                "further-content",
                "A create event has a room type, a predecessor and is not federated.",
                Allowed(CreateAllowed),
                |s| {
                    s.creates(|content| {
                        content.insert("type".into(), json!("m.space"));
                        content.insert("m.federate".into(), json!(false));
                        content.insert("predecessor".into(), json!({"room_id": "!before:a.example"}));
                    })
                },
            ),
        room_id(),
    ]
}

fn has_domain(version: &RoomVersion) -> bool {
    version.room_id == RoomIdFormat::Domain
}

fn has_no_domain(version: &RoomVersion) -> bool {
    !has_domain(version)
}

fn room_id_of_create() -> Leaf {
    let in_room = |s: &mut Scene, room_id: &str| Draft {
        with: object(json!({"room_id": room_id})),
        ..s.creates(|_| {})
    };
    leaf(CreateRoomId)
        .rejected("The room id is of another domain than the sender.", CreateRoomId, move |s| {
            in_room(s, "!room:b.example")
        })
        .only(has_domain)
        .accepted("The room id is of the sender's domain.", CreateAllowed, move |s| {
            in_room(s, "!room:a.example")
        })
        .only(has_domain)
        .variant("other-port", "A port is part of the domain.", Rejected(CreateRoomId), move |s| {
            in_room(s, "!room:a.example:8448")
        })
        .only(has_domain)
        .rejected("The create event has a room id.", CreateRoomId, move |s| in_room(s, "!room:a.example"))
        .only(has_no_domain)
        .accepted("The create event has no room id.", CreateAllowed, |s| s.creates(|_| {}))
        .only(has_no_domain)
}

fn room_version_of_create() -> Leaf {
    let with = |s: &mut Scene, room_version: Value| {
        s.creates(move |content| drop(content.insert("room_version".into(), room_version)))
    };
    leaf(CreateRoomVersion)
        .rejected("Nobody knows the room version.", CreateRoomVersion, move |s| with(s, json!("unheard-of")))
        .accepted("The room version is known.", CreateAllowed, |s| s.creates(|_| {}))
        .variant(
            "number",
            "The room version is a number, which is no version.",
            Rejected(CreateRoomVersion),
            move |s| with(s, json!(1)),
        )
        .variant(
            "null",
            "The room version is null, which is there and no version.",
            Rejected(CreateRoomVersion),
            move |s| with(s, json!(null)),
        )
        .variant(
            "missing",
            "Without a room version, the room is of version 1.",
            Allowed(CreateAllowed),
            |s| s.creates(|content| drop(content.remove("room_version"))),
        )
        .only(|version| version.id == "1")
}

fn additional_creators() -> Leaf {
    let with = |s: &mut Scene, additional: Value| {
        s.creates(move |content| drop(content.insert("additional_creators".into(), additional)))
    };
    let rejected = Rejected(CreateAdditionalCreators);
    leaf(CreateAdditionalCreators)
        .rejected("An additional creator is no user id.", CreateAdditionalCreators, move |s| {
            with(s, json!([BOB, "bob"]))
        })
        .accepted("Every additional creator is a user id.", CreateAllowed, move |s| with(s, json!([BOB])))
        .variant("no-domain", "An additional creator has no domain.", rejected, move |s| {
            with(s, json!(["@bob"]))
        })
        .variant("bad-domain", "The domain of an additional creator is no server name.", rejected, move |s| {
            with(s, json!(["@bob:b example"]))
        })
        .variant("too-long", "An additional creator has more than 255 bytes.", rejected, move |s| {
            with(s, json!([format!("@{}:b.example", "b".repeat(245))]))
        })
        .variant("longest", "An additional creator has 255 bytes.", Allowed(CreateAllowed), move |s| {
            with(s, json!([format!("@{}:b.example", "b".repeat(244))]))
        })
        .variant(
            "historical",
            "An additional creator has a historical user id.",
            Allowed(CreateAllowed),
            move |s| with(s, json!(["@Bób the 1st:b.example"])),
        )
        .variant("no-list", "The additional creators are no list.", rejected, move |s| with(s, json!(BOB)))
        .variant("null", "The additional creators are null, which is no list.", rejected, move |s| {
            with(s, json!(null))
        })
        .variant("no-string", "An additional creator is no string.", rejected, move |s| {
            with(s, json!([BOB, 1]))
        })
        .variant("nobody", "The list of additional creators is empty.", Allowed(CreateAllowed), move |s| {
            with(s, json!([]))
        })
        .variant("the-sender", "The sender is an additional creator too.", Allowed(CreateAllowed), move |s| {
            with(s, json!([ALICE, ALICE]))
        })
}

/// Rule 2 of room version 12.
fn room_id() -> Leaf {
    let in_room = |draft: Draft<'static>, event_id: &str| Draft {
        with: object(json!({"room_id": event_id.replacen('$', "!", 1)})),
        ..draft
    };
    leaf(RoomIdIsCreateEvent)
        .rejected("The room id is that of an event which nobody knows.", RoomIdIsCreateEvent, move |s| {
            in_room(s.sends(BOB), "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
        })
        .accepted("The room id is that of the create event.", Otherwise, |s| s.sends(BOB))
        .variant(
            "another-event",
            "The room id is that of an event which is no create event.",
            Rejected(RoomIdIsCreateEvent),
            move |s| in_room(s.sends(BOB), &s.current("m.room.member", BOB)),
        )
        .variant(
            "rejected-create",
            "The room id is that of a create event that was rejected.",
            Rejected(RoomIdIsCreateEvent),
            |s| {
                *s = Scene::unmade(s.version(), ALICE);
                let unheard_of = |content: &mut protocol::Object| {
                    drop(content.insert("room_version".into(), json!("unheard-of")));
                };
                let create = s.is_rejected(s.creates(unheard_of));
                Draft { prev_events: vec![create], ..s.joins(ALICE) }
            },
        )
        .variant(
            "without-state-key",
            "The room id is that of an event with the type of a create event, but without the state key that makes it one.",
            Rejected(RoomIdIsCreateEvent),
            |s| {
                *s = Scene::unmade(s.version(), ALICE);
                let unmade = Draft { state_key: None, ..s.creates(|_| {}) };
                let create = s.make(unmade);
                Draft { prev_events: vec![create], ..s.joins(ALICE) }
            },
        )
        .variant(
            "another-state",
            "The state has the create event of another room.",
            Rejected(RoomIdIsCreateEvent),
            |s| {
                let message = s.sends(BOB);
                let other = s.other_room();
                s.confused_with(&other).by_state();
                message
            },
        )
        .variant("first-join", "The first join follows the create event.", Allowed(JoinOfCreator), |s| {
            s.only(Beginning::Created).joins(ALICE)
        })
}
