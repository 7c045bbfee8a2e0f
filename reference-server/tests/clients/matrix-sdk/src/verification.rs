//! Two people verify each other by emoji.

use anyhow::{Context, Result, bail, ensure};
use matrix_sdk::encryption::verification::{SasVerification, Verification, VerificationRequest};
use matrix_sdk::ruma::OwnedUserId;
use matrix_sdk::ruma::events::key::verification::VerificationMethod;

use crate::person::{Person, until};

/// From the request to the verified identities.
pub(crate) async fn by_emoji(alice: &Person, bob: &Person) -> Result<()> {
    let encryption = alice.client.encryption();
    let device_id = bob.client.device_id().context("a device")?;
    let device =
        encryption.get_device(&bob.id(), device_id).await?.context("alice knows no device of bob")?;
    let asked = device.request_verification_with_methods(vec![VerificationMethod::SasV1]).await?;
    let asked_of_bob = request(bob, alice, asked.flow_id()).await?;
    asked_of_bob.accept_with_methods(vec![VerificationMethod::SasV1]).await?;
    until("bob is ready", &[alice, bob], || asked.is_ready()).await?;

    let alices = asked.start_sas().await?.context("no emoji to compare")?;
    let bobs = started(bob, alice, asked.flow_id()).await?;
    bobs.accept().await?;
    let shown = || alices.can_be_presented() && bobs.can_be_presented();
    until("both see the emoji", &[alice, bob], shown).await?;
    let symbols = |sas: &SasVerification| sas.emoji().map(|emoji| emoji.map(|emoji| emoji.symbol));
    ensure!(symbols(&alices).is_some() && symbols(&alices) == symbols(&bobs), "the emoji are not the same");
    alices.confirm().await?;
    bobs.confirm().await?;
    until("both are done", &[alice, bob], || alices.is_done() && bobs.is_done()).await?;

    for (person, other) in [(alice, bob.id()), (bob, alice.id())] {
        ensure!(trusts(person, &other).await?, "{} has not verified {other}", person.id());
    }
    Ok(())
}

/// Whether the identity of the other user counts as verified, by what the server has as well.
async fn trusts(person: &Person, other: &OwnedUserId) -> Result<bool> {
    let identity = person.client.encryption().request_user_identity(other).await?;
    Ok(identity.context("no identity")?.is_verified())
}

async fn request(person: &Person, of: &Person, flow: &str) -> Result<VerificationRequest> {
    for _ in 0..10 {
        if let Some(request) = person.client.encryption().get_verification_request(&of.id(), flow).await {
            return Ok(request);
        }
        person.sync().await?;
    }
    bail!("no request for verification came")
}

async fn started(person: &Person, by: &Person, flow: &str) -> Result<SasVerification> {
    for _ in 0..10 {
        if let Some(Verification::SasV1(sas)) =
            person.client.encryption().get_verification(&by.id(), flow).await
        {
            return Ok(sas);
        }
        person.sync().await?;
    }
    bail!("the comparison of emoji was not started")
}
