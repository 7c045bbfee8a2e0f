//! A load run, from the first account to the last answer.

mod measuring;
mod planned;
mod verdict;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reports::load::{Live, LoadRecord};
use url::Url;

use crate::{
    client::Calls,
    connection::{Problem, Server},
    federation::{Federation, Peering},
    homes::{Home, Homes, House},
    machine,
    objective::Demand,
    operation::Operation,
    population::{Hears, Order, Population, Registration},
    profile::{Course, Profile, Shard},
    prometheus::Offer,
    request,
};

/// Requests per second that a server elsewhere is burdened with at most, unless the caller says otherwise.
pub const USUAL_MOST_RATE: f64 = 50.0;

/// A server that is up, and what is known of it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its client-server API.
    pub url: Url,
    /// PEM file of authorities that it is verified with, beside those of the system.
    pub certificates: Option<PathBuf>,
    /// How accounts are made.
    pub registration: Registration,
    /// Another server that federates with it, where some users have their accounts.
    pub elsewhere: Option<Elsewhere>,
    /// Its process, where it is on this machine and known.
    pub process: Option<u32>,
    /// How scripted servers federate with it, where they can.
    pub peering: Option<Peering>,
    /// What the record says of it.
    pub target: reports::Target,
}

/// A server beside the one that is burdened.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Its client-server API.
    pub url: Url,
    /// How accounts are made.
    pub registration: Registration,
}

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workload.
    pub profile: Profile,
    /// How many users are active.
    pub users: u32,
    /// For how long arrivals are due.
    pub span: Duration,
    /// Every choice follows from it.
    pub seed: u64,
    /// How the rates change, where the profile is overruled.
    pub course: Option<Course>,
    /// How long an answer may take.
    pub within: Duration,
    /// How many requests make the population at once.
    pub hands: usize,
    /// Which part of the run this process drives.
    pub shard: Shard,
    /// What the record calls this traffic.
    pub traffic: &'static str,
    /// How calls go.
    pub calls: Calls,
    /// A Prometheus endpoint of the server.
    pub metrics: Option<Url>,
    /// Where the metrics of the run are offered while it goes.
    pub offer: Offer,
    /// When the run starts, where several processes have to agree.
    pub start_at: Option<SystemTime>,
    /// What is demanded of it.
    pub demands: Vec<Demand>,
    /// How late slots may be taken up, at the 99th percentile, before the run is void.
    pub most_lag: Duration,
    /// Requests per second at most.
    pub most_rate: Option<f64>,
    /// The server is the caller's own.
    pub owned: bool,
    /// The command line.
    pub command: String,
    /// Where the record is kept while the run goes.
    pub record: Option<PathBuf>,
}

impl Settings {
    /// So many calls begin in a second, whatever the profile says.
    ///
    /// # Errors
    /// When nobody calls anybody in the profile.
    pub fn set_calls_per_second(&mut self, rate: f64) -> Result<(), RunError> {
        let users = self.users;
        let profile = self.profile.clone();
        let calls = self.profile.actions.iter_mut().find(|action| action.operation == Operation::Call);
        let calls =
            calls.ok_or_else(|| RunError::Usage(format!("nobody calls anybody in {}", profile.name)))?;
        let callers = profile.active_in(profile.group(calls), users).max(1);
        calls.per_hour = rate * 3600.0 / callers as f64;
        Ok(())
    }

    /// Whoever is called is a user of another server.
    ///
    /// # Errors
    /// When nobody calls anybody in the profile, or everybody does.
    pub fn set_callees_elsewhere(&mut self) -> Result<(), RunError> {
        let profile = &mut self.profile;
        let calls = profile.actions.iter().find(|action| action.operation == Operation::Call);
        let callers = calls.and_then(|calls| profile.group(calls)).ok_or_else(|| {
            RunError::Usage(format!(
                "no group of {} calls another: `by` of a call names who does",
                profile.name
            ))
        })?;
        for (place, group) in profile.groups.iter_mut().enumerate() {
            group.elsewhere = place != callers;
        }
        Ok(())
    }

