//! What a conformance test is, and the list of them all.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub use reports::{Level, Severity};

use crate::{cast::Homeserver, verdict::Verdict};

/// Every test of the suite, in the order of their paths.
pub static TESTS: &[&Test] = include!(concat!(env!("OUT_DIR"), "/tests.rs"));

/// A requirement and the function that puts it to a homeserver. Made by `#[conformance]`.
pub struct Test {
    /// The module that holds it; `suite::spec::client::typing_notifications`.
    pub module: &'static str,
    /// The name of the function.
    pub name: &'static str,
    /// The doc comment; its first sentence states the requirement.
    pub documentation: &'static str,
    /// Where it is written.
    pub file: &'static str,
    /// Where it is written.
    pub line: u32,
    /// Document and anchor of the text that obliges the server.
    pub spec: &'static str,
    /// The specification's own word.
    pub level: Level,
    /// Orders the report; decides nothing.
    pub severity: Severity,
    /// The first release that holds the requirement.
    pub since: Option<&'static str>,
    /// The last release that holds the requirement.
    pub until: Option<&'static str>,
    /// A feature that a target may declare as missing.
    pub needs: Option<&'static str>,
    /// The rows of the ledger that are proved when it passes, by id.
    pub proves: &'static [&'static str],
    /// When it runs.
    pub phase: Phase,
    /// One instance, or one for each case of its axis.
    pub instances: fn() -> Vec<Instance>,
}

/// When a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Beside all others.
    Together,
    /// With nothing else.
    Alone,
    /// When all others have ended: it judges what they exchanged.
    Last,
}

impl Test {
    /// The stable id without the case: `client/typing-notifications/reaches-members-only`.
    pub fn id(&self) -> String {
        let module = self.module.split_once("::spec::").map_or(self.module, |(_, inner)| inner);
        format!("{module}::{}", self.name).replace("::", "/").replace('_', "-")
    }

    /// The first sentence of the doc comment, on one line.
    pub fn requirement(&self) -> String {
        let text = self.documentation.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        match text.find(". ") {
            Some(end) => text[..=end].to_owned(),
            None => text,
        }
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Test")
            .field("id", &self.id())
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

/// The future of one run of one instance.
pub type Run = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// One case of a test, ready to be put to a homeserver.
#[derive(Clone)]
pub struct Instance {
    /// Stands in brackets behind the id; never depends on the seed.
    pub case: Option<String>,
    run: Arc<dyn Fn(Homeserver) -> Run + Send + Sync>,
}

impl Instance {
    /// The instance of a test without cases.
    pub fn only<F, R>(run: F) -> Self
    where
        F: Fn(Homeserver) -> R + Send + Sync + 'static,
        R: Future<Output = Verdict> + Send + 'static,
    {
        Instance { case: None, run: Arc::new(move |hs| Box::pin(run(hs))) }
    }

    /// Puts it to the homeserver.
    pub fn run(&self, hs: Homeserver) -> Run {
        (self.run)(hs)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Instance").field("case", &self.case).finish_non_exhaustive()
    }
}

/// One case of an axis.
pub trait Case: Clone + Send + Sync + 'static {
    /// What stands in brackets behind the id: unique along its axis, the same in every run.
    fn label(&self) -> String;
}

impl Case for &'static str {
    fn label(&self) -> String {
        (*self).to_owned()
    }
}

impl Case for String {
    fn label(&self) -> String {
        self.clone()
    }
}

impl Case for &'static fixtures::catalogue::Operation {
    fn label(&self) -> String {
        self.id.to_string()
    }
}

impl Case for &'static protocol::RoomVersion {
    fn label(&self) -> String {
        format!("v{}", self.id)
    }
}

/// The instances of a test along an axis.
pub fn each<C, F, R>(cases: impl IntoIterator<Item = C>, run: F) -> Vec<Instance>
where
    C: Case,
    F: Fn(Homeserver, C) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Verdict> + Send + 'static,
{
    let instance = |case: C| {
        let run = run.clone();
        Instance { case: Some(case.label()), run: Arc::new(move |hs| Box::pin(run(hs, case.clone()))) }
    };
    cases.into_iter().map(instance).collect()
}

/// Looks a test up by the id of its test or of one of its cases.
pub fn find(tests: &'static [&'static Test], id: &str) -> Option<&'static Test> {
    let id = id.split('[').next().unwrap_or(id);
    tests.iter().copied().find(|test| test.id() == id)
}
