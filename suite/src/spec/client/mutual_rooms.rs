//! `client-server-api/#mutual-rooms`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver},
    verdict::Verdict,
};

const PATH: &str = "/_matrix/client/v1/mutual_rooms";

/// The rooms that two users have both joined are listed, and no others.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mutual_rooms",
    level = Must,
    severity = Usability,
    since = "v1.19"
)]
async fn shared_rooms_are_listed(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let shared = alice.room_with(&[&bob]).await?;
    let left = alice.room_with(&[&bob]).await?;
    bob.leave(&left).await?;
    alice.create_room(json!({"invite": [bob.id()]})).await?;

    let ask = || alice.get(PATH).query("user_id", bob.id());
    let these = |rooms: &Answer| *rooms.at("/joined") == json!([shared]);
    let rooms = hs.eventually("the room that both have joined, and no other", ask, these).await?;
    rooms.must_hold("/count", 1)
}

/// A user who does not exist shares no room.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mutual_rooms",
    level = Must,
    severity = Security,
    since = "v1.19",
    proves = ["client-server-api/get_matrixclientv1mutual_rooms/2"]
)]
async fn unknown_user_shares_nothing(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;

    let nobody = format!("@{}-nobody:{}", alice.localpart(), hs.name());
    alice.get(PATH).query("user_id", nobody).await?.must_hold("/joined", json!([]))
}

/// Asking for oneself, for nobody, or with an invalid token is refused.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1mutual_rooms",
    level = Must,
    severity = Interop,
    since = "v1.19"
)]
async fn invalid_questions_are_refused(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;

    alice.get(PATH).query("user_id", alice.id()).must_be(400).await?;
    alice.get(PATH).must_be(400).await?;
    alice.get(PATH).query("user_id", bob.id()).query("from", "no token of this server").must_be(400).await?;
    Ok(())
}
