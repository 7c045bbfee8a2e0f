//! What an act comes to when somebody does it: the type, state key and content of an event.

use protocol::RoomVersion;
use protocol::room_version::RoomIdFormat;
use serde_json::{Value, json};

use super::levels;
use super::plan::Plan;
use super::scene::{Scene, nth, server_of, short};
use super::script::{Act, Authoriser, JoinRule, OddCreate, OddMembership, Owner};
use super::third_party;

/// What a user does.
pub(super) fn plan(act: Act, actor: &str, scene: &Scene<'_>) -> Plan {
    let member = |target: &str, membership: &str, says: &str| {
        let content = json!({"membership": membership});
        Plan::state("m.room.member", target, content, format!("{says} {}", short(target)))
    };
    match act {
        Act::Topic => {
            let topic = format!("{} has it that way, for the {}th time", short(actor), scene.made.len());
            Plan::state("m.room.topic", "", json!({"topic": topic}), "sets the topic")
        }
        Act::Name => {
            let name = format!("The room of {} and {}", short(actor), scene.made.len());
            Plan::state("m.room.name", "", json!({"name": name}), "sets the name")
        }
        Act::Levels(change) => levels::plan(change, actor, scene),
        Act::JoinRules(rule) => join_rules(rule),
        Act::Join(authoriser) => join(authoriser, actor, scene),
        Act::Leave => Plan { says: "leaves".to_owned(), ..member(actor, "leave", "") },
        Act::Knock => Plan { says: "knocks".to_owned(), ..member(actor, "knock", "") },
        Act::Invite => member(scene.target(actor, &[None, Some("knock")]), "invite", "invites"),
        Act::Ban => {
            let everybody_else = [Some("join"), Some("invite"), Some("knock"), None];
            member(scene.target(actor, &everybody_else), "ban", "bans")
        }
        Act::Kick => member(scene.target(actor, &[Some("join"), Some("invite")]), "leave", "removes"),
        Act::Unban => member(scene.target(actor, &[Some("ban")]), "leave", "lifts the ban of"),
        Act::Message => {
            Plan::message("m.room.message", json!({"msgtype": "m.text", "body": "hello"}), "says hello")
        }
        Act::Note(owner) => note(owner, actor, scene),
        Act::Offer(token) => third_party::offer(token),
        Act::Redeem(token, flaw) => third_party::redeem(token, flaw, actor, scene),
        Act::Redact(back) => redact(back, scene),
        Act::Aliases(owner) => aliases(owner, actor, scene),
        Act::Membership(odd) => odd_membership(odd, actor, scene),
        Act::Create(odd) => odd_create(odd, actor, scene),
    }
}

/// The content of an event that creates a room.
pub(super) fn create_content(version: &RoomVersion, creator: &str) -> Value {
    let mut content = json!({"room_version": version.id});
    if version.creator_in_content {
        content["creator"] = json!(creator);
    }
    content
}

/// Sets a join rule.
pub(super) fn join_rules(rule: JoinRule) -> Plan {
    let name = match rule {
        JoinRule::Public => "public",
        JoinRule::Invite => "invite",
        JoinRule::Knock => "knock",
        JoinRule::Restricted => "restricted",
        JoinRule::KnockRestricted => "knock_restricted",
        JoinRule::Private => "private",
    };
    let mut content = json!({"join_rule": name});
    if matches!(rule, JoinRule::Restricted | JoinRule::KnockRestricted) {
        content["allow"] = json!([{"type": "m.room_membership", "room_id": "!lobby:a.example"}]);
    }
    Plan::state("m.room.join_rules", "", content, format!("sets the join rule {name}"))
}

/// Joins.
pub(super) fn join(authoriser: Authoriser, actor: &str, scene: &Scene<'_>) -> Plan {
    let needs_one = matches!(scene.join_rule(), Some("restricted" | "knock_restricted"))
        && !matches!(scene.membership(actor), Some("invite" | "join"));
    let chosen = match authoriser {
        Authoriser::Fitting(number) if needs_one => nth(&scene.inviters(), number),
        Authoriser::Fitting(_) | Authoriser::Nobody => None,
        Authoriser::Anyone(number) => nth(&super::scene::USERS, number),
        Authoriser::Unsigned(number) => nth(&scene.joined(), number),
    };
    let mut plan = Plan::state("m.room.member", actor, json!({"membership": "join"}), "joins");
    if let Some(chosen) = chosen {
        plan.content["join_authorised_via_users_server"] = json!(chosen);
        plan.says = format!("joins by leave of {}", short(chosen));
        if let Authoriser::Unsigned(_) = authoriser {
            plan.signers = Some(vec![server_of(actor).to_owned()]);
            plan.says += ", unsigned";
        }
    }
    plan
}

