//! `client-server-api/#third-party-networks`

use suite_attribute::conformance;

use crate::{cast::Homeserver, path, verdict::Verdict};

/// Every protocol that is listed can be looked up by its name, with the same description.
#[conformance(spec = "client-server-api/#get_matrixclientv3thirdpartyprotocols", level = Must, severity = Interop)]
async fn listed_protocols_can_be_looked_up(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let list = alice.get("/_matrix/client/v3/thirdparty/protocols").await?;
    list.must(list.json().is_object(), "an object of protocols", || list.json().to_string())?;
    for (name, description) in list.json().as_object().into_iter().flatten() {
        let found = alice.get(path!("/_matrix/client/v3/thirdparty/protocol/{}", name)).await?;
        found.must(found.json() == description, description.to_string(), || found.json().to_string())?;
    }
    Ok(())
}

/// A protocol that the server does not know is not found.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol",
    level = Must,
    severity = Interop
)]
async fn unknown_protocol_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let name = "org.determinant.carrier-pigeon";
    let unknown = path!("/_matrix/client/v3/thirdparty/protocol/{}", name);
    alice.get(unknown).must_be(404).await?;
    alice.get("/_matrix/client/v3/thirdparty/protocols").await?.must_not_mention(name)
}
