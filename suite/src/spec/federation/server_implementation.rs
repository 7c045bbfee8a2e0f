//! `server-server-api/#server-implementation`

use http::Method;
use suite_attribute::conformance;

use crate::{cast::Homeserver, verdict::Verdict};

/// The server tells its name and version to whoever asks.
#[conformance(spec = "server-server-api/#get_matrixfederationv1version", level = Must, severity = Cosmetic)]
async fn version_is_told(hs: &Homeserver) -> Verdict {
    let answer = hs.federation_request(Method::GET, "/_matrix/federation/v1/version")?.await?;
    answer.must_have_text("/server/name")?;
    answer.must_have_text("/server/version").map(drop)
}