fn note(owner: Owner, actor: &str, scene: &Scene<'_>) -> Plan {
    let content = json!({"note": scene.made.len()});
    let state = |key: &str, says: String| Plan::state("org.example.note", key, content.clone(), says);
    match owner {
        Owner::Own => state(actor, "sets a note under the own name".to_owned()),
        Owner::Nobody => state("", "sets a note".to_owned()),
        Owner::Target => {
            let target = scene.target(actor, &[Some("join")]);
            state(target, format!("sets a note under the name of {}", short(target)))
        }
        Owner::Missing => Plan::message("org.example.note", content, "sends a note"),
    }
}

fn redact(back: u8, scene: &Scene<'_>) -> Plan {
    let redacted = &scene.made[scene.made.len() - 1 - usize::from(back) % scene.made.len()];
    let mut plan = Plan::message("m.room.redaction", json!({}), "redacts an event");
    if scene.version.redacts_in_content {
        plan.content["redacts"] = json!(redacted);
    } else {
        plan.with.insert("redacts".to_owned(), json!(redacted));
    }
    plan
}

fn aliases(owner: Owner, actor: &str, scene: &Scene<'_>) -> Plan {
    let state = |server: &str| {
        let content = json!({"aliases": [format!("#room:{server}")]});
        Plan::state("m.room.aliases", server, content, format!("sets the aliases of {server:?}"))
    };
    match owner {
        Owner::Own => state(server_of(actor)),
        Owner::Nobody => state(""),
        Owner::Target => state(server_of(scene.target(actor, &[Some("join")]))),
        Owner::Missing => Plan::message("m.room.aliases", json!({"aliases": []}), "sends aliases"),
    }
}

fn odd_membership(odd: OddMembership, actor: &str, scene: &Scene<'_>) -> Plan {
    let member = |target: &str, membership: &str, says: String| {
        Plan::state("m.room.member", target, json!({"membership": membership}), says)
    };
    let absent = scene.target(actor, &[None]);
    match odd {
        OddMembership::JoinOther => member(absent, "join", format!("joins {}", short(absent))),
        OddMembership::KnockOther => member(absent, "knock", format!("knocks for {}", short(absent))),
        OddMembership::Missing => {
            Plan::state("m.room.member", actor, json!({}), "sends a membership without membership")
        }
        OddMembership::NoStateKey => {
            Plan::message("m.room.member", json!({"membership": "join"}), "sends a membership of nobody")
        }
        OddMembership::Unknown => member(actor, "dwell", "sends an unknown membership".to_owned()),
        OddMembership::InviteMember => {
            let target = scene.target(actor, &[Some("join"), Some("ban")]);
            member(target, "invite", format!("invites {}", short(target)))
        }
        OddMembership::KickAbsent => member(absent, "leave", format!("removes {}", short(absent))),
        OddMembership::LeaveAbsent => member(actor, "leave", "leaves".to_owned()),
    }
}

fn odd_create(odd: OddCreate, actor: &str, scene: &Scene<'_>) -> Plan {
    let content = create_content(scene.version, actor);
    let mut plan = Plan::state("m.room.create", "", content, "creates the room again");
    plan.is_beginning = odd != OddCreate::Late;
    match odd {
        OddCreate::Late | OddCreate::Again => {}
        OddCreate::RoomId => {
            plan.with.insert("room_id".to_owned(), json!(other_room(scene.version)));
        }
        OddCreate::RoomVersion => plan.content["room_version"] = json!("0"),
        OddCreate::Creator => {
            drop(plan.content.as_object_mut().and_then(|content| content.remove("creator")))
        }
        OddCreate::AdditionalCreators => plan.content["additional_creators"] = json!([actor, "nobody"]),
    }
    plan
}

/// The id of another room, on a server of its own where room ids have one.
pub(super) fn other_room(version: &RoomVersion) -> &'static str {
    match version.room_id {
        RoomIdFormat::Domain => "!room:e.example",
        RoomIdFormat::CreateEvent => "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    }
}
