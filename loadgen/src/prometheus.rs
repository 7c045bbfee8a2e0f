//! Metrics in the text format of Prometheus: the server's are taken into the record, the run's own are offered.

mod offer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reports::load::Metric;
use url::Url;

use crate::{
    connection::{Lane, Problem, Server},
    request,
};

pub use offer::{Offer, Offered};

/// How long an answer of a metrics endpoint may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Metrics that a record keeps at most: those that changed most, in proportion.
const MOST: usize = 500;

/// Asks an endpoint for its metrics, before and after a run.
#[derive(Debug)]
pub struct Scrape {
    lane: Lane,
    path: String,
    first: BTreeMap<String, f64>,
}

impl Scrape {
    /// Asks for the first time.
    ///
    /// # Errors
    /// When the endpoint cannot be reached or does not answer.
    pub async fn begin(url: &Url) -> Result<Self, Problem> {
        let server =
            Server::resolve(url, None).await.map_err(|error| Problem::Unconnected(error.to_string()))?;
        let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut scrape = Scrape { lane: Lane::new(Arc::new(server)), path, first: BTreeMap::new() };
        scrape.first = scrape.ask().await?;
        Ok(scrape)
    }

    /// Asks for the last time; gives what has changed since the first.
    ///
    /// # Errors
    /// When the endpoint does not answer any more.
    pub async fn end(mut self) -> Result<Vec<Metric>, Problem> {
        let last = self.ask().await?;
        let metric = |(name, last): (String, f64)| {
            let first = self.first.get(&name).copied().unwrap_or_default();
            (first != last).then_some(Metric { name, first, last })
        };
        let mut changed: Vec<Metric> = last.into_iter().filter_map(metric).collect();
        let weight = |metric: &Metric| (metric.last - metric.first).abs() / metric.first.abs().max(1.0);
        changed.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
        changed.truncate(MOST);
        changed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(changed)
    }

    async fn ask(&mut self) -> Result<BTreeMap<String, f64>, Problem> {
        let body = self.lane.success(request::get(&self.path, None), WITHIN).await?;
        Ok(parse(&String::from_utf8_lossy(&body)))
    }
}

/// The samples of a text, by name and labels. Buckets of histograms are left out: their sums and counts say enough.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let line = line.trim();
        // Labels may hold spaces; a value, and a time after it, cannot.
        let end = line.rfind('}').map_or_else(|| line.find(' '), |end| Some(end + 1))?;
        let (name, rest) = line.split_at_checked(end)?;
        let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
        (!name.contains("_bucket{") && value.is_finite()).then(|| (name.to_owned(), value))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_and_everything_else_is_left_out() {
        let text = "# HELP a what\n# TYPE a counter\na 5\nb{path=\"/x y\",code=\"200\"} 1.5 1395066363000\n\
                    c_bucket{le=\"+Inf\"} 7\nc_sum 2e3\nd NaN\nbroken\n";
        let expected = [("a", 5.0), ("b{path=\"/x y\",code=\"200\"}", 1.5), ("c_sum", 2000.0)];
        assert_eq!(parse(text), expected.map(|(name, value)| (name.to_owned(), value)).into());
    }
}
