//! How other servers find a server by its name, step by step: `server-server-api/#resolving-server-names`.

use std::net::SocketAddr;

use protocol::identifiers::ServerName;
use reports::Level;

use super::{
    finding::{Chart, Rule},
    names::Service,
    visit::Visitor,
    well_known,
};

static FOUND: Rule = Rule {
    id: "discovery/leads-to-an-address",
    level: Level::Must,
    says: "The server name leads to an address.",
    spec: Some("server-server-api/#resolving-server-names"),
};

static NO_OLD_SERVICE: Rule = Rule {
    id: "discovery/old-service-is-not-needed",
    level: Level::Should,
    says: "SRV records of the deprecated service _matrix._tcp are not what the server is found by.",
    spec: Some("server-server-api/#resolving-server-names"),
};

static NO_ALIAS: Rule = Rule {
    id: "discovery/service-is-no-alias",
    level: Level::Must,
    says: "The target of an SRV record is no CNAME.",
    spec: Some("server-server-api/#resolving-server-names"),
};

#[cfg(test)]
pub(super) static RULES: &[&Rule] = &[&FOUND, &NO_OLD_SERVICE, &NO_ALIAS];

/// The port of servers that say nothing of one.
const PORT: u16 = 8448;

/// Where a server is looked for.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The host whose certificate is expected.
    pub(super) host: String,
    /// The `Host` header.
    pub(super) called: String,
    pub(super) addresses: Vec<SocketAddr>,
}

/// The numbers of the steps that follow a name without a port: by the new service, the old one, and neither.
struct Numbers([&'static str; 3]);

/// All ways to a server, those to try first at the front.
pub(super) async fn resolve(visitor: &Visitor, name: &ServerName, chart: &mut Chart) -> Vec<Way> {
    let host = name.hostname();
    let ways = if name.is_ip_literal() {
        chart.step("1", format!("{host} is an IP literal"));
        direct(visitor, name, "1", chart).await
    } else if let Some(port) = name.port() {
        chart.step("2", format!("the name has the port {port}"));
        direct(visitor, name, "2", chart).await
    } else {
        match well_known::delegation(visitor, host, chart).await {
            Some(other) if other.is_ip_literal() => direct(visitor, &other, "3.1", chart).await,
            Some(other) if other.port().is_some() => direct(visitor, &other, "3.2", chart).await,
            Some(other) => by_service(visitor, &other, &Numbers(["3.3", "3.4", "3.5"]), chart).await,
            None => by_service(visitor, name, &Numbers(["4", "5", "6"]), chart).await,
        }
    };
    let addresses: Vec<String> =
        ways.iter().flat_map(|way| &way.addresses).map(SocketAddr::to_string).collect();
    if addresses.is_empty() {
        let advice = "give the name an address record, or delegate by https://HOST/.well-known/matrix/server";
        chart.add(FOUND.broken(name.as_str(), "it leads to no address", advice));
    } else {
        chart.add(FOUND.kept(name.as_str(), addresses.join(", ")));
    }
    ways
}

/// The name says all: its host, and a port or the usual one.
async fn direct(visitor: &Visitor, name: &ServerName, number: &'static str, chart: &mut Chart) -> Vec<Way> {
    let host = name.hostname().to_owned();
    let way =
        addressed(visitor, &host, &host, name.port().unwrap_or(PORT), name.as_str(), number, chart).await;
    way.into_iter().collect()
}

async fn by_service(visitor: &Visitor, name: &ServerName, numbers: &Numbers, chart: &mut Chart) -> Vec<Way> {
    let host = name.hostname();
    let Numbers([new, old, neither]) = numbers;
    let mut ways = Vec::new();
    for (number, service) in [(*new, "_matrix-fed._tcp"), (*old, "_matrix._tcp")] {
        let record = format!("{service}.{host}");
        let services = match visitor.names.services(&record).await {
            Ok(services) => services,
            Err(why) => {
                chart.step(number, format!("no SRV record {record}: {why}"));
                continue;
            }
        };
        let places: Vec<String> = services.iter().map(Service::to_string).collect();
        chart.step(number, format!("the SRV record {record} leads to {}", places.join(", ")));
        if number == *old {
            let advice = "delegate by https://HOST/.well-known/matrix/server, or rename the record to _matrix-fed._tcp";
            chart.add(NO_OLD_SERVICE.broken(&record, "it is the only way to the server", advice));
        }
        for Service { target, port, .. } in services {
            if let Some(alias) = visitor.names.alias(&target).await {
                let advice = format!("have the record name {alias} itself");
                chart.add(NO_ALIAS.broken(&record, format!("{target} is an alias of {alias}"), advice));
            }
            ways.extend(addressed(visitor, &target, host, port, host, number, chart).await);
        }
        return ways;
    }
    ways.extend(addressed(visitor, host, host, PORT, host, neither, chart).await);
    ways
}

/// The way to a host and port, for which a certificate of `expected` is needed.
async fn addressed(
    visitor: &Visitor,
    host: &str,
    expected: &str,
    port: u16,
    called: &str,
    number: &'static str,
    chart: &mut Chart,
) -> Option<Way> {
    match visitor.names.addresses(host, port).await {
        Ok(addresses) => {
            let places: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
            chart.step(
                number,
                format!(
                    "{host}:{port} is at {}; a certificate for {expected} is expected, and asked is {called}",
                    places.join(", ")
                ),
            );
            Some(Way { host: expected.to_owned(), called: called.to_owned(), addresses })
        }
        Err(why) => {
            chart.step(number, why);
            None
        }
    }
}
