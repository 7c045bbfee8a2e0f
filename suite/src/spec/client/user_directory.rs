//! `client-server-api/#user-directory`

use serde_json::{Value, json};
use suite_attribute::conformance;

use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict},
};

/// A user who shares a room with the searcher is found by their display name and by their user id.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3user_directorysearch",
    level = Must,
    severity = Usability,
    proves = [
        "client-server-api/post_matrixclientv3user_directorysearch/1",
        "client-server-api/post_matrixclientv3user_directorysearch/2",
    ]
)]
async fn roommates_are_found(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let name = format!("roommate{}", alice.localpart().replace('-', ""));
    alice.set_profile_field("displayname", json!(name)).await?;
    alice.room_with(&[&bob]).await?;

    let found = finds(&bob, &name, &alice).await?;
    let shown = entry(&found, &alice).map(|entry| entry["display_name"].clone()).unwrap_or_default();
    found.must(shown == json!(name), format!("display_name {name}"), || shown.to_string())?;
    finds(&bob, alice.localpart(), &alice).await.map(drop)
}

/// A user in a public room is found by user id and by display name, by somebody who shares no room with them.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3user_directorysearch",
    level = Must,
    severity = Usability,
    since = "v1.15"
)]
async fn members_of_public_rooms_are_found(hs: &Homeserver) -> Verdict {
    let [alice, eve] = hs.users().await?;
    let name = format!("openly{}", alice.localpart().replace('-', ""));
    alice.set_profile_field("displayname", json!(name)).await?;
    alice.public_room_with(&[]).await?;

    finds(&eve, alice.localpart(), &alice).await?;
    finds(&eve, &name, &alice).await.map(drop)
}

/// A name that a user has in a private room alone finds them for nobody outside of it; the name of their profile does.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3user_directorysearch",
    level = May,
    severity = Security,
    since = "v1.15"
)]
async fn names_of_private_rooms_stay_there(hs: &Homeserver) -> Verdict {
    let [alice, bob, eve] = hs.users().await?;
    let unique = alice.localpart().replace('-', "");
    let (public, private) = (format!("openly{unique}"), format!("secretly{unique}"));
    alice.set_profile_field("displayname", json!(public)).await?;
    alice.public_room_with(&[]).await?;
    let room = alice.room_with(&[&bob]).await?;
    let member = json!({"membership": "join", "displayname": private});
    alice.set_state(&room, "m.room.member", alice.id(), member).await?;

    // What is found by the name of the profile shows that the directory has caught up.
    finds(&eve, &public, &alice).await?;
    let answer = eve.post(SEARCH, json!({"search_term": private, "limit": 10})).await?;
    answer.must_not_mention(alice.id())
}

/// A user is found whatever the letter case of the search.
#[conformance(spec = "client-server-api/#post_matrixclientv3user_directorysearch", level = Must, severity = Usability)]
async fn case_does_not_matter(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let name = format!("MixedCase{}", alice.localpart().replace('-', ""));
    alice.set_profile_field("displayname", json!(name)).await?;
    alice.room_with(&[&bob]).await?;

    finds(&bob, &name.to_lowercase(), &alice).await?;
    finds(&bob, &name.to_uppercase(), &alice).await.map(drop)
}

/// A search gives no more results than were asked for, and says when it left some out.
#[conformance(spec = "client-server-api/#post_matrixclientv3user_directorysearch", level = Must, severity = Usability)]
async fn limit_is_kept(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    let name = format!("many{}", carol.localpart().replace('-', ""));
    for user in [&alice, &bob] {
        user.set_profile_field("displayname", json!(name)).await?;
    }
    carol.room_with(&[&alice, &bob]).await?;
    finds(&carol, &name, &alice).await?;
    let both = finds(&carol, &name, &bob).await?;
    both.must_hold("/limited", false)?;

    let one = carol.post(SEARCH, json!({"search_term": name, "limit": 1})).await?;

    let count = one.must_have_list("/results")?.len();
    one.must(count == 1, "one result", || format!("{count} results"))?;
    one.must_hold("/limited", true)
}

const SEARCH: &str = "/_matrix/client/v3/user_directory/search";

/// A search that finds this user; a server may take a moment to index a change.
async fn finds(searcher: &User, term: &str, wanted: &User) -> Result<Answer, Stop> {
    let search = || searcher.post(SEARCH, json!({"search_term": term, "limit": 10}));
    let what = format!("{} among the results for {term:?}", wanted.id());
    searcher.homeserver().eventually(&what, search, |answer| entry(answer, wanted).is_some()).await
}

fn entry<'a>(answer: &'a Answer, wanted: &User) -> Option<&'a Value> {
    answer.at("/results").as_array()?.iter().find(|entry| entry["user_id"] == wanted.id())
}
