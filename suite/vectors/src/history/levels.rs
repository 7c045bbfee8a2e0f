//! Changes of the power levels in force.

use oracle::Level;
use protocol::room_version::PowerLevelForm;
use serde_json::{Value, json};

use super::plan::Plan;
use super::scene::{Scene, USERS, nth, short};
use super::script::{Amount, Change, OpeningLevels, Spelling};

const PROPERTIES: [&str; 7] =
    ["state_default", "ban", "kick", "invite", "events_default", "users_default", "redact"];

const EVENT_TYPES: [&str; 6] = [
    "m.room.topic",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.name",
    "m.room.message",
    "m.room.third_party_invite",
];

/// What stands for the level of the sender, and those beside it.
const OWN: i64 = i64::MIN + 10;
/// The largest integer of canonical JSON.
const LARGEST: i64 = (1 << 53) - 1;
const AMOUNTS: [i64; 16] = [50, 0, 100, OWN, OWN - 1, 49, 51, 75, OWN + 1, 25, 99, 10, 1, 101, -1, LARGEST];

/// The first power levels; creators who have power anyway are not named.
pub(super) fn opening(levels: OpeningLevels, creator: &str, unnamed: &[&str]) -> Option<Plan> {
    let users = match levels {
        OpeningLevels::Moderators => vec![(creator, 100), (USERS[1], 50), (USERS[2], 50)],
        OpeningLevels::TwoAdministrators => vec![(creator, 100), (USERS[1], 100), (USERS[3], 50)],
        OpeningLevels::OneAdministrator => vec![(creator, 100)],
        OpeningLevels::Absent => return None,
    };
    let mut content = json!({"users": {}});
    for (user, level) in users.into_iter().filter(|(user, _)| !unnamed.contains(user)) {
        content["users"][user] = json!(level);
    }
    Some(Plan::state("m.room.power_levels", "", content, "sets the power levels"))
}

/// Changes the power levels in force.
pub(super) fn plan(change: Change, actor: &str, scene: &Scene<'_>) -> Plan {
    let mut content = scene.levels_content().cloned().unwrap_or_else(|| json!({}));
    let amount = |amount: Amount| spell(amount, actor, scene);
    let target = scene.target(actor, &[Some("join"), Some("invite"), Some("ban")]);
    let says = match change {
        Change::User(level) => {
            set(&mut content, &["users", target], amount(level));
            format!("gives {} the level {}", short(target), amount(level))
        }
        Change::RemoveUser => {
            remove(&mut content, &["users", target]);
            format!("removes the level of {}", short(target))
        }
        Change::Property(number, level) => {
            let property = nth(&PROPERTIES, number).unwrap_or_default();
            set(&mut content, &[property], amount(level));
            format!("sets {property} to {}", amount(level))
        }
        Change::RemoveProperty(number) => {
            let property = nth(&PROPERTIES, number).unwrap_or_default();
            remove(&mut content, &[property]);
            format!("removes {property}")
        }
        Change::Event(number, level) => {
            let event_type = nth(&EVENT_TYPES, number).unwrap_or_default();
            set(&mut content, &["events", event_type], amount(level));
            format!("sets the level of {event_type} to {}", amount(level))
        }
        Change::Notification(level) => {
            set(&mut content, &["notifications", "room"], amount(level));
            format!("sets the level of notifications to {}", amount(level))
        }
        Change::Reset(level) => {
            content = json!({"users": {target: amount(level)}});
            format!("leaves nothing but the level {} of {}", amount(level), short(target))
        }
        Change::Malformed(number) => malform(&mut content, number, actor).to_owned(),
    };
    Plan::state("m.room.power_levels", "", content, says)
}

/// Breaks the form; some of these are allowed in some room versions.
fn malform(content: &mut Value, number: u8, actor: &str) -> &'static str {
    match number % 8 {
        0 => content["users"] = json!([actor]),
        1 => set(content, &["users", USERS[6]], json!("many")),
        2 => set(content, &["users", "nobody"], json!(0)),
        3 => content["kick"] = json!("50"),
        4 => set(content, &["events", "m.room.topic"], json!("50")),
        5 => set(content, &["users", USERS[0]], json!(100)),
        6 => content["events"] = json!(50),
        _ => content["ban"] = json!(null),
    }
    match number % 8 {
        0 => "sets users to a list",
        1 => "sets a user's level to a word",
        2 => "gives somebody a level who is no user",
        3 => "sets kick to a string",
        4 => "sets the level of m.room.topic to a string",
        5 => "gives alice the level 100",
        6 => "sets events to a number",
        _ => "sets ban to null",
    }
}

/// A level, spelled as the room version allows it.
fn spell(amount: Amount, actor: &str, scene: &Scene<'_>) -> Value {
    let own = match scene.level(actor) {
        Level::Finite(level) => i64::try_from(level).unwrap_or(LARGEST).clamp(-LARGEST, LARGEST - 1),
        Level::Infinite => 100,
    };
    let listed = nth(&AMOUNTS, amount.level).unwrap_or_default();
    let level = if listed < -LARGEST { own + (listed - OWN) } else { listed };
    match (scene.version.power_levels, amount.spelling) {
        (PowerLevelForm::Integer, _) | (_, Spelling::Integer) => json!(level),
        (_, Spelling::Text) => json!(level.to_string()),
        (_, Spelling::Padded) => json!(format!(" {level:+} ")),
        (PowerLevelForm::IntegerOrString, Spelling::Float) => json!(level),
        // Of the largest, the fraction would be lost.
        (PowerLevelForm::IntegerStringOrFloat, Spelling::Float) if level.abs() < 1 << 40 => {
            json!(level as f64 + 0.57_f64.copysign(level as f64))
        }
        (PowerLevelForm::IntegerStringOrFloat, Spelling::Float) => json!(level),
    }
}

/// Sets a value, making objects on the way; what is no object there is replaced by one.
fn set(content: &mut Value, path: &[&str], value: Value) {
    let mut place = content;
    for name in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[*name];
    }
    *place = value;
}

fn remove(content: &mut Value, path: &[&str]) {
    let Some((last, path)) = path.split_last() else { return };
    let place = path.iter().try_fold(content, |place, name| place.get_mut(*name));
    place.and_then(Value::as_object_mut).map(|place| place.remove(*last));
}
