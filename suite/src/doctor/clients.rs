//! What clients see: the document by which they find the server, and its API before anybody has logged in.

use http::Method;
use protocol::identifiers::ServerName;
use reports::Level;
use serde_json::Value;
use url::Url;

use super::{
    certificate, clock, federation,
    finding::{Chart, Rule},
    shape::{self, misshapen},
    visit::{Answer, Visitor},
};
use crate::target::Target;

static WELL_KNOWN: Rule = Rule {
    id: "client/well-known-has-its-shape",
    level: Level::Must,
    says: "The well-known document for clients has the base URL of the homeserver, or is not there.",
    spec: Some("client-server-api/#getwell-knownmatrixclient"),
};

static WELL_KNOWN_CROSS_ORIGIN: Rule = Rule {
    id: "client/well-known-can-be-read-by-browsers",
    level: Level::Should,
    says: "The well-known document for clients has CORS headers, so that clients in browsers can read it.",
    spec: Some("client-server-api/#well-known-uris"),
};

static REACHED: Rule = Rule {
    id: "client/is-reached-from-here",
    level: Level::Must,
    says: "The base URL leads to a homeserver.",
    spec: Some("client-server-api/#well-known-uris"),
};

static SECURE: Rule = Rule {
    id: "client/base-url-is-https",
    level: Level::Should,
    says: "Clients are served by HTTPS.",
    spec: Some("client-server-api/#api-standards"),
};

static VERSIONS: Rule = Rule {
    id: "client/versions-have-their-shape",
    level: Level::Must,
    says: "GET /_matrix/client/versions is answered with the documented object.",
    spec: Some("client-server-api/#get_matrixclientversions"),
};

static DECLARED: Rule = Rule {
    id: "client/answers-are-declared-as-json",
    level: Level::Must,
    says: "JSON responses have a Content-Type of application/json.",
    spec: Some("client-server-api/#api-standards"),
};

static CROSS_ORIGIN: Rule = Rule {
    id: "client/answers-can-be-read-by-browsers",
    level: Level::Should,
    says: "Answers have CORS headers, so that clients in browsers can read them.",
    spec: Some("client-server-api/#web-browser-clients"),
};

static PREFLIGHT: Rule = Rule {
    id: "client/browsers-may-ask-beforehand",
    level: Level::Must,
    says: "Every endpoint supports the OPTIONS method, by which browsers ask whether they may send a request.",
    spec: Some("client-server-api/#web-browser-clients"),
};

static UNKNOWN: Rule = Rule {
    id: "client/unknown-endpoint-is-told",
    level: Level::Must,
    says: "An endpoint that does not exist is answered with 404 M_UNRECOGNIZED.",
    spec: Some("client-server-api/#common-error-codes"),
};

static AUTH_METADATA: Rule = Rule {
    id: "client/auth-metadata-has-its-shape",
    level: Level::Must,
    says: "Where the server has the OAuth 2.0 API, its metadata are the documented object.",
    spec: Some("client-server-api/#get_matrixclientv1auth_metadata"),
};

#[cfg(test)]
pub(super) static RULES: &[&Rule] = &[
    &WELL_KNOWN,
    &WELL_KNOWN_CROSS_ORIGIN,
    &REACHED,
    &SECURE,
    &VERSIONS,
    &DECLARED,
    &CROSS_ORIGIN,
    &PREFLIGHT,
    &UNKNOWN,
    &AUTH_METADATA,
];

/// What a browser wants to know before it logs in.
const BEFOREHAND: &[(&str, &str)] = &[
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization, content-type"),
];

/// Looks at the well-known document, and at the API where it leads or where it was `given`; the answer says whether the API
/// answered.
pub(super) async fn examine(
    visitor: &Visitor,
    name: &ServerName,
    given: Option<Url>,
    chart: &mut Chart,
) -> bool {
    let said = well_known(visitor, name.hostname(), chart).await;
    let base = given.or(said).or_else(|| Url::parse(&format!("https://{}/", name.hostname())).ok());
    let Some(base) = base else { return false };
    let at = |path: &str| format!("{}{path}", base.as_str().trim_end_matches('/'));
    let ask = async |path: &str, method, headers| match Url::parse(&at(path)) {
        Ok(url) => visitor.ask_at(&url, method, headers).await,
        Err(error) => Err(error.to_string()),
    };
    let answer = match ask("/_matrix/client/versions", Method::GET, &[]).await {
        Ok(answer) => answer,
        Err(why) => {
            let advice = "see that the homeserver or its proxy listens there; clients end their attempts to log in here";
            chart.add(REACHED.broken(base.as_str(), why, advice));
            return false;
        }
    };
    chart.add(REACHED.kept(base.as_str(), answer.status.as_u16().to_string()));
    transport(&answer, &base, chart);
    versions(&answer, &at("/_matrix/client/versions"), chart);
    clock::examine(&answer, &at("/_matrix/client/versions"), chart);
    cross_origin(&CROSS_ORIGIN, &answer, &at("/_matrix/client/versions"), chart);
    let login = "/_matrix/client/v3/login";
    if let Ok(answer) = ask(login, Method::OPTIONS, BEFOREHAND).await {
        preflight(&answer, &at(login), chart);
    }
    let nowhere = "/_matrix/client/v3/determinant-doctor";
    if let Ok(answer) = ask(nowhere, Method::GET, &[]).await {
        federation::unknown(&UNKNOWN, &answer, &at(nowhere), chart);
    }
    let metadata = "/_matrix/client/v1/auth_metadata";
    if let Ok(answer) = ask(metadata, Method::GET, &[]).await {
        auth_metadata(&answer, &at(metadata), chart);
    }
    true
}

