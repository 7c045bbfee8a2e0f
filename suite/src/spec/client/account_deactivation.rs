//! `client-server-api/#account-deactivation`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::knocking_on_rooms::room_to_knock_on;
use super::notes_on_identity_servers::{BOUND, bind};
use super::user_interactive_authentication::{attempt, challenge};
use crate::{
    cast::{Answer, Homeserver, User},
    verdict::{Stop, Verdict, must},
};

/// A deactivated account cannot be logged in to.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountdeactivate", level = Must, severity = Security)]
async fn login_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    deactivate(&alice, json!({})).await?;

    let login = hs.log_in(alice.id(), alice.password()).answer().await?;
    login.must_refuse_with_one_of(&[(403, "M_USER_DEACTIVATED"), (403, "M_FORBIDDEN")]).map(drop)
}

/// A deactivation ends every session of the user.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountdeactivate", level = Must, severity = Security)]
async fn every_session_ends(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let phone = alice.logs_in().await?;
    deactivate(&alice, json!({})).await?;

    alice.whoami().must_be(401).await?;
    phone.whoami().must_be(401).await.map(drop)
}

/// A deactivation says that nothing had to be unbound where the user has no third-party identifiers.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountdeactivate",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3accountdeactivate/7"]
)]
async fn nothing_to_unbind_is_a_success(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    deactivate(&alice, json!({})).await?.must_hold("/id_server_unbind_result", "success")
}

/// A deactivation unbinds the identifiers of the user from the identity servers that they were bound with.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountdeactivate",
    level = Must,
    severity = Security,
    proves = ["client-server-api/post_matrixclientv3accountdeactivate/5"]
)]
async fn identifiers_are_unbound(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice] = hs.users().await?;
    bind(&alice, &identity).await?;

    deactivate(&alice, json!({})).await?.must_hold("/id_server_unbind_result", "success")?;

    let asked = identity.is_asked("unbindV2").await?;
    let expected = json!({"mxid": alice.id(), "threepid": {"medium": "email", "address": BOUND}});
    must(asked.json == expected, expected.to_string(), || asked.json.to_string())
}

/// A deactivation whose authentication failed leaves the account as it was.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountdeactivate", level = Must, severity = Security)]
async fn failed_authentication_keeps_the_account(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let challenge = challenge(&alice, Method::POST, DEACTIVATE, &json!({})).await?;
    let mut stage = alice.password_stage(&challenge);
    stage["password"] = json!("not the password");
    attempt(&alice, Method::POST, DEACTIVATE, &json!({}), stage).await?.must_be(401)?;

    alice.whoami().await?.must_hold("/user_id", alice.id())?;
    hs.log_in(alice.id(), alice.password()).await?.must_hold("/user_id", alice.id())
}

/// The name of a deactivated account is not given to anybody else.
///
/// The text forbids taken names and calls a deactivated account no free one, but says neither outright.
#[conformance(spec = "client-server-api/#post_matrixclientv3accountdeactivate", level = May, severity = Security)]
async fn name_stays_taken(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    deactivate(&alice, json!({})).await?;

    let body = json!({"username": alice.localpart(), "password": "a password"});
    let answer = hs.register(body).await?;
    if answer.status() == 403 {
        return Err(Stop::NotApplicable("the server does not let clients register accounts".to_owned()));
    }
    answer.must_refuse(400, "M_USER_IN_USE").map(drop)
}

/// Who joins a room after an account was erased gets the events of the account redacted.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountdeactivate",
    level = Should,
    severity = Security,
    since = "v1.10"
)]
async fn erased_content_is_hidden_from_newcomers(hs: &Homeserver) -> Verdict {
    let [alice, bob, carol] = hs.users().await?;
    alice.set_profile_field("displayname", json!("name to be erased")).await?;
    let room = bob.public_room_with(&[&alice]).await?;
    let event_id = alice.say(&room, "to be erased").await?;
    bob.event(&room, &event_id).await?.must_hold("/content/body", "to be erased")?;

    deactivate(&alice, json!({"erase": true})).await?;
    carol.join(&room).await?;
    let mark = carol.say(&room, "who was here?").await?;

    let history = hs.page_with(&mark, || carol.messages(&room, "b").query("limit", "100")).await?;
    history.must_not_mention("to be erased")
}

/// Whoever deactivates their account is a member of no room afterwards, nor invited to one, nor knocking on one.
///
/// The text leaves open what becomes of memberships; left alone, they would wait for somebody who cannot return.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3accountdeactivate",
    level = May,
    severity = Usability,
    each = memberships
)]
async fn memberships_end(hs: &Homeserver, membership: &'static str) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let room = match membership {
        "join" => alice.room_with(&[&bob]).await?,
        "invite" => alice.create_room(json!({"invite": [bob.id()]})).await?,
        _ => {
            let room = room_to_knock_on(hs, &alice, &protocol::room_version::V11).await?;
            bob.knock(&room).await?;
            room
        }
    };
    alice.state(&room, "m.room.member", bob.id()).await?.must_hold("/membership", membership)?;

    deactivate(&bob, json!({})).await?;

    alice.sees_membership(&room, &bob, "leave").await.map(drop)
}

fn memberships() -> [&'static str; 3] {
    ["join", "invite", "knock"]
}

const DEACTIVATE: &str = "/_matrix/client/v3/account/deactivate";

async fn deactivate(user: &User, body: Value) -> Result<Answer, Stop> {
    let challenge = challenge(user, Method::POST, DEACTIVATE, &body).await?;
    let stage = user.password_stage(&challenge);
    attempt(user, Method::POST, DEACTIVATE, &body, stage).await?.must_succeed()
}
