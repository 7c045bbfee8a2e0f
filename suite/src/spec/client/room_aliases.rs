//! `client-server-api/#room-aliases`

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{Call, Homeserver, User},
    path,
    verdict::Verdict,
};

/// An alias that follows nobody else's.
fn alias_of(user: &User, name: &str) -> String {
    format!("#{}-{name}:{}", user.localpart(), user.homeserver().name())
}

fn resolve(user: &User, alias: &str) -> Call {
    user.get(path!("/_matrix/client/v3/directory/room/{}", alias))
}

/// An alias leads to the room it was mapped to, by way of this server.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3directoryroomroomalias",
    level = Must,
    severity = Interop
)]
async fn alias_leads_to_its_room(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let alias = alias_of(&alice, "tree-🌲");

    resolve(&bob, &alias).must_refuse(404, "M_NOT_FOUND").await?;
    alice.name_room(&alias, &room).await?;

    let resolved = resolve(&bob, &alias).await?;
    resolved.must_hold("/room_id", room)?;
    let servers = resolved.must_have_list("/servers")?;
    resolved.must(
        servers.iter().any(|server| server == hs.name()),
        format!("{} among the servers", hs.name()),
        || format!("{servers:?}"),
    )
}

/// An alias that is taken cannot be given to another room.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3directoryroomroomalias",
    level = Must,
    severity = Security
)]
async fn taken_alias_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, other) = (alice.create_room(json!({})).await?, alice.create_room(json!({})).await?);
    let alias = alias_of(&alice, "once");
    alice.name_room(&alias, &room).await?;

    alice.name_room(&alias, &other).must_be(409).await?;
    resolve(&alice, &alias).await?.must_hold("/room_id", room)
}

/// What is not a room alias is neither set nor looked up.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3directoryroomroomalias",
    level = Must,
    severity = Interop
)]
async fn malformed_alias_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    let malformed = format!("{}-no-sigil", alice.localpart());
    alice.name_room(&malformed, &room).must_refuse(400, "M_INVALID_PARAM").await?;
    resolve(&alice, &malformed).must_refuse(400, "M_INVALID_PARAM").await.map(drop)
}

/// A deleted alias leads nowhere, and what leads nowhere cannot be deleted.
#[conformance(
    spec = "client-server-api/#delete_matrixclientv3directoryroomroomalias",
    level = Must,
    severity = Interop
)]
async fn deleted_alias_is_gone(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let alias = alias_of(&alice, "short-lived");
    alice.name_room(&alias, &room).await?;

    alice.delete(path!("/_matrix/client/v3/directory/room/{}", alias)).await?;

    alice.get(path!("/_matrix/client/v3/rooms/{}/aliases", room)).await?.must_hold("/aliases", json!([]))?;
    resolve(&alice, &alias).must_refuse(404, "M_NOT_FOUND").await?;
    alice
        .delete(path!("/_matrix/client/v3/directory/room/{}", alias))
        .must_refuse(404, "M_NOT_FOUND")
        .await?;
    Ok(())
}

/// The aliases of a room are listed for its members, and refused to others.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidaliases",
    level = Must,
    severity = Security
)]
async fn aliases_are_listed_for_members(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let room = alice.room_with(&[&bob]).await?;
    let mut expected = [alias_of(&alice, "one"), alias_of(&alice, "two")];
    for alias in &expected {
        alice.name_room(alias, &room).await?;
    }

    let aliases = |user: &User| user.get(path!("/_matrix/client/v3/rooms/{}/aliases", room));
    let listed = aliases(&bob).await?;
    let mut came: Vec<&str> =
        listed.must_have_list("/aliases")?.iter().filter_map(|alias| alias.as_str()).collect();
    came.sort_unstable();
    expected.sort_unstable();
    listed.must(came == expected, format!("{expected:?}"), || format!("{came:?}"))?;
    aliases(&eve).must_refuse(403, "M_FORBIDDEN").await?;
    Ok(())
}

/// The aliases of a room that the world can read are listed for any user.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3roomsroomidaliases",
    level = Must,
    severity = Interop
)]
async fn aliases_of_a_world_readable_room_are_public(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let visibility =
        json!({"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}});
    let localpart = format!("{}-window", alice.localpart());
    let body = json!({"initial_state": [visibility], "room_alias_name": localpart});
    let room = alice.create_room(body).await?;

    let listed = eve.get(path!("/_matrix/client/v3/rooms/{}/aliases", room)).await?;
    listed.must_hold("/aliases", json!([format!("#{localpart}:{}", hs.name())]))
}

/// A canonical alias is accepted when it leads to the room.
#[conformance(spec = "client-server-api/#mroomcanonical_alias", level = Must, severity = Interop)]
async fn canonical_alias_may_name_the_room(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;
    let (main, alternative) = (alias_of(&alice, "main"), alias_of(&alice, "alternative"));
    alice.name_room(&main, &room).await?;
    alice.name_room(&alternative, &room).await?;

    let content = json!({"alias": main, "alt_aliases": [alternative]});
    alice.set_state(&room, "m.room.canonical_alias", "", content.clone()).await?;
    alice.state(&room, "m.room.canonical_alias", "").await?.must_hold("", content)
}

/// A canonical or alternative alias that leads nowhere, or to another room, is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Should,
    severity = Security,
    proves = ["client-server-api/put_matrixclientv3roomsroomidstateeventtypestatekey/2"]
)]
async fn canonical_alias_must_lead_to_the_room(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let (room, other) = (alice.create_room(json!({})).await?, alice.create_room(json!({})).await?);
    let (elsewhere, nowhere) = (alias_of(&alice, "elsewhere"), alias_of(&alice, "nowhere"));
    alice.name_room(&elsewhere, &other).await?;

    for alias in [elsewhere, nowhere] {
        for content in [json!({"alias": alias}), json!({"alt_aliases": [alias]})] {
            alice
                .set_state(&room, "m.room.canonical_alias", "", content)
                .must_refuse(400, "M_BAD_ALIAS")
                .await?;
        }
    }
    alice.state(&room, "m.room.canonical_alias", "").must_refuse(404, "M_NOT_FOUND").await?;
    Ok(())
}

/// A canonical alias that is not a room alias is refused.
#[conformance(
    spec = "client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey",
    level = Should,
    severity = Interop,
    each = places,
    proves = ["client-server-api/put_matrixclientv3roomsroomidstateeventtypestatekey/2"]
)]
async fn malformed_canonical_alias_is_refused(hs: &Homeserver, place: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let room = alice.create_room(json!({})).await?;

    let malformed = format!("{}-no-sigil", alice.localpart());
    let content =
        if place == "main" { json!({"alias": malformed}) } else { json!({"alt_aliases": [malformed]}) };
    alice.set_state(&room, "m.room.canonical_alias", "", content).must_refuse(400, "M_INVALID_PARAM").await?;
    Ok(())
}

fn places() -> [&'static str; 2] {
    ["alternative", "main"]
}
