//! The sections of a target file.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use crate::target::{RegistrationMethod, TargetError, values::Values};

/// A command that prints the version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionCommand {
    pub(super) command: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchSection {
    pub(super) program: String,
    #[serde(default)]
    pub(super) arguments: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) stop: StopSignal,
}

/// How the server is started in a container.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContainerSection {
    pub(super) image: String,
    /// In place of the image's own command.
    #[serde(default)]
    pub(super) arguments: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// How many processors it may take at most.
    #[serde(default)]
    pub(super) cpus: Option<f64>,
    /// How much memory, in mebibytes.
    #[serde(default)]
    pub(super) memory_mib: Option<u64>,
}

/// How the process is asked to end.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::target) enum StopSignal {
    /// SIGTERM.
    #[default]
    Terminate,
    /// SIGINT.
    Interrupt,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateSection {
    pub(super) template: PathBuf,
    pub(super) to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadySection {
    pub(super) path: String,
    pub(super) within_ms: u64,
}

impl Default for ReadySection {
    fn default() -> Self {
        ReadySection { path: "/_matrix/client/versions".to_owned(), within_ms: 30_000 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RegistrationSection {
    Dummy {},
    Token {
        token: String,
    },
    SharedSecret {
        path: String,
        secret: String,
    },
    /// By the secret of Complement where the server takes it, or else by the dummy flow.
    Complement {},
}

impl RegistrationSection {
    /// The method, with its values filled in.
    pub(super) fn method(&self, values: &Values) -> Result<RegistrationMethod, TargetError> {
        Ok(match self {
            RegistrationSection::Dummy {} => RegistrationMethod::Dummy,
            RegistrationSection::Token { token } => RegistrationMethod::Token { token: values.fill(token)? },
            RegistrationSection::SharedSecret { path, secret } => {
                RegistrationMethod::SharedSecret { path: path.clone(), secret: values.fill(secret)? }
            }
            RegistrationSection::Complement {} => RegistrationMethod::SharedSecret {
                path: "/_synapse/admin/v1/register".to_owned(),
                secret: "complement".to_owned(),
            },
        })
    }
}

/// How administrators send server notices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerNoticesSection {
    /// Takes `user_id` and `content` by POST.
    pub(super) path: String,
}

/// That the server, as a process, asks the name server of the run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::target) struct NamesSection {
    /// Where it asks for delegation files, if nobody can tell it to do so at `{https_port}`.
    #[serde(default)]
    pub(in crate::target) https_port: Option<u16>,
}

/// What the server is configured to refuse, so that its refusals can be judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refusals {
    /// An e-mail address that no account may have.
    pub email: Option<String>,
    /// A telephone number that no account may have, as it is dialled in Great Britain.
    pub telephone: Option<String>,
    /// How many rooms there are at most on the whole server: a resource limit.
    pub rooms: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeaturesSection {
    #[serde(default)]
    pub(super) missing: BTreeMap<String, String>,
}
