//! Writes inputs to begin with: `seeds FOLDER` makes `FOLDER/bytes` of the published vectors, and `FOLDER/rules` of
//! generated histories.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::{env, fs};

use oracle::Event;
use protocol::{Object, RoomVersion};
use serde_json::{Value, json};
use vectors::history::{History, generate};
use vectors::{Question, published};

/// Which histories are taken, and how many in each room version.
const SEED: u64 = 1;
const HISTORIES: u64 = 4;
/// Published tables of headers, identifiers and base64.
const TABLES: [&str; 3] = [
    include_str!("../../../../../fixtures/vectors/x_matrix.json"),
    include_str!("../../../../../fixtures/vectors/identifiers.json"),
    include_str!("../../../../../fixtures/vectors/base64.json"),
];
/// A fuzzer learns little from large inputs.
const MAX_BYTES: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("give the folder to write to")?;
    let folder = Path::new(&folder);
    write(&folder.join("bytes"), bytes()?)?;
    write(&folder.join("rules"), rules())?;
    Ok(())
}

/// Writes every input once; files are numbered.
fn write(folder: &Path, inputs: BTreeSet<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for (index, input) in inputs.iter().filter(|input| input.len() <= MAX_BYTES).enumerate() {
        fs::write(folder.join(format!("{index:04}")), input)?;
    }
    Ok(())
}

/// The JSON texts of all published questions, and the strings in published tables.
fn bytes() -> Result<BTreeSet<Vec<u8>>, Box<dyn Error>> {
    let text_of = |question: &Question| {
        let (version, text) = match question {
            Question::CanonicalJson { json, .. } => ("1", json),
            Question::ContentHash(of) | Question::EventId(of) | Question::Redact(of) => {
                (of.room_version.as_str(), &of.event)
            }
            Question::Sign(sign) => (sign.room_version.as_deref().unwrap_or("1"), &sign.json),
            Question::Verify(verify) => (verify.room_version.as_deref().unwrap_or("1"), &verify.json),
            Question::CheckFormat { room_version, event, .. } => (room_version.as_str(), event),
            Question::Authorize(_) | Question::Resolve(_) => return None,
        };
        Some(input(RoomVersion::find(version)?, &text.bytes().ok()?))
    };
    let mut inputs: BTreeSet<Vec<u8>> =
        published::cases()?.iter().filter_map(|case| text_of(&case.question)).collect();
    for table in TABLES {
        strings(&serde_json::from_str(table)?, &mut inputs);
    }
    Ok(inputs)
}

fn strings(value: &Value, inputs: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::String(text) => drop(inputs.insert(input(RoomVersion::DEFAULT, text.as_bytes()))),
        Value::Array(values) => values.iter().for_each(|value| strings(value, inputs)),
        Value::Object(members) => members.values().for_each(|value| strings(value, inputs)),
        _ => {}
    }
}

/// Every event of some histories, after the state before it and everything that this rests on.
fn rules() -> BTreeSet<Vec<u8>> {
    let histories = (0..HISTORIES).map(|index| generate(SEED, index));
    let histories = histories.flat_map(|script| RoomVersion::ALL.map(|version| script.play(version)));
    histories.flat_map(|history| moments(&history)).collect()
}

fn moments(history: &History) -> Vec<Vec<u8>> {
    let room = history.room();
    let scene = |event: &Event, before: Vec<&str>| {
        let mut known = BTreeSet::new();
        let mut waiting: Vec<&str> =
            before.into_iter().chain(event.auth_events().iter().map(String::as_str)).collect();
        while let Some(id) = waiting.pop() {
            if let Some(other) = room.events().get(id)
                && known.insert(other.id())
            {
                waiting.extend(other.auth_events().iter().map(String::as_str));
            }
        }
        // What an event rests on was made before it.
        let mut scene: Vec<&Event> =
            history.moments().iter().filter_map(|moment| room.events().get(&moment.event_id)).collect();
        scene.retain(|other| known.contains(other.id()) && other.id() != event.id());
        scene.push(event);
        let numbers: BTreeMap<&str, usize> =
            scene.iter().enumerate().map(|(number, event)| (event.id(), number)).collect();
        let pdus: Vec<Object> = scene.iter().map(|event| renumbered(event, &numbers)).collect();
        input(history.version(), json!(pdus).to_string().as_bytes())
    };
    let inputs = history.moments().iter().filter_map(|moment| {
        let before = moment.before.values().map(String::as_str).collect();
        Some(scene(room.events().get(&moment.event_id)?, before))
    });
    inputs.collect()
}

/// The event with numbers for ids, and without what makes it long.
fn renumbered(event: &Event, numbers: &BTreeMap<&str, usize>) -> Object {
    let mut pdu = event.pdu().clone();
    let number = |id: &String| json!(format!("${}", numbers.get(id.as_str()).copied().unwrap_or(99)));
    pdu.insert("auth_events".to_owned(), event.auth_events().iter().map(number).collect());
    pdu.insert("prev_events".to_owned(), event.prev_events().iter().map(number).collect());
    pdu.insert("hashes".to_owned(), json!({"sha256": ""}));
    pdu.remove("event_id");
    if let Some(room_id) = event.room_id() {
        let create = numbers.get(room_id.replacen('!', "$", 1).as_str());
        pdu.insert("room_id".to_owned(), create.map_or(json!(room_id), |number| json!(format!("!{number}"))));
    }
    for by_key in
        pdu.get_mut("signatures").and_then(Value::as_object_mut).into_iter().flat_map(Object::values_mut)
    {
        *by_key = json!({"ed25519:1": ""});
    }
    pdu
}

/// A printable first byte that chooses the room version, and the rest.
fn input(version: &RoomVersion, rest: &[u8]) -> Vec<u8> {
    let number = RoomVersion::ALL.iter().position(|other| other.id == version.id).unwrap_or_default();
    let printable = usize::from(b'T') / RoomVersion::ALL.len() * RoomVersion::ALL.len();
    let first = u8::try_from(printable + number).unwrap_or_default();
    [&[first], rest].concat()
}
