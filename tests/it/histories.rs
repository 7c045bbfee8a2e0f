//! `determinant histories`: room histories told to the built-in server over federation.

use serde_json::Value;

use crate::ended;

fn summary(told: &str) -> Value {
    let line = told.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn the_built_in_server_has_the_state_of_the_oracle_in_every_order() {
    let (code, told, errors) = ended(&["histories", "--cases", "11", "--seed", "1", "--json"]);
    assert_eq!(code, 0, "{told}{errors}");
    let summary = summary(&told);
    assert_eq!((&summary["cases"], &summary["tellings"]), (&11.into(), &44.into()), "{summary}");
    assert!(summary["states"].as_u64() > Some(200), "{summary}");
    assert_eq!(summary["partings"], 0, "{summary}");
}

#[test]
fn a_server_that_breaks_a_rule_parts_from_the_oracle() {
    let fault = "room-rules-levels-exceeded";
    let (code, told, errors) =
        ended(&["histories", "--cases", "4", "--seed", "1", "--room-version", "11", "--misbehave", fault]);
    assert_eq!(code, 1, "{told}{errors}");
    assert!(told.contains("PARTS  made small from history "), "{told}");
    assert!(told.contains(" (server-server-api/#"), "{told}");
    assert!(told.contains("repeat  determinant histories --seed 1 --history "), "{told}");
    assert!(told.contains("e1      1s alice creates the room"), "{told}");
}

#[test]
fn a_history_is_named_in_full() {
    let (code, _, errors) = ended(&["histories", "--history", "3"]);
    assert_eq!(code, 2);
    assert!(errors.contains("--seed") && errors.contains("--room-version"), "{errors}");
}
