//! What a deployment should be like, and what was found.

use reports::{Level, Verdict};
use serde::Serialize;

/// The release whose text is cited.
const RELEASE: &str = "v1.19";

/// One requirement.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its name, which does not change.
    pub(super) id: &'static str,
    /// The text's own word.
    pub(super) level: Level,
    /// What it asks, in words.
    pub(super) says: &'static str,
    /// Document and anchor of the text; none where the text is silent.
    pub(super) spec: Option<&'static str>,
}

/// What was found of one requirement at one place.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The name of the requirement.
    pub id: &'static str,
    /// The text's own word.
    pub level: Level,
    /// What came of it.
    pub verdict: Verdict,
    /// The requirement, in words.
    pub requirement: &'static str,
    /// Where the text says so; none where it is silent.
    pub citation: Option<String>,
    /// What was looked at.
    pub place: String,
    /// What was found there.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// One step of the way to a server: `server-server-api/#resolving-server-names`.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its number in the text; empty for what the text has no step for.
    pub number: &'static str,
    /// What was done and found.
    pub text: String,
}

impl Rule {
    fn finding(
        &'static self,
        verdict: Verdict,
        place: impl Into<String>,
        found: impl Into<String>,
    ) -> Finding {
        Finding {
            id: self.id,
            level: self.level,
            verdict,
            requirement: self.says,
            citation: self.spec.map(|spec| format!("https://spec.matrix.org/{RELEASE}/{spec}")),
            place: place.into(),
            found: found.into(),
            advice: None,
        }
    }

    /// It holds.
    pub(super) fn kept(&'static self, place: impl Into<String>, found: impl Into<String>) -> Finding {
        self.finding(Verdict::Pass, place, found)
    }

    /// It does not hold.
    pub(super) fn broken(
        &'static self,
        place: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        let finding = self.finding(self.level.verdict_when_broken(), place, found);
        Finding { advice: Some(advice.into()), ..finding }
    }

    /// It was not looked at: the question does not arise.
    pub(super) fn idle(&'static self, place: impl Into<String>, why: impl Into<String>) -> Finding {
        self.finding(Verdict::NotApplicable, place, why)
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) steps: Vec<Step>,
    pub(super) findings: Vec<Finding>,
}

impl Chart {
    pub(super) fn step(&mut self, number: &'static str, text: impl Into<String>) {
        self.steps.push(Step { number, text: text.into() });
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use fixtures::catalogue::Catalogue;

    use crate::doctor::{certificate, clients, clock, discovery, federation, well_known};

    #[test]
    fn every_citation_leads_somewhere() {
        let rules = [
            certificate::RULES,
            clients::RULES,
            clock::RULES,
            discovery::RULES,
            federation::RULES,
            well_known::RULES,
        ];
        let mut ids = std::collections::BTreeSet::new();
        for rule in rules.into_iter().flatten() {
            assert!(ids.insert(rule.id), "{} stands there twice", rule.id);
            assert!(
                rule.spec.is_some() || rule.level == reports::Level::May,
                "{} obliges by nothing",
                rule.id
            );
            if let Some(spec) = rule.spec {
                assert!(Catalogue::v1_19().anchor_exists(spec), "{}: {spec} leads nowhere", rule.id);
            }
        }
    }
}
