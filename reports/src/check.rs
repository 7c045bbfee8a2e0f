//! One check of a run: what was required, what the verdict is, and what was exchanged when it failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One requirement put to the target, with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Unique in the run and the same in every run: a path, with the case in brackets where there are cases.
    pub id: String,
    /// How strongly the specification words the requirement.
    pub level: Level,
    /// Whom a violation hurts; orders reports and decides nothing.
    pub severity: Severity,
    /// What came out.
    pub verdict: Verdict,
    /// What was to come out; [`Verdict::Pass`] unless the target's expectations say otherwise.
    #[serde(default)]
    pub expected: Verdict,
    /// Why something else than a pass is expected, as the expectations file words it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<String>,
    /// Citation: document and anchor, e.g. `client-server-api/#syncing`.
    pub spec: String,
    /// Wall-clock time of the check, in milliseconds.
    pub duration_ms: f64,
    /// The requirement as one sentence whose subject is the server.
    #[serde(default)]
    pub requirement: String,
    /// Why the check was not applicable, or what the fault, the observation or the advice is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was exchanged, for a requirement that was not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Check {
    /// Whether the verdict contradicts the expectation.
    ///
    /// A check that is not applicable was never put and contradicts nothing. Where a pass is expected, advice and
    /// observations do not contradict it: only a broken Must, or a fault, does. Where anything else is expected, the
    /// verdict has to be exactly that, so that an expectation which has become stale is noticed.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        match (self.expected, self.verdict) {
            (_, Verdict::NotApplicable) => false,
            (Verdict::Pass, Verdict::Advice | Verdict::Observed) => false,
            (expected, verdict) => expected != verdict,
        }
    }

    /// The folder of the id: its first two segments, or fewer where the id is shorter, without the name and the case.
    #[must_use]
    pub fn area(&self) -> &str {
        let path = self.id.split('[').next().unwrap_or_default();
        match path.match_indices('/').take(2).last() {
            Some((end, _)) => &path[..end],
            None => path,
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The requirement was met.
    #[default]
    Pass,
    /// A Must was broken.
    Fail,
    /// A Should was broken.
    Advice,
    /// A May was not taken up, or the text is silent: noted, never held against the target.
    Observed,
    /// The question does not concern this target.
    NotApplicable,
    /// The question was never put, because of the harness or because the target could not be reached.
    Fault,
}

impl Verdict {
    /// Every verdict, in the order in which reports count them.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Advice, Self::Observed, Self::NotApplicable, Self::Fault];

    /// The string that stands in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Advice => "advice",
            Self::Observed => "observed",
            Self::NotApplicable => "not_applicable",
            Self::Fault => "fault",
        }
    }

    /// The words that people read.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NotApplicable => "not applicable",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// How strongly the specification words a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Breaking it is a failure.
    Must,
    /// Breaking it is advice.
    Should,
    /// Left to the server, or the text is silent: an observation.
    May,
}

impl Level {
    /// The string that stands in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        }
    }

    /// The verdict of a requirement of this level that was not met.
    #[must_use]
    pub fn verdict_when_broken(self) -> Verdict {
        match self {
            Self::Must => Verdict::Fail,
            Self::Should => Verdict::Advice,
            Self::May => Verdict::Observed,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Whom a violation hurts, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody gets what is not theirs.
    Security,
    /// Other implementations cannot talk to this one, or disagree with it.
    Interop,
    /// A user is hindered.
    Usability,
    /// Nobody but a careful reader notices.
    Cosmetic,
}

impl Severity {
    /// The string that stands in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Interop => "interop",
            Self::Usability => "usability",
            Self::Cosmetic => "cosmetic",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// How a requirement was not met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What was to come, in words.
    pub expected: String,
    /// What came instead, in words.
    pub got: String,
    /// What went over the wire, oldest first. Those with a note or an error, and the last one, are shown in full.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    /// The command that repeats only this check, seed included.
    pub repeat: String,
    /// What the server logged meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_log: Option<String>,
}

/// One HTTP request and what was answered to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// HTTP method.
    pub method: String,
    /// URL of the request, absolute or only path and query.
    pub url: String,
    /// Headers of the request, in the order sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_headers: Vec<(String, String)>,
    /// Body of the request as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// HTTP status of the answer; absent when none came.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers of the answer, in the order received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<(String, String)>,
    /// Body of the answer as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// Time from sending the request to the end of the answer, in milliseconds.
    #[serde(default)]
    pub duration_ms: f64,
    /// Why no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to look at in this exchange, or who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
