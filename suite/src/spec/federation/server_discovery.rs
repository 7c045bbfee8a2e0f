//! `server-server-api/#server-discovery` and `server-server-api/#tls`

use http::Method;
use suite_attribute::conformance;

use crate::{
    cast::{Homeserver, remote::Question},
    verdict::{Stop, Verdict, must},
};

/// A server whose name has a port is asked at that port, by that name.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Must,
    severity = Interop,
    proves = ["server-server-api/resolving-server-names/3"]
)]
async fn name_with_a_port_is_the_host(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    alice.profile(&remote.user("dave")).await?;
    let asked = remote.is_asked(Question::Profile).await?;
    must(asked.host() == remote.name(), format!("Host: {}", remote.name()), || {
        format!("Host: {}", asked.host())
    })?;
    remote
        .must_not_have_seen("question for a delegation", |asked| asked.question == Some(Question::WellKnown))
}

/// A server whose certificate is for another name is told nothing.
#[conformance(
    spec = "server-server-api/#tls",
    level = Must,
    severity = Security,
    proves = ["server-server-api/response-authentication/1"]
)]
async fn wrong_certificate_is_not_trusted(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote_with_certificate_for("elsewhere.example").await?;
    let answer = alice.profile(&remote.user("dave")).answer().await?;
    answer.must(!answer.status().is_success(), "no profile", || answer.exchange().response.in_short())?;
    remote.must_not_have_seen("request to a server that could not prove its name", |_| true)
}

/// A server that does not answer is no reason to fail the user's request without an error of the API.
#[conformance(
    spec = "client-server-api/#standard-error-response",
    level = Must,
    severity = Usability
)]
async fn unreachable_server_is_told_as_an_error(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let remote = hs.remote().await?;
    let dave = remote.user("dave");
    drop(remote);
    let answer = alice.profile(&dave).answer().await?;
    answer.must(!answer.status().is_success(), "no profile", || answer.exchange().response.in_short())?;
    answer.must(answer.errcode().is_some(), "a standard error response", || answer.json().to_string())
}

/// A server name whose port is no number is refused.
#[conformance(
    spec = "appendices/#server-name",
    level = Must,
    severity = Cosmetic
)]
async fn port_that_is_no_number_is_refused(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    alice.profile("@dave:localhost:http").must_be_refused().await.map(drop)
}

/// A delegation that the server publishes names a server, and is read without a signature.
#[conformance(spec = "server-server-api/#getwell-knownmatrixserver", level = Must, severity = Interop)]
async fn delegation_names_a_server(hs: &Homeserver) -> Verdict {
    let answer = hs.federation_request(Method::GET, "/.well-known/matrix/server")?.answer().await?;
    if answer.status() == 404 {
        return Err(Stop::NotApplicable("the server is not delegated, and need not be".to_owned()));
    }
    let answer = answer.must_succeed()?;
    let name = answer.must_have_text("/m.server")?;
    let parsed = protocol::identifiers::ServerName::parse(&name);
    answer.must(parsed.is_ok(), "a server name at /m.server", || name.clone())
}

/// A delegation that the server publishes is labelled as JSON.
#[conformance(
    spec = "server-server-api/#getwell-knownmatrixserver",
    level = Should,
    severity = Cosmetic,
    proves = ["server-server-api/getwell-knownmatrixserver/3"]
)]
async fn delegation_is_labelled(hs: &Homeserver) -> Verdict {
    let answer = hs.federation_request(Method::GET, "/.well-known/matrix/server")?.answer().await?;
    if answer.status() == 404 {
        return Err(Stop::NotApplicable("the server is not delegated, and need not be".to_owned()));
    }
    let answer = answer.must_succeed()?;
    let label = answer.header("content-type").unwrap_or_default().to_owned();
    let right = label.split(';').next().is_some_and(|label| label.trim() == "application/json");
    answer.must(right, "content-type: application/json", || label.clone())
}

/// The server shows a certificate for its name, of an authority that others trust.
#[conformance(
    spec = "server-server-api/#tls",
    level = Must,
    severity = Security,
    proves = ["server-server-api/tls/2", "server-server-api/resolving-server-names/4"]
)]
async fn certificate_is_for_the_name(hs: &Homeserver) -> Verdict {
    let problem = hs.target().federation()?.certificate_problem();
    must(problem.is_none(), "a certificate for the server's name", || {
        problem.unwrap_or_default().to_owned()
    })?;
    // This connection is only made with a certificate that is verified.
    hs.federation_request(Method::GET, "/_matrix/federation/v1/version")?.await.map(drop)
}
