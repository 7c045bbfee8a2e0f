//! `client-server-api/#adding-account-administrative-contact-information`

use http::Method;
use serde_json::{Value, json};
use suite_attribute::conformance;

use super::user_interactive_authentication::{attempt, challenge};
use crate::{
    cast::{Answer, Homeserver, Mailbox, Telephone, User},
    verdict::{Stop, Verdict, must},
};

/// A new account has no third-party identifiers.
#[conformance(spec = "client-server-api/#get_matrixclientv3account3pid", level = Must, severity = Security)]
async fn new_account_has_none(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    must_have_addresses(&alice, &[]).await
}

/// An e-mail address is added when its owner has followed the link that was sent there, and not before.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidadd",
    level = Must,
    severity = Security,
    needs = "email"
)]
async fn address_is_added_when_it_is_proved(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let mailbox = hs.mailbox()?;
    let session = request_token(hs, "account/3pid", &mailbox, "add-secret", 1).await?;
    let credentials = json!({"sid": session.at("/sid"), "client_secret": "add-secret"});

    must_not_add(&alice, &credentials).await?;
    must_have_addresses(&alice, &[]).await?;

    confirm(hs, &mailbox.link(0).await?).await?;
    alice.post_authenticated(ADD, credentials).await?.must_be(200)?;
    must_have_addresses(&alice, &[mailbox.address()]).await
}

/// An address belongs to one account: no token is sent to add it to another, or to make another with it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidemailrequesttoken",
    level = Must,
    severity = Security,
    needs = "email",
    each = beginnings,
    proves = [
        "client-server-api/post_matrixclientv3account3pidemailrequesttoken/1",
        "client-server-api/post_matrixclientv3registeremailrequesttoken/1",
    ]
)]
async fn address_belongs_to_one_account(hs: &Homeserver, operation: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let mailbox = hs.mailbox()?;
    add(&alice, &mailbox).await?;

    let before = mailbox.count();
    let body = json!({"client_secret": "second", "email": mailbox.address(), "send_attempt": 1});
    let answer = hs.post(format!("/_matrix/client/v3/{operation}/email/requestToken"), body).answer().await?;

    // A server may tell the owner by e-mail instead, so that nobody learns whose address it is.
    if answer.status().is_success() {
        let session = json!({"sid": answer.at("/sid"), "client_secret": "second"});
        let [bob] = hs.users().await?;
        let refusal = must_not_add(&bob, &session).await?;
        refusal.must(mailbox.count() <= before + 1, "one e-mail at most", || mailbox.count().to_string())
    } else {
        answer.must_refuse(400, "M_THREEPID_IN_USE").map(drop)
    }
}

fn beginnings() -> [&'static str; 2] {
    ["account/3pid", "register"]
}

/// A telephone number belongs to one account: no token is sent to add it to another, or to make another with it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken",
    level = Must,
    severity = Security,
    needs = "msisdn",
    each = beginnings,
    proves = [
        "client-server-api/post_matrixclientv3account3pidmsisdnrequesttoken/1",
        "client-server-api/post_matrixclientv3registermsisdnrequesttoken/1",
    ]
)]
async fn number_belongs_to_one_account(hs: &Homeserver, operation: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let telephone = hs.telephone()?;
    add_number(&alice, &telephone).await?;

    let mut body = number(telephone.number());
    body["client_secret"] = json!("second");
    let target = format!("/_matrix/client/v3/{operation}/msisdn/requestToken");
    let answer = hs.post(target, body).answer().await?;

    if !answer.status().is_success() {
        return answer.must_refuse(400, "M_THREEPID_IN_USE").map(drop);
    }
    // A server may tell the owner by text message instead, so that nobody learns whose number it is. A token that works it
    // must not send.
    let Ok(code) = telephone.code(1).await else { return Ok(()) };
    let body = json!({"sid": answer.at("/sid"), "client_secret": "second", "token": code});
    let submitted = hs.post(own_target(&answer.must_have_text("/submit_url")?)?, body).answer().await?;
    let works = submitted.at("/success") == true;
    submitted.must(!works, "no token that works", || submitted.json().to_string())
}

