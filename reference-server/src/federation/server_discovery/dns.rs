//! Names in DNS: addresses, and the SRV records of servers.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use crate::misbehave::{Fault, commits};

/// Looks names up, at the servers of the system or at one that the operator names.
#[derive(Debug, Clone)]
pub(crate) struct Dns {
    /// None where the system says nothing of name servers: then there are no SRV records.
    resolver: Option<TokioResolver>,
    /// Whether addresses are looked up there as well, and not as all programs of the machine do.
    exclusively: bool,
}

/// A name could not be looked up.
#[derive(Debug, thiserror::Error)]
#[error("{name} can not be looked up: {reason}")]
pub(crate) struct DnsError {
    name: String,
    reason: String,
}

impl Dns {
    /// Asks one name server, or else those of the system.
    pub(crate) fn new(nameserver: Option<SocketAddr>) -> Self {
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
        let resolver =
            resolver.map_err(|error| tracing::warn!("SRV records are not looked up: {error}")).ok();
        Self { resolver, exclusively: nameserver.is_some() }
    }

    /// The addresses of a name.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let failed =
            |reason: &dyn std::fmt::Display| DnsError { name: name.to_owned(), reason: reason.to_string() };
        match &self.resolver {
            Some(resolver) if self.exclusively => {
                let found = resolver.lookup_ip(absolute(name)).await.map_err(|error| failed(&error))?;
                Ok(found.iter().collect())
            }
            _ => {
                let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| failed(&error))?;
                Ok(found.map(|address| address.ip()).collect())
            }
        }
    }

    /// The port and addresses that the SRV records of a server lead to; those of the old service count where there are
    /// none of the new one.
    pub(super) async fn service(&self, name: &str) -> Result<Option<(u16, Vec<SocketAddr>)>, DnsError> {
        let Some(resolver) = &self.resolver else { return Ok(None) };
        let mut services = vec!["_matrix-fed._tcp", "_matrix._tcp"];
        if commits(Fault::OldServiceFirst) {
            services.reverse();
        }
        if commits(Fault::ServicesIgnored) {
            services.clear();
        }
        for service in services {
            let query = absolute(&format!("{service}.{name}"));
            // A server without such records is looked for elsewhere, and so is one whose name server is silent.
            let Ok(found) = resolver.lookup(query, RecordType::SRV).await else { continue };
            let mut records: Vec<_> = found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::SRV(srv) => {
                        Some((srv.priority, std::cmp::Reverse(srv.weight), srv.target.to_utf8(), srv.port))
                    }
                    _ => None,
                })
                .collect();
            records.sort();
            let mut places = Vec::new();
            for (_, _, target, port) in records {
                let target = target.trim_end_matches('.');
                // A service that is not offered at all has the root as its target (RFC 2782).
                if target.is_empty() {
                    continue;
                }
                match self.addresses(target).await {
                    Ok(addresses) => places.push((port, addresses)),
                    Err(error) => tracing::info!("{error}"),
                }
            }
            // The connection has one port: the addresses of the first record with another one wait for the next time.
            if let Some((port, _)) = places.first() {
                let port = *port;
                let same =
                    places.into_iter().filter(|(other, _)| *other == port).flat_map(|(_, found)| found);
                return Ok(Some((port, same.map(|address| SocketAddr::new(address, port)).collect())));
            }
        }
        Ok(None)
    }
}

fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}
