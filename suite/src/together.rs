//! Real servers with each other: what users of one have from a room of another, in both positions, and whether servers that were
//! cut off from each other agree again.
//!
//! Every server is known to the others by a [gate](gate) that can be closed. Processes find each other's gates on loopback by their
//! ports, containers by the gateways of the networks that each of them has for itself. The [scenes](scenes) are functions of a host, where a
//! room begins, and a guest; each is played with every server in either position.

mod gate;
mod scenes;

use std::{net::Ipv4Addr, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    RunError,
    cast::Homeserver,
    scene::Scene as Scenery,
    target::{Place, Source, Surroundings, Target},
    trial::{Trial, TrialSettings},
    verdict::Stop,
};

use self::{gate::Gate, scenes::SCENES};

/// How long a scene may take.
const LIMIT: Duration = Duration::from_secs(180);

/// What came of one scene.
#[derive(Clone, Debug)]
pub struct Played {
    /// The name of the scene.
    pub scene: &'static str,
    /// What it shows, in a sentence.
    pub says: &'static str,
    /// Where the text says so.
    pub spec: &'static str,
    /// The server where the room began.
    pub host: String,
    /// The other one.
    pub guest: String,
    /// Why it did not come out as it has to; nothing where it did.
    pub stopped: Option<Stop>,
    /// How long it took.
    pub took: Duration,
}

/// Servers among each other.
struct Company {
    members: Vec<Member>,
}

/// One of them.
struct Member {
    name: String,
    target: Arc<Target>,
    trial: Arc<Trial>,
    gate: Gate,
}

/// Two servers in a scene.
struct Pair<'a> {
    host: Homeserver,
    guest: Homeserver,
    company: &'a Company,
}

/// Plays the scenes whose names begin with one of `only`, with every two of the servers in either position; `tell` is called after
/// each.
///
/// # Errors
/// When a server cannot be started, or is not started from a target file: servers that are up do not know each other.
pub async fn together(
    sources: &[Source],
    only: &[String],
    mut tell: impl FnMut(&Played),
) -> Result<Vec<Played>, RunError> {
    let is_wanted =
        |name: &str| only.is_empty() || only.iter().any(|prefix| name.starts_with(prefix.as_str()));
    let scenes: Vec<_> = SCENES.iter().filter(|scene| is_wanted(scene.name)).collect();
    if scenes.is_empty() {
        let names: Vec<_> = SCENES.iter().map(|scene| scene.name).collect();
        return Err(RunError::Usage(format!("no scene begins so; there are {}", names.join(", "))));
    }
    let company = Company::gather(sources).await?;
    let mut all = Vec::new();
    for (host, guest) in company.pairs() {
        for scene in &scenes {
            let scenery = || Scenery::new(LIMIT);
            let pair = Pair {
                host: host.trial.homeserver(scenery()),
                guest: guest.trial.homeserver(scenery()),
                company: &company,
            };
            let begun = Instant::now();
            let stopped = (scene.play)(&pair).await.err();
            company.open();
            let (host, guest) = (host.name.clone(), guest.name.clone());
            let took = begun.elapsed();
            let played =
                Played { scene: scene.name, says: scene.says, spec: scene.spec, host, guest, stopped, took };
            tell(&played);
            all.push(played);
        }
    }
    for member in &company.members {
        member.target.end();
    }
    Ok(all)
}

/// Where servers that are started in containers are put; processes need no such place.
async fn places(sources: &[Source]) -> Result<Vec<Option<Place>>, RunError> {
    let contained = sources.iter().map(Source::is_contained).collect::<Result<Vec<_>, _>>()?;
    match contained.iter().filter(|contained| **contained).count() {
        0 => Ok(sources.iter().map(|_| None).collect()),
        all if all == sources.len() => Ok(Place::several(all).await?.into_iter().map(Some).collect()),
        _ => Err(RunError::Usage(
            "a server in a container and one that is not have no name for each other by which both are found: put all of them \
             into containers, or none"
                .to_owned(),
        )),
    }
}

impl Company {
    /// Starts the servers; they trust the same authority.
    async fn gather(sources: &[Source]) -> Result<Self, RunError> {
        let fault = |stop: Stop| RunError::Fault(stop.to_string());
        let common = Surroundings::of(sources)?;
        let mut members: Vec<Member> = Vec::new();
        for (source, place) in sources.iter().zip(places(sources).await?) {
            let at = place.as_ref().map_or((Ipv4Addr::LOCALHOST.into(), 0), |place| (place.gateway(), 8448));
            let mut gate = Gate::build(at).await.map_err(fault)?;
            let known_port = Some(gate.port()).filter(|_| place.is_none());
            let surroundings = Surroundings { known_port, place, ..common.clone() };
            let target = Target::reach_in(source, NonZeroUsize::MIN, 1.0, &surroundings).await?;
            let federation = target.instances.first().and_then(|instance| instance.federation.clone());
            let federation = federation.ok_or_else(|| {
                RunError::Usage(format!("{source}: only servers that a target file launches know each other"))
            })?;
            gate.lead_to(&federation);
            let settings = TrialSettings { release: None, time_scale: 1.0 };
            let trial = Trial::begin(target.clone(), &settings).await.map_err(fault)?;
            let namesakes = members.iter().filter(|other| other.target.name == target.name).count();
            let name = match namesakes {
                0 => target.name.clone(),
                more => format!("{} {}", target.name, more + 1),
            };
            members.push(Member { name, target, trial, gate });
        }
        Ok(Company { members })
    }

    /// Every two, in either position.
    fn pairs(&self) -> impl Iterator<Item = (&Member, &Member)> {
        let others =
            |number: usize| self.members.iter().enumerate().filter(move |(other, _)| *other != number);
        let with_others = move |(number, host)| others(number).map(move |(_, guest)| (host, guest));
        self.members.iter().enumerate().flat_map(with_others)
    }

    /// All servers but one, in the scene of that one.
    fn others_than(&self, one: &Homeserver) -> impl Iterator<Item = Homeserver> {
        let others = self.members.iter().filter(|member| member.trial.server_name != one.name());
        others.map(|member| member.trial.homeserver(one.scene().clone()))
    }

    /// Cuts all servers off from each other.
    fn close(&self) {
        self.members.iter().for_each(|member| member.gate.close());
    }

    /// Lets them reach each other again.
    fn open(&self) {
        self.members.iter().for_each(|member| member.gate.open());
    }
}
