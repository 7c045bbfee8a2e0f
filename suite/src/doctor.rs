//! Read-only checks of a live deployment that need no account: how other servers and clients find a homeserver, and what it
//! shows of itself to anybody who asks.
//!
//! Nothing is registered, sent or changed: only public documents are asked for. A finding has the levels of the suite: what
//! the text obliges to is a failure where it is broken, a SHOULD is advice, anything else a note.

mod certificate;
mod clients;
mod clock;
mod discovery;
mod federation;
mod finding;
mod names;
mod shape;
mod visit;
mod well_known;

use std::{net::SocketAddr, path::PathBuf};

use protocol::identifiers::ServerName;
use serde::Serialize;
use url::Url;

use crate::RunError;

pub use finding::{Finding, Step};
pub use names::ConnectTo;

use discovery::Way;
use finding::Chart;
use names::Names;
use visit::Visitor;

/// Who is examined.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The homeserver of this name, found as other servers and clients find it.
    Name(ServerName),
    /// The homeserver whose client-server API is here.
    Url(Url),
}

/// How it is examined.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Where to connect instead of where names lead.
    pub connect_to: Vec<ConnectTo>,
    /// The name server that is asked; without it, those of the system.
    pub nameserver: Option<SocketAddr>,
    /// PEM file of authorities that are trusted beside those of the system.
    pub authorities: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// The server name, as far as it is known.
    pub server_name: String,
    /// The way by which other servers find it.
    pub steps: Vec<Step>,
    /// What was found, good and bad, in the order in which it was looked at.
    pub findings: Vec<Finding>,
    /// Whether anything of the server answered.
    pub reached: bool,
}

/// Examines a homeserver.
///
/// # Errors
/// [`RunError::Usage`] where the authorities cannot be read, [`RunError::Fault`] where this machine cannot ask at all.
pub async fn examine(subject: &Subject, manner: &Manner) -> Result<Examination, RunError> {
    let names = Names::new(manner.connect_to.clone(), manner.nameserver);
    let visitor = Visitor::new(names, manner.authorities.as_deref())?;
    let mut chart = Chart::default();
    let (name, given) = match subject {
        Subject::Name(name) => (name.clone(), None),
        Subject::Url(url) => (named_at(&visitor, url, &mut chart).await?, Some(url.clone())),
    };
    let ways = discovery::resolve(&visitor, &name, &mut chart).await;
    let federates = federation::examine(&visitor, &name, &ways, &mut chart).await;
    let serves = clients::examine(&visitor, &name, given, &mut chart).await;
    Ok(Examination {
        server_name: name.to_string(),
        steps: chart.steps,
        findings: chart.findings,
        reached: federates || serves,
    })
}

/// The name of a server of which only the client-server API is known: its key server says it, where it is reached at the same
/// place; or else it is the host's.
async fn named_at(visitor: &Visitor, url: &Url, chart: &mut Chart) -> Result<ServerName, RunError> {
    let keys =
        url.join("/_matrix/key/v2/server").map_err(|error| RunError::Usage(format!("{url}: {error}")))?;
    let said = visitor.get(&keys).await.ok().and_then(|(answer, _)| {
        let name = answer.json.as_ref()?.get("server_name")?.as_str()?;
        ServerName::parse(name).ok()
    });
    if let Some(name) = said {
        chart.step("", format!("{keys} says that the server name is {name}"));
        return Ok(name);
    }
    let host = url.host_str().unwrap_or_default();
    let name = ServerName::parse(host)
        .map_err(|error| RunError::Usage(format!("{url}: {error}; give the server name instead")))?;
    chart.step(
        "",
        format!("{keys} does not say the server name; {name} is taken for it, as the host of the URL"),
    );
    Ok(name)
}
