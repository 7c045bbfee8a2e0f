//! The servers that are compared, each started as its target file says.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use suite::target::{Source, Target};

use crate::Fallible;

/// A server, and how durable what it acknowledges is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What was acknowledged outlasts a loss of power.
    BuiltInFlushed,
    /// What was acknowledged outlasts the process, as with Synapse on SQLite.
    BuiltIn,
    /// Synapse, on SQLite.
    Synapse,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::BuiltInFlushed => "built-in, flushed",
            Kind::BuiltIn => "built-in",
            Kind::Synapse => "Synapse",
        }
    }
}

/// A server that runs.
pub(crate) struct House {
    pub(crate) url: String,
    pub(crate) process: u32,
    pub(crate) start: Duration,
    target: Arc<Target>,
    /// The target file that was written for it.
    _folder: Option<tempfile::TempDir>,
}

impl House {
    pub(crate) async fn open(kind: Kind) -> Fallible<Self> {
        let (file, folder) = match kind {
            Kind::Synapse => (synapse(), None),
            Kind::BuiltInFlushed => written("power_loss").map(|(file, folder)| (file, Some(folder)))?,
            Kind::BuiltIn => written("process_kill").map(|(file, folder)| (file, Some(folder)))?,
        };
        let begun = Instant::now();
        let target = Target::reach(&Source::File(file), NonZeroUsize::MIN, 1.0).await?;
        let start = begun.elapsed();
        let url = target.instances.first().ok_or("no server was started")?.client.to_string();
        let process = target.process_id().ok_or("the server has no process of its own")?;
        Ok(House { url: url.trim_end_matches('/').to_owned(), process, start, target, _folder: folder })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.target.end();
    }
}

fn synapse() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/targets/synapse")
}

/// A target file for the built-in server with a data folder.
fn written(durability: &str) -> Fallible<(PathBuf, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let program = env!("CARGO_BIN_EXE_determinant");
    let target = format!(
        r#"name = "reference-server"

[launch]
program = {program:?}
arguments = ["serve", "--config", "{{data_dir}}/serve.toml"]

[[files]]
template = "serve.toml.in"
to = "{{data_dir}}/serve.toml"

[ready]
path = "/_matrix/client/versions"
within_ms = 10_000

[registration]
method = "dummy"
"#
    );
    let serve = format!(
        r#"server_name = "{{server_name}}"
data = "{{data_dir}}/data"
durability = "{durability}"

[client]
listen = "127.0.0.1:{{client_port}}"
"#
    );
    std::fs::write(folder.path().join("target.toml"), target)?;
    std::fs::write(folder.path().join("serve.toml.in"), serve)?;
    Ok((folder.path().to_owned(), folder))
}