/// The id of a session in which an address is validated has from 1 to 255 of the permitted characters.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3registeremailrequesttoken",
    level = Must,
    severity = Interop,
    needs = "email",
    each = beginnings,
    proves = [
        "client-server-api/post_matrixclientv3registeremailrequesttoken/8",
        "client-server-api/post_matrixclientv3registeremailrequesttoken/9",
    ]
)]
async fn session_id_keeps_its_grammar(hs: &Homeserver, operation: &'static str) -> Verdict {
    let mailbox = hs.mailbox()?;
    let answer = request_token(hs, operation, &mailbox, "grammar", 1).await?;
    let session = answer.must_have_text("/sid")?;
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    answer.must(
        (1..=255).contains(&session.len()) && session.bytes().all(permitted),
        "from 1 to 255 of the characters 0-9, a-z, A-Z and .=_-",
        || session.clone(),
    )
}

/// Where the server says at which URL a token is submitted, it sends the token to whoever has the address, and takes it
/// there.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3registermsisdnrequesttoken",
    level = Must,
    severity = Interop,
    needs = "msisdn",
    each = beginnings,
    proves = ["client-server-api/post_matrixclientv3registeremailrequesttoken/11"]
)]
async fn token_to_submit_is_sent(hs: &Homeserver, operation: &'static str) -> Verdict {
    let telephone = hs.telephone()?;
    let session = request_code(hs, operation, telephone.number()).await?;
    if session.at("/submit_url").is_null() {
        return Err(Stop::NotApplicable("the server names no URL to submit a token at".to_owned()));
    }
    let code = telephone.code(0).await?;
    let submit = |token: &str| {
        let body = json!({"sid": session.at("/sid"), "client_secret": "msisdn-secret", "token": token});
        let target = own_target(&session.must_have_text("/submit_url")?)?;
        Ok::<_, Stop>(hs.post(target, body))
    };
    let wrong = submit("not-the-token")?.answer().await?;
    wrong.must(wrong.at("/success") != true, "no success with another token", || wrong.json().to_string())?;
    submit(&code)?.await?.must_hold("/success", true)
}

/// An address that was deleted is no longer the account's, and may be added to another one.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3piddelete",
    level = Must,
    severity = Security,
    needs = "email"
)]
async fn deleted_address_is_free(hs: &Homeserver) -> Verdict {
    let [alice, bob] = hs.users().await?;
    let mailbox = hs.mailbox()?;
    add(&alice, &mailbox).await?;

    let body = json!({"medium": "email", "address": mailbox.address()});
    let answer = alice.post("/_matrix/client/v3/account/3pid/delete", body).await?;
    answer.must_have_text("/id_server_unbind_result")?;
    must_have_addresses(&alice, &[]).await?;

    let session = request_token(hs, "account/3pid", &mailbox, "again", 1).await?;
    confirm(hs, &mailbox.link(1).await?).await?;
    let credentials = json!({"sid": session.at("/sid"), "client_secret": "again"});
    bob.post_authenticated(ADD, credentials).await?.must_be(200)?;
    must_have_addresses(&bob, &[mailbox.address()]).await
}

/// The same attempt to send a token sends it once; a later one sends it again.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidemailrequesttoken",
    level = Must,
    severity = Usability,
    needs = "email"
)]
async fn attempt_is_sent_once(hs: &Homeserver) -> Verdict {
    let mailbox = hs.mailbox()?;
    let first = request_token(hs, "account/3pid", &mailbox, "attempts", 1).await?;
    mailbox.link(0).await?;
    request_token(hs, "account/3pid", &mailbox, "attempts", 1).await?;
    let later = request_token(hs, "account/3pid", &mailbox, "attempts", 2).await?;
    mailbox.link(1).await?;
    later.must_hold("/sid", first.at("/sid").clone())?;
    later.must(mailbox.count() == 2, "two e-mails", || format!("{}", mailbox.count()))
}

/// A telephone number is added when the code that was sent there has come back.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken",
    level = Must,
    severity = Security,
    needs = "msisdn"
)]
async fn number_is_added_when_it_is_proved(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let telephone = hs.telephone()?;
    add_number(&alice, &telephone).await?;
    let international = format!("44{}", &telephone.number()[1..]);
    must_have_addresses(&alice, &[&international]).await
}

/// A telephone number may be proved for a new account, and has to be somebody's for another password.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3registermsisdnrequesttoken",
    level = Must,
    severity = Security,
    needs = "msisdn"
)]
async fn number_is_proved_for_its_purpose(hs: &Homeserver) -> Verdict {
    let telephone = hs.telephone()?;
    request_code(hs, "register", telephone.number()).await?.must_have_text("/sid")?;
    telephone.code(0).await?;

    let [alice] = hs.users().await?;
    let own = hs.telephone()?;
    add_number(&alice, &own).await?;
    let mut body = number(own.number());
    body["client_secret"] = json!("another-secret");
    let reset = hs.post("/_matrix/client/v3/account/password/msisdn/requestToken", body).await?;
    reset.must_have_text("/sid").map(drop)
}

