//! A website, whose pages are previewed.

use std::{collections::BTreeMap, sync::Arc};

use super::Neighbour;
use crate::{
    cast::{Homeserver, remote::Reply},
    verdict::Stop,
};

/// A website of the run.
#[derive(Clone, Debug)]
pub struct Website {
    neighbour: Arc<Neighbour>,
    base: String,
}

impl Homeserver {
    /// A website with these pages, by path.
    pub fn website(&self, pages: impl IntoIterator<Item = (&'static str, Reply)>) -> Result<Website, Stop> {
        let pages: BTreeMap<_, _> = pages.into_iter().collect();
        let fault = |error: std::io::Error| Stop::Fault(format!("no website: {error}"));
        let whereabouts = &self.target().whereabouts;
        let listener = whereabouts.listener().map_err(fault)?;
        let port = listener.local_addr().map_err(fault)?.port();
        let judge = self.trial().judge.clone();
        let usual = move |asked: &super::Asked| pages.get(asked.target.as_str()).cloned();
        let neighbour = Neighbour::open("website", None, judge, listener, None, usual)?;
        Ok(Website { neighbour, base: format!("http://{}:{port}", whereabouts.name()) })
    }
}

impl Website {
    /// The URL of a page.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// How often a page was asked for.
    pub fn visits(&self, path: &str) -> usize {
        self.neighbour.memory().iter().filter(|asked| asked.target == path).count()
    }
}
