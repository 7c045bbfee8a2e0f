//! Hashes, ids and signatures, which no scene makes: they come from the specification's test vectors and from
//! Synapse's own Python library, and only the files have them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vectors::agreement::{Agreement, compare};
use vectors::expected;
use vectors::file::{FORMAT, VectorFile};

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors");

#[rstest]
#[case("event.json")]
#[case("signing.json")]
fn pinned_answers_are_given(#[case] name: &str) {
    let text = fs::read_to_string(Path::new(PUBLISHED).join(name)).unwrap();
    let file: VectorFile = serde_json::from_str(&text).unwrap();
    assert_eq!(file.to_text(), text, "{name} is written like every other file");
    for vector in &file.cases {
        let given = expected::answer(&vector.question);
        assert_eq!(compare(&vector.answer, &given), Agreement::Agrees, "{}", vector.id);
    }
}

#[test]
fn every_id_is_given_once() {
    let mut ids = BTreeSet::new();
    for path in files(Path::new(PUBLISHED)) {
        let text = fs::read_to_string(&path).unwrap();
        if text.contains(FORMAT) {
            let file: VectorFile = serde_json::from_str(&text).unwrap();
            for vector in file.cases {
                assert!(ids.insert(vector.id.clone()), "{} has {} a second time", path.display(), vector.id);
            }
        }
    }
    assert!(ids.contains("sign/object/empty"), "the files were found");
}

/// The JSON files of a folder and of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect()
}
