//! `client-server-api/#legacy-account-registration`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::user_interactive_authentication::must_offer_flows;
use crate::{
    cast::{Answer, Homeserver},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// A registration without `auth` creates no account: it is answered with 401 and the flows to choose from.
#[conformance(
    spec = "client-server-api/#user-interactive-api-in-the-rest-api",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/user-interactive-api-in-the-rest-api/5"]
)]
async fn challenge_comes_first(hs: &Homeserver) -> Verdict {
    let (username, password) = (hs.unused_localpart(), "a password");
    let body = json!({"username": username, "password": password});
    let answer = hs.post(REGISTER, body).answer().await?;
    must_be_open(&answer)?;

    must_offer_flows(&answer.must_be(401)?)?;

    hs.log_in(&username, password).must_refuse(403, "M_FORBIDDEN").await.map(drop)
}

/// A registration gives a user id of this server, and an access token that belongs to it and to the device that is named.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    since = "v1.1",
    proves = [
        "client-server-api/post_matrixclientv3register/17",
        "client-server-api/post_matrixclientv3register/18",
        "client-server-api/post_matrixclientv3register/1",
    ]
)]
async fn opens_a_session(hs: &Homeserver) -> Verdict {
    let password = "a password";
    let answer = register(hs, json!({"username": hs.unused_localpart(), "password": password}))
        .await?
        .must_succeed()?;

    let alice = hs.session(&answer, password)?;
    answer.must(is_user_id(alice.id(), hs.name()), "a user id of this server", || alice.id().to_owned())?;
    let whoami = alice.whoami().await?;
    whoami.must_hold("/user_id", alice.id())?;
    whoami.must_hold("/device_id", alice.device_id())
}

/// The user id is made of the username that the client asks for.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/post_matrixclientv3register/2"]
)]
async fn username_becomes_the_localpart(hs: &Homeserver) -> Verdict {
    let username = hs.unused_localpart();
    let answer =
        register(hs, json!({"username": username, "password": "a password"})).await?.must_succeed()?;
    answer.must_hold("/user_id", format!("@{username}:{}", hs.name()))
}

/// A username with any character that the grammar of localparts permits becomes the localpart as it is.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Should,
    severity = Usability,
    each = permitted_characters
)]
async fn permitted_characters_are_kept(hs: &Homeserver, character: Character) -> Verdict {
    let username = format!("{}{}end", hs.unused_localpart(), character.text);
    let answer =
        register(hs, json!({"username": username, "password": "a password"})).await?.must_succeed()?;
    answer.must_hold("/user_id", format!("@{username}:{}", hs.name()))
}

/// A username outside the grammar of localparts is refused before any stage of authentication, or mapped into the grammar.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    each = forbidden_characters,
    proves = [
        "client-server-api/post_matrixclientv3register/3",
        "client-server-api/post_matrixclientv3register/8",
        "client-server-api/post_matrixclientv3register/20",
        "appendices/user-identifiers/1",
    ]
)]
async fn forbidden_characters_never_reach_a_user_id(hs: &Homeserver, character: Character) -> Verdict {
    let username = format!("{}{}end", hs.unused_localpart(), character.text);
    let body = json!({"username": username, "password": "a password"});
    let challenge = hs.post(REGISTER, body.clone()).answer().await?;
    must_be_open(&challenge)?;
    if !challenge.exchange().response.is_authentication_challenge() {
        return challenge.must_refuse(400, "M_INVALID_USERNAME").map(drop);
    }
    let answer = register(hs, body).await?.must_succeed()?;
    let user_id = answer.must_have_text("/user_id")?;
    answer.must(is_user_id(&user_id, hs.name()), "a user id within the grammar", || user_id.clone())
}

/// A username that is taken is refused with `M_USER_IN_USE` before any stage of authentication.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3register/21"]
)]
async fn taken_username_is_refused_at_once(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let answer =
        hs.post(REGISTER, json!({"username": alice.localpart(), "password": "a password"})).answer().await?;
    must_be_open(&answer)?;
    answer.must_refuse(400, "M_USER_IN_USE").map(drop)
}

/// A registration without a username gets a generated localpart.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3register/16"]
)]
async fn missing_username_is_generated(hs: &Homeserver) -> Verdict {
    let answer = register(hs, json!({"password": "a password"})).await?.must_succeed()?;
    let user_id = answer.must_have_text("/user_id")?;
    answer.must(is_user_id(&user_id, hs.name()), "a user id within the grammar", || user_id.clone())
}

