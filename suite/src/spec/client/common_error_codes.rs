//! `client-server-api/#common-error-codes`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::Homeserver,
    verdict::{Stop, Verdict},
};

/// The most devices that a user is given to find out whether there is a limit.
const BEARABLE_DEVICES: usize = 24;

/// Whoever has as much as an account may have is told where to read more of it.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Must,
    severity = Usability,
    since = "v1.18",
    proves = ["client-server-api/common-error-codes/2"]
)]
async fn limit_of_an_account_is_explained(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    for _ in 0..BEARABLE_DEVICES {
        let login = hs.log_in(alice.id(), alice.password()).answer().await?;
        if login.status().is_success() {
            continue;
        }
        if login.errcode() != Some("M_USER_LIMIT_EXCEEDED") {
            return Err(Stop::Observed(format!("another refusal: {}", login.exchange().response.in_short())));
        }
        // The status depends on the endpoint, and nothing says how.
        let status = login.status().as_u16();
        let refusal = login.must_refuse(status, "M_USER_LIMIT_EXCEEDED")?;
        let uri = refusal.must_have_text("/info_uri")?;
        return refusal.must(url::Url::parse(&uri).is_ok(), "a URI at /info_uri", || uri.clone());
    }
    Err(Stop::NotApplicable(format!("a user may have more than {BEARABLE_DEVICES} devices")))
}

/// Whoever meets a limit of the whole server is told whom to turn to.
#[conformance(
    spec = "client-server-api/#common-error-codes",
    level = Must,
    severity = Usability,
    last,
    proves = ["client-server-api/common-error-codes/1"]
)]
async fn limit_of_the_server_names_a_contact(hs: &Homeserver) -> Verdict {
    let Some(most) = hs.target().refusals.rooms else {
        return Err(Stop::NotApplicable("the target names no limit of the server".to_owned()));
    };
    let [alice] = hs.users().await?;
    for _ in 0..=most {
        let answer = alice.create_room(json!({})).answer().await?;
        if answer.status().is_success() {
            continue;
        }
        // The status is not laid down.
        let status = answer.status().as_u16();
        let refusal = answer.must_refuse(status, "M_RESOURCE_LIMIT_EXCEEDED")?;
        return refusal.must_have_text("/admin_contact").map(drop);
    }
    Err(Stop::unmet(format!("a refusal after {most} rooms at most"), "none"))
}
