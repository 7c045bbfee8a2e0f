//! An expectations file, brought in line with what came of a run.

use reports::{Check, Verdict};
use toml_edit::{DocumentMut, InlineTable, Item, Value};

use super::{Expectation, Expectations, covers};

/// The file after the run, and what was changed in it.
#[derive(Debug, Default)]
pub struct Update {
    /// The text of the file; what did not have to change, comments among it, stands as it stood.
    pub text: String,
    /// The changes, in the order of the ids.
    pub changes: Vec<Change>,
}

/// One change of an expectations file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The id or pattern whose line is changed.
    pub about: String,
    /// How, and why.
    pub kind: ChangeKind,
}

/// What happens to a line of an expectations file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A check came out in this way, otherwise than expected, and no line spoke of it; its reason waits to be written.
    Added(Verdict),
    /// A check came out otherwise (the second) than its own line said (the first). Its reason was kept, and may be true no more.
    Altered(Verdict, Verdict),
    /// The line is removed: everything that it covers passed.
    Passed,
    /// The line is removed: it covers no check that there is.
    Idle,
}

/// How a reason begins that nobody has written yet.
pub const UNEXPLAINED: &str = "unexplained:";

/// Brings the text of an expectations file in line with the checks of a run. `ids` are those of all checks, put or not;
/// `name` stands in errors.
///
/// A line about checks that the run did not put, or that were faults, is kept: nothing is known of them.
pub fn update(text: &str, name: &str, checks: &[Check], ids: &[String]) -> Result<Update, String> {
    let expectations = Expectations::parse(text, name)?;
    let mut file: DocumentMut = text.parse().map_err(|error| format!("{name}: {error}"))?;
    let change = |about: &str, kind| Change { about: about.to_owned(), kind };
    let idle = expectations.idle(ids).into_iter();
    let mut changes: Vec<Change> = idle.map(|pattern| change(pattern, ChangeKind::Idle)).collect();
    let known = |check: &&Check| !matches!(check.verdict, Verdict::NotApplicable | Verdict::Fault);
    for pattern in expectations.by_pattern.keys() {
        let mut covered =
            checks.iter().filter(known).filter(|check| expectations.speaks_of(pattern, &check.id));
        let passed = covered.clone().all(|check| check.verdict == Verdict::Pass);
        // A line that expects a pass is there to except one check from a pattern.
        let excepts = expectations.by_pattern[pattern].at(Verdict::Pass) == Verdict::Pass;
        if passed && !excepts && covered.next().is_some() {
            changes.push(change(pattern, ChangeKind::Passed));
        }
    }
    for removed in &changes {
        file.remove(&removed.about);
    }
    let remaining = Expectations::parse(&file.to_string(), name)?;
    for check in checks.iter().filter(known) {
        let expectation = remaining.of(&check.id);
        let expected = expectation.map_or(Verdict::Pass, |expectation| expectation.at(check.verdict));
        if !(Check { expected, ..check.clone() }).is_unexpected() {
            continue;
        }
        let kind = match file.get_mut(&check.id) {
            Some(line) => {
                line["expect"] = toml_edit::value(check.verdict.as_str());
                ChangeKind::Altered(expected, check.verdict)
            }
            None => {
                file.insert(&check.id, line(check, expectation));
                ChangeKind::Added(check.verdict)
            }
        };
        changes.push(change(&check.id, kind));
    }
    changes.sort_by(|one, other| one.about.cmp(&other.about));
    let text = file.to_string();
    // Whatever is written has to be read again.
    Expectations::parse(&text, name)?;
    Ok(Update { text, changes })
}

impl Expectations {
    /// Whether it is this line that decides what is expected of an id.
    fn speaks_of(&self, pattern: &str, id: &str) -> bool {
        (pattern == id || covers(pattern, id))
            && self
                .of(id)
                .is_some_and(|expectation| std::ptr::eq(expectation, &raw const self.by_pattern[pattern]))
    }
}

/// A new line: what came, and what is known of the reason.
fn line(check: &Check, overruled: Option<&Expectation>) -> Item {
    let told = match (&check.failure, &check.reason, overruled) {
        (Some(failure), _, _) => format!("expected {}, got {}", failure.expected, failure.got),
        (None, Some(reason), _) => reason.clone(),
        (None, None, Some(others)) => format!("unlike the others, of which is said: {}", others.why),
        (None, None, None) => check.requirement.clone(),
    };
    let mut line = InlineTable::new();
    line.insert("expect", check.verdict.as_str().into());
    line.insert(
        "why",
        format!("{UNEXPLAINED} {}", told.split_whitespace().collect::<Vec<_>>().join(" ")).into(),
    );
    Item::Value(Value::InlineTable(line))
}

