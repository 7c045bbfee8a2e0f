//! A server in a container that the run starts itself, by what is promised of images that are kept for Complement: it is named by
//! `SERVER_NAME`, listens on 8008 and 8448, and finds an authority and registrations of application services under `/complement`.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bollard::{
    models::{
        ContainerCreateBody, EndpointSettings, HealthStatusEnum, HostConfig, NetworkingConfig, PortBinding,
    },
    query_parameters::{
        CreateContainerOptions, LogsOptionsBuilder, StopContainerOptions, UploadToContainerOptionsBuilder,
        WaitContainerOptions,
    },
};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use url::Url;

use super::{
    Neighbours, TargetError, Whereabouts,
    authority::Authority,
    engine::{Engine, Network, failed, labels},
    log::Log,
    process::{free_port, port},
    whereabouts::HOST_OF_CONTAINERS,
};

/// Where a server in a container listens for clients, and for other servers.
const PORTS: [u16; 2] = [8008, 8448];
/// Where Complement puts the authority that servers of a run trust, and with whose key they sign their own certificate.
const AUTHORITY: &str = "/complement/ca/ca.crt";
const KEY_OF_AUTHORITY: &str = "/complement/ca/ca.key";
/// A folder of the run, which is there in every container and empty but for a certificate and the files of the target.
const DATA: &str = "/determinant";
/// How long one look at a container that is coming up rests before the next.
const PAUSE: Duration = Duration::from_millis(50);

/// A container that runs, or was stopped. It is taken away with its owner.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    id: String,
    process_id: Option<u32>,
    ended: Arc<Mutex<Option<String>>>,
    log: Log,
    follower: JoinHandle<()>,
    order: Order,
    /// What answers when it is ready, and who asks.
    ready: Url,
    http: reqwest::Client,
    // The network goes after the container.
    _network: Arc<Network>,
    _folder: TempDir,
}

/// What a container is started with.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) image: String,
    /// In place of the image's own command, unless empty.
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    /// Paths in the container, and what is to stand there.
    pub(super) files: Vec<(String, String)>,
    /// How many processors it may take at most.
    pub(super) cpus: Option<f64>,
    /// How much memory, in mebibytes.
    pub(super) memory_mib: Option<u64>,
    pub(super) ready_path: String,
    pub(super) ready_within: Duration,
}

/// Name, network and ports of a container that has not been started.
#[derive(Debug)]
pub(super) struct Berth {
    network: Arc<Network>,
    name: String,
    /// Other servers that it is to find by their names.
    others: Vec<(String, IpAddr)>,
    client_port: u16,
    federation_port: u16,
    whereabouts: Whereabouts,
    neighbours: Neighbours,
    folder: TempDir,
}

impl Berth {
    /// Finds two free ports of this machine for a server of this name.
    pub(super) fn prepare(
        network: Arc<Network>,
        name: String,
        others: Vec<(String, IpAddr)>,
    ) -> Result<Self, TargetError> {
        let failed = |error| TargetError::Unreachable(format!("no berth for a container: {error}"));
        let (client, federation) = (free_port().map_err(failed)?, free_port().map_err(failed)?);
        let whereabouts = Whereabouts::of_containers(network.gateway);
        Ok(Berth {
            network,
            name,
            others,
            client_port: port(&client)?,
            federation_port: port(&federation)?,
            neighbours: Neighbours::prepare(whereabouts.clone())?,
            whereabouts,
            folder: tempfile::Builder::new().prefix("determinant-").tempdir().map_err(failed)?,
        })
    }

