//! Target files: how a server is reached or launched, what it declares, and what is expected of it.

mod base;
mod sections;
mod starting;

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use tokio::sync::RwLock;
use url::Url;

use self::{
    base::{Whole, target_file},
    sections::{
        ContainerSection, FeaturesSection, LaunchSection, ReadySection, RegistrationSection,
        ServerNoticesSection, TemplateSection, VersionCommand,
    },
    starting::{Circumstances, Reached},
};
use super::{Surroundings, Target, TargetError, http_client, values::Values};
use crate::expectations::Expectations;

pub use self::sections::Refusals;
pub(super) use self::sections::{NamesSection, StopSignal};

/// A target file as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFile {
    name: String,
    #[serde(default)]
    version: Option<VersionCommand>,
    /// How the server is installed, shown when its program is missing.
    #[serde(default)]
    setup: Option<String>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    url: Option<Url>,
    /// PEM file of the authorities that the server at `url` is verified with, beside those of the system.
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    launch: Option<LaunchSection>,
    #[serde(default)]
    container: Option<ContainerSection>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<TemplateSection>,
    #[serde(default)]
    ready: ReadySection,
    registration: RegistrationSection,
    #[serde(default)]
    server_notices: Option<ServerNoticesSection>,
    #[serde(default)]
    names: Option<NamesSection>,
    #[serde(default)]
    refusals: Refusals,
    #[serde(default)]
    features: FeaturesSection,
    #[serde(default)]
    expectations: Option<PathBuf>,
    #[serde(skip)]
    place: Place,
    /// The files that this one builds on.
    #[serde(skip)]
    bases: Vec<PathBuf>,
    /// An image by which the caller wants the server in a container, though it may be launched as well.
    #[serde(skip)]
    image: Option<String>,
}

/// Where the file's own references lead.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Embedded(&'static [(&'static str, &'static str)]),
}

impl Default for Place {
    fn default() -> Self {
        Place::Folder(PathBuf::from("."))
    }
}

impl Place {
    fn text(&self, name: &Path) -> Result<String, TargetError> {
        match self {
            Place::Folder(folder) => {
                let path = folder.join(name);
                std::fs::read_to_string(&path)
                    .map_err(|error| TargetError::Usage(format!("cannot read {}: {error}", path.display())))
            }
            Place::Embedded(files) => files
                .iter()
                .find(|(embedded, _)| Path::new(embedded) == name)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| TargetError::Usage(format!("{} is not part of the program", name.display()))),
        }
    }
}

impl TargetFile {
    /// Reads a target file, or the `target.toml` of a folder, and what it builds on.
    pub fn read(path: &Path) -> Result<Self, TargetError> {
        let path = target_file(path.to_owned());
        let text = std::fs::read_to_string(&path).map_err(|error| {
            TargetError::Usage(format!("cannot read the target file {}: {error}", path.display()))
        })?;
        let name = path.display().to_string();
        let mut file = match Whole::of(&text, &path)? {
            None => Self::parse(&text, &name)?,
            Some(Whole { table, files }) => {
                let file: Self =
                    table.try_into().map_err(|error| TargetError::Usage(format!("{name}: {error}")))?;
                Self { bases: files.into_iter().skip(1).collect(), ..file.checked(&name)? }
            }
        };
        file.place = Place::Folder(path.parent().unwrap_or(Path::new(".")).to_owned());
        for (name, value) in &mut file.variables {
            if let Ok(overruling) = std::env::var(format!("DETERMINANT_{}", name.to_uppercase())) {
                *value = overruling;
            }
        }
        Ok(file)
    }

    /// The files that a server is made of, as far as the target file at `path` names them: itself, templates, certificates,
    /// expectations, and the program where its path is known before a launch.
    pub fn sources(&self, path: &Path) -> Vec<PathBuf> {
        let file = target_file(path.to_owned());
        let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
        let named =
            self.files.iter().map(|file| &file.template).chain(&self.ca_file).chain(&self.expectations);
        let mut sources: Vec<PathBuf> = named.map(|name| folder.join(name)).collect();
        let program = self.launch.as_ref().and_then(|launch| self.own_values().fill(&launch.program).ok());
        sources.extend(program.filter(|program| program.contains('/')).map(PathBuf::from));
        sources.extend(self.bases.iter().cloned());
        sources.insert(0, file);
        sources
    }

    /// A target file that is part of the program.
    pub(super) fn embedded(
        text: &str,
        files: &'static [(&'static str, &'static str)],
        variables: BTreeMap<String, String>,
    ) -> Result<Self, TargetError> {
        let mut file = Self::parse(text, "the embedded target file")?;
        file.place = Place::Embedded(files);
        file.variables.extend(variables);
        Ok(file)
    }

