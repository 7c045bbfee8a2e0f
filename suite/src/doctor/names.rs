//! Names in DNS: addresses, services and aliases, as the system or one name server knows them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{RData, RecordType},
};

/// A place that is connected to instead of where a host and port lead: `HOST:PORT:ADDRESS:PORT`, as curl has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    host: String,
    port: u16,
    to: SocketAddr,
}

impl FromStr for ConnectTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write HOST:PORT:ADDRESS:PORT, such as example.org:443:127.0.0.1:8443".to_owned();
        // The host may be an IPv6 literal, whose colons stand in brackets.
        let end = text.find(']').map_or(0, |bracket| bracket + 1);
        let colon = end + text[end..].find(':').ok_or_else(wrong)?;
        let (host, rest) = (&text[..colon], &text[colon + 1..]);
        let (port, to) = rest.split_once(':').ok_or_else(wrong)?;
        let (port, to) = (port.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(ConnectTo { host: host.to_ascii_lowercase(), port, to })
    }
}

/// A record of a service: RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Service {
    pub(super) priority: u16,
    /// Heavier ones come first.
    weight: std::cmp::Reverse<u16>,
    pub(super) target: String,
    pub(super) port: u16,
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{} (priority {})", self.target, self.port, self.priority)
    }
}

/// Looks names up.
#[derive(Debug)]
pub(super) struct Names {
    connect_to: Vec<ConnectTo>,
    /// The error says why no SRV records can be looked up.
    resolver: Result<TokioResolver, String>,
    /// Whether addresses are looked up there as well, and not as all programs of the machine do.
    exclusively: bool,
}

impl Names {
    /// Asks one name server, or else those of the system.
    pub(super) fn new(connect_to: Vec<ConnectTo>, nameserver: Option<SocketAddr>) -> Self {
        let resolver = match nameserver {
            Some(address) => {
                let over = |mut connection: ConnectionConfig| {
                    connection.port = address.port();
                    connection
                };
                let connections = vec![over(ConnectionConfig::udp()), over(ConnectionConfig::tcp())];
                let server = NameServerConfig::new(address.ip(), true, connections);
                let config = ResolverConfig::from_name_servers(vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default()).build()
            }
            None => Resolver::builder_tokio().and_then(|builder| builder.build()),
        };
        Names {
            connect_to,
            resolver: resolver.map_err(|error| error.to_string()),
            exclusively: nameserver.is_some(),
        }
    }

    /// Where a host and port lead. An IPv6 literal may have its brackets.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let is_meant = |other: &&ConnectTo| other.host.eq_ignore_ascii_case(host) && other.port == port;
        let instead: Vec<_> = self.connect_to.iter().filter(is_meant).map(|other| other.to).collect();
        if !instead.is_empty() {
            return Ok(instead);
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let unknown = |error: &dyn fmt::Display| format!("{host} has no address: {error}");
        let found: Vec<SocketAddr> = match &self.resolver {
            Ok(resolver) if self.exclusively => {
                let found = resolver.lookup_ip(absolute(host)).await.map_err(|error| unknown(&error))?;
                found.iter().map(|address| SocketAddr::new(address, port)).collect()
            }
            _ => {
                let found = tokio::net::lookup_host((host, port)).await.map_err(|error| unknown(&error))?;
                found.collect()
            }
        };
        if found.is_empty() { Err(unknown(&"its name is known, without one")) } else { Ok(found) }
    }

    /// The records of a service such as `_matrix-fed._tcp.example.org`, the one to try first at the front. The error says why
    /// there are none.
    pub(super) async fn services(&self, name: &str) -> Result<Vec<Service>, String> {
        let resolver = self.resolver.as_ref().map_err(Clone::clone)?;
        let found =
            resolver.lookup(absolute(name), RecordType::SRV).await.map_err(|error| error.to_string())?;
        let service = |data: &RData| match data {
            RData::SRV(srv) => Some(Service {
                priority: srv.priority,
                weight: std::cmp::Reverse(srv.weight),
                target: srv.target.to_utf8().trim_end_matches('.').to_owned(),
                port: srv.port,
            }),
            _ => None,
        };
        let mut services: Vec<_> =
            found.answers().iter().filter_map(|record| service(&record.data)).collect();
        services.sort();
        if services.is_empty() { Err("no such record".to_owned()) } else { Ok(services) }
    }

    /// What a name is an alias of, if it is one.
    pub(super) async fn alias(&self, name: &str) -> Option<String> {
        let resolver = self.resolver.as_ref().ok()?;
        let found = resolver.lookup(absolute(name), RecordType::CNAME).await.ok()?;
        found.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(alias.0.to_utf8().trim_end_matches('.').to_owned()),
            _ => None,
        })
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_replaced_by_another() {
        let place = |host: &str, port, to: &str| ConnectTo {
            host: host.to_owned(),
            port,
            to: to.parse().expect("an address"),
        };
        assert_eq!("Example.org:443:127.0.0.1:8443".parse(), Ok(place("example.org", 443, "127.0.0.1:8443")));
        assert_eq!("[::1]:8448:[::1]:9".parse(), Ok(place("[::1]", 8448, "[::1]:9")));
        for wrong in ["", "a", "a:1", "a:1:127.0.0.1", ":1:127.0.0.1:2", "a:b:127.0.0.1:2", "a:1:b:2"] {
            assert!(wrong.parse::<ConnectTo>().is_err(), "{wrong}");
        }
    }
}