/// The device id that the client supplies becomes the device of the new session.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    proves = [
        "client-server-api/post_matrixclientv3register/5",
        "client-server-api/relationship-between-access-tokens-and-devices/2",
    ]
)]
async fn supplied_device_is_used(hs: &Homeserver) -> Verdict {
    let body = json!({"username": hs.unused_localpart(), "password": "a password", "device_id": "KITCHEN"});
    let answer = register(hs, body).await?.must_succeed()?;

    answer.must_hold("/device_id", "KITCHEN")?;
    hs.session(&answer, "a password")?.device("KITCHEN").await?.must_hold("/device_id", "KITCHEN")
}

/// The new device has the display name that the client supplies.
#[conformance(spec = "client-server-api/#post_matrixclientv3register", level = Must, severity = Cosmetic)]
async fn device_gets_its_display_name(hs: &Homeserver) -> Verdict {
    let username = hs.unused_localpart();
    let body = json!({"username": username, "password": "a password", "initial_device_display_name": "kitchen tablet"});
    let alice = hs.session(&register(hs, body).await?.must_succeed()?, "a password")?;

    alice.device(alice.device_id()).await?.must_hold("/display_name", "kitchen tablet")
}

/// `inhibit_login` creates the account without a session.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Should,
    severity = Interop,
    proves = ["client-server-api/post_matrixclientv3register/15"]
)]
async fn login_can_be_inhibited(hs: &Homeserver) -> Verdict {
    let body = json!({"username": hs.unused_localpart(), "password": "a password", "inhibit_login": true});
    let answer = register(hs, body).await?.must_succeed()?;

    let user_id = answer.must_have_text("/user_id")?;
    answer.must_lack("/access_token")?;
    answer.must_lack("/device_id")?;
    hs.log_in(&user_id, "a password").await?.must_hold("/user_id", user_id)
}

/// The password of the registration opens the account, and without its last character it does not.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3login",
    level = Must,
    severity = Security,
    each = passwords
)]
async fn whole_password_counts(hs: &Homeserver, password: &'static str) -> Verdict {
    let text = if password == "100 bytes" {
        "0123456789".repeat(10)
    } else {
        "пароль, 密码, 🔑".to_owned()
    };
    let username = hs.unused_localpart();
    let registered = register(hs, json!({"username": username, "password": text})).await?;
    if registered.status() == 400 {
        return Err(Stop::NotApplicable("the server does not take such a password".to_owned()));
    }
    registered.must_succeed()?;

    let shortened: String = text.chars().take(text.chars().count() - 1).collect();
    hs.log_in(&username, &shortened).must_refuse(403, "M_FORBIDDEN").await?;
    let user_id = hs.log_in(&username, &text).await?.must_have_text("/user_id")?;
    hs.log_in(&user_id, &text).await?.must_hold("/user_id", user_id)
}

fn passwords() -> [&'static str; 2] {
    ["100 bytes", "not ASCII"]
}

/// A password may be longer than the 72 bytes that a common hash function reads, in any script.
///
/// The text sets no limit; a server that has one may say so, but does not break.
#[conformance(spec = "client-server-api/#post_matrixclientv3register", level = May, severity = Usability)]
async fn password_may_be_long(hs: &Homeserver) -> Verdict {
    let password = "ein langes Paßwort, 長いパスワード; ".repeat(4);
    let username = hs.unused_localpart();
    register(hs, json!({"username": username, "password": password})).await?.must_succeed()?;

    hs.log_in(&username, &password).await.map(drop)
}

/// A server that does not let clients register an account of some kind refuses with `M_FORBIDDEN`.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    each = kinds
)]
async fn closed_registration_is_forbidden(hs: &Homeserver, kind: &'static str) -> Verdict {
    let body = json!({"username": hs.unused_localpart(), "password": "a password"});
    let answer = hs.post(REGISTER, body).query("kind", kind).answer().await?;
    if answer.status().is_success() || answer.exchange().response.is_authentication_challenge() {
        return Err(Stop::NotApplicable(format!("clients may register a {kind} account")));
    }
    answer.must_refuse(403, "M_FORBIDDEN").map(drop)
}

fn kinds() -> [&'static str; 2] {
    ["guest", "user"]
}

/// A username that nobody has is reported as available.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3registeravailable",
    level = Must,
    severity = Usability,
    proves = [
        "client-server-api/get_matrixclientv3registeravailable/1",
        "client-server-api/get_matrixclientv3registeravailable/3",
    ]
)]
async fn unused_username_is_available(hs: &Homeserver) -> Verdict {
    let answer = available(hs, &hs.unused_localpart()).await?.must_succeed()?;
    answer.must_hold("/available", true)
}

