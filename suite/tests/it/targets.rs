//! The target files of the repository.

use std::{fs, path::Path};

use suite::target::TargetFile;

#[test]
fn everything_that_a_target_is_made_of_is_there() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/targets");
    let folders = fs::read_dir(&targets).expect("the targets").map(|entry| entry.expect("a folder").path());
    let files: Vec<_> =
        folders.map(|folder| folder.join("target.toml")).filter(|file| file.exists()).collect();
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        let target = TargetFile::read(&file).unwrap_or_else(|error| panic!("{error}"));
        // What a target launches may not be installed here.
        let own = target.sources(&file).into_iter().filter(|source| source.starts_with(&targets));
        for source in own {
            assert!(source.exists(), "{} builds on {}", file.display(), source.display());
        }
    }
}