    fn parse(text: &str, name: &str) -> Result<Self, TargetError> {
        let file: TargetFile =
            toml::from_str(text).map_err(|error| TargetError::Usage(format!("{name}: {error}")))?;
        file.checked(name)
    }

    fn checked(self, name: &str) -> Result<Self, TargetError> {
        match (&self.url, self.launch.is_some() || self.container.is_some()) {
            (None, false) => Err(TargetError::Usage(format!(
                "{name}: expected `url`, or a [launch] or [container] section"
            ))),
            (Some(_), true) => Err(TargetError::Usage(format!(
                "{name}: `url` excludes a [launch] and a [container] section"
            ))),
            _ => Ok(self),
        }
    }

    /// The same server in a container of this image.
    pub(super) fn in_container(mut self, image: &str) -> Result<Self, TargetError> {
        if self.container.is_none() {
            let name = self.name;
            return Err(TargetError::Usage(format!(
                "the target file of {name} has no [container] section, which says how an image is told of its files"
            )));
        }
        self.image = Some(image.to_owned());
        Ok(self)
    }

    /// How it is started in a container, where it is.
    fn contained(&self) -> Option<&ContainerSection> {
        self.container.as_ref().filter(|_| self.launch.is_none() || self.image.is_some())
    }

    /// Whether it is started in a container.
    pub(super) fn is_contained(&self) -> bool {
        self.contained().is_some()
    }

    /// Reaches the server that the file describes, or starts so many of them.
    pub(super) async fn reach(
        self,
        count: NonZeroUsize,
        time_scale: f64,
        surroundings: &Surroundings,
    ) -> Result<Arc<Target>, TargetError> {
        let expectations = match &self.expectations {
            Some(name) => Expectations::parse(&self.place.text(name)?, &name.display().to_string())
                .map_err(TargetError::Usage)?,
            None => Expectations::default(),
        };
        let is_contained = self.is_contained();
        let own = self.own_values();
        let certificates = self.authority();
        let http = http_client(certificates.as_deref())?;
        let circumstances = Circumstances { own: &own, surroundings, count, http: &http, time_scale };
        let reached = match (&self.url, self.contained(), &self.launch) {
            (Some(url), ..) => Reached::of(url),
            (None, Some(container), _) => self.contain(container, &circumstances).await?,
            (None, None, Some(launch)) => self.launch(launch, &circumstances).await?,
            (None, None, None) => {
                return Err(TargetError::Usage("expected `url`, [launch] or [container]".to_owned()));
            }
        };
        let version = match reached.version {
            Some(version) => Some(version),
            None => self.version(&own)?,
        };
        let target = Target {
            name: own.fill(&self.name)?,
            version,
            registration: self.registration.method(&own)?,
            persistent: self.url.is_some(),
            notes: self.notes.into_iter().chain(reached.notes).collect(),
            server_notices: self.server_notices.map(|section| section.path),
            names: self.names.filter(|_| !is_contained),
            refusals: self.refusals,
            missing: self.features.missing,
            expectations,
            certificates,
            instances: reached.instances,
            federation: reached.federation,
            neighbours: reached.neighbours,
            whereabouts: reached.whereabouts,
            uninterrupted: RwLock::default(),
            http,
        };
        Ok(Arc::new(match self.registration {
            RegistrationSection::Complement {} => target.with_what_it_shows().await,
            _ => target,
        }))
    }

    /// Where the certificates of `ca_file` are: relative names are relative to the target file.
    fn authority(&self) -> Option<PathBuf> {
        let file = self.ca_file.as_ref()?;
        Some(match &self.place {
            Place::Folder(folder) => folder.join(file),
            Place::Embedded(_) => file.clone(),
        })
    }

    /// The values that all instances have in common.
    fn own_values(&self) -> Values {
        let secret = ("registration_secret", format!("{:032x}", rand::random::<u128>()));
        Values::new(&self.variables, vec![secret, ("determinant", super::this_program())])
    }

    fn version(&self, values: &Values) -> Result<Option<String>, TargetError> {
        let Some(VersionCommand { command }) = &self.version else { return Ok(None) };
        let Some((program, arguments)) = command.split_first() else { return Ok(None) };
        let arguments =
            arguments.iter().map(|argument| values.fill(argument)).collect::<Result<Vec<_>, _>>()?;
        let output = std::process::Command::new(values.fill(program)?).args(arguments).output();
        let output = output
            .map_err(|error| TargetError::Usage(format!("the version command of {}: {error}", self.name)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split_whitespace().last().map(str::to_owned))
    }
}
