//! Requests that this server makes to others, and the addresses that it makes none to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};

use crate::config::Outgoing as Settings;
use crate::server::StartError;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The path of every push gateway (client-server-api/#post_matrixclientv3pushersset).
const GATEWAY_PATH: &str = "/_matrix/push/v1/notify";

/// The way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Follows no redirects, and reaches public addresses only, unless the operator has opened the others.
    pub(crate) client: Client,
    private_addresses: bool,
}

impl Outgoing {
    /// Trusts the authorities of the system and those of the settings.
    pub(crate) fn new(settings: &Settings) -> Result<Self, StartError> {
        let client = client(settings, settings.private_addresses)?;
        Ok(Self { client, private_addresses: settings.private_addresses })
    }

    /// A client for addresses that the operator has named, whatever they are.
    pub(crate) fn trusted(settings: &Settings) -> Result<Client, StartError> {
        client(settings, true)
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

fn client(settings: &Settings, private_addresses: bool) -> Result<Client, StartError> {
    let mut builder = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).no_proxy();
    if !private_addresses {
        builder = builder.dns_resolver(PublicAddresses);
    }
    if let Some(path) = &settings.authorities {
        for certificate in read(path)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| StartError::Data(format!("no HTTP client: {error}")))
}

fn read(path: &Path) -> Result<Vec<Certificate>, StartError> {
    let unusable = |reason: String| StartError::Certificate { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))
}

/// Looks names up and forgets the addresses that only this machine or its network knows.
#[derive(Debug, Clone, Copy)]
struct PublicAddresses;

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
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
