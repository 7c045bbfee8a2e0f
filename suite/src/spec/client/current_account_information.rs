//! `client-server-api/#current-account-information`

use suite_attribute::conformance;

use crate::{cast::Homeserver, verdict::Verdict};

/// Every session of a user is told its own user id and its own device id.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3accountwhoami",
    level = Must,
    severity = Interop,
    since = "v1.1",
    proves = ["client-server-api/relationship-between-access-tokens-and-devices/2"]
)]
async fn every_session_learns_its_own_device(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let phone = alice.logs_in().await?;

    for session in [&alice, &phone, &bob] {
        let whoami = session.whoami().await?;
        whoami.must_hold("/user_id", session.id())?;
        whoami.must_hold("/device_id", session.device_id())?;
    }
    Ok(())
}

/// A user who is no guest is not called one.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3accountwhoami",
    level = Must,
    severity = Interop,
    since = "v1.2"
)]
async fn users_are_no_guests(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let whoami = alice.whoami().await?;
    let guest = whoami.at("/is_guest");
    whoami.must(guest != true, "is_guest false or absent", || guest.to_string())
}
