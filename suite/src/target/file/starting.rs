//! How the servers of a target file are started: as processes, or in containers.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use url::Url;

use super::{
    TargetFile,
    sections::{ContainerSection, LaunchSection, TemplateSection},
};
use crate::target::{
    Federation, Instance, Neighbours, Running, Surroundings, TargetError, Whereabouts,
    container::{Berth, Order},
    engine::Engine,
    process::{Ground, Launch},
    values::Values,
};

/// What all servers of a target are started with.
pub(super) struct Circumstances<'a> {
    pub(super) own: &'a Values,
    pub(super) surroundings: &'a Surroundings,
    pub(super) count: NonZeroUsize,
    pub(super) http: &'a reqwest::Client,
    pub(super) time_scale: f64,
}

/// Servers that are up, and who is around them.
pub(super) struct Reached {
    pub(super) instances: Vec<Instance>,
    pub(super) federation: Option<Federation>,
    pub(super) neighbours: Option<Neighbours>,
    pub(super) whereabouts: Whereabouts,
    /// The version of the image that they were started from.
    pub(super) version: Option<String>,
    /// What turned out about them that matters to whoever reads the record.
    pub(super) notes: Vec<String>,
}

impl Reached {
    /// A server that was up before.
    pub(super) fn of(url: &Url) -> Self {
        Reached {
            instances: vec![Instance::new(url.clone(), None, None)],
            federation: None,
            neighbours: None,
            whereabouts: Whereabouts::loopback(),
            version: None,
            notes: Vec::new(),
        }
    }
}

/// Between the moment in which a free port is found and that in which the server listens there, somebody else may take it. The
/// operating system words it so, and so do the logs of servers.
const PORT_TAKEN: [&str; 2] = ["ddress already in use", "port is already allocated"];
/// How often another port is tried then.
const RETRIES: usize = 3;

/// Whether a server that did not come up is given another port.
fn again(error: TargetError, retries: &mut usize) -> Result<(), TargetError> {
    match &error {
        TargetError::Unreachable(why)
            if *retries > 0 && PORT_TAKEN.iter().any(|words| why.contains(words)) =>
        {
            *retries -= 1;
            Ok(())
        }
        _ => Err(error),
    }
}

impl TargetFile {
    /// Launches processes.
    pub(super) async fn launch(
        &self,
        launch: &LaunchSection,
        circumstances: &Circumstances<'_>,
    ) -> Result<Reached, TargetError> {
        let authority = &circumstances.surroundings.authority;
        let (mut instances, mut neighbours) = (Vec::new(), None);
        let mut retries = RETRIES;
        while instances.len() < circumstances.count.get() {
            let ground = Ground::prepare(authority, circumstances.surroundings.known_port)?;
            let values = circumstances.own.with(ground.variables());
            let order = self.order(launch, &values, circumstances.time_scale)?;
            let (client, federation) = (ground.client_url()?, ground.federation_url()?);
            match ground.start(order, circumstances.http).await {
                Ok((process, its)) => {
                    neighbours.get_or_insert(its);
                    let running = Some(Running::Process(process));
                    instances.push(Instance::new(client, Some(federation), running));
                }
                Err(error) => again(error, &mut retries)?,
            }
        }
        let whereabouts = Whereabouts::loopback();
        let federation = Some(Federation::new(authority.clone(), whereabouts.clone())?);
        Ok(Reached { instances, federation, neighbours, whereabouts, version: None, notes: Vec::new() })
    }

    /// Starts containers, in a network of their own.
    pub(super) async fn contain(
        &self,
        section: &ContainerSection,
        circumstances: &Circumstances<'_>,
    ) -> Result<Reached, TargetError> {
        let Circumstances { own, surroundings, count, http, .. } = circumstances;
        let (authority, place) = (&surroundings.authority, surroundings.place.as_ref());
        let image = own.fill(self.image.as_ref().unwrap_or(&section.image))?;
        let engine = Engine::reach().await?;
        let version = engine.image(&image).await?.version;
        let network = match place {
            Some(place) => place.network.clone(),
            None => engine.network().await?,
        };
        let (mut instances, mut neighbours) = (Vec::new(), None);
        let mut retries = RETRIES;
        while instances.len() < count.get() {
            let name = place.map_or_else(|| format!("hs{}", instances.len() + 1), |place| place.name.clone());
            let others = place.map(|place| place.others.clone()).unwrap_or_default();
            let berth = Berth::prepare(network.clone(), name.clone(), others)?;
            let values = own.with(berth.variables());
            let order = self.order_for_container(&image, section, &values, circumstances.time_scale)?;
            let (client, federation) = (berth.client_url()?, berth.federation_url()?);
            match berth.start(order, authority, http).await {
                Ok((container, its)) => {
                    neighbours.get_or_insert(its);
                    let running = Some(Running::Container(container));
                    instances.push(Instance::new(client, Some(federation), running).known_as(name));
                }
                Err(error) => again(error, &mut retries)?,
            }
        }
        let whereabouts = Whereabouts::of_containers(network.gateway);
        let url = instances.first().and_then(Instance::certified_url);
        let url = url.ok_or_else(|| TargetError::Usage("no container was wanted".to_owned()))?;
        let (federation, wrong) =
            Federation::with_container(authority.clone(), whereabouts.clone(), &url).await?;
        let unverified = |why| format!("the certificate of its federation listener is not verified: {why}");
        let (federation, notes) = (Some(federation), wrong.into_iter().map(unverified).collect());
        Ok(Reached { instances, federation, neighbours, whereabouts, version, notes })
    }

    /// The texts of its files, and where they are to stand.
    fn texts(&self, values: &Values) -> Result<Vec<(String, String)>, TargetError> {
        let text = |file: &TemplateSection| {
            Ok((values.fill(&file.to)?, values.fill(&self.place.text(&file.template)?)?))
        };
        self.files.iter().map(text).collect()
    }

    /// Writes the files of one instance and says how it is started.
    fn order(&self, launch: &LaunchSection, values: &Values, time_scale: f64) -> Result<Launch, TargetError> {
        let program = values.fill(&launch.program)?;
        if program.contains('/') && !Path::new(&program).exists() {
            let setup = self.setup.as_deref().unwrap_or("see the documentation of the server");
            return Err(TargetError::Usage(format!(
                "{program} does not exist; to install {}: {setup}",
                self.name
            )));
        }
        for (to, text) in self.texts(values)? {
            std::fs::write(&to, text)
                .map_err(|error| TargetError::Usage(format!("cannot write {to}: {error}")))?;
        }
        Ok(Launch {
            program,
            arguments: values.fill_all(&launch.arguments)?,
            environment: values.fill_environment(&launch.environment)?,
            stop: launch.stop,
            ready_path: self.ready.path.clone(),
            ready_within_ms: (self.ready.within_ms as f64 * time_scale) as u64,
        })
    }

    /// Says how one container is started.
    fn order_for_container(
        &self,
        image: &str,
        section: &ContainerSection,
        values: &Values,
        time_scale: f64,
    ) -> Result<Order, TargetError> {
        Ok(Order {
            image: image.to_owned(),
            arguments: values.fill_all(&section.arguments)?,
            environment: values.fill_environment(&section.environment)?,
            files: self.texts(values)?,
            cpus: section.cpus,
            memory_mib: section.memory_mib,
            ready_path: self.ready.path.clone(),
            ready_within: Duration::from_millis(self.ready.within_ms).mul_f64(time_scale),
        })
    }
}