#[cfg(test)]
mod tests {
    use reports::{Level, Severity};

    use super::*;

    fn check(id: &str, verdict: Verdict) -> Check {
        Check {
            id: id.to_owned(),
            level: Level::Must,
            severity: Severity::Interop,
            verdict,
            expected: Verdict::Pass,
            expectation: None,
            spec: "client-server-api/#syncing".to_owned(),
            duration_ms: 1.0,
            requirement: "The server does it.".to_owned(),
            reason: None,
            failure: (verdict == Verdict::Fail).then(|| reports::Failure {
                expected: "status 401".to_owned(),
                got: "403 M_FORBIDDEN".to_owned(),
                ..reports::Failure::default()
            }),
        }
    }

    fn change(about: &str, kind: ChangeKind) -> Change {
        Change { about: about.to_owned(), kind }
    }

    fn updated(text: &str, checks: &[Check]) -> Update {
        let mut ids: Vec<String> = checks.iter().map(|check| check.id.clone()).collect();
        ids.push("not/put".to_owned());
        update(text, "expectations.toml", checks, &ids).expect("an update")
    }

    #[test]
    fn what_came_out_otherwise_gets_a_line_and_the_rest_stays() {
        let text = "# Known of this server.\n\n\"b\" = { expect = \"fail\", why = \"known\" } # since 1.2\n";
        let update =
            updated(text, &[check("b", Verdict::Fail), check("a", Verdict::Fail), check("c", Verdict::Pass)]);
        assert_eq!(
            update.text,
            "# Known of this server.\n\n\"b\" = { expect = \"fail\", why = \"known\" } # since 1.2\na = { expect = \"fail\", why = \"unexplained: expected status 401, got 403 M_FORBIDDEN\" }\n"
        );
        assert_eq!(update.changes, [change("a", ChangeKind::Added(Verdict::Fail))]);
    }

    #[test]
    fn what_passes_or_is_gone_loses_its_line() {
        let text = r#"
            "gone" = { expect = "fail", why = "renamed" }
            "not/put" = { expect = "fail", why = "of another run" }
            "mended" = { expect = "fail", why = "was broken" }
            "all/*" = { expect = "fail", why = "were broken" }
            "fault" = { expect = "fail", why = "nothing is known now" }
        "#;
        let checks = [
            check("mended", Verdict::Pass),
            check("all/a", Verdict::Pass),
            check("all/b", Verdict::Pass),
            check("fault", Verdict::Fault),
        ];
        let update = updated(text, &checks);
        let left = Expectations::parse(&update.text, "expectations.toml").expect("expectations");
        assert_eq!(left.by_pattern.keys().collect::<Vec<_>>(), ["fault", "not/put"]);
        let about: Vec<_> = update.changes.iter().map(|change| change.about.as_str()).collect();
        assert_eq!(about, ["all/*", "gone", "mended"]);
    }

    #[test]
    fn one_check_is_excepted_from_a_pattern() {
        let text = "\"all/*\" = { expect = \"fail\", why = \"not built yet\" }\n";
        let checks = [check("all/a", Verdict::Pass), check("all/b", Verdict::Fail)];
        let update = updated(text, &checks);
        assert_eq!(update.changes, [change("all/a", ChangeKind::Added(Verdict::Pass))]);
        assert!(updated(&update.text, &checks).changes.is_empty(), "it is settled after once");
    }

    #[test]
    fn another_outcome_keeps_the_reason() {
        let text = "a = { expect = \"advice\", why = \"known\", link = \"https://example.org\" }\n";
        let update = updated(text, &[check("a", Verdict::Fail)]);
        assert_eq!(update.text, text.replace("advice", "fail"));
        assert_eq!(update.changes, [change("a", ChangeKind::Altered(Verdict::Advice, Verdict::Fail))]);
    }

    #[test]
    fn what_varies_stays_as_it_is() {
        let text = "a = { expect = [\"fail\", \"pass\"], why = \"a race\" }\n";
        for verdict in [Verdict::Fail, Verdict::Pass] {
            assert!(updated(text, &[check("a", verdict)]).changes.is_empty(), "{verdict}");
        }
    }

    #[test]
    fn what_was_not_put_keeps_its_line() {
        let text = "e = { expect = \"fail\", why = \"known\" }\n";
        assert!(updated(text, &[check("e", Verdict::NotApplicable)]).changes.is_empty());
    }
}
