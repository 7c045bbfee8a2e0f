//! Requests that this server makes to others, and the addresses that it makes none to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Url};

use crate::config::Outgoing as Settings;
use crate::federation::server_discovery::{Dns, Routes, WellKnowns};
use crate::server::StartError;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// The path of every push gateway (client-server-api/#post_matrixclientv3pushersset).
const GATEWAY_PATH: &str = "/_matrix/push/v1/notify";

/// The way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Follows no redirects, and reaches public addresses only, unless the operator has opened the others.
    pub(crate) client: Client,
    /// The same, but follows redirects.
    pub(crate) following: Client,
    /// The ways to other servers.
    pub(crate) routes: Routes,
    /// What is known of delegation.
    pub(crate) well_knowns: WellKnowns,
    /// Looks names up.
    pub(crate) dns: Dns,
    /// The port of servers that name none.
    pub(crate) default_port: u16,
    /// The port at which delegation is looked up.
    pub(crate) well_known_port: u16,
    authorities: Vec<Certificate>,
    private_addresses: bool,
}

impl Outgoing {
    /// Trusts the authorities of the system and those of the settings.
    pub(crate) fn new(settings: &Settings) -> Result<Self, StartError> {
        let authorities = settings.authorities.as_deref().map(read).transpose()?.unwrap_or_default();
        let dns = Dns::new(settings.nameserver);
        let builder = |policy| builder(policy, &authorities, &dns, settings.private_addresses);
        let unusable = |error| StartError::Data(format!("no HTTP client: {error}"));
        Ok(Self {
            client: builder(Policy::none()).build().map_err(unusable)?,
            following: builder(Policy::limited(REDIRECTS)).build().map_err(unusable)?,
            routes: Routes::default(),
            well_knowns: WellKnowns::default(),
            dns,
            default_port: settings.default_port,
            well_known_port: settings.well_known_port,
            authorities,
            private_addresses: settings.private_addresses,
        })
    }

    /// A client for a host, which may be elsewhere than its name says.
    pub(crate) fn client_for(&self, host: &str, addresses: Option<&[SocketAddr]>) -> Result<Client, String> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !self.private_addresses
            && !is_public(address)
        {
            return Err(format!("{host} is an address of a private network"));
        }
        let Some(addresses) = addresses else { return Ok(self.client.clone()) };
        let reachable: Vec<_> =
            addresses.iter().copied().filter(|a| self.private_addresses || is_public(a.ip())).collect();
        if reachable.is_empty() {
            return Err(format!("{host} has no public address"));
        }
        let builder = builder(Policy::none(), &self.authorities, &self.dns, self.private_addresses);
        builder.resolve_to_addrs(host, &reachable).build().map_err(|error| error.to_string())
    }

    /// Forgets where a server is, because it can not be reached there.
    pub(crate) fn forget_route(&self, server_name: &str) {
        self.routes.forget(server_name);
    }

    /// A client for addresses that the operator has named, whatever they are.
    pub(crate) fn trusted(settings: &Settings) -> Result<Client, StartError> {
        let authorities = settings.authorities.as_deref().map(read).transpose()?.unwrap_or_default();
        let builder = builder(Policy::none(), &authorities, &Dns::new(settings.nameserver), true);
        builder.build().map_err(|error| StartError::Data(format!("no HTTP client: {error}")))
    }

    /// Whether this is the URL of a push gateway that can be asked; the error says what it has to be.
    pub(crate) fn check_gateway(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("url must be a URL: {error}"))?;
        if url.scheme() != "https" || url.path() != GATEWAY_PATH {
            return Err(format!("url must be an https URL with the path {GATEWAY_PATH}"));
        }
        self.check_address(&url).map(|()| url)
    }

    /// Whether a URL leads outside, as far as it says. A name is looked up, and its addresses judged, when the request
    /// is made.
    pub(crate) fn check_address(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !self.private_addresses && !is_public(address) => {
                Err("url must not lead to an address of a private network".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<Certificate>, StartError> {
    let unusable = |reason: String| StartError::Certificate { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))
}

fn builder(policy: Policy, authorities: &[Certificate], dns: &Dns, private_addresses: bool) -> ClientBuilder {
    let builder = Client::builder().redirect(policy).timeout(TIMEOUT).no_proxy();
    let addresses = Addresses { dns: dns.clone(), private: private_addresses };
    authorities.iter().cloned().fold(builder.dns_resolver(addresses), ClientBuilder::add_root_certificate)
}

/// Looks names up and forgets the addresses that only this machine or its network knows, unless those are reached too.
#[derive(Debug, Clone)]
struct Addresses {
    dns: Dns,
    private: bool,
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { dns, private } = self.clone();
        Box::pin(async move {
            let found = dns.addresses(name.as_str()).await?.into_iter();
            let reached = found.filter(|address| private || is_public(*address));
            let public: Vec<SocketAddr> = reached.map(|address| SocketAddr::new(address, 0)).collect();
            if public.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && second & 0xc0 == 64)
        || (first == 198 && second & 0xfe == 18)
        || (first, second, third) == (192, 0, 0);
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = match segments {
        // IPv4 in IPv6, in its several disguises.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        return is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    // Global unicast, without what is set aside in it.
    let [first, second, ..] = segments;
    first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8) && !(first == 0x2001 && second < 0x200)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Outgoing, Settings, is_public};

    #[rstest]
    #[case("8.8.8.8", true)]
    #[case("127.0.0.1", false)]
    #[case("10.1.2.3", false)]
    #[case("172.16.0.1", false)]
    #[case("192.168.1.1", false)]
    #[case("169.254.169.254", false)]
    #[case("100.64.0.1", false)]
    #[case("0.0.0.0", false)]
    #[case("255.255.255.255", false)]
    #[case("2606:4700::1111", true)]
    #[case("::1", false)]
    #[case("::", false)]
    #[case("fe80::1", false)]
    #[case("fd00::1", false)]
    #[case("ff02::1", false)]
    #[case("::ffff:10.0.0.1", false)]
    #[case("::ffff:8.8.8.8", true)]
    #[case("64:ff9b::7f00:1", false)]
    #[case("2002:7f00:1::", false)]
    #[case("2001:db8::1", false)]
    fn private_networks_are_not_public(#[case] address: &str, #[case] expected: bool) {
        assert_eq!(is_public(address.parse().expect("an address")), expected);
    }

    #[rstest]
    #[case("https://push.example.org/_matrix/push/v1/notify", true)]
    #[case("http://push.example.org/_matrix/push/v1/notify", false)]
    #[case("https://push.example.org/notify", false)]
    #[case("https://127.0.0.1/_matrix/push/v1/notify", false)]
    #[case("https://[::1]/_matrix/push/v1/notify", false)]
    #[case("nonsense", false)]
    fn a_gateway_has_its_path_and_a_public_address(#[case] url: &str, #[case] expected: bool) {
        let outgoing = Outgoing::new(&Settings::default()).expect("a client");
        assert_eq!(outgoing.check_gateway(url).is_ok(), expected);
    }
}
