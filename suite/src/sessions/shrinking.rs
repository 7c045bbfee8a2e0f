//! Makes a session that breaks an invariant as small as it goes.

use tokio::time::Instant;

use super::{Invariant, Session};
use crate::{
    cast::Homeserver,
    scene::Scene,
    verdict::{Stop, Unmet},
};

/// The smallest session found that breaks an invariant, and how it does.
pub(super) async fn shrink(
    session: &Session,
    unmet: Unmet,
    hs: &Homeserver,
    invariants: &[Invariant],
) -> (Session, Unmet) {
    let (mut small, mut unmet) = (session.clone(), unmet);
    // Whoever waits for the verdict is not to wait much longer than for one that something was never seen.
    let deadline = Instant::now() + hs.patience() / 2;
    let mut size = small.rounds.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < small.rounds.len() && Instant::now() < deadline {
            let mut smaller = small.clone();
            smaller.rounds.drain(from..(from + size).min(small.rounds.len()));
            match smaller.play(&hs.with_scene(Scene::new(super::LIMIT)), invariants).await {
                Err(Stop::Unmet(again)) => (small, unmet) = (smaller, *again),
                _ => from += size,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    (small, unmet)
}
