//! What holds for whole classes of operations, put to each: made from the catalogue, one function per class.
//!
//! All contracts of a run share one [`Set`] and take their requests from [`specimen`]. They pass over operations that
//! the judged release does not have, that need a feature which the target declares as missing, or that the server does
//! not serve: the last is told once, by [`served`].

pub(crate) mod access_token;
pub(crate) mod account_locking;
pub(crate) mod account_suspension;
pub(crate) mod body;
pub(crate) mod browser;
pub(crate) mod federation;
pub(crate) mod guest;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod routing;
pub(crate) mod served;
mod shape;
mod specimen;

use fixtures::catalogue::{Api, Catalogue, Operation, Segment};

use self::specimen::Specimen;
use crate::{
    cast::{Answer, Homeserver},
    stage::Set,
    verdict::{Stop, Verdict},
};

/// The operations that need a feature which a target may declare as missing.
const FEATURES: [(&str, &[&str]); 8] = [
    (
        "admin_suspend",
        &["getAdminLockUser", "getAdminSuspendUser", "setAdminLockUser", "setAdminSuspendUser"],
    ),
    (
        "email",
        &["requestTokenTo3PIDEmail", "requestTokenToRegisterEmail", "requestTokenToResetPasswordEmail"],
    ),
    (
        "msisdn",
        &["requestTokenTo3PIDMSISDN", "requestTokenToRegisterMSISDN", "requestTokenToResetPasswordMSISDN"],
    ),
    ("oauth", &["getAuthMetadata"]),
    ("policy_server", &["getWellknownPolicy"]),
    ("sso", &["redirectToIdP", "redirectToSSO"]),
    ("turn", &["getTurnServer"]),
    ("well_known_support", &["getWellknownSupport"]),
];

/// The shared set, where the question arises: the operation is due, and served.
async fn approach(hs: &Homeserver, operation: &'static Operation) -> Result<Set, Stop> {
    due(hs, operation)?;
    let set = hs.trial().stage.set(hs).await?;
    is_served(hs, operation).await?;
    Ok(set)
}

/// Stops where an operation is not served: one failure is enough. Asked once in a run.
pub(crate) async fn is_served(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    if operation.api != Api::ClientServer {
        return federation::is_served(hs, operation).await;
    }
    hs.trial().stage.once(&operation.id, hs, |apart| probe(apart, operation)).await
}

/// Whether the judged release has the operation, and the target does not declare its feature as missing.
fn due(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let judged = hs.trial().judged;
    if !operation.exists_in(judged) {
        let added = operation.added_in.map(|release| format!(" added in {release},")).unwrap_or_default();
        let removed =
            operation.removed_in.map(|release| format!(" removed in {release},")).unwrap_or_default();
        return Err(Stop::NotApplicable(format!("{},{added}{removed} and {judged} is judged", operation.id)));
    }
    offered(hs, operation)
}

/// Whether the target does not declare the feature of an operation as missing: what a server without it answers is left to it.
pub(super) fn offered(hs: &Homeserver, operation: &Operation) -> Verdict {
    let needed = FEATURES.iter().filter(|(_, operations)| operations.contains(&operation.id.as_str()));
    let missing = needed.filter_map(|(feature, _)| Some((feature, hs.target().missing.get(*feature)?)));
    match missing.into_iter().next() {
        Some((feature, why)) => {
            Err(Stop::NotApplicable(format!("the server does not offer {feature}: {why}")))
        }
        None => Ok(()),
    }
}

async fn probe(hs: Homeserver, operation: &'static Operation) -> Verdict {
    let set = hs.trial().stage.set(&hs).await?;
    let answer = Specimen::harmless(&hs, &set, operation).await?.call().answer().await?;
    permitted_absence(&hs, operation, &answer).await?;
    if answer.exchange().response.is_unrecognized() {
        let id = &operation.id;
        return Err(Stop::NotApplicable(format!(
            "the server does not serve {id}, see contract/served/operation[{id}]"
        )));
    }
    Ok(())
}

