//! `client-server-api/#guest-access`: which operations are for guests, and which are not.

use fixtures::catalogue::{Auth, Operation};
use serde_json::json;
use suite_attribute::conformance;

use super::{approach, operations, specimen::Specimen};
use crate::{
    cast::{Homeserver, User},
    stage::Set,
    verdict::{Stop, Verdict},
};

/// The server lets guests use the operations that are listed for them.
#[conformance(
    spec = "client-server-api/#guest-access",
    level = Should,
    severity = Interop,
    each = operations_for_guests
)]
async fn is_admitted(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let (set, guest) = guest(hs, operation).await?;
    guest.enter(&set.open.room).await?;
    let answer = Specimen::of(hs, operation, guest, &set.open)?.call().answer().await?;
    let turned_away = answer.status() == 401 || answer.errcode() == Some("M_GUEST_ACCESS_FORBIDDEN");
    answer
        .must(!turned_away, "an answer that guests get as users do", || answer.exchange().response.in_short())
}

/// The server refuses guests what is not listed for them.
#[conformance(
    spec = "client-server-api/#guest-access",
    level = Should,
    severity = Security,
    each = operations_for_users
)]
async fn is_kept_out(hs: &Homeserver, operation: &'static Operation) -> Verdict {
    let (set, guest) = guest(hs, operation).await?;
    if !["joinRoom", "knockRoom"].contains(&operation.id.as_str()) {
        // What is refused to members is refused to guests.
        guest.enter(&set.open.room).await?;
    }
    let answer = Specimen::of(hs, operation, guest, &set.open)?.call().answer().await?.must_be_refused()?;
    match (answer.status().as_u16(), answer.errcode()) {
        (401 | 403, _) | (_, Some("M_FORBIDDEN" | "M_GUEST_ACCESS_FORBIDDEN")) => Ok(()),
        _ => Err(Stop::Observed(format!(
            "refused for another reason: {}",
            answer.exchange().response.in_short()
        ))),
    }
}

/// A new guest; the question does not arise where the server has none.
async fn guest(hs: &Homeserver, operation: &'static Operation) -> Result<(Set, User), Stop> {
    let set = approach(hs, operation).await?;
    let answer = hs.post("/_matrix/client/v3/register", json!({})).query("kind", "guest").answer().await?;
    if answer.status() == 403 {
        return Err(Stop::NotApplicable("the server does not register guests".to_owned()));
    }
    Ok((set, hs.session(&answer.must_succeed()?, "")?))
}

fn operations_for_guests() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| operation.guest_allowed)
}

fn operations_for_users() -> impl Iterator<Item = &'static Operation> {
    operations().filter(|operation| operation.auth == Auth::AccessToken && !operation.guest_allowed)
}
