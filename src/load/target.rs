//! The target of a load run, reached or started just as the suite does it.

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use loadgen::{
    federation::{Peering, Place},
    population::Registration,
    run::{Elsewhere, Endpoint},
};
use reports::load::LoadRecord;
use suite::{
    cast::neighbour::turn_server::TurnServer,
    target::{RegistrationMethod, Source, Surroundings, Target, TargetError},
    verdict::Stop,
};
use url::Url;

use crate::{Failure, run::reference_server};

/// A server that is up; one that was started ends with it.
pub(super) struct Reached {
    pub(super) endpoint: Endpoint,
    target: Arc<Target>,
    _elsewhere: Option<Arc<Target>>,
    /// Ends with this.
    turn: Option<TurnServer>,
}

impl Reached {
    /// Reaches or starts it; so many scripted servers are to federate with it.
    pub(super) async fn reach(
        target: Option<&Path>,
        url: Option<Url>,
        servers: u32,
    ) -> Result<Self, Failure> {
        let source = url.map_or_else(|| launched(target), Source::Url);
        if servers > 0 {
            uncontained(&source)?;
        }
        let target = Target::reach(&source, NonZeroUsize::MIN, 1.0).await.map_err(unreached)?;
        let peering = if servers == 0 { None } else { Some(peering(&target, servers)?) };
        let endpoint = Endpoint {
            url: client(&target)?,
            certificates: target.certificates.clone(),
            registration: registration(&target.registration),
            elsewhere: None,
            process: target.process_id(),
            peering,
            target: reports::Target {
                name: target.name.clone(),
                version: target.version.clone(),
                notes: target.notes.clone(),
            },
        };
        Ok(Reached { endpoint, target, _elsewhere: None, turn: None })
    }

    /// Starts two that federate with each other: the one that is burdened, and the one where others have their accounts. Without a
    /// file, either is a built-in one.
    pub(super) async fn reach_two(target: Option<&Path>, elsewhere: Option<&Path>) -> Result<Self, Failure> {
        let sources = [launched(target), launched(elsewhere)];
        sources.iter().try_for_each(uncontained)?;
        let surroundings = Surroundings::of(&sources).map_err(unreached)?;
        let start = async |source: &Source| {
            Target::reach_in(source, NonZeroUsize::MIN, 1.0, &surroundings).await.map_err(unreached)
        };
        let [target, other] = &sources;
        let (target, other) = (start(target).await?, start(other).await?);
        let mut notes = target.notes.clone();
        notes.push(format!(
            "those who are called are users of another server, {} {}",
            other.name,
            other.version.as_deref().unwrap_or_default()
        ));
        let endpoint = Endpoint {
            url: client(&target)?,
            certificates: None,
            registration: registration(&target.registration),
            elsewhere: Some(Elsewhere {
                url: client(&other)?,
                registration: registration(&other.registration),
            }),
            process: target.process_id(),
            peering: None,
            target: reports::Target { name: target.name.clone(), version: target.version.clone(), notes },
        };
        Ok(Reached { endpoint, target, _elsewhere: Some(other), turn: None })
    }

    /// With the TURN server that the server was told of, where it was launched.
    pub(super) async fn with_turn(mut self, within: Duration) -> Result<Self, Failure> {
        if self.target.process_id().is_some() {
            self.turn = Some(TurnServer::beside(&self.target, within).await.map_err(stopped)?);
        }
        Ok(self)
    }

    /// Tells what only its owner knows of the server: that its process has ended, and what it said last.
    pub(super) fn tell(&self, record: &mut LoadRecord) {
        if let Some(status) = self.target.ended() {
            let log = self.target.log_since(0);
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(5)..].join(" / ");
            let words = if last.is_empty() { String::new() } else { format!("; it said last: {last}") };
            record.fault = Some(format!("its process ended during the run ({status}){words}"));
        }
    }
}

/// Servers of a load run call each other `localhost`, which is another machine in a container.
fn uncontained(source: &Source) -> Result<(), Failure> {
    if source.is_contained().map_err(unreached)? {
        return Err(Failure::Usage(format!(
            "{source}: a server in a container cannot be burdened by other servers; launch it as a process"
        )));
    }
    Ok(())
}

fn launched(target: Option<&Path>) -> Source {
    target.map_or_else(|| reference_server(&[], false), |path| Source::File(path.to_owned()))
}

fn client(target: &Target) -> Result<Url, Failure> {
    let instance = target.instances.first();
    let url = instance.map(|instance| instance.client.clone());
    url.ok_or_else(|| Failure::Fault(format!("no instance of {} was started", target.name)))
}

fn stopped(stop: Stop) -> Failure {
    match stop {
        Stop::NotApplicable(why) => Failure::Usage(why),
        other => Failure::Fault(other.to_string()),
    }
}

fn unreached(error: TargetError) -> Failure {
    match error {
        TargetError::Usage(words) => Failure::Usage(words),
        TargetError::Unreachable(words) => Failure::Fault(words),
    }
}

/// Where so many scripted servers listen, and how they reach the server.
fn peering(target: &Target, servers: u32) -> Result<Peering, Failure> {
    let federation = target.federation().map_err(stopped)?;
    let url = target.instances.first().and_then(|instance| instance.federation.clone());
    let place = |_| {
        let (listener, tls) = federation.place().map_err(|error| Failure::Fault(error.to_string()))?;
        Ok(Arc::new(Place { listener, tls: Arc::new(tls) }))
    };
    Ok(Peering {
        url: url.ok_or_else(|| Failure::Usage(format!("{} has no federation address", target.name)))?,
        authority: federation.authority_pem(),
        places: (0..servers).map(place).collect::<Result<_, Failure>>()?,
    })
}

fn registration(method: &RegistrationMethod) -> Registration {
    match method {
        RegistrationMethod::Dummy => Registration::Dummy,
        RegistrationMethod::Token { token } => Registration::Token(token.clone()),
        RegistrationMethod::SharedSecret { path, secret } => {
            Registration::SharedSecret { path: path.clone(), secret: secret.clone() }
        }
    }
}
