//! What other servers see: certificate, version and keys at every address where they look for the server.

use std::{net::SocketAddr, time::SystemTime};

use http::Method;
use protocol::{
    Object,
    identifiers::ServerName,
    keys::{KeyId, MAX_VALIDITY_MS, VerifyKey},
    signatures,
};
use reports::Level;
use serde_json::Value;

use super::{
    Way, certificate, clock,
    finding::{Chart, Rule},
    shape::{self, misshapen},
    visit::{Answer, Place, Visitor},
};

static REACHED: Rule = Rule {
    id: "federation/is-reached-from-here",
    level: Level::Must,
    says: "The server answers by HTTPS where its name leads.",
    spec: Some("server-server-api/#resolving-server-names"),
};

static EVERY_ADDRESS: Rule = Rule {
    id: "federation/every-address-answers",
    level: Level::May,
    says: "The server answers at every address of its name, as other servers may take any.",
    spec: None,
};

static VERSION: Rule = Rule {
    id: "federation/version-has-its-shape",
    level: Level::Must,
    says: "GET /_matrix/federation/v1/version is answered with the documented object.",
    spec: Some("server-server-api/#get_matrixfederationv1version"),
};

static DECLARED: Rule = Rule {
    id: "federation/answers-are-declared-as-json",
    level: Level::Must,
    says: "JSON responses have a Content-Type of application/json.",
    spec: Some("server-server-api/#api-standards"),
};

static UNKNOWN: Rule = Rule {
    id: "federation/unknown-endpoint-is-told",
    level: Level::Must,
    says: "An endpoint that does not exist is answered with 404 M_UNRECOGNIZED.",
    spec: Some("server-server-api/#unsupported-endpoints"),
};

static KEYS: Rule = Rule {
    id: "keys/have-their-shape",
    level: Level::Must,
    says: "GET /_matrix/key/v2/server is answered with the documented object, for this server name.",
    spec: Some("server-server-api/#get_matrixkeyv2server"),
};

static SIGNED: Rule = Rule {
    id: "keys/are-signed-by-themselves",
    level: Level::Must,
    says: "The keys are signed with the keys.",
    spec: Some("server-server-api/#publishing-keys"),
};

static VALID: Rule = Rule {
    id: "keys/are-valid-now",
    level: Level::Must,
    says: "The keys are valid: a key beyond `valid_until_ts` is none.",
    spec: Some("server-server-api/#get_matrixkeyv2server"),
};

static FRESH: Rule = Rule {
    id: "keys/do-not-expire-within-an-hour",
    level: Level::Should,
    says: "The keys are valid for an hour at least, so that they need not be asked for again at once.",
    spec: Some("server-server-api/#get_matrixkeyv2server"),
};

#[cfg(test)]
pub(super) static RULES: &[&Rule] =
    &[&REACHED, &EVERY_ADDRESS, &VERSION, &DECLARED, &UNKNOWN, &KEYS, &SIGNED, &VALID, &FRESH];

const HOUR_MS: u64 = 60 * 60 * 1000;

/// Looks at every address; the answer says whether any of them answered.
pub(super) async fn examine(visitor: &Visitor, name: &ServerName, ways: &[Way], chart: &mut Chart) -> bool {
    let (mut first, mut silent) = (None, Vec::new());
    let mut seen = 0;
    for way in ways {
        let place = Place { secure: true, host: way.host.clone(), called: way.called.clone() };
        for address in &way.addresses {
            seen += 1;
            match visitor.ask(&place, *address, Method::GET, "/_matrix/federation/v1/version", &[]).await {
                Ok(answer) => {
                    if let Some(papers) = &answer.papers {
                        let at = format!("{} at {address}", place.host);
                        certificate::examine(papers, &certificate::TRUSTED, &place.host, &at, chart);
                    }
                    first.get_or_insert((place.clone(), *address, answer));
                }
                Err(why) => silent.push((*address, why)),
            }
        }
    }
    let Some((place, address, answer)) = first else {
        if seen > 0 {
            let whys: Vec<String> = silent.into_iter().map(|(_, why)| why).collect();
            let advice = "see that the server listens there, and that no firewall is before it: TCP, from everywhere; or delegate \
                          to where it listens";
            chart.add(REACHED.broken(name.as_str(), whys.join("; "), advice));
        }
        return false;
    };
    chart.add(REACHED.kept(name.as_str(), format!("{} of {seen} addresses answer", seen - silent.len())));
    for (silent, why) in silent {
        let advice = "have the server listen there too, or take the record away; if this machine has no IPv6, ask from another one";
        chart.add(EVERY_ADDRESS.broken(silent.to_string(), why, advice));
    }
    let at = |path: &str| format!("https://{}{path}", place.called);
    clock::examine(&answer, &at("/_matrix/federation/v1/version"), chart);
    version(&answer, &at("/_matrix/federation/v1/version"), chart);
    ask_keys(visitor, name, &place, address, &at("/_matrix/key/v2/server"), chart).await;
    let nowhere = "/_matrix/federation/v1/determinant-doctor";
    if let Ok(answer) = visitor.ask(&place, address, Method::GET, nowhere, &[]).await {
        unknown(&UNKNOWN, &answer, &at(nowhere), chart);
    }
    true
}

