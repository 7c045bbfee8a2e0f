//! Scenes of state resolution, each in every algorithm that it applies to.
//!
//! A scene says by the names of its events what becomes of everything that was contended; the published answer has the
//! whole way there.
#![allow(clippy::unwrap_used)]

mod bans;
mod creators;
mod levels;
mod membership;
mod merge;
mod omission;
mod order;
mod rejected;
mod resets;
mod script;
mod sets;
mod version_1;

use std::collections::{BTreeMap, BTreeSet};

use protocol::RoomVersion;
use protocol::event::{Counts, check_format};
use protocol::room_version::StateResolution;
use vectors::Text;
use vectors::file::{Vector, VectorFile};
use vectors::question::{Pool, Question};

use crate::published::publish;
use merge::Merge;

/// A scene: a room that forks, and what the forks resolve to.
struct Scene {
    /// Its part of the ids of its vectors.
    name: &'static str,
    /// What it shows, in a sentence.
    says: &'static str,
    /// The ids of the room versions in which it is played.
    versions: &'static [&'static str],
    /// Plays it in a room version.
    play: fn(&'static RoomVersion) -> Merge,
}

/// State resolution v1, v2 in every format that events ever had, and v2.1.
const EVERY_FORMAT: &[&str] = &["1", "2", "6", "10", "11", "12"];
/// State resolution v1, v2 with and without hashes beside references, and v2.1.
const ALL: &[&str] = &["1", "2", "10", "12"];
/// State resolution v2 with and without hashes beside references, and v2.1.
const SINCE_V2: &[&str] = &["2", "10", "12"];

/// The files below `fixtures/vectors/resolution`, and their scenes.
const FILES: &[(&str, &[Scene])] = &[
    ("bans", bans::SCENES),
    ("creators", creators::SCENES),
    ("levels", levels::SCENES),
    ("membership", membership::SCENES),
    ("order", order::SCENES),
    ("rejected", rejected::SCENES),
    ("resets", resets::SCENES),
    ("sets", sets::SCENES),
    ("version_1", version_1::SCENES),
];

/// The name of a room version's algorithm in ids.
fn algorithm(version: &RoomVersion) -> &'static str {
    match version.state_resolution {
        StateResolution::V1 => "v1",
        StateResolution::V2 => "v2",
        StateResolution::V2_1 => "v2.1",
    }
}

impl Scene {
    /// The scene in each of its room versions.
    fn merges(&self) -> impl Iterator<Item = Merge> {
        self.versions.iter().map(|id| (self.play)(RoomVersion::find(id).unwrap()))
    }
}

#[test]
fn scenes_are_published() {
    for (name, scenes) in FILES {
        let mut file = VectorFile::new("server-server-api/#room-state-resolution");
        for (scene, merge) in scenes.iter().flat_map(|scene| scene.merges().map(move |merge| (scene, merge)))
        {
            let vector = merge.vector(scene.name, scene.says);
            file.names.extend(texts(&vector).keys().map(|id| (id.clone(), merge.name(id).to_owned())));
            require_one_text_for_each_id(&file, &vector);
            require_format(&merge);
            file.push(vector);
        }
        publish(&format!("resolution/{name}.json"), &file);
    }
}

/// Scenes of a file share a table of events, so that one id must mean one event.
fn require_one_text_for_each_id(file: &VectorFile, vector: &Vector) {
    for (id, text) in texts(vector) {
        let known = file.events.get(id).unwrap_or(text);
        assert_eq!(known, text, "{} gives an id again to another event", vector.id);
    }
}

/// Requires that whoever checks the format of the events first comes to the question at all.
fn require_format(merge: &Merge) {
    for event in merge.events().iter() {
        let checked = check_format(event.pdu(), merge.version(), Counts::Limited);
        assert_eq!(checked, Ok(()), "{} of room version {}", merge.name(event.id()), merge.version().id);
    }
}

fn texts(vector: &Vector) -> &BTreeMap<String, Text> {
    match &vector.question {
        Question::Resolve(question) => match &question.events {
            Pool::Texts(texts) => texts,
            Pool::OfFile(_) => panic!("{} went to its file already", vector.id),
        },
        other => panic!("{other:?} resolves nothing"),
    }
}

#[test]
fn ids_are_unique_and_scenes_are_many() {
    let scenes: Vec<&Scene> = FILES.iter().flat_map(|(_, scenes)| *scenes).collect();
    let mut seen = BTreeSet::new();
    for scene in &scenes {
        for version in scene.versions {
            assert!(seen.insert((scene.name, version)), "{} is played twice in {version}", scene.name);
        }
    }
    let names: BTreeSet<&str> = scenes.iter().map(|scene| scene.name).collect();
    assert_eq!(names.len(), scenes.len(), "two scenes have the same name");
    assert!(names.len() >= 40, "only {} scenes", names.len());
}
