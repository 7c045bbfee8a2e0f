//! The certificates that a server shows: whether they are trusted, and for how long.

use reports::Level;
use rustls::{CertificateError, Error, pki_types::CertificateDer};
use time::{Duration, OffsetDateTime};
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
    time::Time,
};

use super::{
    finding::{Chart, Rule},
    visit::Papers,
};

/// What other servers expect.
pub(super) static TRUSTED: Rule = Rule {
    id: "federation/certificate-is-trusted",
    level: Level::Must,
    says: "The certificate is valid for the host, and signed by a known certificate authority.",
    spec: Some("server-server-api/#tls"),
};

/// What clients expect: they go no further where the connection cannot be trusted.
pub(super) static TRUSTED_BY_CLIENTS: Rule = Rule {
    id: "client/certificate-is-trusted",
    level: Level::Must,
    says: "Clients reach the server by HTTPS: the certificate is valid for the host, and signed by a known authority.",
    spec: Some("client-server-api/#well-known-uris"),
};

static LASTS: Rule = Rule {
    id: "certificate/lasts",
    level: Level::May,
    says: "A certificate is renewed long before it expires.",
    spec: None,
};

#[cfg(test)]
pub(super) static RULES: &[&Rule] = &[&TRUSTED, &TRUSTED_BY_CLIENTS, &LASTS];

/// The longest time before its end at which a certificate should have been renewed; a short-lived one, in its last third.
const RENEWAL: Duration = Duration::days(14);

/// Looks at the certificates that were shown at a place for a host.
pub(super) fn examine(papers: &Papers, rule: &'static Rule, host: &str, place: &str, chart: &mut Chart) {
    let card = papers.chain.first().and_then(Card::read);
    match &papers.trust {
        Ok(()) => {
            let sent = papers.chain.len();
            let facts = card.as_ref().map_or_else(String::new, Card::words);
            chart.add(rule.kept(place, format!("{facts}; {sent} sent")));
        }
        Err(error) => {
            let (found, advice) = in_words(error, host, card.as_ref(), papers.chain.len());
            chart.add(rule.broken(place, found, advice));
        }
    }
    // One that has expired was told of already.
    let Some(card) = card.filter(|card| card.left() > Duration::ZERO) else { return };
    if card.left() < RENEWAL.min((card.until - card.from) / 3) {
        let found = format!("{} are left", days(card.left()));
        chart.add(LASTS.broken(place, found, "see whether its automatic renewal still works"));
    }
}

/// What a certificate says of itself.
struct Card {
    names: Vec<String>,
    issuer: String,
    is_self_issued: bool,
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl Card {
    fn read(certificate: &CertificateDer<'static>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let card = certificate.tbs_certificate();
        let alternatives = card.get_extension::<SubjectAltName>().ok().flatten();
        let names = alternatives.iter().flat_map(|(_, names)| &names.0);
        let name = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            GeneralName::IpAddress(bytes) => address(bytes.as_bytes()),
            _ => None,
        };
        Some(Card {
            names: names.filter_map(name).collect(),
            issuer: card.issuer().to_string(),
            is_self_issued: card.issuer() == card.subject(),
            from: moment(&card.validity().not_before)?,
            until: moment(&card.validity().not_after)?,
        })
    }

    fn left(&self) -> Duration {
        self.until - OffsetDateTime::now_utc()
    }

    fn words(&self) -> String {
        let names = self.names();
        format!("for {names}, by {}, until {} ({} left)", self.issuer, self.until.date(), days(self.left()))
    }

    fn names(&self) -> String {
        match self.names.as_slice() {
            [] => "no host at all".to_owned(),
            names => names.join(", "),
        }
    }
}

fn moment(time: &Time) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.to_unix_duration().as_secs().try_into().ok()?).ok()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| std::net::Ipv6Addr::from(sixteen).to_string())
}

fn days(duration: Duration) -> String {
    match duration.whole_days() {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// What is wrong with a certificate, and what to do about it.
fn in_words(error: &Error, host: &str, card: Option<&Card>, sent: usize) -> (String, String) {
    let Error::InvalidCertificate(problem) = error else {
        return (error.to_string(), "look at the TLS settings of the server or its proxy".to_owned());
    };
    use CertificateError as Problem;
    match (problem, card) {
        (Problem::Expired | Problem::ExpiredContext { .. }, Some(card)) => (
            format!("it expired {} ago, on {}", days(-card.left()), card.until.date()),
            "renew it, and have the server or its proxy load the new one: many only do when they are told to".to_owned(),
        ),
        (Problem::NotValidYet | Problem::NotValidYetContext { .. }, Some(card)) => (
            format!("it is not valid before {}", card.from),
            "see whether the clocks of this machine and of the authority are right".to_owned(),
        ),
        (Problem::NotValidForName | Problem::NotValidForNameContext { .. }, Some(card)) => (
            format!("it is for {}, not for {host}", card.names()),
            format!(
                "get one that names {host}: what counts is the server name or what its well-known document delegates to, \
                 not where SRV records lead"
            ),
        ),
        (Problem::UnknownIssuer, Some(card)) if card.is_self_issued => (
            "it is signed by itself".to_owned(),
            "get one from a known authority; such as by ACME, without cost".to_owned(),
        ),
        (Problem::UnknownIssuer, Some(card)) => (
            format!("no known authority is behind its issuer {}; {sent} sent", card.issuer),
            "have the server send the certificates between its own and the root as well, often a file named fullchain.pem"
                .to_owned(),
        ),
        (problem, _) => (format!("{problem}"), "get another certificate".to_owned()),
    }
}
