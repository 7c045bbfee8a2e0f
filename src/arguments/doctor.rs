//! The command line of `determinant doctor`.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Args;
use protocol::identifiers::ServerName;
use suite::doctor::{ConnectTo, Subject};
use url::Url;

/// Look at a live deployment as any stranger can, without an account: how it is found, and what it shows of itself.
///
/// Follows the server discovery of the specification step by step, and looks at certificates, keys, versions, CORS headers,
/// clocks, and what a proxy may have in its way. Only public documents are asked for. What the specification obliges to is a
/// failure where it is broken, what it recommends is advice, anything else a note; each says what to do.
///
/// Exit codes: 0 nothing is broken, 1 something is, 2 wrong usage, 3 nothing of the server answers.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A server name, such as example.org, or the URL of a client-server API, such as http://localhost:8008.
    #[arg(value_name = "SERVER-NAME|URL", value_parser = subject)]
    pub(crate) subject: Subject,
    /// Connect there instead of where a host and port lead, such as example.org:443:127.0.0.1:8443; may be given several times.
    #[arg(long, value_name = "HOST:PORT:ADDRESS:PORT", value_parser = ConnectTo::from_str)]
    pub(crate) connect_to: Vec<ConnectTo>,
    /// Ask this name server, such as 9.9.9.9:53, instead of those of the system.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) nameserver: Option<SocketAddr>,
    /// A PEM file of certificate authorities that are trusted beside those of the system.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print one JSON object as the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

fn subject(text: &str) -> Result<Subject, String> {
    if text.contains("://") {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        return match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Subject::Url(url)),
            _ => Err("write the URL of a client-server API, such as https://matrix.example.org".to_owned()),
        };
    }
    ServerName::parse(text).map(Subject::Name).map_err(|error| error.to_string())
}
