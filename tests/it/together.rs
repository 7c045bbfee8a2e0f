//! `determinant together`: two built-in servers with each other.

use serde_json::Value;

use crate::ended;

#[test]
fn two_built_in_servers_have_everything_of_each_other() {
    let (code, told, errors) = ended(&["together", "--json"]);
    assert_eq!(code, 0, "{told}{errors}");
    let summary: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).expect("JSON");
    let scenes = summary["scenes"].as_array().expect("scenes");
    assert_eq!(summary["passed"].as_u64(), Some(scenes.len() as u64), "{summary}");
    assert!(scenes.iter().any(|scene| scene["host"] == "reference-server 2" && scene["scene"] == "converge"));
}

#[test]
fn a_server_that_is_up_does_not_know_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("target.toml");
    let text = "name = \"x\"\nurl = \"http://localhost:1\"\nregistration = { method = \"dummy\" }\n";
    std::fs::write(&path, text).expect("a file");
    let (code, _, errors) = ended(&["together", path.to_str().expect("a path")]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("only servers that a target file launches"), "{errors}");
}

#[test]
fn an_unknown_scene_is_told() {
    let (code, _, errors) = ended(&["together", "--only", "frobnicate"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("converge"), "{errors}");
}
