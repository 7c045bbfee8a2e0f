//! The results of Complement, another test suite, as first expectations: what failed there fails here as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::successors,
};

use reports::Verdict;
use serde::Deserialize;
use toml_edit::{DocumentMut, InlineTable, Item, Value};

use super::{Expectations, covers};
use crate::{plan, registry};

/// Which checks put the requirement of which test, and why there are none where there are none.
const TESTS: &str = include_str!("../../../fixtures/complement/tests.toml");

/// What the table says of a test.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a list of checks, or the reason why there are none")]
enum Row {
    /// The checks that put the same.
    Put(Vec<String>),
    /// Why there are none.
    Without(String),
}

/// What came of a run of Complement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// The names of the tests that failed, without those that failed because of a test within them.
    pub failed: BTreeSet<String>,
    /// How many tests have an outcome, those within others counted by themselves.
    pub total: usize,
}

/// An expectations file with the lines that were imported.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The text of the file; what stood in it stands as it stood.
    pub text: String,
    /// The ids or patterns that have a new line, with the tests that say so.
    pub added: BTreeMap<String, Vec<String>>,
    /// Those that had a line already, which was kept.
    pub kept: BTreeSet<String>,
    /// The failed tests for which there is no check, with the reason where it is known.
    pub unmapped: BTreeMap<String, Option<String>>,
}

impl Results {
    /// Reads the lines of `go test -json`, or the text of `go test -v`; what is neither is passed over. Where a test has several
    /// outcomes, the last one counts.
    ///
    /// # Errors
    /// When there is no outcome of any test.
    pub fn read(text: &str) -> Result<Self, String> {
        let outcomes: BTreeMap<String, bool> = text.lines().filter_map(outcome).collect();
        if outcomes.is_empty() {
            return Err(
                "no test has an outcome; expected lines of `go test -json` or of `go test -v`".to_owned()
            );
        }
        let failed: BTreeSet<String> =
            outcomes.iter().filter(|(_, failed)| **failed).map(|(name, _)| name.clone()).collect();
        let has_failed_within = |name: &str| failed.iter().any(|other| is_within(other, name));
        let innermost = failed.iter().filter(|name| !has_failed_within(name)).cloned().collect();
        Ok(Results { failed: innermost, total: outcomes.len() })
    }
}

/// Whether a test is part of another.
fn is_within(name: &str, other: &str) -> bool {
    name.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
}

/// The test that a line gives the outcome of, and whether it failed.
fn outcome(line: &str) -> Option<(String, bool)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line {
        action: String,
        test: String,
    }
    if let Ok(Line { action, test }) = serde_json::from_str(line) {
        return match action.as_str() {
            "pass" | "skip" => Some((test, false)),
            "fail" => Some((test, true)),
            _ => None,
        };
    }
    let (word, rest) = line.trim_start().strip_prefix("--- ")?.split_once(": ")?;
    let (name, _) = rest.rsplit_once(" (")?;
    match word {
        "PASS" | "SKIP" => Some((name.to_owned(), false)),
        "FAIL" => Some((name.to_owned(), true)),
        _ => None,
    }
}

/// A name as it is compared: Go writes spaces as underscores, and groups that run at once are no part of what is tested.
fn plain(name: &str) -> String {
    let name = name.replace(' ', "_");
    name.replace("/parallel/", "/").replace("/Parallel/", "/")
}

fn table() -> Result<BTreeMap<String, Row>, String> {
    let table: BTreeMap<String, Row> =
        toml::from_str(TESTS).map_err(|error| format!("the table of Complement's tests: {error}"))?;
    Ok(table.into_iter().map(|(name, row)| (plain(&name), row)).collect())
}

/// The row of a test, or else of the nearest test around it that has one.
fn row<'table>(table: &'table BTreeMap<String, Row>, test: &str) -> Option<&'table Row> {
    let name = plain(test);
    successors(Some(name.as_str()), |name| name.rsplit_once('/').map(|(around, _)| around))
        .find_map(|name| table.get(name))
}

