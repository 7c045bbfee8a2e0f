//! One accepted and one rejected event for every leaf of the authorization rules of every room version.
//!
//! A [`Leaf`] has its near miss, and what else implementations are known to read in another way. Cases stand in the
//! order of the text, and say by hand what the text says of them.

mod aliases;
mod auth_events;
mod creation;
mod federation;
mod inviting;
mod joining;
mod knocking;
mod leaf;
mod leaving;
mod level_forms;
mod levels;
mod membership;
mod redacting;
mod scene;
mod sending;
mod third_party;

use oracle::{Event, Rule};
use protocol::RoomVersion;
use rstest::rstest;
use vectors::Answer;
use vectors::file::{Vector, VectorFile};
use vectors::question::{Authorize, Pool, Question};

use crate::published::publish;
use leaf::{Case, Leaf, Verdict};
use scene::Scene;

#[rstest]
fn every_leaf_decides_as_the_text_says(
    #[values("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")] version: &str,
) {
    let version = RoomVersion::find(version).unwrap();
    let mut file = VectorFile::new(format!("rooms/v{}/#authorisation-rules", version.id));
    let ordinary = Scene::ordinary(version);
    for leaf in leaves() {
        for case in leaf.of(version) {
            stage(&mut file, &format!("authorization/v{}/{}", version.id, kebab(leaf.rule)), case, &ordinary);
        }
    }
    publish(&format!("authorization/v{}.json", version.id), &file);
}

#[test]
fn every_leaf_is_hit_by_its_near_miss_in_every_version() {
    let leaves = leaves();
    for version in RoomVersion::ALL {
        for rule in Rule::of(version) {
            let cases = leaves.iter().filter(|leaf| leaf.rule == rule).flat_map(|leaf| leaf.of(version));
            let near_miss: Vec<&Case> = cases.filter(|case| case.is_of_near_miss()).collect();
            let verdicts: Vec<Verdict> = near_miss.iter().map(|case| case.verdict).collect();
            let sides = (
                verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Allowed(_))).count(),
                verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Rejected(_))).count(),
            );
            assert_eq!(sides, (1, 1), "{rule} of room version {}", version.id);
            assert!(
                verdicts.iter().any(|verdict| verdict.rule() == rule),
                "neither event is decided by {rule} of room version {}",
                version.id
            );
        }
    }
}

/// Every leaf, in the order of the text.
fn leaves() -> Vec<Leaf> {
    [
        creation::leaves(),
        auth_events::leaves(),
        federation::leaves(),
        aliases::leaves(),
        membership::leaves(),
        joining::leaves(),
        third_party::leaves(),
        inviting::leaves(),
        leaving::leaves(),
        knocking::leaves(),
        sending::leaves(),
        levels::leaves(),
        redacting::leaves(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Plays a case and adds it to the file.
fn stage(file: &mut VectorFile, path: &str, case: &Case, ordinary: &Scene) {
    let id = format!("{path}/{}", case.name);
    let mut scene = ordinary.clone();
    let draft = case.play(&mut scene);
    let event_id = scene.make(draft);
    let (question, answer) = (scene.asks(&event_id), answer(&scene, &id, &event_id, case.verdict));
    add(file, &scene, Vector { id, says: case.says.to_owned(), specification: None, question, answer });
}

/// The answer that is published. Which rule allows an event it does not say, so that is held against the oracle here.
fn answer(scene: &Scene, id: &str, event_id: &str, verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Allowed(rule) => {
            let decision = scene.decides(event_id);
            assert_eq!(decision.rule(), rule, "{id}: {decision:?}");
            Answer::allowed()
        }
        Verdict::Rejected(rule) => {
            let number = rule.number(scene.version());
            Answer::rejected(number.unwrap_or_else(|| panic!("{id}: no such rule in this version")))
        }
    }
}

/// Adds a case with the names of its events.
fn add(file: &mut VectorFile, scene: &Scene, vector: Vector) {
    assert!(file.cases.iter().all(|case| case.id != vector.id), "{} is there twice", vector.id);
    if let Question::Authorize(Authorize { events: Pool::Texts(texts), .. }) = &vector.question {
        for (id, text) in texts {
            let known = file.events.get(id);
            assert!(known.is_none_or(|known| known == text), "{id} is the id of two events");
            file.names.insert(id.clone(), scene.room().events().get(id).map(name_of).unwrap_or_default());
        }
    }
    file.push(vector);
}

/// What people call an event.
fn name_of(event: &Event) -> String {
    let state_key = event.state_key().unwrap_or_default();
    match (event.event_type(), event.content_string("membership")) {
        ("m.room.member", Some(membership)) => format!("{membership} of {state_key}"),
        (event_type, _) => format!("{event_type} by {}", event.sender()),
    }
}

/// A rule's name as ids have it.
fn kebab(rule: Rule) -> String {
    let mut kebab = String::new();
    for character in rule.to_string().chars() {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}
