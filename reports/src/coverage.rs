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

/// How many of a number of requirements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many there are.
    pub total: usize,
    /// How many a check of this run put.
    pub proved: usize,
}
