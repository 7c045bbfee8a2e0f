//! Whether an operation is there at all: `client-server-api/#modules`.

use fixtures::catalogue::Operation;
use suite_attribute::conformance;

use super::{due, operations, permitted_absence, specimen::Specimen};
use crate::{cast::Homeserver, verdict::Verdict};

/// The server serves every operation of the release that it advertises, deprecated ones included
/// (`index/#deprecation-policy`).
#[conformance(
    spec = "client-server-api/#modules",
    level = Must,
    severity = Interop,
    each = operations,
    proves = ["client-server-api/modules/2"]
)]
async fn operation(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    due(hs, operation)?;
    let set = hs.trial().stage.set(hs).await?;
    let answer = Specimen::harmless(hs, &set, operation).await?.call().answer().await?;
    permitted_absence(hs, operation, &answer).await?;
    answer.must(!answer.exchange().response.is_unrecognized(), "an answer of the operation", || {
        format!("{}, as for an endpoint that does not exist", answer.exchange().response.in_short())
    })
}
