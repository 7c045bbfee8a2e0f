//! What a run exercised of the specification, computed from what it exchanged and asserted.

use serde::{Deserialize, Serialize};

/// What of the specification was exercised. Totals leave out what no homeserver can be made to send or return.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Operations, by API.
    pub operations: Operations,
    /// Documented responses.
    pub responses: Share,
    /// Documented error codes.
    pub error_codes: Share,
    /// Documented error codes of each operation that clients put; none in records from before they were counted.
    #[serde(default)]
    pub refusals: Share,
    /// Requirements of the text.
    pub requirements: Requirements,
}

/// A line of a table about coverage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) name: &'static str,
    pub(crate) total: usize,
    pub(crate) asserted: usize,
    pub(crate) touched: Option<usize>,
    pub(crate) missing: &'a [String],
}

impl Coverage {
    /// Everything countable, in the order in which it is shown.
    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        let Self { operations, responses, error_codes, refusals, requirements } = self;
        let server = &operations.server_server;
        vec![
            operations.client_server.row("client-server operations"),
            Row {
                name: "server-server operations, inbound",
                total: server.total,
                asserted: server.asserted_inbound,
                touched: Some(server.touched_inbound),
                missing: &server.missing_inbound,
            },
            Row {
                name: "server-server operations, outbound",
                total: server.total_outbound(),
                asserted: server.asserted_outbound,
                touched: Some(server.touched_outbound),
                missing: &server.missing_outbound,
            },
            operations.application_service.row("application service operations"),
            operations.identity.row("identity operations"),
            operations.push_gateway.row("push gateway operations"),
            responses.row("responses"),
            error_codes.row("error codes"),
            refusals.row("error codes, by operation"),
            Row {
                name: "requirements",
                total: requirements.total,
                asserted: requirements.proved,
                touched: None,
                missing: &requirements.missing,
            },
        ]
    }
}

impl Coverage {
    /// Adds what another run exercised of the same specification: what either asserted is asserted. Of the requirements, the
    /// chapters are left to whoever knows which requirement is of which.
    pub fn add(&mut self, other: &Self) {
        let Self { operations, responses, error_codes, refusals, requirements } = self;
        let Operations { client_server, server_server, application_service, identity, push_gateway } =
            operations;
        let theirs = &other.operations;
        client_server.add(&theirs.client_server);
        server_server.add(&theirs.server_server);
        application_service.add(&theirs.application_service);
        identity.add(&theirs.identity);
        push_gateway.add(&theirs.push_gateway);
        responses.add(&other.responses);
        error_codes.add(&other.error_codes);
        refusals.add(&other.refusals);
        requirements.missing = common(&requirements.missing, &other.requirements.missing);
        requirements.proved = requirements.total - requirements.missing.len();
        requirements.chapters.clear();
    }
}

/// What is in both lists, in the order of the first.
fn common(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|name| other.contains(name)).cloned().collect()
}

/// Operations, by API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operations {
    /// Put to the target by clients.
    pub client_server: Share,
    /// Put to the target by other homeservers, and by the target to them.
    pub server_server: BothWays,
    /// Put by the target to application services.
    pub application_service: Share,
    /// Put by the target to identity servers.
    pub identity: Share,
    /// Put by the target to push gateways.
    pub push_gateway: Share,
}

/// How much of a countable thing was asserted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// How many there are.
    pub total: usize,
    /// How many a hand-written behaviour put and asserted something about.
    pub asserted: usize,
    /// How many went over the wire at all.
    #[serde(default)]
    pub touched: usize,
    /// Those not asserted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Share {
    fn add(&mut self, other: &Self) {
        self.missing = common(&self.missing, &other.missing);
        self.asserted = self.total - self.missing.len();
        self.touched = self.touched.max(other.touched).max(self.asserted);
    }

    fn row(&self, name: &'static str) -> Row<'_> {
        Row {
            name,
            total: self.total,
            asserted: self.asserted,
            touched: Some(self.touched),
            missing: &self.missing,
        }
    }
}

/// Like [`Share`], for operations that both sides put.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BothWays {
    /// How many a server serves.
    pub total: usize,
    /// How many a server has a reason to call; absent in older records, which counted as many as it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_outbound: Option<usize>,
    /// How many were put to the target, with something asserted about the answer.
    pub asserted_inbound: usize,
    /// How many the target sent, with something asserted about its request.
    pub asserted_outbound: usize,
    /// How many were put to the target at all.
    #[serde(default)]
    pub touched_inbound: usize,
    /// How many the target sent at all.
    #[serde(default)]
    pub touched_outbound: usize,
    /// Those not asserted inbound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_inbound: Vec<String>,
    /// Those not asserted outbound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_outbound: Vec<String>,
}

impl BothWays {
    fn add(&mut self, other: &Self) {
        self.missing_inbound = common(&self.missing_inbound, &other.missing_inbound);
        self.asserted_inbound = self.total - self.missing_inbound.len();
        self.touched_inbound = self.touched_inbound.max(other.touched_inbound).max(self.asserted_inbound);
        self.missing_outbound = common(&self.missing_outbound, &other.missing_outbound);
        self.asserted_outbound = self.total_outbound() - self.missing_outbound.len();
        self.touched_outbound = self.touched_outbound.max(other.touched_outbound).max(self.asserted_outbound);
    }

    /// How many a server has a reason to call.
    pub fn total_outbound(&self) -> usize {
        self.total_outbound.unwrap_or(self.total)
    }
}

/// Requirements of the text, and how many a check of the run asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements {
    /// How many there are.
    pub total: usize,
    /// How many a check of this run put, whatever came of it.
    pub proved: usize,
    /// The same by chapter of the specification; empty in records from before the requirements were counted so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chapters: Vec<Chapter>,
    /// Those without proof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// The requirements of one chapter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// A document, or a chapter of it: `client-server-api/typing_notifications`.
    pub name: String,
    /// Those of the level Must.
    pub must: Tally,
    /// Those of the level Should.
    pub should: Tally,
}

impl Chapter {
    /// The document that it is a chapter of, or that it is.
    pub(crate) fn document(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            total: sum.total + tally.total,
            proved: sum.proved + tally.proved,
        })
    }
}

/// How many of a number of requirements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many there are.
    pub total: usize,
    /// How many a check of this run put.
    pub proved: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(missing: &[&str]) -> Share {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        Share { total: 4, asserted: 4 - missing.len(), touched: 1, missing }
    }

    #[test]
    fn what_either_run_asserted_is_asserted() {
        let mut coverage = Coverage { responses: share(&["a", "b", "c"]), ..Coverage::default() };
        coverage.add(&Coverage { responses: share(&["c", "d"]), ..Coverage::default() });
        assert_eq!(
            coverage.responses,
            Share { total: 4, asserted: 3, touched: 3, missing: vec!["c".to_owned()] }
        );
    }
}
