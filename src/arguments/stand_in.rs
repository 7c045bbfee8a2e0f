//! The command line of `determinant stand-in`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use suite::stand_in::Part;

/// Stand in for a service that homeservers call, so that a server can be pointed at it by hand.
///
/// It listens until it is interrupted, behaves well, and prints every request: method and path, body, answer, and what is wrong
/// with the request. First it prints what to put into the configuration of the server.
#[derive(Debug, Args)]
pub(crate) struct StandIn {
    /// What it stands in for: identity, push, appservice or policy.
    #[arg(value_name = "SERVICE")]
    pub(crate) part: Part,
    /// Listen here, on loopback; port 0 chooses one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) listen: SocketAddr,
    /// Write the certificate that the server has to trust to this file. Without it, it is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// As a policy server, refuse to sign messages that contain this.
    #[arg(long, value_name = "TEXT", default_value = "spam")]
    pub(crate) refuse: String,
    /// As an identity server, ask the homeserver whose server-server API is here whose an OpenID token is, and tell it of addresses
    /// that were bound. Without it, nobody can register with the identity server. Its certificate has to be one that the system
    /// trusts, or the environment variable SSL_CERT_FILE.
    #[arg(long, value_name = "URL")]
    pub(crate) homeserver: Option<url::Url>,
    /// Print one JSON object for every request, and nothing else but one for the configuration before.
    #[arg(long)]
    pub(crate) json: bool,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err("expected an address of this machine only, such as 127.0.0.1:9000".to_owned()),
        Err(_) => Err("expected an address and a port, such as 127.0.0.1:9000".to_owned()),
    }
}