/// Adds to an expectations file what failed in Complement; `name` stands in errors.
///
/// # Errors
/// When the file is none of expectations.
pub fn import(text: &str, name: &str, results: &Results) -> Result<Import, String> {
    Expectations::parse(text, name)?;
    let mut file: DocumentMut = text.parse().map_err(|error| format!("{name}: {error}"))?;
    let table = table()?;
    let mut import = Import::default();
    for test in &results.failed {
        match row(&table, test) {
            None => {
                import.unmapped.insert(test.clone(), None);
            }
            Some(Row::Without(why)) => {
                import.unmapped.insert(test.clone(), Some(why.clone()));
            }
            Some(Row::Put(ids)) => {
                for id in ids {
                    // A pattern that covers it was decided by a person.
                    if file.iter().any(|(line, _)| line == id || covers(line, id)) {
                        import.kept.insert(id.clone());
                    } else {
                        import.added.entry(id.clone()).or_default().push(test.clone());
                    }
                }
            }
        }
    }
    let checks = plan::checks(registry::TESTS);
    for (id, tests) in &import.added {
        // What is no Must does not fail when it is broken.
        let check = checks.iter().find(|check| check.id == *id || covers(id, &check.id));
        let verdict = check.map_or(Verdict::Fail, |check| check.test.level.verdict_when_broken());
        let mut line = InlineTable::new();
        line.insert("expect", verdict.as_str().into());
        line.insert("why", format!("failed in Complement as {}", tests.join(" and ")).into());
        file.insert(id, Item::Value(Value::InlineTable(line)));
    }
    import.text = file.to_string();
    // Whatever is written has to be read again.
    Expectations::parse(&import.text, name)?;
    Ok(import)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::TESTS;

    #[test]
    fn every_check_of_the_table_exists() {
        let ids: Vec<String> = plan::checks(TESTS).into_iter().map(|check| check.id).collect();
        let table = table().expect("a table");
        for (test, row) in table {
            let Row::Put(listed) = row else { continue };
            assert!(!listed.is_empty(), "{test} has no check");
            for id in listed {
                assert!(
                    ids.iter().any(|other| *other == id || covers(&id, other)),
                    "{test}: {id} is no check"
                );
            }
        }
    }

    #[test]
    fn every_reason_begins_with_its_kind() {
        let kinds = ["not in the specification: ", "left to the server: ", "not put: ", "of Complement: "];
        for (test, row) in table().expect("a table") {
            if let Row::Without(why) = row {
                assert!(kinds.iter().any(|kind| why.starts_with(kind)), "{test}: {why}");
            }
        }
    }

    #[test]
    fn a_test_without_a_row_goes_by_the_one_around_it() {
        let table = table().expect("a table");
        let case = "TestE2EKeyBackupReplaceRoomKeyRules/parallel/{isVerified:true_firstMessageIndex:10}";
        assert!(matches!(row(&table, case), Some(Row::Put(_))));
        let proposal = "TestDelayedEvents/parallel/cannot_cancel_a_delayed_event_without_a_matching_delay_ID";
        assert!(matches!(row(&table, proposal), Some(Row::Without(_))));
        assert!(row(&table, "TestNobodyKnows/at_all").is_none());
    }

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"{"Action":"start","Package":"csapi"}
{"Action":"output","Test":"TestLogin","Output":"--- FAIL: TestLogin (0.1s)\n"}
{"Action":"fail","Test":"TestLogin/parallel/GET_/login_yields_a_set_of_flows","Elapsed":0.1}
{"Action":"fail","Test":"TestLogin/parallel"}
{"Action":"fail","Test":"TestLogin"}
{"Action":"skip","Test":"TestEvent"}
{"Action":"fail","Package":"csapi"}"#;
        let text = "=== RUN   TestLogin
--- FAIL: TestLogin (0.10s)
    --- FAIL: TestLogin/parallel (0.00s)
        --- FAIL: TestLogin/parallel/GET_/login_yields_a_set_of_flows (0.10s)
--- SKIP: TestEvent (0.00s)
FAIL";
        let failed = BTreeSet::from(["TestLogin/parallel/GET_/login_yields_a_set_of_flows".to_owned()]);
        let results = Results { failed, total: 4 };
        assert_eq!(Results::read(json), Ok(results.clone()));
        assert_eq!(Results::read(text), Ok(results));
        assert!(Results::read("ok  csapi 0.1s").is_err());
    }

    #[test]
    fn what_failed_is_expected_to_fail() {
        let failed = [
            "TestLogin/parallel/GET_/login_yields_a_set_of_flows",
            "TestLeakyTyping",
            "TestTyping/Typing_notification_sent_to_local_room_members",
            "TestNobodyKnows",
            "TestContent",
            "TestTxnIdWithRefreshToken",
            "TestLogout/Can_logout_all_devices",
        ];
        let results = Results { failed: failed.map(str::to_owned).into(), total: 9 };
        let text = "# Known.\n\"client/logout/*\" = { expect = \"fail\", why = \"known\" }\n";
        let import = import(text, "expectations.toml", &results).expect("an import");
        assert!(import.text.starts_with(text), "{}", import.text);
        let expectations = Expectations::parse(&import.text, "expectations.toml").expect("expectations");
        let why =
            |id: &str| expectations.of(id).map(|expectation| expectation.why.clone()).unwrap_or_default();
        assert_eq!(
            why("client/typing-notifications/reaches-members-only"),
            "failed in Complement as TestLeakyTyping and TestTyping/Typing_notification_sent_to_local_room_members"
        );
        assert!(why("client/login/flows-are-listed").starts_with("failed in Complement as TestLogin/"));
        let verdict = |id: &str| expectations.of(id).map(|expectation| expectation.at(Verdict::Pass));
        assert_eq!(verdict("client/login/flows-are-listed"), Some(Verdict::Fail));
        assert_eq!(verdict("client/refresh-tokens/transaction-ids-outlive-it"), Some(Verdict::Advice));
        let explained: Vec<(&str, bool)> =
            import.unmapped.iter().map(|(test, why)| (test.as_str(), why.is_some())).collect();
        assert_eq!(explained, [("TestContent", true), ("TestNobodyKnows", false)]);
        assert_eq!(import.kept, BTreeSet::from(["client/logout/all-ends-every-session".to_owned()]));
    }
}