/// The base URL that the well-known document gives; nothing where it is absent or unusable.
async fn well_known(visitor: &Visitor, host: &str, chart: &mut Chart) -> Option<Url> {
    let url = format!("https://{host}/.well-known/matrix/client");
    let asked = match Url::parse(&url) {
        Ok(parsed) => visitor.get(&parsed).await,
        Err(error) => Err(error.to_string()),
    };
    let (answer, at) = match asked {
        Ok((answer, at)) => (answer, at),
        Err(why) => {
            chart.add(
                WELL_KNOWN.idle(&url, format!("{why}; clients have to be told the URL of the homeserver")),
            );
            return None;
        }
    };
    if answer.status == 404 {
        chart.add(WELL_KNOWN.idle(&url, "404; clients have to be told the URL of the homeserver"));
        return None;
    }
    if let (Some(papers), Some(host)) = (&answer.papers, at.host_str()) {
        certificate::examine(papers, &certificate::TRUSTED_BY_CLIENTS, host, at.as_str(), chart);
    }
    cross_origin(&WELL_KNOWN_CROSS_ORIGIN, &answer, at.as_str(), chart);
    let base = match misshapen(shape::CLIENT_WELL_KNOWN, &answer) {
        Some(problem) => Err(problem),
        None => base_url(&answer),
    };
    match base {
        Ok(base) => {
            chart.add(WELL_KNOWN.kept(at.as_str(), format!("the homeserver is at {base}")));
            Some(base)
        }
        Err(problem) => {
            let advice = "write {\"m.homeserver\": {\"base_url\": \"https://matrix.example.org\"}}, or take the document away: as it \
                          is, clients tell their users that it is wrong";
            chart.add(WELL_KNOWN.broken(at.as_str(), problem, advice));
            None
        }
    }
}

fn base_url(answer: &Answer) -> Result<Url, String> {
    let base = answer.json.as_ref().and_then(|json| json.get("m.homeserver")?.get("base_url")?.as_str());
    let base = base.unwrap_or_default();
    let url = Url::parse(base).map_err(|error| format!("base_url {base:?} is no URL: {error}"))?;
    match url.scheme() {
        "https" | "http" => Ok(url),
        other => Err(format!("base_url {base:?} is of {other}, not of https")),
    }
}

fn transport(answer: &Answer, base: &Url, chart: &mut Chart) {
    match (&answer.papers, base.host_str()) {
        (Some(papers), Some(host)) => {
            certificate::examine(papers, &certificate::TRUSTED_BY_CLIENTS, host, base.as_str(), chart);
        }
        _ if Target::is_loopback(base) => chart.add(SECURE.idle(base.as_str(), "it is on this machine")),
        _ => {
            let advice =
                "put a proxy with TLS before it: everybody on the way can read along, and browsers refuse";
            chart.add(SECURE.broken(base.as_str(), "plain HTTP", advice));
        }
    }
}

fn versions(answer: &Answer, place: &str, chart: &mut Chart) {
    if let Some(problem) = misshapen(shape::VERSIONS, answer) {
        let advice = "see that the base URL is that of the homeserver, and that the proxy passes all of /_matrix/client/ on";
        chart.add(VERSIONS.broken(place, problem, advice));
        return;
    }
    let advertised = answer.json.as_ref().and_then(|json| json.get("versions")?.as_array());
    let advertised = advertised.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    chart.add(VERSIONS.kept(place, advertised.join(", ")));
    if !answer.is_declared_json() {
        let found = format!("Content-Type: {}", answer.header("content-type"));
        chart.add(DECLARED.broken(place, found, "let the proxy leave the header of the homeserver alone"));
    }
}

fn cross_origin(rule: &'static Rule, answer: &Answer, place: &str, chart: &mut Chart) {
    match answer.header("access-control-allow-origin") {
        "*" => chart.add(rule.kept(place, "Access-Control-Allow-Origin: *")),
        other => {
            let found = if other.is_empty() {
                "no Access-Control-Allow-Origin header".to_owned()
            } else {
                format!("Access-Control-Allow-Origin: {other}")
            };
            chart.add(rule.broken(place, found, "have the web server send Access-Control-Allow-Origin: *"));
        }
    }
}

fn preflight(answer: &Answer, place: &str, chart: &mut Chart) {
    if answer.status.is_success() {
        let allowed = answer.header("access-control-allow-headers");
        chart.add(
            PREFLIGHT
                .kept(place, format!("{}, Access-Control-Allow-Headers: {allowed}", answer.status.as_u16())),
        );
    } else {
        let advice = "have the proxy pass OPTIONS on to the homeserver, without asking for a login itself";
        chart.add(PREFLIGHT.broken(place, answer.words(), advice));
    }
}

fn auth_metadata(answer: &Answer, place: &str, chart: &mut Chart) {
    if answer.status == 404 {
        chart.add(AUTH_METADATA.idle(place, "404; the server has the legacy API only"));
        return;
    }
    match misshapen(shape::AUTH_METADATA, answer) {
        Some(problem) => {
            let advice = "see that the homeserver reaches its authentication service, and that the proxy passes the path on";
            chart.add(AUTH_METADATA.broken(place, problem, advice));
        }
        None => {
            let issuer = answer.json.as_ref().and_then(|json| json.get("issuer")?.as_str());
            chart.add(AUTH_METADATA.kept(place, format!("issuer {}", issuer.unwrap_or_default())));
        }
    }
}
