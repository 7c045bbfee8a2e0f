//! `client-server-api/#room-summaries`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Call, Homeserver, User},
    path,
    verdict::Verdict,
};

fn summary(user: &User, room: &str) -> Call {
    user.get(path!("/_matrix/client/v1/room_summary/{}", room))
}

/// A public room is summed up for any user, by its id and by its alias, with the membership of who asks.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1room_summaryroomidoralias",
    level = Must,
    severity = Usability,
    since = "v1.15"
)]
async fn public_room_is_summed_up(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let localpart = format!("{}-summary", alice.localpart());
    let body = json!({
        "preset": "public_chat",
        "name": "the name",
        "topic": "the topic",
        "room_alias_name": localpart,
        "creation_content": {"type": "org.determinant.kind"},
    });
    let room = alice.create_room(body).await?;

    for name in [room.clone(), format!("#{localpart}:{}", hs.name())] {
        let complete =
            |summary: &Answer| summary.at("/name") == "the name" && summary.at("/topic").is_string();
        let summary = hs.eventually("the name and the topic", || summary(&bob, &name), complete).await?;
        summary.must_hold("/room_id", room.as_str())?;
        summary.must_hold("/topic", "the topic")?;
        summary.must_hold("/num_joined_members", 1)?;
        summary.must_hold("/join_rule", "public")?;
        summary.must_hold("/world_readable", false)?;
        summary.must_hold("/guest_can_join", false)?;
        summary.must_hold("/room_type", "org.determinant.kind")?;
        summary.must_hold("/canonical_alias", format!("#{localpart}:{}", hs.name()))?;
        summary.must_hold("/room_version", hs.default_room_version())?;
        let membership = summary.at("/membership");
        summary.must(membership == "leave" || membership.is_null(), "no membership", || {
            membership.to_string()
        })?;
    }
    summary(&alice, &room).await?.must_hold("/membership", "join")
}

/// The summary of a restricted room names the rooms whose members may join.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1room_summaryroomidoralias",
    level = Must,
    severity = Usability,
    since = "v1.15"
)]
async fn restriction_is_summed_up(hs: &Homeserver) -> Verdict {
    hs.must_offer(&protocol::room_version::V11)?;
    let [alice, bob] = hs.users().await?;
    let club = alice.room_with(&[&bob]).await?;
    let content =
        json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": club}]});
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": content});
    let room = alice.create_room(json!({"room_version": "11", "initial_state": [rule]})).await?;

    let told = |summary: &Answer| summary.at("/join_rule") == "restricted";
    let summary = hs.eventually("the join rule", || summary(&bob, &room), told).await?;
    summary.must_hold("/allowed_room_ids", json!([club]))
}

/// A private room is not found by those outside, as little as one that does not exist.
#[conformance(
    spec = "client-server-api/#get_matrixclientv1room_summaryroomidoralias",
    level = Must,
    severity = Security,
    since = "v1.15"
)]
async fn private_room_is_not_found(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let room = alice.create_room(json!({"preset": "private_chat", "name": "a secret name"})).await?;

    summary(&eve, &room).must_be(404).await?.must_not_mention("a secret name")?;
    let alias = format!("#{}-nowhere:{}", eve.localpart(), hs.name());
    summary(&eve, &alias).must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}
