//! Outcomes that are known and explained: `id = { expect = "fail", why = "…", link = "…" }`, or
//! `expect = ["fail", "pass"]` where the server leaves it to chance.

pub mod complement;
mod update;

use std::{collections::BTreeMap, path::Path};

use reports::Verdict;
use serde::{Deserialize, Deserializer, de::Error};

pub use update::{Change, ChangeKind, UNEXPLAINED, Update, update};

/// The expectations of one target.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    by_pattern: BTreeMap<String, Expectation>,
}

/// A known outcome and its reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The outcomes, of which the first is the usual one.
    #[serde(deserialize_with = "one_or_more")]
    expect: Vec<Verdict>,
    /// Why it is so, in words.
    pub why: String,
    /// Where it is discussed.
    #[serde(default)]
    pub link: Option<String>,
}

impl Expectation {
    /// What was to be expected where this came: the same, if it is among the outcomes, or else the usual one.
    pub fn at(&self, verdict: Verdict) -> Verdict {
        let among = self.expect.iter().find(|expected| **expected == verdict);
        among.or(self.expect.first()).copied().unwrap_or(verdict)
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Verdict>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a verdict or a list of verdicts")]
    enum OneOrMore {
        One(Verdict),
        More(Vec<Verdict>),
    }
    match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(verdict) => Ok(vec![verdict]),
        OneOrMore::More(verdicts) if verdicts.is_empty() => {
            Err(D::Error::custom("a list of verdicts is empty"))
        }
        OneOrMore::More(verdicts) => Ok(verdicts),
    }
}

impl Expectations {
    /// Reads an expectations file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses the text of an expectations file; `name` stands in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, String> {
        let by_pattern: BTreeMap<String, Expectation> =
            toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        if let Some((pattern, _)) =
            by_pattern.iter().find(|(_, expectation)| expectation.why.trim().is_empty())
        {
            return Err(format!("{name}: {pattern}: `why` is empty, expected the reason of the outcome"));
        }
        Ok(Expectations { by_pattern })
    }

    /// These expectations, overruled by others.
    pub fn overruled_by(mut self, other: Expectations) -> Self {
        self.by_pattern.extend(other.by_pattern);
        self
    }

    /// The expectation of an id: its own, or that of the longest pattern `prefix*` that covers it.
    pub fn of(&self, id: &str) -> Option<&Expectation> {
        self.by_pattern.get(id).or_else(|| {
            let covering = self.by_pattern.iter().filter(|(pattern, _)| covers(pattern, id));
            covering.max_by_key(|(pattern, _)| pattern.len()).map(|(_, expectation)| expectation)
        })
    }

    /// The ids and patterns that cover none of these ids: left over from renamed tests.
    pub fn idle<'a>(&'a self, ids: &[String]) -> Vec<&'a str> {
        let idle = |pattern: &&String| !ids.iter().any(|id| *pattern == id || covers(pattern, id));
        self.by_pattern.keys().filter(idle).map(String::as_str).collect()
    }
}

fn covers(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').is_some_and(|prefix| id.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectations(text: &str) -> Expectations {
        Expectations::parse(text, "expectations.toml").expect("expectations")
    }

    #[test]
    fn an_id_goes_before_a_pattern_and_a_longer_pattern_before_a_shorter() {
        let expectations = expectations(
            r#"
            "a/*" = { expect = "fail", why = "short" }
            "a/b/*" = { expect = "advice", why = "long" }
            "a/b/c" = { expect = "observed", why = "exact" }
            "#,
        );
        let why = |id: &str| expectations.of(id).map(|expectation| expectation.why.as_str());
        assert_eq!(why("a/b/c"), Some("exact"));
        assert_eq!(why("a/b/c[case]"), Some("long"));
        assert_eq!(why("a/x"), Some("short"));
        assert_eq!(why("b"), None);
    }

    #[test]
    fn others_overrule() {
        let ours = expectations(r#"a = { expect = "fail", why = "ours" }"#);
        let theirs = expectations(r#"a = { expect = "pass", why = "theirs" }"#);
        let expected = ours.overruled_by(theirs).of("a").map(|expectation| expectation.at(Verdict::Fail));
        assert_eq!(expected, Some(Verdict::Pass));
    }

    #[test]
    fn of_several_outcomes_each_is_expected_and_the_first_is_usual() {
        let expectations = expectations(r#"a = { expect = ["fail", "pass"], why = "a race" }"#);
        let at = |verdict| expectations.of("a").map(|expectation| expectation.at(verdict));
        assert_eq!(at(Verdict::Pass), Some(Verdict::Pass));
        assert_eq!(at(Verdict::Fail), Some(Verdict::Fail));
        assert_eq!(at(Verdict::Fault), Some(Verdict::Fail));
        for wrong in ["[]", "\"never\""] {
            let text = format!(r#"a = {{ expect = {wrong}, why = "a race" }}"#);
            assert!(Expectations::parse(&text, "expectations.toml").is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_covers_nothing_is_idle() {
        let expectations = expectations(
            r#"
            "gone" = { expect = "fail", why = "renamed" }
            "gone/*" = { expect = "fail", why = "renamed" }
            "here[1]" = { expect = "fail", why = "known" }
            "#,
        );
        assert_eq!(expectations.idle(&["here[1]".to_owned()]), ["gone", "gone/*"]);
    }
}
