//! Holding a file of vectors against the oracle, the built-in server's rules, and the copy that is published.

use std::path::Path;

use vectors::agreement::{Agreement, compare};
use vectors::expected;
use vectors::file::VectorFile;

/// Set to write the files instead of comparing them.
const WRITE: &str = "DETERMINANT_WRITE_VECTORS";

/// Requires that both judges agree with the file and that it is the published one; `path` is below `fixtures/vectors`.
#[track_caller]
pub(crate) fn publish(path: &str, file: &VectorFile) {
    judge(file);
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors")).join(path);
    let text = file.to_text();
    if std::env::var_os(WRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "{} is not what its scenes make; set {WRITE} to write it", path.display());
}

/// Requires that the oracle and the built-in server's rules give the answers of the file, property by property.
#[track_caller]
fn judge(file: &VectorFile) {
    let mut wrong = Vec::new();
    for vector in &file.cases {
        let question = file.question(vector).unwrap();
        let judges = [("oracle", expected::answer(&question)), ("rooms", rooms_adapter::answer(&question))];
        for (judge, given) in judges {
            match compare(&vector.answer, &given) {
                Agreement::Agrees => {}
                Agreement::Unsupported(why) => wrong.push(format!("{}: {judge} cannot: {why}", vector.id)),
                Agreement::Differs(differences) => {
                    let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
                    wrong.push(format!("{}: {judge}: {}", vector.id, differences.join("; ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