/// A username that is taken is reported as being in use.
#[conformance(
    spec = "client-server-api/#get_matrixclientv3registeravailable",
    level = Should,
    severity = Usability,
    proves = ["client-server-api/get_matrixclientv3registeravailable/1"]
)]
async fn taken_username_is_not_available(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    available(hs, alice.localpart()).await?.must_refuse(400, "M_USER_IN_USE").map(drop)
}

/// A username outside the grammar of localparts is reported as invalid.
#[conformance(spec = "client-server-api/#get_matrixclientv3registeravailable", level = Should, severity = Usability)]
async fn invalid_username_is_not_available(hs: &Homeserver) -> Verdict {
    let username = format!("{} with spaces", hs.unused_localpart());
    available(hs, &username).await?.must_refuse(400, "M_INVALID_USERNAME").map(drop)
}

/// A guest gets a device of the server's own choosing, and is told to be a guest.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3register",
    level = Must,
    severity = Interop,
    since = "v1.2",
    proves = [
        "client-server-api/post_matrixclientv3register/6",
        "client-server-api/post_matrixclientv3register/7",
    ]
)]
async fn guest_cannot_choose(hs: &Homeserver) -> Verdict {
    let username = hs.unused_localpart();
    let body = json!({"username": username, "device_id": "KITCHEN", "inhibit_login": true});
    let answer = hs.post(REGISTER, body).query("kind", "guest").answer().await?;
    if answer.status() == 403 {
        return Err(Stop::NotApplicable("the server does not register guests".to_owned()));
    }
    let guest = hs.session(&answer.must_succeed()?, "")?;

    let whoami = guest.whoami().await?;
    whoami.must_hold("/is_guest", true)?;
    whoami.must_hold("/user_id", guest.id())?;
    whoami.must(guest.localpart() != username, "a localpart other than the one asked for", || {
        username.clone()
    })?;
    whoami.must(guest.device_id() != "KITCHEN", "a device other than the one asked for", || {
        "that one".to_owned()
    })
}

const REGISTER: &str = "/_matrix/client/v3/register";

/// Registers; the test does not apply where clients cannot.
async fn register(hs: &Homeserver, body: Value) -> Result<Answer, Stop> {
    let answer = hs.register(body).await?;
    must_be_open(&answer)?;
    Ok(answer)
}

/// Stops the test where clients cannot register.
fn must_be_open(answer: &Answer) -> Verdict {
    if answer.status() == 403 {
        return Err(Stop::NotApplicable("the server does not let clients register accounts".to_owned()));
    }
    if answer.exchange().response.is_unrecognized() {
        return answer.clone().must_succeed().map(drop);
    }
    Ok(())
}

async fn available(hs: &Homeserver, username: &str) -> Result<Answer, Stop> {
    let answer = hs.get("/_matrix/client/v3/register/available").query("username", username).answer().await?;
    must_be_open(&answer)?;
    Ok(answer)
}

/// A user id of this server, within the grammar for new ones: `appendices/#user-identifiers`.
fn is_user_id(user_id: &str, server_name: &str) -> bool {
    let localpart = user_id.strip_prefix('@').and_then(|rest| rest.strip_suffix(&format!(":{server_name}")));
    let permitted =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    localpart.is_some_and(|localpart| !localpart.is_empty() && localpart.bytes().all(permitted))
        && user_id.len() <= 255
}

/// A character within a username, with a name that stands in the id of the test.
#[derive(Clone, Copy)]
struct Character {
    name: &'static str,
    text: &'static str,
}

impl Case for Character {
    fn label(&self) -> String {
        self.name.to_owned()
    }
}

fn permitted_characters() -> impl Iterator<Item = Character> {
    let characters =
        [("digit", "7"), ("dot", "."), ("underscore", "_"), ("equals", "="), ("hyphen", "-"), ("slash", "/")];
    characters.into_iter().map(|(name, text)| Character { name, text })
}

fn forbidden_characters() -> impl Iterator<Item = Character> {
    let characters = [
        ("capital", "Q"),
        ("space", " "),
        ("newline", "\n"),
        ("nul", "\0"),
        ("colon", ":"),
        ("at", "@"),
        ("exclamation mark", "!"),
        ("number sign", "#"),
        ("dollar", "$"),
        ("percent", "%"),
        ("ampersand", "&"),
        ("quote", "'"),
        ("double quote", "\""),
        ("brace", "{"),
        ("backslash", "\\"),
        ("tilde", "~"),
        ("e acute", "é"),
        ("emoji", "🔑"),
    ];
    characters.into_iter().map(|(name, text)| Character { name, text })
}
