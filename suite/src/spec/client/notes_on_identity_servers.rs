//! `client-server-api/#notes-on-identity-servers`

use serde_json::{Value, json};
use suite_attribute::conformance;

use super::requesting_tokens::{Request, requests};
use crate::{
    cast::{Answer, Homeserver, IdentityServer, User, neighbour::identity_server::ACCESS_TOKEN},
    verdict::{Stop, Verdict, must},
};

/// A binding is proxied to the identity server with the access token for it, and undone there by a signed request.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidbind",
    level = Must,
    severity = Interop,
    each = ways_to_bind,
    proves = ["client-server-api/post_matrixclientv3account3pidunbind/1"]
)]
async fn address_is_bound_and_unbound(hs: &Homeserver, way: &'static str) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice] = hs.users().await?;
    let sid = identity.validated_session(BOUND, "bind-secret");
    match way {
        "bind" => bind(&alice, &identity).await?,
        _ => {
            let body = json!({"three_pid_creds": credentials(&identity)});
            alice.post("/_matrix/client/v3/account/3pid", body).await?
        }
    };
    let asked = identity.is_asked("bindV2").await?;
    let expected = json!({"sid": sid, "client_secret": "bind-secret", "mxid": alice.id()});
    must(asked.json == expected, expected.to_string(), || asked.json.to_string())?;

    let body = json!({"medium": "email", "address": BOUND});
    let answer = alice.post("/_matrix/client/v3/account/3pid/unbind", body.clone()).await?;
    answer.must_hold("/id_server_unbind_result", "success")?;
    let asked = identity.is_asked("unbindV2").await?;
    let expected = json!({"mxid": alice.id(), "threepid": body});
    must(asked.json == expected, expected.to_string(), || asked.json.to_string())?;
    let signed =
        asked.headers.get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"X-Matrix"));
    must(signed, "a request that the homeserver has signed", || format!("{:?}", asked.headers))
}

fn ways_to_bind() -> [&'static str; 2] {
    ["bind", "three_pid_creds"]
}

/// What an identity server says against a binding is handed on to whoever asked for it.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidbind",
    level = Should,
    severity = Usability,
    each = what_identity_servers_refuse
)]
async fn errors_of_identity_servers_are_handed_on(hs: &Homeserver, errcode: &'static str) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice] = hs.users().await?;
    let sid = match errcode {
        "M_NO_VALID_SESSION" => "a-session-that-never-was".to_owned(),
        _ => identity.validated_session(BOUND, "bind-secret"),
    };
    if errcode == "M_TERMS_NOT_SIGNED" {
        identity.demands("https://example.org/terms-1-en.html");
    }
    let credentials = json!({
        "sid": sid, "client_secret": "bind-secret", "id_server": identity.name(), "id_access_token": ACCESS_TOKEN,
    });
    let status = if errcode == "M_NO_VALID_SESSION" { 404 } else { 403 };
    alice
        .post("/_matrix/client/v3/account/3pid/bind", credentials)
        .must_refuse(status, errcode)
        .await
        .map(drop)
}

fn what_identity_servers_refuse() -> [&'static str; 2] {
    ["M_NO_VALID_SESSION", "M_TERMS_NOT_SIGNED"]
}

/// An address that the identity server does not vouch for is not added by the older way either.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pid",
    level = Must,
    severity = Security
)]
async fn unproved_address_is_not_added(hs: &Homeserver) -> Verdict {
    let identity = hs.identity_server()?;
    let [alice] = hs.users().await?;
    let mut credentials = credentials(&identity);
    credentials["sid"] = json!("a-session-that-never-was");
    let body = json!({"three_pid_creds": credentials});
    alice.post("/_matrix/client/v3/account/3pid", body).must_refuse(403, "M_THREEPID_AUTH_FAILED").await?;
    let listed = alice.get("/_matrix/client/v3/account/3pid").await?;
    listed.must_hold("/threepids", json!([]))
}

/// An identity server that the server does not trust with the validation of addresses is refused as such.
///
/// The text gives servers that validate addresses themselves leave to pass over the parameter.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidemailrequesttoken",
    level = Must,
    severity = Security,
    each = requests
)]
async fn distrusted_identity_server_is_refused(hs: &Homeserver, request: Request) -> Verdict {
    if !hs.target().missing.contains_key(request.medium) {
        let why = format!("the server validates addresses of the kind {} itself", request.medium);
        return Err(Stop::NotApplicable(why));
    }
    let address = if request.medium == "email" { "nobody@example.org" } else { "07700900001" };
    let named = json!({"id_server": "identity.invalid", "id_access_token": "of-nobody"});
    // The server may have other reasons not to want the address.
    let codes =
        [(400, "M_SERVER_NOT_TRUSTED"), (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED"), (403, "M_THREEPID_DENIED")];
    request.with(hs, address, named).answer().await?.must_refuse_with_one_of(&codes).map(drop)
}

/// A deleted address is unbound from the identity server that it was bound with; one that was bound with none that the server
/// knows is said not to be.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3piddelete",
    level = Must,
    severity = Interop,
    each = bindings,
    proves = [
        "client-server-api/post_matrixclientv3account3piddelete/2",
        "client-server-api/post_matrixclientv3account3piddelete/3",
    ]
)]
async fn deleted_address_is_unbound(hs: &Homeserver, binding: &'static str) -> Verdict {
    let [alice] = hs.users().await?;
    let address = json!({"medium": "email", "address": BOUND});
    let delete = || alice.post("/_matrix/client/v3/account/3pid/delete", address.clone());
    if binding == "unknown" {
        return delete().await?.must_hold("/id_server_unbind_result", "no-support");
    }
    let identity = hs.identity_server()?;
    bind(&alice, &identity).await?;

    delete().await?.must_hold("/id_server_unbind_result", "success")?;
    let asked = identity.is_asked("unbindV2").await?;
    let expected = json!({"mxid": alice.id(), "threepid": address});
    must(asked.json == expected, expected.to_string(), || asked.json.to_string())
}

fn bindings() -> [&'static str; 2] {
    ["known", "unknown"]
}

/// An address that was never bound cannot be unbound.
#[conformance(
    spec = "client-server-api/#post_matrixclientv3account3pidunbind",
    level = Must,
    severity = Usability,
    proves = ["client-server-api/post_matrixclientv3account3pidunbind/2"]
)]
async fn unknown_binding_is_not_supported(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let body = json!({"medium": "email", "address": "nobody@example.org"});
    let answer = alice.post("/_matrix/client/v3/account/3pid/unbind", body).await?;
    answer.must_hold("/id_server_unbind_result", "no-support")
}

/// The address that users show to an identity server that they have.
pub(super) const BOUND: &str = "determinant@example.org";

/// What a session is bound with in which the identity server was shown [`BOUND`].
fn credentials(identity: &IdentityServer) -> Value {
    json!({
        "sid": identity.validated_session(BOUND, "bind-secret"), "client_secret": "bind-secret",
        "id_server": identity.name(), "id_access_token": ACCESS_TOKEN,
    })
}

/// Binds the address that the identity server knows to a user.
pub(super) async fn bind(user: &User, identity: &IdentityServer) -> Result<Answer, Stop> {
    user.post("/_matrix/client/v3/account/3pid/bind", credentials(identity)).await
}
