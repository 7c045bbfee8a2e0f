//! `client-server-api/#typing-notifications`

use suite_attribute::conformance;

use crate::{cast::Homeserver, verdict::Verdict};

/// A typing notice reaches the other members of the room, and nobody else.
#[conformance(spec = "client-server-api/#typing-notifications", level = Must, severity = Usability)]
async fn reaches_members_only(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;

    alice.typing(&room, true).await?;

    bob.sees("alice typing", |sync| sync.typing(&room) == Some(vec![alice.id()])).await?;
    eve.must_never_see("the room or who types in it", |sync| sync.mentions(&room) || sync.mentions(alice.id())).await
}