    /// The variables that templates and arguments may use.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let own = [
            ("server_name", self.name.clone()),
            ("listen_address", "0.0.0.0".to_owned()),
            ("client_port", PORTS[0].to_string()),
            ("client_url", format!("http://localhost:{}", self.client_port)),
            ("federation_port", PORTS[1].to_string()),
            ("data_dir", DATA.to_owned()),
            ("ca_file", AUTHORITY.to_owned()),
            ("cert_file", format!("{DATA}/server.crt")),
            ("key_file", format!("{DATA}/server.key")),
        ];
        own.into_iter().chain(self.neighbours.variables()).collect()
    }

    /// Where the client-server API will be.
    pub(super) fn client_url(&self) -> Result<Url, TargetError> {
        parsed(&format!("http://127.0.0.1:{}/", self.client_port))
    }

    /// Where the server-server API will be.
    pub(super) fn federation_url(&self) -> Result<Url, TargetError> {
        parsed(&format!("https://localhost:{}/", self.federation_port))
    }

    /// Starts the container and waits until the server in it answers.
    pub(super) async fn start(
        self,
        order: Order,
        authority: &Authority,
        http: &reqwest::Client,
    ) -> Result<(Container, Neighbours), TargetError> {
        let engine = self.network.engine.clone();
        let image = order.image.clone();
        let fault = |what: &str, error: &bollard::errors::Error| failed(what, &image, error);
        let archive = self.archive(&order, authority)?;
        let body = self.body(&order);
        let created = engine.docker.create_container(None::<CreateContainerOptions>, body).await;
        let id = created.map_err(|error| fault("make a container of", &error))?.id;
        // From here on the container is taken away again, whatever comes.
        let (log, output) = Log::begin(self.folder.path())?;
        let mut container = Container {
            engine: engine.clone(),
            id: id.clone(),
            process_id: None,
            ended: Arc::default(),
            log,
            follower: tokio::spawn(async {}),
            ready: parsed(&format!(
                "http://127.0.0.1:{}/{}",
                self.client_port,
                order.ready_path.trim_start_matches('/')
            ))?,
            http: http.clone(),
            order,
            _network: self.network.clone(),
            _folder: self.folder,
        };
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let uploaded =
            engine.docker.upload_to_container(&id, Some(options), bollard::body_full(archive.into()));
        uploaded.await.map_err(|error| fault("put files into a container of", &error))?;
        container.run(output).await?;
        Ok((container, self.neighbours))
    }

    fn body(&self, order: &Order) -> ContainerCreateBody {
        let environment = order.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let to = |inner: u16, outer: u16| {
            let binding =
                PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(outer.to_string()) };
            (format!("{inner}/tcp"), Some(vec![binding]))
        };
        let host = match self.whereabouts.address() {
            address if address == self.network.gateway => address.to_string(),
            _ => "host-gateway".to_owned(),
        };
        let others = self.others.iter().map(|(name, address)| format!("{name}:{address}"));
        let place =
            EndpointSettings { aliases: Some(vec![self.name.clone()]), ..EndpointSettings::default() };
        ContainerCreateBody {
            image: Some(order.image.clone()),
            hostname: Some(self.name.clone()),
            env: Some(environment.chain([format!("SERVER_NAME={}", self.name)]).collect()),
            cmd: Some(order.arguments.clone()).filter(|arguments| !arguments.is_empty()),
            exposed_ports: Some(PORTS.map(|port| format!("{port}/tcp")).to_vec()),
            labels: Some(labels()),
            host_config: Some(HostConfig {
                network_mode: Some(self.network.name.clone()),
                extra_hosts: Some(others.chain([format!("{HOST_OF_CONTAINERS}:{host}")]).collect()),
                port_bindings: Some(HashMap::from([
                    to(PORTS[0], self.client_port),
                    to(PORTS[1], self.federation_port),
                ])),
                nano_cpus: order.cpus.map(|cpus| (cpus * 1e9) as i64),
                memory: order.memory_mib.map(|memory| (memory * 1024 * 1024).cast_signed()),
                ..HostConfig::default()
            }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(self.network.name.clone(), place)])),
            }),
            ..ContainerCreateBody::default()
        }
    }

    /// The files that stand in the container before it starts. Whatever user the server runs as may read them.
    fn archive(&self, order: &Order, authority: &Authority) -> Result<Vec<u8>, TargetError> {
        let mut files =
            vec![(AUTHORITY.to_owned(), authority.pem()), (KEY_OF_AUTHORITY.to_owned(), authority.key_pem())];
        for (name, text) in authority.files(vec![self.name.clone()])? {
            files.push((format!("{DATA}/{name}"), text));
        }
        files.extend(order.files.iter().cloned());
        pack(&files).map_err(|error| TargetError::Unreachable(format!("no archive for a container: {error}")))
    }
}

fn pack(files: &[(String, String)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind, mode, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header
    };
    let folder = &mut header(tar::EntryType::Directory, 0o777, 0);
    archive.append_data(folder, DATA.trim_start_matches('/'), std::io::empty())?;
    for (path, text) in files {
        let file = &mut header(tar::EntryType::Regular, 0o644, text.len() as u64);
        archive.append_data(file, path.trim_start_matches('/'), text.as_bytes())?;
    }
    archive.into_inner()
}

