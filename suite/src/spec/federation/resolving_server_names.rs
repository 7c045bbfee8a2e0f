//! `server-server-api/#resolving-server-names`: where a server name leads, and who has to answer there.

use std::net::SocketAddr;

use serde_json::json;
use suite_attribute::conformance;

use crate::{
    cast::{
        Homeserver,
        remote::{Asked, Question, Remote, Reply},
    },
    registry::Case,
    verdict::{Stop, Verdict, must},
};

/// Where servers are whose names say nothing else.
const DEFAULT_PORT: u16 = 8448;
/// Where they are whose names or records say so.
const PORT: u16 = 8449;
/// The service of the text, and the one that it deprecates.
const SERVICE: &str = "_matrix-fed._tcp";
const OLD_SERVICE: &str = "_matrix._tcp";

/// The ways from a server name to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Address,
    AddressWithPort,
    NameWithPort,
    Delegated(Rest),
    Undelegated(Rest),
}

/// What remains to be done with a name, once it is clear whether it is delegated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Address,
    AddressWithPort,
    NameWithPort,
    Service,
    OldService,
    BothServices,
    Name,
}

impl Case for Way {
    fn label(&self) -> String {
        let rest = |rest: &Rest| match rest {
            Rest::Address => "address",
            Rest::AddressWithPort => "address with a port",
            Rest::NameWithPort => "name with a port",
            Rest::Service => "service",
            Rest::OldService => "old service",
            Rest::BothServices => "service beside the old one",
            Rest::Name => "name",
        };
        match self {
            Way::Address => "address".to_owned(),
            Way::AddressWithPort => "address with a port".to_owned(),
            Way::NameWithPort => "name with a port".to_owned(),
            Way::Delegated(way) => format!("delegated, {}", rest(way)),
            Way::Undelegated(way) => rest(way).to_owned(),
        }
    }
}

fn ways() -> impl Iterator<Item = Way> {
    let delegated = [
        Rest::Address,
        Rest::AddressWithPort,
        Rest::NameWithPort,
        Rest::Service,
        Rest::OldService,
        Rest::BothServices,
        Rest::Name,
    ];
    let undelegated = [Rest::Service, Rest::OldService, Rest::BothServices, Rest::Name];
    [Way::Address, Way::AddressWithPort, Way::NameWithPort]
        .into_iter()
        .chain(delegated.map(Way::Delegated))
        .chain(undelegated.map(Way::Undelegated))
}

/// The ways on which the text has the name for the `Host` header only recommended.
fn is_by_delegated_service(way: Way) -> bool {
    matches!(way, Way::Delegated(Rest::Service | Rest::OldService | Rest::BothServices))
}

/// A remote homeserver at the end of a way.
struct End {
    remote: Remote,
    /// Where it has to be asked.
    at: SocketAddr,
    /// What it has to be called in the `Host` header.
    called: String,
    /// The name or address that its certificate has to be for.
    proved: String,
}

/// Puts up the signs of a way. At its end is a remote homeserver whose certificate is the right one, or else one for a name that
/// leads there as well and proves nothing.
async fn go(hs: &Homeserver, way: Way, certificate_is_right: bool) -> Result<End, Stop> {
    let (own, other, target) = (hs.new_host()?, hs.new_host()?, hs.new_host()?);
    let (start, rest) = match way {
        Way::Address => (own.address.to_string(), Rest::Address),
        Way::AddressWithPort => (own.at(PORT).to_string(), Rest::AddressWithPort),
        Way::NameWithPort => (format!("{}:{PORT}", own.name), Rest::NameWithPort),
        Way::Delegated(rest) | Way::Undelegated(rest) => (own.name.clone(), rest),
    };
    let remote = hs.remote_called(&start).await?;
    let last = if matches!(way, Way::Delegated(_)) { &other } else { &own };
    let (called, at) = match rest {
        Rest::Address => (last.address.to_string(), last.at(DEFAULT_PORT)),
        Rest::AddressWithPort => (last.at(PORT).to_string(), last.at(PORT)),
        Rest::NameWithPort => (format!("{}:{PORT}", last.name), last.at(PORT)),
        Rest::Service | Rest::OldService | Rest::BothServices => (last.name.clone(), target.at(PORT)),
        Rest::Name => (last.name.clone(), last.at(DEFAULT_PORT)),
    };
    if matches!(rest, Rest::Service | Rest::BothServices) {
        hs.announce(SERVICE, last, &target, PORT)?;
    }
    match rest {
        Rest::OldService => hs.announce(OLD_SERVICE, last, &target, PORT)?,
        // Nobody is there.
        Rest::BothServices => hs.announce(OLD_SERVICE, last, &hs.new_host()?, PORT)?,
        _ => {}
    }
    if matches!(way, Way::Delegated(_)) {
        delegate(hs, &remote, own.at(hs.https_port()?), &own.name, &called)?;
    }
    let (proved, unproved) = match rest {
        Rest::Address | Rest::AddressWithPort => (last.address.to_string(), own.name.clone()),
        Rest::Service | Rest::OldService | Rest::BothServices => (last.name.clone(), target.name.clone()),
        // Where a delegated name leads, it is not enough to be the one that delegates.
        Rest::NameWithPort | Rest::Name if last.name != own.name => (last.name.clone(), own.name.clone()),
        Rest::NameWithPort | Rest::Name => (last.name.clone(), other.name.clone()),
    };
    remote.listens(at, if certificate_is_right { &proved } else { &unproved })?;
    Ok(End { remote, at, called, proved })
}

