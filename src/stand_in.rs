//! `determinant stand-in`: a service that homeservers call, until it is interrupted.

use std::{fmt::Write, process::ExitCode};

use serde_json::{Value, json};
use suite::{
    judge::Sighting,
    stand_in::{Letter, Manner, Part, StandIn},
};

use crate::{Failure, arguments, harness, say};

pub(crate) fn stand_in(arguments: &arguments::StandIn) -> Result<ExitCode, Failure> {
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failure::Fault(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let mut interrupted = harness::interrupted()?;
        let mut stand_in = open(arguments)?;
        loop {
            tokio::select! {
                request = stand_in.request() => match request {
                    Some(request) if arguments.json => say(in_json(&request, &stand_in.letters())),
                    Some(request) => say(in_words(&request, &stand_in.letters())),
                    None => break,
                },
                () = &mut interrupted => break,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Listens, and says what the server has to be told.
fn open(arguments: &arguments::StandIn) -> Result<StandIn, Failure> {
    let manner = Manner { refused: arguments.refuse.clone(), homeserver: arguments.homeserver.clone() };
    let opened = StandIn::open(arguments.part, arguments.listen, &manner);
    let stand_in = opened?;
    if let (Some(path), Some(certificate)) = (&arguments.ca_file, stand_in.certificate()) {
        std::fs::write(path, certificate)
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
    }
    let scheme = if arguments.part == Part::ApplicationService { "http" } else { "https" };
    let url = format!("{scheme}://{}", stand_in.address());
    if arguments.json {
        let (configuration, certificate) = (stand_in.configuration(), stand_in.certificate());
        say(json!({"url": url, "configuration": configuration, "certificate": certificate}));
        return Ok(stand_in);
    }
    say(format!("Listens on {url}. The server has to be told:\n\n{}", stand_in.configuration()));
    match (&arguments.ca_file, stand_in.certificate()) {
        (_, None) => {}
        (Some(path), Some(_)) => say(format!("and to trust the certificate in {}.\n", path.display())),
        (None, Some(certificate)) => say(format!("and to trust this certificate:\n\n{certificate}")),
    }
    Ok(stand_in)
}

/// A request as a person reads it.
fn in_words(request: &Sighting, letters: &[Letter]) -> String {
    let exchange = request.exchange.recorded();
    let mut text = format!("{} {} → {}", exchange.method, exchange.url, request.exchange.response.in_short());
    for line in pretty(exchange.request_body.as_deref().unwrap_or_default()).lines() {
        let _ = write!(text, "\n  │ {line}");
    }
    for problem in &request.problems {
        let _ = write!(text, "\n  WRONG  {problem}");
    }
    for letter in letters {
        let _ = write!(text, "\n  to {}: {}", letter.to, letter.text);
    }
    text
}

fn pretty(body: &str) -> String {
    serde_json::from_str::<Value>(body).map_or_else(|_| body.to_owned(), |json| format!("{json:#}"))
}

/// A request as a program reads it.
fn in_json(request: &Sighting, letters: &[Letter]) -> Value {
    let exchange = request.exchange.recorded();
    let letters: Vec<Value> = letters
        .iter()
        .map(|letter| json!({"to": letter.to, "text": letter.text, "token": letter.token}))
        .collect();
    json!({
        "method": exchange.method, "target": exchange.url,
        "operation": request.exchange.operation.map(|operation| &operation.id),
        "body": exchange.request_body, "status": exchange.status, "problems": request.problems,
        "letters": letters,
    })
}
