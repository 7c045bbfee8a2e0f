//! Target files: how a server is reached or launched, what it declares, and what is expected of it.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use url::Url;

use super::{
    Federation, Instance, Neighbours, RegistrationMethod, Surroundings, Target, TargetError, http_client,
    process::{Ground, Launch},
};
use crate::expectations::Expectations;

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
    variables: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<TemplateSection>,
    #[serde(default)]
    ready: ReadySection,
    registration: RegistrationSection,
    #[serde(default)]
    server_notices: Option<ServerNoticesSection>,
    #[serde(default)]
    features: FeaturesSection,
    #[serde(default)]
    expectations: Option<PathBuf>,
    #[serde(skip)]
    place: Place,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionCommand {
    command: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaunchSection {
    program: String,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    stop: StopSignal,
}

/// How the process is asked to end.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StopSignal {
    /// SIGTERM.
    #[default]
    Terminate,
    /// SIGINT.
    Interrupt,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateSection {
    template: PathBuf,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadySection {
    path: String,
    within_ms: u64,
}

impl Default for ReadySection {
    fn default() -> Self {
        ReadySection { path: "/_matrix/client/versions".to_owned(), within_ms: 30_000 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
enum RegistrationSection {
    Dummy {},
    Token { token: String },
    SharedSecret { path: String, secret: String },
}

impl RegistrationSection {
    fn method(&self, values: &Values) -> Result<RegistrationMethod, TargetError> {
        Ok(match self {
            RegistrationSection::Dummy {} => RegistrationMethod::Dummy,
            RegistrationSection::Token { token } => RegistrationMethod::Token { token: values.fill(token)? },
            RegistrationSection::SharedSecret { path, secret } => {
                RegistrationMethod::SharedSecret { path: path.clone(), secret: values.fill(secret)? }
            }
        })
    }
}

/// How administrators send server notices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerNoticesSection {
    /// Takes `user_id` and `content` by POST.
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeaturesSection {
    #[serde(default)]
    missing: BTreeMap<String, String>,
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

/// Between the moment in which a free port is found and that in which the server listens there, somebody else may take it. The
/// operating system words it so, and so do the logs of servers.
const PORT_TAKEN: &str = "ddress already in use";
/// How often another port is tried then.
const RETRIES: usize = 3;

impl TargetFile {
    /// Reads a target file, or the `target.toml` of a folder.
    pub fn read(path: &Path) -> Result<Self, TargetError> {
        let path = if path.is_dir() { path.join("target.toml") } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            TargetError::Usage(format!("cannot read the target file {}: {error}", path.display()))
        })?;
        let mut file = Self::parse(&text, &path.display().to_string())?;
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
        let file = if path.is_dir() { path.join("target.toml") } else { path.to_owned() };
        let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
        let named =
            self.files.iter().map(|file| &file.template).chain(&self.ca_file).chain(&self.expectations);
        let mut sources: Vec<PathBuf> = named.map(|name| folder.join(name)).collect();
        let program = self.launch.as_ref().and_then(|launch| self.own_values().fill(&launch.program).ok());
        sources.extend(program.filter(|program| program.contains('/')).map(PathBuf::from));
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
        match (&file.url, &file.launch) {
            (None, None) => Err(TargetError::Usage(format!("{name}: expected `url` or a [launch] section"))),
            (Some(_), Some(_)) => {
                Err(TargetError::Usage(format!("{name}: `url` and [launch] exclude each other")))
            }
            _ => Ok(file),
        }
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
        let own = self.own_values();
        let certificates = self.authority();
        let http = http_client(certificates.as_deref())?;
        let (instances, federation, neighbours) = match (&self.url, &self.launch) {
            (Some(url), _) => (vec![Instance::new(url.clone(), None, None)], None, None),
            (None, Some(launch)) => {
                let (started, neighbours) =
                    self.launch(launch, &own, surroundings, count, &http, time_scale).await?;
                (started, Some(Federation::new(surroundings.authority.clone())?), neighbours)
            }
            (None, None) => {
                return Err(TargetError::Usage("expected `url` or a [launch] section".to_owned()));
            }
        };
        Ok(Arc::new(Target {
            version: self.version(&own)?,
            registration: self.registration.method(&own)?,
            name: self.name,
            notes: self.notes,
            server_notices: self.server_notices.map(|section| section.path),
            missing: self.features.missing,
            expectations,
            persistent: self.launch.is_none(),
            certificates,
            instances,
            federation,
            neighbours,
            http,
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

    async fn launch(
        &self,
        launch: &LaunchSection,
        own: &Values,
        surroundings: &Surroundings,
        count: NonZeroUsize,
        http: &reqwest::Client,
        time_scale: f64,
    ) -> Result<(Vec<Instance>, Option<Neighbours>), TargetError> {
        let (mut instances, mut first) = (Vec::new(), None);
        let mut retries = RETRIES;
        while instances.len() < count.get() {
            let ground = Ground::prepare(&surroundings.authority, surroundings.known_port)?;
            let values = Values::new(&own.0, ground.variables());
            let order = self.order(launch, &values, time_scale)?;
            let (client, federation) = (ground.client_url()?, ground.federation_url()?);
            match ground.start(order, http).await {
                Ok((process, neighbours)) => {
                    first.get_or_insert(neighbours);
                    instances.push(Instance::new(client, Some(federation), Some(process)));
                }
                Err(TargetError::Unreachable(why)) if retries > 0 && why.contains(PORT_TAKEN) => retries -= 1,
                Err(error) => return Err(error),
            }
        }
        Ok((instances, first))
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
        for file in &self.files {
            let to = PathBuf::from(values.fill(&file.to)?);
            let text = values.fill(&self.place.text(&file.template)?)?;
            std::fs::write(&to, text)
                .map_err(|error| TargetError::Usage(format!("cannot write {}: {error}", to.display())))?;
        }
        let arguments =
            launch.arguments.iter().map(|argument| values.fill(argument)).collect::<Result<_, _>>()?;
        let variable = |(name, value): (&String, &String)| Ok((name.clone(), values.fill(value)?));
        let environment = launch.environment.iter().map(variable).collect::<Result<_, TargetError>>()?;
        Ok(Launch {
            program,
            arguments,
            environment,
            stop: launch.stop,
            ready_path: self.ready.path.clone(),
            ready_within_ms: (self.ready.within_ms as f64 * time_scale) as u64,
        })
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

/// The values of template variables. `{name}` stands for a value, in every text of a target.
#[derive(Debug)]
struct Values(BTreeMap<String, String>);

impl Values {
    fn new(variables: &BTreeMap<String, String>, ground: Vec<(&'static str, String)>) -> Self {
        let mut values = variables.clone();
        values.extend(ground.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let home = std::env::var("HOME").unwrap_or_default();
        for value in values.values_mut() {
            if let Some(rest) = value.strip_prefix("~/") {
                *value = format!("{home}/{rest}");
            }
        }
        Values(values)
    }

    /// Replaces `{name}`; an unknown lower-case name is an error, any other brace stays as it is.
    fn fill(&self, text: &str) -> Result<String, TargetError> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            match rest.find('}').map(|end| (&rest[1..end], end)) {
                Some((name, end)) if is_variable_name(name) => {
                    let value = self.0.get(name).ok_or_else(|| {
                        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                        TargetError::Usage(format!(
                            "unknown variable {{{name}}}; known: {}",
                            known.join(", ")
                        ))
                    })?;
                    filled.push_str(value);
                    rest = &rest[end + 1..];
                }
                _ => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_ascii_lowercase() || character == '_')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("{port}", "8008")]
    #[case("a {port} b {port}", "a 8008 b 8008")]
    #[case("{ \"json\": {} }", "{ \"json\": {} }")]
    #[case("{Port} {port", "{Port} {port")]
    #[case("{{port}}", "{8008}")]
    fn templates_are_filled(#[case] template: &str, #[case] filled: &str) {
        let values = Values::new(&BTreeMap::new(), vec![("port", "8008".to_owned())]);
        assert_eq!(values.fill(template).expect("a filled template"), filled);
    }

    #[test]
    fn an_unknown_variable_names_the_known_ones() {
        let values = Values::new(&BTreeMap::new(), vec![("port", "8008".to_owned())]);
        let error = values.fill("{nothing}").expect_err("an unknown variable").to_string();
        assert_eq!(error, "unknown variable {nothing}; known: port");
    }
}