    /// How many scripted servers take part.
    #[must_use]
    pub fn servers(&self) -> u32 {
        self.profile.servers.as_ref().map_or(0, |servers| servers.count)
    }

    /// How long an action may go on beside waiting for answers: calls ring and talk.
    fn longest_action(&self) -> Duration {
        let calls = self.profile.actions.iter().any(|action| action.operation == Operation::Call);
        Duration::from_secs(1) + if calls { self.calls.ring + self.calls.talk } else { Duration::ZERO }
    }
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The caller's input is wrong.
    #[error("{0}")]
    Usage(String),
    /// The target or this machine failed before anything was measured.
    #[error("{0}")]
    Fault(String),
}

/// A server with a population, for one run after the other.
#[derive(Debug)]
pub struct Rig<'r> {
    endpoint: &'r Endpoint,
    homes: Homes,
    population: Population,
    cells: Vec<u32>,
    population_ms: f64,
    federation: Option<Arc<Federation>>,
    live: &'r Live,
}

impl<'r> Rig<'r> {
    /// Reaches the server, and sees that it may be burdened.
    ///
    /// # Errors
    /// When it cannot be reached, or is elsewhere and not said to be the caller's own.
    pub async fn reach(
        endpoint: &'r Endpoint,
        settings: &Settings,
        live: &'r Live,
    ) -> Result<Self, RunError> {
        let here = reach(&endpoint.url, endpoint.certificates.as_deref(), settings).await?;
        let here = House { server: here, registration: endpoint.registration.clone() };
        let elsewhere = match &endpoint.elsewhere {
            Some(Elsewhere { url, registration }) => {
                Some(House { server: reach(url, None, settings).await?, registration: registration.clone() })
            }
            None if settings.profile.is_spread() => {
                return Err(RunError::Usage(format!(
                    "users of {} are on another server, and none is named: --across does",
                    settings.profile.name
                )));
            }
            None => None,
        };
        let rig = Rig {
            endpoint,
            homes: Homes { here, elsewhere },
            population: Population::default(),
            cells: Vec::new(),
            population_ms: 0.0,
            federation: None,
            live,
        };
        rig.probe(settings.within).await.map_err(|problem| {
            RunError::Fault(format!("{} does not serve the client-server API: {problem}", endpoint.url))
        })?;
        Ok(rig)
    }

    /// Asks for what every homeserver answers to everybody.
    async fn probe(&self, within: Duration) -> Result<(), Problem> {
        let versions = request::get("/_matrix/client/versions", None);
        self.homes.lane(Home::Here).success(versions, within).await.map(drop)
    }

    /// The server that is burdened.
    fn server(&self) -> &Arc<Server> {
        &self.homes.here.server
    }

    /// The process of the server: the one that was started, or whoever listens on its port of this machine.
    fn process(&self) -> Option<u32> {
        let listening =
            || self.server().port().filter(|_| self.server().is_loopback()).and_then(machine::listening_on);
        self.endpoint.process.or_else(listening)
    }

    /// Makes what is missing of the population of so many active users.
    async fn populate(&mut self, settings: &Settings) -> Result<(), RunError> {
        let owned = cells_of(settings)?;
        let known: HashSet<u32> = self.cells.iter().copied().collect();
        let missing: Vec<u32> = owned.iter().copied().filter(|cell| !known.contains(cell)).collect();
        let begun = std::time::Instant::now();
        if !missing.is_empty() {
            let order = Order {
                profile: settings.profile.clone(),
                cells: missing.clone(),
                seed: settings.seed,
                hands: settings.hands,
                within: settings.within,
            };
            let grown = self.population.grow(&self.homes, &order, &Progress(self.live)).await;
            grown.map_err(|problem| RunError::Fault(self.unpopulated(&problem)))?;
            self.cells.extend(missing);
            self.federate(settings).await?;
            self.population_ms += begun.elapsed().as_secs_f64() * 1e3;
        }
        self.population.activate(&settings.profile, &self.cells, settings.users);
        Ok(())
    }