impl Container {
    /// The number of the server's process, where the engine runs it on this machine.
    pub fn process_id(&self) -> Option<u32> {
        self.process_id
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<String> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has written.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Stops it, and waits until it has ended; its engine kills it where it does not end.
    pub(super) async fn stop(&mut self) -> Result<(), TargetError> {
        let stopped = self.engine.docker.stop_container(&self.id, None::<StopContainerOptions>).await;
        stopped.map_err(|error| failed("stop a container of", &self.order.image, &error))?;
        // What it wrote is complete when its end is known.
        let _ = (&mut self.follower).await;
        Ok(())
    }

    /// Starts it again, as it was, and waits until the server in it answers.
    pub(super) async fn start(&mut self) -> Result<(), TargetError> {
        self.run(self.log.go_on()?).await
    }

    /// Has everything in it do nothing, as if its machine slept.
    pub(super) async fn pause(&self) -> Result<(), TargetError> {
        let paused = self.engine.docker.pause_container(&self.id).await;
        paused.map_err(|error| failed("pause a container of", &self.order.image, &error))
    }

    /// Has it go on.
    pub(super) async fn go_on(&self) -> Result<(), TargetError> {
        let resumed = self.engine.docker.unpause_container(&self.id).await;
        resumed.map_err(|error| failed("go on with a container of", &self.order.image, &error))
    }

    async fn run(&mut self, output: std::fs::File) -> Result<(), TargetError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let started = self.engine.docker.start_container(&self.id, None).await;
        started.map_err(|error| failed("start a container of", &self.order.image, &error))?;
        self.follower = self.follow(output, since);
        self.await_ready().await
    }

    /// Keeps what it writes from this second of Unix time on, until it ends, and then how it did.
    fn follow(&self, mut output: std::fs::File, since: u64) -> JoinHandle<()> {
        let since = i32::try_from(since).unwrap_or_default();
        let (docker, id, ended) = (self.engine.docker.clone(), self.id.clone(), self.ended.clone());
        tokio::spawn(async move {
            let options =
                LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).since(since).build();
            let mut lines = std::pin::pin!(docker.logs(&id, Some(options)));
            while let Some(Ok(line)) = lines.next().await {
                let _ = output.write_all(&line.into_bytes());
            }
            let mut ends = std::pin::pin!(docker.wait_container(&id, None::<WaitContainerOptions>));
            let how = match ends.next().await {
                Some(Ok(end)) => format!("exit status: {}", end.status_code),
                Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => {
                    format!("exit status: {code}")
                }
                Some(Err(error)) => error.to_string(),
                None => "its engine no longer knows it".to_owned(),
            };
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
        })
    }

    /// Waits until it says of itself that it is healthy, if it ever does, and then until it answers.
    async fn await_ready(&mut self) -> Result<(), TargetError> {
        let ready = self.ready.clone();
        let deadline = Instant::now() + self.order.ready_within;
        let mut what = String::new();
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                let what =
                    format!("the container of {} ended before it was ready ({status})", self.order.image);
                return Err(self.log.stillborn(&what));
            }
            match self.is_healthy().await? {
                false => "it is not healthy by its own health check".clone_into(&mut what),
                true => {
                    let asked = self.http.get(ready.clone()).timeout(Duration::from_secs(2)).send().await;
                    match asked {
                        Ok(response) if response.status().is_success() => return Ok(()),
                        Ok(response) => what = format!("{ready} answers {}", response.status()),
                        Err(error) => what = format!("{ready}: {}", crate::wire::in_words(&error)),
                    }
                }
            }
            // Polling: nothing tells a stranger's container ready but its answer.
            tokio::time::sleep(PAUSE).await;
        }
        let within = self.order.ready_within.as_millis();
        Err(self.log.stillborn(&format!("{} was not ready within {within} ms: {what}", self.order.image)))
    }

    async fn is_healthy(&mut self) -> Result<bool, TargetError> {
        let inspected = self.engine.docker.inspect_container(&self.id, None).await;
        let state = inspected.map_err(|error| failed("look at the container", &self.id, &error))?.state;
        let Some(state) = state else { return Ok(true) };
        self.process_id = state
            .pid
            .and_then(|id| u32::try_from(id).ok())
            .filter(|id| *id > 0 && std::path::Path::new(&format!("/proc/{id}")).exists());
        let health = state.health.and_then(|health| health.status);
        Ok(matches!(
            health,
            None | Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE | HealthStatusEnum::HEALTHY)
        ))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.follower.abort();
        Engine::remove_at_once(std::mem::take(&mut self.id));
    }
}

fn parsed(url: &str) -> Result<Url, TargetError> {
    Url::parse(url).map_err(|error| TargetError::Unreachable(error.to_string()))
}
