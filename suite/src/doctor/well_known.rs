//! The document by which a host delegates to another server: `server-server-api/#getwell-knownmatrixserver`.

use protocol::identifiers::ServerName;
use reports::Level;
use url::Url;

use super::{
    certificate,
    finding::{Chart, Rule},
    visit::{Answer, Visitor},
};

static SHAPE: Rule = Rule {
    id: "discovery/delegation-has-its-shape",
    level: Level::Must,
    says: "A well-known document of the server is a JSON object whose `m.server` is a server name.",
    spec: Some("server-server-api/#getwell-knownmatrixserver"),
};

static DECLARED: Rule = Rule {
    id: "discovery/delegation-is-declared-as-json",
    level: Level::Should,
    says: "The well-known document of the server is declared as application/json.",
    spec: Some("server-server-api/#getwell-knownmatrixserver"),
};

#[cfg(test)]
pub(super) static RULES: &[&Rule] = &[&SHAPE, &DECLARED];

/// What a host delegates to, if it does. What is no valid answer counts as none, as it does for other servers.
pub(super) async fn delegation(visitor: &Visitor, host: &str, chart: &mut Chart) -> Option<ServerName> {
    let url = format!("https://{host}/.well-known/matrix/server");
    let asked = match Url::parse(&url) {
        Ok(url) => visitor.get(&url).await,
        Err(error) => Err(error.to_string()),
    };
    let (answer, at) = match asked {
        Ok((answer, at)) => (answer, at.to_string()),
        Err(why) => {
            chart.step("3", format!("{url}: {why}; no delegation"));
            return None;
        }
    };
    if answer.status != 200 {
        chart.step("3", format!("{url} answers {}; no delegation", answer.status.as_u16()));
        return None;
    }
    // Only a document that would count is worth a word on its certificate.
    if let Some(papers) = &answer.papers {
        let host = Url::parse(&at).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        certificate::examine(papers, &certificate::TRUSTED, &host, &at, chart);
        if papers.trust.is_err() {
            chart.step("3", format!("{url}: its certificate is not trusted, so that no server reads it"));
            return None;
        }
    }
    if !answer.is_declared_json() {
        let found = format!("Content-Type: {}", answer.header("content-type"));
        chart.add(DECLARED.broken(&at, found, "have the web server send Content-Type: application/json"));
    }
    match read(&answer) {
        Ok(name) => {
            chart.add(SHAPE.kept(&at, format!("it delegates to {name}")));
            chart.step("3", format!("{url} delegates to {name}"));
            Some(name)
        }
        Err(found) => {
            let advice = "write {\"m.server\": \"matrix.example.org:443\"}, or take the document away: as it is, every server \
                          ignores it";
            chart.add(SHAPE.broken(&at, &found, advice));
            chart.step("3", format!("{url} is not valid: {found}; no delegation"));
            None
        }
    }
}

fn read(answer: &Answer) -> Result<ServerName, String> {
    let json = answer.json.as_ref().ok_or_else(|| format!("no JSON: {}", answer.words()))?;
    let name = json.get("m.server").ok_or_else(|| format!("no m.server: {}", answer.words()))?;
    let name = name.as_str().ok_or_else(|| format!("m.server is no text: {name}"))?;
    ServerName::parse(name).map_err(|error| error.to_string())
}