    /// Brings the scripted servers of the profile into the rooms of the population.
    async fn federate(&mut self, settings: &Settings) -> Result<(), RunError> {
        if settings.profile.servers.is_none() {
            return Ok(());
        }
        let failed = |problem: Problem| {
            RunError::Fault(format!(
                "scripted servers could not join rooms of {}: {problem}",
                self.endpoint.url
            ))
        };
        if self.federation.is_none() {
            let peering = self.endpoint.peering.as_ref().ok_or_else(|| {
                RunError::Usage("federation needs a server that a target file launches: no other one knows, and trusts, servers of the run".to_owned())
            })?;
            let name = self.population.users.first().and_then(|user| user.id.split_once(':'));
            let name = name.map_or("", |(_, name)| name);
            self.federation = Some(Arc::new(Federation::open(peering, name).await.map_err(failed)?));
        }
        let Some(federation) = self.federation.clone() else { return Ok(()) };
        let progress = Progress(self.live);
        let entered = federation.enter(
            &mut self.population,
            &settings.profile,
            settings.hands,
            settings.within,
            &progress,
        );
        entered.await.map_err(failed)
    }

    fn unpopulated(&self, problem: &Problem) -> String {
        let hint = match problem {
            Problem::Status { status: 401 | 403, .. } => {
                "; open registration with the m.login.dummy stage, or name a [registration] method in a target file"
            }
            _ => "; the same --seed goes on where this ended",
        };
        format!("the population could not be made on {}: {problem}{hint}", self.endpoint.url)
    }

    /// Drives one run of these settings and gives its record.
    ///
    /// # Errors
    /// When nothing could be measured.
    pub async fn measure(
        &mut self,
        settings: &Settings,
        cancelled: impl Future<Output = ()>,
    ) -> Result<LoadRecord, RunError> {
        let mut cancelled = std::pin::pin!(cancelled);
        tokio::select! {
            populated = self.populate(settings) => populated?,
            () = &mut cancelled => return Err(RunError::Fault("interrupted while the population was made; the same --seed goes on where this ended".to_owned())),
        }
        measuring::measure(self, settings, cancelled).await
    }
}

/// Finds a server, and sees that it may be burdened.
async fn reach(url: &Url, certificates: Option<&Path>, settings: &Settings) -> Result<Arc<Server>, RunError> {
    let server = Server::resolve(url, certificates).await;
    let server = server.map_err(|error| RunError::Usage(error.to_string()))?;
    if !server.is_loopback() && !settings.owned {
        return Err(RunError::Usage(format!(
            "{url} is not on this machine; load is put to a server elsewhere only with --i-own-this-server"
        )));
    }
    Ok(Arc::new(server))
}

/// The cells of the part of the run that is driven here.
fn cells_of(settings: &Settings) -> Result<Vec<u32>, RunError> {
    let cells = settings.users.div_ceil(settings.profile.users().max(1));
    if settings.users == 0 {
        return Err(RunError::Usage("a run needs at least one user".to_owned()));
    }
    let owned: Vec<u32> = (0..cells).filter(|cell| settings.shard.owns(u64::from(*cell))).collect();
    if owned.is_empty() {
        return Err(RunError::Usage(format!(
            "part {} of {} owns nobody: users who share rooms stay in one process, and {} of {} make {cells} of {}; give --users {} or more",
            settings.shard.index,
            settings.shard.of,
            settings.users,
            settings.profile.name,
            if cells == 1 { "cell" } else { "cells" },
            u64::from(settings.profile.users()) * u64::from(settings.shard.of),
        )));
    }
    Ok(owned)
}

struct Progress<'l>(&'l Live);

impl Hears for Progress<'_> {
    fn made(&self, what: &'static str, done: usize, of: usize) {
        self.0.made(what, done, of);
    }
}
