//! Tokens that prove an address, and who is refused one: `client-server-api/#post_matrixclientv3account3pidemailrequesttoken`
//! and its five sisters.

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::adding_account_administrative_contact_information::{confirm, number, request_token};
use crate::{
    cast::{Call, Homeserver},
    registry::Case,
    verdict::{Stop, Verdict},
};

/// A token is sent to the address that a new account is to have.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3registeremailrequesttoken",
    level = Must,
    severity = Interop,
    needs = "email"
)]
async fn address_of_a_new_account_is_proved(hs: &Homeserver) -> Verdict {
    let mailbox = hs.mailbox()?;
    let session = request_token(hs, "register", &mailbox, "to-register", 1).await?;
    session.must_have_text("/sid")?;
    confirm(hs, &mailbox.link(0).await?).await
}

/// No token is sent to an address that accounts may not have.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidemailrequesttoken",
    level = Must,
    severity = Security,
    each = requests
)]
async fn refused_address_is_denied(hs: &Homeserver, request: Request) -> Verdict {
    let refusals = &hs.target().refusals;
    let refused = if request.medium == "email" { &refusals.email } else { &refusals.telephone };
    let Some(address) = refused else {
        return Err(Stop::NotApplicable(format!(
            "the target refuses no address of the kind {}",
            request.medium
        )));
    };
    let answer = request.of(hs, address).answer().await?;
    // Nobody can have it either.
    let unknown = (request.operation == "account/password").then_some((400, "M_THREEPID_NOT_FOUND"));
    let codes: Vec<_> = [(403, "M_THREEPID_DENIED")].into_iter().chain(unknown).collect();
    answer.must_refuse_with_one_of(&codes).map(drop)
}

/// What is no address is refused as a wrong parameter.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidemailrequesttoken",
    level = Must,
    severity = Usability,
    each = media
)]
async fn malformed_address_is_refused(hs: &Homeserver, medium: &'static str) -> Verdict {
    if let Some(why) = hs.target().missing.get(medium) {
        return Err(Stop::NotApplicable(format!("the server does not offer {medium}: {why}")));
    }
    let request = Request { operation: "account/3pid", medium };
    request.of(hs, "determinant").must_refuse(400, "M_INVALID_PARAM").await.map(drop)
}

/// Whoever wants to add an address of a kind that the server does not offer is told so.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidemailrequesttoken",
    level = Must,
    severity = Usability,
    each = media
)]
async fn absent_medium_is_told(hs: &Homeserver, medium: &'static str) -> Verdict {
    if !hs.target().missing.contains_key(medium) {
        return Err(Stop::NotApplicable(format!("the server offers {medium}")));
    }
    let request = Request { operation: "account/3pid", medium };
    let address = if medium == "email" { "nobody@example.org" } else { "07700900001" };
    request.of(hs, address).must_refuse(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED").await.map(drop)
}

/// A request for a token.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    pub(super) medium: &'static str,
}

impl Case for Request {
    fn label(&self) -> String {
        format!("{}, {}", self.operation, self.medium)
    }
}

impl Request {
    /// The request for this address, a number as it is dialled in Great Britain.
    fn of(self, hs: &Homeserver, address: &str) -> Call {
        self.with(hs, address, json!({}))
    }

    /// The same with these fields in the body as well.
    pub(super) fn with(self, hs: &Homeserver, address: &str, fields: Value) -> Call {
        let Request { operation, medium } = self;
        let mut body = match medium {
            "email" => json!({"client_secret": "of-a-request", "email": address, "send_attempt": 1}),
            _ => number(address),
        };
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(fields);
        }
        hs.post(format!("/_matrix/client/v3/{operation}/{medium}/requestToken"), body)
    }
}

fn media() -> [&'static str; 2] {
    ["email", "msisdn"]
}

pub(super) fn requests() -> impl Iterator<Item = Request> {
    let operations = ["account/3pid", "account/password", "register"];
    operations.into_iter().flat_map(|operation| media().map(|medium| Request { operation, medium }))
}
