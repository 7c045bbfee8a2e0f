//! `determinant hostile`: the built-in server among hostile peers.

use serde_json::Value;

use crate::ended;

#[test]
fn the_built_in_server_goes_on_among_hostile_peers() {
    let few = ["hostile", "--requests", "300", "--seed", "1", "--stalled", "16", "--stalled-for", "1s"];
    let (code, told, errors) = ended(&[&few[..], &["--within", "10s", "--json"]].concat());
    assert_eq!(code, 0, "{told}{errors}");
    let summary: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).expect("JSON");
    let answers = summary["statuses"].as_object().expect("statuses");
    assert_eq!(answers.values().filter_map(Value::as_u64).sum::<u64>(), 300, "{summary}");
    assert!(
        answers.contains_key("200") && answers.contains_key("400"),
        "some are taken, others refused: {summary}"
    );
    assert!(summary["stalled_seconds"].as_f64() > Some(8.0), "{summary}");
}

#[test]
fn a_server_that_keeps_its_user_waiting_is_told() {
    let few = ["hostile", "--requests", "5", "--seed", "1", "--stalled", "0", "--stalled-for", "1ms"];
    let (code, told, errors) = ended(&[&few[..], &["--within", "0.001ms"]].concat());
    assert_eq!(code, 1, "{told}{errors}");
    assert!(told.contains("a user waited meanwhile"), "{told}");
}
