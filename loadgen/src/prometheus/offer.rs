//! The metrics of a run while it goes, for whoever scrapes them.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reports::load::Series;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::recorder::Recorder;

/// What is offered: the recorder of the run that goes, if one does.
#[derive(Clone, Debug, Default)]
pub struct Offer(Arc<Mutex<Option<Recorder>>>);

/// An open door to it; closed when dropped.
#[derive(Debug)]
pub struct Offered {
    /// Where it listens.
    pub address: SocketAddr,
    doorman: JoinHandle<()>,
}

impl Offer {
    /// From now on this run is offered.
    pub fn shows(&self, recorder: &Recorder) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(recorder.clone());
    }

    /// Opens the door.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn open(&self, address: SocketAddr) -> io::Result<Offered> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let offer = self.clone();
        let doorman = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let offer = offer.clone();
                let answer = service_fn(move |_| {
                    let answer = offer.answer();
                    async { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(Offered { address, doorman })
    }

    fn answer(&self) -> Response<Full<Bytes>> {
        let recorder = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = recorder.map(|recorder| told(&recorder.series())).unwrap_or_default();
        let mut response = Response::new(Full::new(Bytes::from(text)));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.doorman.abort();
    }
}

fn told(series: &[Series]) -> String {
    let mut text = String::new();
    type Counter = fn(&Series) -> u64;
    let counters: [(&str, &str, Counter); 3] = [
        ("started", "Operations started.", |series| series.count),
        ("errors", "Operations that failed.", |series| series.errors),
        ("dropped", "Arrivals that found nobody free.", |series| series.dropped),
    ];
    for (name, help, of) in counters {
        let name = format!("determinant_load_{name}_total");
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for series in series {
            let _ = writeln!(text, "{name}{{operation=\"{}\"}} {}", series.name, of(series));
        }
    }
    let name = "determinant_load_latency_seconds";
    let _ =
        writeln!(text, "# HELP {name} Latency from the moment an operation was due.\n# TYPE {name} summary");
    for series in series {
        let latency = &series.latency;
        for (quantile, ms) in [("0.5", latency.p50_ms), ("0.95", latency.p95_ms), ("0.99", latency.p99_ms)] {
            if let Some(ms) = ms {
                let labels = format!("operation=\"{}\",quantile=\"{quantile}\"", series.name);
                let _ = writeln!(text, "{name}{{{labels}}} {}", ms / 1e3);
            }
        }
        let _ = writeln!(text, "{name}_count{{operation=\"{}\"}} {}", series.name, latency.histogram.count());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use url::Url;

    use super::*;
    use crate::prometheus::Scrape;

    #[tokio::test]
    async fn what_is_offered_can_be_scraped() {
        let recorder = Recorder::new(Instant::now(), Duration::from_secs(1));
        let operation = recorder.operation("send");
        let offer = Offer::default();
        offer.shows(&recorder);
        let door = offer.open(([127, 0, 0, 1], 0).into()).await.expect("a door");
        let url: Url = format!("http://{}/metrics", door.address).parse().expect("a URL");
        let scrape = Scrape::begin(&url).await.expect("metrics");
        recorder.started(operation, Instant::now(), 3);
        let changed = scrape.end().await.expect("metrics");
        let names: Vec<(&str, f64)> =
            changed.iter().map(|metric| (metric.name.as_str(), metric.last)).collect();
        assert_eq!(names, [("determinant_load_started_total{operation=\"send\"}", 3.0)]);
    }
}
