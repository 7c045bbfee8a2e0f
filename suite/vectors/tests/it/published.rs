//! Holding a file of vectors against the oracle, the built-in server's rules, and the copy that is published.

use std::path::Path;

use vectors::agreement::{Agreement, compare};
use vectors::expected;
use vectors::file::VectorFile;

/// Set to write the files instead of comparing them.
const WRITE: &str = "DETERMINANT_WRITE_VECTORS";

/// A case in which a judge is known to differ.
pub(crate) struct Disagreement {
    /// Who differs: `oracle` or `rooms`.
    pub(crate) judge: &'static str,
    /// The end of the ids of the cases.
    pub(crate) case: &'static str,
    /// Why it is left at that for now.
    pub(crate) why: &'static str,
}

/// Requires that both judges agree with the file and that it is the published one; `path` is below `fixtures/vectors`.
#[track_caller]
pub(crate) fn publish(path: &str, file: &VectorFile) {
    publish_in_spite_of(path, file, &[]);
}

/// [`publish`], where a judge is known to differ. Where it agrees after all, the disagreement has to be forgotten.
#[track_caller]
pub(crate) fn publish_in_spite_of(path: &str, file: &VectorFile, known: &[Disagreement]) {
    judge(file, known);
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
fn judge(file: &VectorFile, known: &[Disagreement]) {
    let mut wrong = Vec::new();
    for vector in &file.cases {
        let question = file.question(vector).unwrap();
        let judges = [("oracle", expected::answer(&question)), ("rooms", rooms_adapter::answer(&question))];
        for (judge, given) in judges {
            let known = known.iter().find(|known| known.judge == judge && vector.id.ends_with(known.case));
            match (compare(&vector.answer, &given), known) {
                (Agreement::Agrees, None) | (Agreement::Differs(_), Some(_)) => {}
                (Agreement::Agrees, Some(known)) => {
                    wrong.push(format!("{}: {judge} agrees, although {}", vector.id, known.why));
                }
                (Agreement::Unsupported(why), _) => {
                    wrong.push(format!("{}: {judge} cannot: {why}", vector.id))
                }
                (Agreement::Differs(differences), None) => {
                    let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
                    wrong.push(format!("{}: {judge}: {}", vector.id, differences.join("; ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
