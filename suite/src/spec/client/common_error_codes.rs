//! `client-server-api/#common-error-codes`

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
