//! A server that was away for a while, and what it is told when it is there again.

use super::{apart::nudge, room};
use crate::{
    cast::User,
    target::TargetError,
    together::Pair,
    verdict::{Stop, Verdict},
};

/// The guest is stopped while the host speaks, and started again.
pub(super) async fn restarted(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    let before = bob.say(&room, "before").await?;
    let guest = pair.guest.target();
    told(guest.stop().await)?;
    let said = speaks(&alice, &room).await;
    told(guest.start().await)?;
    // What was there before is still there, and the token of before still opens it.
    bob.sees("what was said before the restart", |sync| sync.mentions(&before)).await?;
    nudge(&alice, &bob, &room, &said?).await
}

/// The guest does nothing while the host speaks: connections stay open, and nobody answers.
pub(super) async fn asleep(pair: &Pair<'_>) -> Verdict {
    let (alice, bob, room) = room(pair).await?;
    let guest = pair.guest.target();
    told(guest.pause().await)?;
    let said = speaks(&alice, &room).await;
    told(guest.go_on().await)?;
    nudge(&alice, &bob, &room, &said?).await
}

async fn speaks(user: &User, room: &str) -> Result<Vec<String>, Stop> {
    let mut said = Vec::new();
    for number in 0..8 {
        said.push(user.say(room, &format!("to nobody {number}")).await?);
    }
    Ok(said)
}

fn told(done: Result<(), TargetError>) -> Verdict {
    done.map_err(|error| Stop::Fault(error.to_string()))
}