/// Some operations may be absent, and the text says how that shows: discovery documents that are not published
/// (`client-server-api/#well-known-uri`), authentication APIs that are not supported
/// (`client-server-api/#authentication-api-discovery`), and single sign-on that is no way to log in
/// (`client-server-api/#sso-client-loginauthentication`).
async fn permitted_absence(hs: &Homeserver, operation: &Operation, answer: &Answer) -> Verdict {
    let listed = operation.response(404).is_some_and(|response| {
        operation.path.as_str().starts_with("/.well-known/")
            || response.error_codes.iter().any(|code| code == "M_UNRECOGNIZED")
    });
    let absent = match operation.id.as_str() {
        "redirectToIdP" | "redirectToSSO" if answer.exchange().response.is_unrecognized() => {
            let flows = hs.get("/_matrix/client/v3/login").answer().await?;
            let flows = flows.at("/flows").as_array().cloned().unwrap_or_default();
            !flows.iter().any(|flow| flow["type"] == "m.login.sso")
        }
        _ => listed && answer.status() == 404,
    };
    if absent {
        let why = "the server does not offer it, and says so as the text foresees";
        return Err(Stop::NotApplicable(why.to_owned()));
    }
    Ok(())
}

/// Every operation of the client-server API.
fn operations() -> impl Iterator<Item = &'static Operation> {
    Catalogue::v1_19().operations_of(Api::ClientServer)
}

/// One operation for each path: the first of those that differ in their method only.
fn paths() -> impl Iterator<Item = &'static Operation> {
    let form = |operation: &Operation| -> Vec<String> {
        let segment = |segment: Segment<'_>| match segment {
            Segment::Literal(literal) => literal.to_owned(),
            Segment::Parameter(_) => "{}".to_owned(),
        };
        operation.path.segments().map(segment).collect()
    };
    let mut seen = std::collections::BTreeSet::new();
    operations().filter(move |operation| seen.insert(form(operation)))
}

/// What is required of every refusal, whatever its status and code: a client error (4xx) with the standard error body.
/// A challenge of the user-interactive authentication API is a refusal with a body of its own.
fn must_be_a_standard_refusal(answer: Answer) -> Result<Answer, Stop> {
    let answer = answer.must_be_refused()?;
    if answer.exchange().response.is_authentication_challenge() {
        return Ok(answer);
    }
    answer.must_have_text("/errcode")?;
    answer.must_have_text("/error")?;
    Ok(answer)
}

/// A success is observed, because the text defines the codes and does not oblige the server to be strict. Everything else
/// must be a standard refusal.
fn may_be_taken(answer: Answer, what: &str, fitting: &[&str]) -> Verdict {
    if answer.status().is_success() {
        return Err(Stop::Observed(format!("the server takes {what}")));
    }
    observe_code(&must_be_a_standard_refusal(answer)?, fitting)
}

/// The same, except that an operation which lists a fitting code for 400 must refuse.
fn must_be_refused_where_listed(
    operation: &Operation,
    answer: Answer,
    what: &str,
    fitting: &[&str],
) -> Verdict {
    let listed = operation
        .response(400)
        .is_some_and(|response| response.error_codes.iter().any(|code| fitting.contains(&code.as_str())));
    if listed {
        observe_code(&must_be_a_standard_refusal(answer)?, fitting)
    } else {
        may_be_taken(answer, what, fitting)
    }
}

/// A refusal with a code whose definition does not fit is observed. 400 `M_UNKNOWN` fits every invalid request
/// (`client-server-api/#standard-error-response`).
fn observe_code(answer: &Answer, fitting: &[&str]) -> Verdict {
    let came = answer.errcode().unwrap_or_default();
    if fitting.contains(&came) || (answer.status() == 400 && came == "M_UNKNOWN") {
        answer.fits();
        return Ok(());
    }
    Err(Stop::Observed(format!(
        "refused with {}, not {}",
        answer.exchange().response.in_short(),
        fitting.join(" or ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_of_operations() {
        let known: Vec<&str> = operations().map(|operation| operation.id.as_str()).collect();
        let bodiless = body::WITHOUT_DOCUMENTED_BODY.iter();
        let spent = specimen::SPEND_THEIR_USER.iter().chain(&specimen::SPEND_THEIR_ROOM);
        let special = bodiless.chain(spent).chain(&specimen::COMPARE_WITH_BACKUP);
        for id in FEATURES.iter().flat_map(|(_, operations)| operations.iter()).chain(special) {
            assert!(known.contains(id), "{id}");
        }
    }
}