/// Has a host delegate to a name.
fn delegate(hs: &Homeserver, remote: &Remote, at: SocketAddr, host: &str, to: &str) -> Verdict {
    hs.target().names()?;
    remote.answers(Question::WellKnown, Reply::json(json!({"m.server": to})));
    remote.listens(at, host)
}

/// Has the server ask a remote for a profile; gives what the remote was asked.
async fn question(hs: &Homeserver, remote: &Remote) -> Result<Asked, Stop> {
    let [alice] = hs.users().await?;
    alice.profile(&remote.user("dave")).await?;
    remote.is_asked(Question::Profile).await
}

/// A server is asked where its name leads: by address, by port, by delegation, by service, or at port 8448.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Must,
    severity = Interop,
    since = "v1.8",
    each = ways,
    proves = [
        "server-server-api/resolving-server-names/1",
        "server-server-api/resolving-server-names/9"
    ]
)]
async fn server_is_asked_where_its_name_leads(hs: &Homeserver, way: Way) -> Verdict {
    let end = go(hs, way, true).await?;
    let asked = question(hs, &end.remote).await?;
    let at = asked.reached.address;
    must(at == Some(end.at), format!("a question at {}", end.at), || format!("one at {at:?}"))
}

fn ways_with_a_host() -> impl Iterator<Item = Way> {
    ways().filter(|way| !is_by_delegated_service(*way))
}

/// A server is called in the `Host` header what it is called where its name was found out to lead.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Must,
    severity = Interop,
    since = "v1.8",
    each = ways_with_a_host,
    proves = [
        "server-server-api/resolving-server-names/11",
        "server-server-api/resolving-server-names/12"
    ]
)]
async fn host_header_names_the_server(hs: &Homeserver, way: Way) -> Verdict {
    let end = go(hs, way, true).await?;
    let asked = question(hs, &end.remote).await?;
    must(asked.host() == end.called, format!("Host: {}", end.called), || format!("Host: {}", asked.host()))
}

fn ways_by_delegated_service() -> impl Iterator<Item = Way> {
    ways().filter(|way| is_by_delegated_service(*way))
}

/// A server that a service of the delegated name leads to is called by the delegated name in the `Host` header.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Should,
    severity = Interop,
    since = "v1.8",
    each = ways_by_delegated_service,
    proves = [
        "server-server-api/resolving-server-names/14",
        "server-server-api/resolving-server-names/16"
    ]
)]
async fn host_header_names_who_has_the_service(hs: &Homeserver, way: Way) -> Verdict {
    let end = go(hs, way, true).await?;
    let asked = question(hs, &end.remote).await?;
    must(asked.host() == end.called, format!("Host: {}", end.called), || format!("Host: {}", asked.host()))
}

/// A server is told nothing whose certificate is for another name than the one that leads to it, be it the host of the service
/// or the name that delegated.
#[conformance(
    spec = "server-server-api/#resolving-server-names",
    level = Must,
    severity = Security,
    since = "v1.8",
    each = ways,
    proves = [
        "server-server-api/resolving-server-names/2",
        "server-server-api/resolving-server-names/10",
        "server-server-api/resolving-server-names/13",
        "server-server-api/resolving-server-names/15",
        "server-server-api/resolving-server-names/17",
        "server-server-api/resolving-server-names/18",
        "server-server-api/resolving-server-names/19",
        "server-server-api/resolving-server-names/20",
        "server-server-api/resolving-server-names/21",
        "server-server-api/resolving-server-names/22"
    ]
)]
async fn server_has_to_prove_the_name(hs: &Homeserver, way: Way) -> Verdict {
    let [alice] = hs.users().await?;
    let end = go(hs, way, false).await?;
    let answer = alice.profile(&end.remote.user("dave")).answer().await?;
    answer.must(!answer.status().is_success(), "no profile", || answer.exchange().response.in_short())?;
    end.remote.must_not_have_seen("question to a server that could not prove its name", |asked| {
        asked.question != Some(Question::WellKnown)
    })
}

/// The TLS handshake names the server whose certificate is expected, and names nobody where an address is.
#[conformance(
    spec = "server-server-api/#tls",
    level = Should,
    severity = Interop,
    since = "v1.8",
    each = ways,
    proves = ["server-server-api/tls/3"]
)]
async fn handshake_names_the_server(hs: &Homeserver, way: Way) -> Verdict {
    let end = go(hs, way, true).await?;
    let asked = question(hs, &end.remote).await?;
    let named = asked.reached.server_name.clone();
    let expected = Some(end.proved.clone()).filter(|name| name.parse::<std::net::IpAddr>().is_err());
    must(named == expected, format!("SNI {expected:?}"), || format!("SNI {named:?}"))
}

/// A server without TLS is told nothing.
#[conformance(
    spec = "server-server-api/#tls",
    level = Must,
    severity = Security,
    proves = ["server-server-api/tls/1"]
)]
async fn server_without_tls_is_told_nothing(hs: &Homeserver) -> Verdict {
    let [alice] = hs.users().await?;
    let host = hs.new_host()?;
    let remote = hs.remote_called(&host.name).await?;
    for port in [DEFAULT_PORT, hs.https_port()?] {
        remote.listens_without_tls(host.at(port))?;
    }
    let answer = alice.profile(&remote.user("dave")).answer().await?;
    answer.must(!answer.status().is_success(), "no profile", || answer.exchange().response.in_short())?;
    remote.must_not_have_seen("request without TLS", |_| true)
}
