//! `determinant serve`: the reference homeserver, until it is told to end.

use std::process::ExitCode;

use reference_server::{Config, misbehave::Fault};
use tracing_subscriber::EnvFilter;

use crate::{Failure, arguments, harness, say};

pub(crate) fn serve(arguments: &arguments::Serve) -> Result<ExitCode, Failure> {
    if arguments.list_faults {
        for fault in Fault::all() {
            say(format!("{:<40} {}", fault.name(), fault.sentence()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let filter = EnvFilter::try_from_env("DETERMINANT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = config(arguments)?;
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::Fault(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let interrupted = harness::interrupted()?;
        let running =
            reference_server::start(config).await.map_err(|error| Failure::Fault(error.to_string()))?;
        say(format!("clients: http://{}", running.client_address()));
        if let Some(address) = running.federation_address() {
            say(format!("federation: https://{address}"));
        }
        interrupted.await;
        running.shut_down().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The configuration file, overruled by the command line.
fn config(arguments: &arguments::Serve) -> Result<Config, Failure> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path).map_err(|error| Failure::Usage(error.to_string()))?,
        None => Config::new("localhost"),
    };
    if let Some(name) = &arguments.server_name {
        config.server_name.clone_from(name);
    }
    if let Some(address) = arguments.listen {
        config.client.listen = address;
    }
    if arguments.nameserver.is_some() {
        config.outgoing.nameserver = arguments.nameserver;
    }
    config.misbehave.extend(&arguments.misbehave);
    if let Some(folder) = &arguments.data {
        config.data = Some(folder.clone());
    }
    Ok(config)
}
