//! Scenes of state resolution, each in every algorithm that it applies to.
//!
//! A scene says by the names of its events what becomes of everything that was contended; the published answer has the
//! whole way there.

mod bans;
mod creators;
mod levels;
mod membership;
mod merge;
mod order;
mod rejected;
mod resets;
mod omission;
mod script;
mod sets;
mod version_1;

use std::collections::{BTreeMap, BTreeSet};

use protocol::RoomVersion;
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
const ALL: &[&str] = &["1", "2", "6", "10", "11", "12"];
/// State resolution v2 and v2.1.
const SINCE_V2: &[&str] = &["2", "6", "10", "11", "12"];

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
        for (scene, merge) in scenes.iter().flat_map(|scene| scene.merges().map(move |merge| (scene, merge))) {
            let vector = merge.vector(scene.name, scene.says);
            file.names.extend(texts(&vector).keys().map(|id| (id.clone(), merge.name(id).to_owned())));
            require_one_text_for_each_id(&file, &vector);
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
fn ids_are_unique() {
    let names: Vec<&str> = FILES.iter().flat_map(|(_, scenes)| *scenes).map(|scene| scene.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn dev_try_all() {
    std::panic::set_hook(Box::new(|info| eprintln!("PANIC {info}")));
    let mut bad = 0;
    for (_, scenes) in FILES {
        for scene in *scenes {
            for id in scene.versions {
                let version = RoomVersion::find(id).unwrap();
                let outcome = std::panic::catch_unwind(|| {
                    (scene.play)(version).vector(scene.name, scene.says);
                });
                if outcome.is_err() {
                    eprintln!("^^^^^ {} in version {id}\n", scene.name);
                    bad += 1;
                }
            }
        }
    }
    assert_eq!(bad, 0);
}
