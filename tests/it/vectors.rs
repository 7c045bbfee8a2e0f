//! `determinant vectors`, as implementers call it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::{determinant, ended};

/// A file with one vector, which both built-in judges answer right.
fn vectors() -> Value {
    json!({
        "format": "determinant.vectors/1",
        "specification": "appendices/#canonical-json",
        "cases": [{
            "id": "canonical/sorted", "says": "Names are sorted.",
            "question": {"op": "canonical_json", "json": "{\"b\": 1, \"a\": 2}"},
            "answer": {"canonical": "{\"a\":2,\"b\":1}"},
        }],
    })
}

fn written(text: &str) -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("vectors.json");
    fs::write(&path, text).expect("a file");
    (folder, path)
}

fn run(path: &Path, exec: Option<&str>) -> (i32, String, String) {
    let mut arguments = vec!["vectors", "run", "--json", "--from", path.to_str().expect("a path")];
    arguments.extend(exec.iter().flat_map(|command| ["--exec", command]));
    ended(&arguments)
}

fn summary(output: &str) -> Value {
    serde_json::from_str(output.lines().last().unwrap_or_default()).expect("the last line is JSON")
}

#[test]
fn the_published_vectors_are_answered_by_the_built_in_rules() {
    let (code, output, errors) = ended(&["vectors", "run", "--json"]);
    assert_eq!(code, 0, "{output}{errors}");
    let summary = summary(&output);
    assert_eq!((&summary["disagreements"], &summary["unsupported"]), (&json!(0), &json!(0)), "{output}");
    assert_eq!(summary["rules_hit"], summary["rules_total"], "{output}");
}

#[test]
fn a_wrong_answer_explains_itself() {
    let (_folder, path) = written(&vectors().to_string());
    let (code, output, _) = run(&path, Some(r#"echo '{"id": 0, "canonical": "{\"b\":1,\"a\":2}"}'"#));
    assert_eq!(code, 1, "{output}");
    insta::assert_snapshot!(output.replace(&path.display().to_string(), "vectors.json"));
}

#[test]
fn a_refusal_is_a_wrong_answer_and_an_unsupported_question_is_none() {
    let (_folder, path) = written(&vectors().to_string());
    let (code, output, _) = run(&path, Some(r#"echo '{"id": 0, "refused": "no JSON"}'"#));
    assert_eq!((code, &summary(&output)["disagreements"]), (1, &json!(1)), "{output}");
    let (code, output, _) = run(&path, Some(r#"echo '{"id": 0, "unsupported": "bytes"}'"#));
    assert_eq!((code, &summary(&output)["unsupported"]), (0, &json!(1)), "{output}");
}

#[test]
fn an_adapter_that_dies_is_a_fault_at_a_case() {
    let (_folder, path) = written(&vectors().to_string());
    let (code, _, errors) = run(&path, Some("false"));
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("at canonical/sorted: adapter ended with exit status: 1"), "{errors}");
}

#[rstest]
#[case::no_json("nonsense", "line 1 column 2")]
#[case::other_format(r#"{"format": "x/1", "specification": "", "cases": []}"#, "has the format \"x/1\"")]
#[case::no_cases(
    r#"{"format": "determinant.vectors/1", "specification": "", "cases": []}"#,
    "there are no vectors"
)]
#[case::unknown_event(
    r#"{"format": "determinant.vectors/1", "specification": "", "cases": [{"id": "a", "says": "", "answer": {},
        "question": {"op": "resolve", "room_version": "1", "events": ["$none"], "state_sets": []}}]}"#,
    "case a refers to event $none"
)]
fn a_wrong_file_is_told(#[case] text: &str, #[case] words: &str) {
    let (_folder, path) = written(text);
    let (code, _, errors) = run(&path, None);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors:?}");
}

#[rstest]
#[case::of_the_server(&["vectors", "answer"])]
#[case::of_the_oracle(&["vectors", "answer", "--oracle"])]
fn questions_are_answered_one_to_a_line(#[case] arguments: &[&str]) {
    let mut process =
        determinant(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut input = process.stdin.take().expect("an input");
    let mut question = vectors()["cases"][0]["question"].clone();
    question["id"] = json!(42);
    writeln!(input, "{question}\nnonsense").expect("it reads");
    drop(input);
    let output = process.wait_with_output().expect("it ends");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0], json!({"id": 42, "canonical": "{\"a\":2,\"b\":1}"}));
    assert_eq!((lines.len(), &lines[1]["id"]), (2, &json!(null)));
    assert!(lines[1]["refused"].is_string());
}