fn version(answer: &Answer, place: &str, chart: &mut Chart) {
    if let Some(problem) = misshapen(shape::SERVER_VERSION, answer) {
        let advice = "see that the proxy passes all of /_matrix/federation/ on to the homeserver";
        chart.add(VERSION.broken(place, problem, advice));
        return;
    }
    let part = |name: &str| {
        let server = answer.json.as_ref().and_then(|json| json.get("server"));
        server.and_then(|server| server.get(name)?.as_str()).unwrap_or("unnamed").to_owned()
    };
    chart.add(VERSION.kept(place, format!("{} {}", part("name"), part("version"))));
    if !answer.is_declared_json() {
        let found = format!("Content-Type: {}", answer.header("content-type"));
        chart.add(DECLARED.broken(place, found, "let the proxy leave the header of the homeserver alone"));
    }
}

/// An answer of a proxy instead of the homeserver shows here first.
pub(super) fn unknown(rule: &'static Rule, answer: &Answer, place: &str, chart: &mut Chart) {
    let errcode = answer.json.as_ref().and_then(|json| json.get("errcode")).and_then(Value::as_str);
    if answer.status == 404 && errcode == Some("M_UNRECOGNIZED") {
        chart.add(rule.kept(place, "404 M_UNRECOGNIZED"));
    } else {
        let advice =
            "have the proxy pass everything below /_matrix/ on to the homeserver, and its errors back";
        chart.add(rule.broken(place, answer.words(), advice));
    }
}

async fn ask_keys(
    visitor: &Visitor,
    name: &ServerName,
    place: &Place,
    address: SocketAddr,
    at: &str,
    chart: &mut Chart,
) {
    let asked = visitor.ask(place, address, Method::GET, "/_matrix/key/v2/server", &[]).await;
    let problem = match &asked {
        Ok(answer) => misshapen(shape::SERVER_KEYS, answer).or_else(|| misnamed(answer, name)),
        Err(why) => Some(why.clone()),
    };
    let keys = asked.ok().and_then(|answer| answer.json).and_then(|json| json.as_object().cloned());
    match (problem, keys) {
        (None, Some(keys)) => {
            chart.add(KEYS.kept(at, key_ids(&keys).join(", ")));
            signed(name, &keys, at, chart);
            validity(&keys, at, chart);
        }
        (problem, _) => {
            let advice = "see that the proxy passes all of /_matrix/key/ on to the homeserver, and that the homeserver has this \
                          server name";
            chart.add(KEYS.broken(at, problem.unwrap_or_default(), advice));
        }
    }
}

fn misnamed(answer: &Answer, name: &ServerName) -> Option<String> {
    let said = answer.json.as_ref()?.get("server_name")?.as_str()?;
    (said != name.as_str()).then(|| format!("keys of {said}, not of {name}"))
}

fn key_ids(keys: &Object) -> Vec<String> {
    let of = keys.get("verify_keys").and_then(Value::as_object);
    of.into_iter().flat_map(|keys| keys.keys().cloned()).collect()
}

/// Whether the object is signed by the keys in it: `appendices/#checking-for-a-signature`.
fn signed(name: &ServerName, keys: &Object, at: &str, chart: &mut Chart) {
    let find = |id: &KeyId| {
        let key = keys.get("verify_keys")?.get(id.as_str())?.get("key")?.as_str()?;
        VerifyKey::from_base64(key).ok()
    };
    match signatures::verify(keys, name.as_str(), find) {
        Ok(()) => chart.add(SIGNED.kept(at, "a signature by a published key, and none that is wrong")),
        Err(error) => {
            let advice = "have nothing change the answer on its way, and restore the signing key of the homeserver: other servers \
                          refuse everything that they cannot check";
            chart.add(SIGNED.broken(at, error.to_string(), advice));
        }
    }
}

fn validity(keys: &Object, at: &str, chart: &mut Chart) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let until = keys.get("valid_until_ts").and_then(Value::as_u64).unwrap_or_default();
    if until <= now {
        let found = format!("they expired {} ago", in_words(now - until));
        let advice = "see whether the clock of the server is right, and whether a proxy keeps old answers";
        chart.add(VALID.broken(at, found, advice));
        return;
    }
    let left = until - now;
    let capped = if left > MAX_VALIDITY_MS { "; others count 7 days at most" } else { "" };
    chart.add(VALID.kept(at, format!("for {}{capped}", in_words(left))));
    if left < HOUR_MS {
        let advice =
            "have the homeserver give its keys a longer validity, or the proxy keep no answers of it";
        chart.add(FRESH.broken(at, format!("for {}", in_words(left)), advice));
    }
}

fn in_words(ms: u64) -> String {
    match ms / 1000 {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 2 * 60 * 60 => format!("{} min", seconds / 60),
        seconds if seconds < 2 * 24 * 60 * 60 => format!("{} h", seconds / 60 / 60),
        seconds => format!("{} days", seconds / 24 / 60 / 60),
    }
}