const ADD: &str = "/_matrix/client/v3/account/3pid/add";

/// Has a token sent to an address.
pub(super) async fn request_token(
    hs: &Homeserver,
    operation: &str,
    mailbox: &Mailbox,
    secret: &str,
    attempt: u32,
) -> Result<Answer, Stop> {
    let body = json!({"client_secret": secret, "email": mailbox.address(), "send_attempt": attempt});
    hs.post(format!("/_matrix/client/v3/{operation}/email/requestToken"), body).await
}

/// Tries to add an address, which has to be refused.
async fn must_not_add(user: &User, credentials: &Value) -> Result<Answer, Stop> {
    let challenge = challenge(user, Method::POST, ADD, credentials).await?;
    let stage = user.password_stage(&challenge);
    attempt(user, Method::POST, ADD, credentials, stage).await?.must_be_refused()
}

/// Gives a telephone number to a user.
pub(super) async fn add_number(user: &User, telephone: &Telephone) -> Verdict {
    let hs = user.homeserver();
    let session = request_code(hs, "account/3pid", telephone.number()).await?;
    let code = telephone.code(0).await?;
    let body = json!({"sid": session.at("/sid"), "client_secret": "msisdn-secret", "token": code});
    let submit = own_target(&session.must_have_text("/submit_url")?)?;
    hs.post(submit, body).await?.must_hold("/success", true)?;
    let credentials = json!({"sid": session.at("/sid"), "client_secret": "msisdn-secret"});
    user.post_authenticated(ADD, credentials).await?.must_be(200).map(drop)
}

async fn request_code(hs: &Homeserver, operation: &str, digits: &str) -> Result<Answer, Stop> {
    hs.post(format!("/_matrix/client/v3/{operation}/msisdn/requestToken"), number(digits)).await
}

pub(super) fn number(digits: &str) -> Value {
    json!({"client_secret": "msisdn-secret", "country": "GB", "phone_number": digits, "send_attempt": 1})
}

/// Gives the address of a mailbox to a user.
pub(super) async fn add(user: &User, mailbox: &Mailbox) -> Verdict {
    let hs = user.homeserver();
    let session = request_token(hs, "account/3pid", mailbox, "to-add", 1).await?;
    confirm(hs, &mailbox.link(0).await?).await?;
    let credentials = json!({"sid": session.at("/sid"), "client_secret": "to-add"});
    user.post_authenticated(ADD, credentials).await?.must_be(200).map(drop)
}

/// Opens the link of an e-mail, and confirms what its page asks where it is a form.
pub(super) async fn confirm(hs: &Homeserver, link: &str) -> Verdict {
    let target = own_target(link)?;
    let page = hs.get(target.clone()).await?;
    let is_form = String::from_utf8_lossy(page.body()).contains("<form");
    if is_form {
        let form = target.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
        hs.request(Method::POST, target)
            .header("content-type", "application/x-www-form-urlencoded")
            .bytes(form)
            .await?;
    }
    Ok(())
}

/// Path and query of a URL of the homeserver.
fn own_target(url: &str) -> Result<String, Stop> {
    let parsed = url::Url::parse(url).map_err(|error| Stop::unmet("a URL", format!("{url}: {error}")))?;
    must(matches!(parsed.scheme(), "http" | "https"), "a URL that clients can reach", || url.to_owned())?;
    let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{}{query}", parsed.path()))
}

async fn must_have_addresses(user: &User, expected: &[&str]) -> Verdict {
    let answer = user.get("/_matrix/client/v3/account/3pid").await?;
    let listed = answer.at("/threepids").as_array().map_or(&[][..], Vec::as_slice);
    let medium = |address: &str| if address.contains('@') { "email" } else { "msisdn" };
    for entry in listed {
        let is_right = entry["address"].as_str().is_some_and(|address| entry["medium"] == medium(address));
        answer.must(is_right, "the medium of the address", || entry.to_string())?;
    }
    let addresses: Vec<&str> = listed.iter().filter_map(|entry| entry["address"].as_str()).collect();
    answer.must(addresses == expected, format!("the addresses {expected:?}"), || format!("{addresses:?}"))
}
