//! `client-server-api/#using-access-tokens`

use suite_attribute::conformance;

use crate::{cast::Homeserver, verdict::Verdict};

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// An access token is accepted in the Authorization header and in the query string alike.
#[conformance(
    spec = "client-server-api/#using-access-tokens",
    level = Must,
    severity = Interop,
    each = places,
    until = "v1.19",
    proves = ["client-server-api/using-access-tokens/2"]
)]
async fn both_places_are_accepted(hs: &Homeserver, place: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let request = hs.get(WHOAMI);
    let request = match place {
        "header" => request.token(alice.token()),
        _ => request.query("access_token", alice.token()),
    };
    request.await?.must_hold("/user_id", alice.id())
}

fn places() -> [&'static str; 2] {
    ["header", "query string"]
}

/// A request without an access token is told that the token is missing.
#[conformance(spec = "client-server-api/#using-access-tokens", level = Must, severity = Interop)]
async fn missing_token_is_named(hs: &Homeserver) -> Verdict {
    hs.get(WHOAMI).must_refuse(401, "M_MISSING_TOKEN").await.map(drop)
}

/// A request with an access token that was never issued is told that the token is unknown.
#[conformance(spec = "client-server-api/#using-access-tokens", level = Must, severity = Security)]
async fn unknown_token_is_refused(hs: &Homeserver) -> Verdict {
    let refusal = hs.get(WHOAMI).token("made-up").must_refuse(401, "M_UNKNOWN_TOKEN").await?;
    let soft = refusal.at("/soft_logout");
    refusal.must(soft != true, "no soft_logout: there is no session to keep", || soft.to_string())
}
