//! `client-server-api/#syncing`: what clients are told in the course of a session fits together, whatever their users do.

use suite_attribute::conformance;

use crate::{
    cast::Homeserver,
    sessions::{Invariant, Session},
    verdict::Verdict,
};

/// The sessions that every run plays, by their seeds.
fn seeds() -> [&'static str; 2] {
    ["1", "2"]
}

async fn must_keep(hs: &Homeserver, seed: &str, invariant: Invariant) -> Verdict {
    Session::of(seed.parse().unwrap_or_default()).must_keep(hs, &[invariant]).await
}

/// The state that a client accumulates from any chain of responses is the state of the room.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop, each = seeds)]
async fn accumulated_state_is_the_state(hs: &Homeserver, seed: &'static str) -> Verdict {
    must_keep(hs, seed, Invariant::State).await
}

/// The pieces of a timeline, with gaps filled by `/messages`, are the whole history without loss or repetition.
#[conformance(spec = "client-server-api/#syncing", level = Must, severity = Interop, each = seeds)]
async fn pieces_and_gaps_are_the_history(hs: &Homeserver, seed: &'static str) -> Verdict {
    must_keep(hs, seed, Invariant::Timeline).await
}

/// Members see all that the history visibility grants them, and nobody sees anything else.
#[conformance(spec = "client-server-api/#room-history-visibility", level = Must, severity = Security, each = seeds)]
async fn visibility_is_kept(hs: &Homeserver, seed: &'static str) -> Verdict {
    must_keep(hs, seed, Invariant::Visibility).await
}

/// Messages to devices come once, and those who share an encrypted room hear of new keys.
#[conformance(spec = "client-server-api/#send-to-device-messaging", level = Must, severity = Interop, each = seeds)]
async fn devices_are_told_what_concerns_them(hs: &Homeserver, seed: &'static str) -> Verdict {
    must_keep(hs, seed, Invariant::Devices).await
}

/// The summary of a room counts the members that the room has.
#[conformance(spec = "client-server-api/#get_matrixclientv3sync", level = Must, severity = Usability, each = seeds)]
async fn summaries_count_the_members(hs: &Homeserver, seed: &'static str) -> Verdict {
    must_keep(hs, seed, Invariant::Counts).await
}
