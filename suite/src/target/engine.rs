//! The engine that runs containers, by Docker's API, and the private network of a run.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use bollard::{
    Docker,
    errors::Error,
    models::NetworkCreateRequest,
    query_parameters::{CreateImageOptionsBuilder, RemoveContainerOptionsBuilder},
};
use futures_util::StreamExt;

use super::TargetError;

/// A label of everything that runs leave behind where they are killed: `docker container prune --filter label=determinant`
/// takes it away.
const LABEL: &str = "determinant";

/// An engine that answers.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) docker: Docker,
}

/// A network of this machine and its containers. It goes with its last owner.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) engine: Engine,
    pub(super) name: String,
    /// The address of this machine in it.
    pub(super) gateway: IpAddr,
}

/// Where a container is put.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its network.
    pub(super) network: Arc<Network>,
    /// Its name.
    pub(crate) name: String,
    /// Other servers that it is to find, and the addresses of this machine that lead to them.
    pub(crate) others: Vec<(String, IpAddr)>,
}

impl Place {
    /// So many, each in a network of its own, from which the others are found by the gateways of theirs.
    pub(crate) async fn several(count: usize) -> Result<Vec<Self>, TargetError> {
        let engine = Engine::reach().await?;
        let mut places = Vec::new();
        for number in 1..=count {
            let (network, name) = (engine.network().await?, format!("hs{number}"));
            places.push(Place { network, name, others: Vec::new() });
        }
        let all: Vec<_> = places.iter().map(|place| (place.name.clone(), place.gateway())).collect();
        for place in &mut places {
            place.others = all.iter().filter(|(name, _)| *name != place.name).cloned().collect();
        }
        Ok(places)
    }

    /// The address of this machine in its network.
    pub(crate) fn gateway(&self) -> IpAddr {
        self.network.gateway
    }
}

/// What an image says of itself.
#[derive(Debug)]
pub(super) struct Image {
    /// Its version as its makers labelled it, or else the beginning of its id.
    pub(super) version: Option<String>,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, or to that of this machine.
    pub(super) async fn reach() -> Result<Self, TargetError> {
        let unreachable = |error: Error| {
            TargetError::Unreachable(format!(
                "no container engine answers: {error}; start Docker (or Podman's service), or say where it is by DOCKER_HOST"
            ))
        };
        let docker = Docker::connect_with_defaults().map_err(unreachable)?;
        Ok(Engine { docker: docker.negotiate_version().await.map_err(unreachable)? })
    }

    /// Looks for an image, and has it pulled where it is not here.
    pub(super) async fn image(&self, name: &str) -> Result<Image, TargetError> {
        let inspected = match self.docker.inspect_image(name).await {
            Err(error) if is_unknown(&error) => {
                self.pull(name).await?;
                self.docker.inspect_image(name).await
            }
            inspected => inspected,
        };
        let image = inspected.map_err(|error| failed("look at the image", name, &error))?;
        let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        let labelled = labels.get("org.opencontainers.image.version").cloned();
        let id = image.id.map(|id| id.trim_start_matches("sha256:").chars().take(12).collect());
        Ok(Image { version: labelled.or(id) })
    }

    async fn pull(&self, name: &str) -> Result<(), TargetError> {
        // Without a tag, every tag of the repository would be pulled.
        let last = name.rsplit('/').next().unwrap_or(name);
        let whole = if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") };
        let options = CreateImageOptionsBuilder::default().from_image(&whole).build();
        let mut steps = std::pin::pin!(self.docker.create_image(Some(options), None, None));
        while let Some(step) = steps.next().await {
            step.map_err(|error| {
                TargetError::Usage(format!("the image {name} is not here, and cannot be pulled: {error}"))
            })?;
        }
        Ok(())
    }

    /// A network that nobody else is in.
    pub(super) async fn network(&self) -> Result<Arc<Network>, TargetError> {
        let name = format!("determinant-{:016x}", rand::random::<u64>());
        let fault = |error: Error| failed("make the network", &name, &error);
        let request =
            NetworkCreateRequest { name: name.clone(), labels: Some(labels()), ..Default::default() };
        self.docker.create_network(request).await.map_err(fault)?;
        let made = self.docker.inspect_network(&name, None).await.map_err(fault)?;
        let ranges = made.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateway = ranges.into_iter().find_map(|range| range.gateway?.parse::<IpAddr>().ok());
        let gateway = gateway.ok_or_else(|| {
            TargetError::Unreachable(format!("the network {name} has no gateway to its host"))
        });
        let engine = self.clone();
        // Where it has no gateway, it still goes again.
        let network =
            Network { engine, name, gateway: gateway.as_ref().copied().unwrap_or(IpAddr::from([0; 4])) };
        gateway.map(|_| Arc::new(network))
    }

    /// Takes away a container, whatever it is doing.
    async fn remove(&self, container: &str) {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        // One that is gone already has nothing left to take away.
        let _ = self.docker.remove_container(container, Some(options)).await;
    }

    /// Takes away a container, from where nothing can be awaited.
    pub(super) fn remove_at_once(container: String) {
        at_once(move |engine| async move { engine.remove(&container).await });
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        at_once(|engine| async move {
            let _ = engine.docker.remove_network(&name).await;
        });
    }
}

/// Does something to its end, from where nothing can be awaited: on a thread with a connection of its own.
fn at_once<F: Future<Output = ()>>(work: impl FnOnce(Engine) -> F + Send + 'static) {
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                if let Ok(engine) = Engine::reach().await {
                    work(engine).await;
                }
            });
        }
    });
    let _ = thread.join();
}

/// The labels of what belongs to a run.
pub(super) fn labels() -> HashMap<String, String> {
    HashMap::from([(LABEL.to_owned(), env!("CARGO_PKG_VERSION").to_owned())])
}

pub(super) fn failed(what: &str, which: &str, error: &Error) -> TargetError {
    TargetError::Unreachable(format!("the container engine could not {what} {which}: {error}"))
}

fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}
