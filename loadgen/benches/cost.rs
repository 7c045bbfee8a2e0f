//! What the generator costs: processor time per request beside that of `wrk`, and memory per user who is online.
//!
//! `cargo bench -p loadgen --bench cost`. Figures are ratios, measured in one go against one stub, which is another process.

#[path = "../tests/it/stub.rs"]
#[allow(dead_code)]
mod stub;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use loadgen::{
    Calls,
    connection::{Lane, Server},
    engine::{Performers, Pool, Slot, Work, drive},
    machine,
    pacer::Pacer,
    population::Registration,
    profile::{Profile, Shard},
    prometheus::Offer,
    recorder::{Measured, Moments, Recorder},
    run::{Endpoint, Rig, Settings},
    schedule::{Arrivals, Rate},
};
use reports::load::Live;
use tokio::time::Instant;
use url::Url;

const PATH: &str = "/_matrix/client/versions";
const CONNECTIONS: u32 = 100;
const SPAN: Duration = Duration::from_secs(8);
const USERS: u32 = 20_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if std::env::args().any(|argument| argument == "stub") {
        return runtime.block_on(serve());
    }
    let (mut server, url) = start();
    match wrk(&url) {
        Some((wrk_us, rate)) => {
            // As many as wrk found possible would leave no time to be punctual.
            let (ours_us, count) = runtime.block_on(request_cost(&url, rate / 2.0));
            say(&format!(
                "processor time per request: wrk {wrk_us:.1} µs, ours {ours_us:.1} µs of {count}: {:.2} times",
                ours_us / wrk_us
            ));
        }
        None => say("processor time per request: wrk is not installed, so there is nothing to compare with"),
    }
    let (users, kib) = runtime.block_on(user_cost(&url));
    say(&format!("memory per user who is online: {kib:.1} KiB, of {users} users"));
    let _ = server.kill();
    let _ = server.wait();
}

#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}

async fn serve() {
    let _ = machine::descriptor_limit();
    let stub = stub::Stub::start(None).await;
    say(stub.url().as_str());
    std::future::pending::<()>().await;
}

/// The stub as another process, so that its time and memory are not ours.
fn start() -> (Child, Url) {
    let program = std::env::current_exe().expect("this program");
    let mut server = Command::new(program).arg("stub").stdout(Stdio::piped()).spawn().expect("a stub");
    let mut line = String::new();
    let output = server.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("its URL");
    (server, line.trim().parse().expect("a URL"))
}

/// Processor time of `wrk` per request in microseconds, and the requests per second that it made.
fn wrk(url: &Url) -> Option<(f64, f64)> {
    let before = children_cpu_s();
    let seconds = SPAN.as_secs();
    let address = url.join(PATH).expect("a URL");
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), address.as_str()])
        .output()
        .ok()?;
    let cpu_s = children_cpu_s() - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let requests: f64 =
        text.lines().find_map(|line| line.trim().split_once(" requests in")?.0.parse().ok())?;
    Some((cpu_s / requests * 1e6, requests / seconds as f64))
}

/// Processor time of those children that have ended.
fn children_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let fields: Vec<f64> = after.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
    (fields[13] + fields[14]) / 100.0
}

struct Ask {
    recorder: Recorder,
    operation: Measured,
}

impl Work<Lane> for Ask {
    async fn perform(&self, mut lane: Lane, _: u32, _: Slot, due: Instant) -> Lane {
        let moments = Moments { due, begun: Instant::now() };
        self.recorder.started(self.operation, due, 1);
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = PATH.parse().expect("a path");
        let came = lane.success(request, Duration::from_secs(10)).await;
        self.recorder.ended(self.operation, moments, came.as_ref().map(|_| ()));
        lane
    }
}

async fn request_cost(url: &Url, rate: f64) -> (f64, u64) {
    let server = Arc::new(Server::resolve(url, None).await.expect("a server"));
    let recorder = Recorder::new(Instant::now() + Duration::from_millis(100), SPAN);
    let operation = recorder.operation("ask");
    let due = Arrivals::Independent(Rate::constant(rate, SPAN).expect("a rate")).schedule(SPAN, 1);
    let slots: Vec<Slot> = (0..).zip(due).map(|(number, due)| Slot { due, number, action: 0 }).collect();
    let performers = [Performers { operation, places: (0..CONNECTIONS).collect(), owners: 1 }];
    let pool = Arc::new(Pool::new((0..CONNECTIONS).map(|_| Lane::new(server.clone()))));
    let work = Arc::new(Ask { recorder: recorder.clone(), operation });
    let pacer = Pacer::exact().expect("a timer");
    let before = machine::own_cpu();
    let lag = drive(&slots, &performers, &pool, &recorder, &pacer, Duration::from_secs(10), &work).await;
    let cpu = machine::own_cpu() - before;
    let series = recorder.series().remove(0);
    say(&format!(
        "  at {rate:.0}/s: p50 {:.2} ms, p99 {:.2} ms, lag p99 {:.2} ms, {} errors, {} dropped",
        series.latency.p50_ms.unwrap_or_default(),
        series.latency.p99_ms.unwrap_or_default(),
        lag.quantile_ms(0.99).unwrap_or_default(),
        series.errors,
        series.dropped
    ));
    (cpu.as_secs_f64() * 1e6 / series.count as f64, series.count)
}

async fn user_cost(url: &Url) -> (u32, f64) {
    let allowed = machine::descriptor_limit().saturating_sub(200).min(machine::port_limit());
    // A user has a second lane once he does something; these do nothing, but it has to be allowed for.
    let users = USERS.min(u32::try_from(allowed).unwrap_or(USERS));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("idle.toml");
    let text = format!(
        "title = \"\"\nwhy = \"\"\nrooms = []\nactions = []\ngroups = [{{ name = \"people\", count = {users}, lanes = 0 }}]"
    );
    std::fs::write(&file, text).expect("a profile");
    let profile = Profile::find(file.to_str().expect("a path")).expect("a profile");
    let endpoint = Endpoint {
        url: url.clone(),
        certificates: None,
        registration: Registration::Dummy,
        elsewhere: None,
        process: None,
        peering: None,
        target: reports::Target::default(),
    };
    let settings = Settings {
        users,
        profile,
        span: Duration::from_secs(5),
        seed: 1,
        course: None,
        within: Duration::from_secs(60),
        hands: 32,
        traffic: "client",
        calls: Calls::default(),
        metrics: None,
        offer: Offer::default(),
        shard: Shard::WHOLE,
        start_at: None,
        demands: Vec::new(),
        most_lag: Duration::from_secs(60),
        most_rate: None,
        owned: false,
        command: String::new(),
        record: None,
    };
    let live = Live::lines(Box::new(std::io::sink()));
    let before = machine::own_memory_bytes();
    let mut rig = Rig::reach(&endpoint, &settings, &live).await.expect("a rig");
    let record = rig.measure(&settings, std::future::pending()).await.expect("a record");
    let bytes = record.generator.memory_bytes.saturating_sub(before) as f64;
    (users, bytes / 1024.0 / f64::from(users))
}
