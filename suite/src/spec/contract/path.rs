//! Path parameters: users that are somebody else, and identifiers that are none.

use fixtures::catalogue::{Operation, Segment};
use suite_attribute::conformance;

use super::{approach, must_be_a_standard_refusal, operations, specimen::Specimen};
use crate::{
    cast::{Homeserver, encoded},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// The server refuses to act for a user whom the access token does not belong to: with 403 `M_FORBIDDEN` where the
/// operation lists it, with any client error elsewhere.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Must,
    severity = Security,
    each = operations_for_oneself
)]
async fn another_user(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let set = approach(hs, operation).await?;
    let mut specimen = Specimen::effective(hs, &set, operation).await?;
    specimen.path = specimen.path.replace(&encoded(specimen.actor.id()), &encoded(set.bob.id()));
    let answer = specimen.call().answer().await?;
    let forbidden = operation
        .response(403)
        .is_some_and(|response| response.error_codes.iter().any(|code| code == "M_FORBIDDEN"));
    if forbidden {
        answer.must_refuse(403, "M_FORBIDDEN")?;
    } else {
        must_be_a_standard_refusal(answer)?;
    }
    Ok(())
}

/// The server answers an identifier in the path that is none with a standard error, if it does not take it.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Interop,
    each = identifiers
)]
async fn malformed_identifier(hs: &Homeserver, case: Identifier) -> Verdict {
    let set = approach(hs, case.operation).await?;
    let mut specimen = Specimen::effective(hs, &set, case.operation).await?;
    let mut segments: Vec<String> = specimen.path.split('/').map(str::to_owned).collect();
    // The first segment of an absolute path is empty.
    if let Some(segment) = segments.get_mut(case.position + 1) {
        "determinant-without-sigil".clone_into(segment);
    }
    specimen.path = segments.join("/");
    let answer = specimen.call().answer().await?;
    if answer.status().is_success() {
        return Err(Stop::Observed("the server takes it".to_owned()));
    }
    must_be_a_standard_refusal(answer)?;
    Ok(())
}

/// An operation, and a path parameter whose grammar begins with a sigil.
#[derive(Clone, Debug)]
struct Identifier {
    operation: &'static Operation,
    name: &'static str,
    position: usize,
}

impl Case for Identifier {
    fn label(&self) -> String {
        format!("{}.{}", self.operation.id, self.name)
    }
}

fn identifiers() -> impl Iterator<Item = Identifier> {
    const WITH_SIGIL: [&str; 5] = ["eventId", "roomAlias", "roomId", "roomIdOrAlias", "userId"];
    operations().flat_map(|operation| {
        operation.path.segments().enumerate().filter_map(move |(position, segment)| match segment {
            Segment::Parameter(name) if WITH_SIGIL.contains(&name) => {
                Some(Identifier { operation, name, position })
            }
            _ => None,
        })
    })
}

/// Operations that name a user, without those that are for looking at others, or for reporting them.
fn operations_for_oneself() -> impl Iterator<Item = &'static Operation> {
    const FOR_ALL: [&str; 5] = ["getPresence", "getProfileField", "getUserProfile", "getWhoIs", "reportUser"];
    operations().filter(|operation| {
        operation.path.parameters().any(|name| name == "userId") && !FOR_ALL.contains(&operation.id.as_str())
    })
}
