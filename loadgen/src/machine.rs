//! The machine beneath a run: what the server's processes use, what the generator uses, and what everybody else does.

mod process;

use std::fs;
use std::time::{Duration, Instant};

use reports::load::Sample;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use process::{Usage, ticks_per_second};

pub use process::listening_on;

/// Looks at the machine from time to time.
#[derive(Debug)]
pub struct Observer {
    server: Option<u32>,
    last: Reading,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    server: Usage,
    own: Duration,
    busy: f64,
    disk_wait: f64,
}

impl Observer {
    /// An observer of the process that serves, and of all that it has started; without one, of the machine alone.
    #[must_use]
    pub fn new(server: Option<u32>) -> Self {
        Observer { server, last: Reading::now(server) }
    }

    /// What the machine has done since the look before.
    pub fn look(&mut self, at: Duration) -> Sample {
        let now = Reading::now(self.server);
        let elapsed = (now.at - self.last.at).as_secs_f64().max(1e-3);
        let per_second = |now: f64, last: f64| ((now - last) / elapsed).max(0.0);
        let cpu = per_second(now.server.cpu_s, self.last.server.cpu_s);
        let generator_cpu = per_second(now.own.as_secs_f64(), self.last.own.as_secs_f64());
        let busy = per_second(now.busy, self.last.busy);
        let sample = Sample {
            at_ms: (at.as_secs_f64() * 1e3).round(),
            processes: now.server.processes,
            threads: now.server.threads,
            cpu: rounded(cpu),
            memory_bytes: now.server.memory_bytes,
            read_bytes_per_s: per_second(now.server.read_bytes, self.last.server.read_bytes).round(),
            written_bytes_per_s: per_second(now.server.written_bytes, self.last.server.written_bytes).round(),
            generator_cpu: rounded(generator_cpu),
            foreign_cpu: rounded((busy - cpu - generator_cpu).max(0.0)),
            available_bytes: available_bytes(),
            disk_wait: rounded(per_second(now.disk_wait, self.last.disk_wait)),
        };
        self.last = now;
        sample
    }
}

impl Reading {
    fn now(server: Option<u32>) -> Self {
        let (busy, disk_wait) = machine_seconds();
        Reading {
            at: Instant::now(),
            server: server.map(Usage::of).unwrap_or_default(),
            own: own_cpu(),
            busy,
            disk_wait,
        }
    }
}

fn rounded(cores: f64) -> f64 {
    (cores * 1e3).round() / 1e3
}

/// Processor time of this process so far.
#[must_use]
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Resident memory of this process, in bytes.
#[must_use]
pub fn own_memory_bytes() -> u64 {
    Usage::of_one(std::process::id()).memory_bytes
}

/// How many descriptors this process has open.
#[must_use]
pub fn descriptors() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |folder| folder.count() as u64)
}

/// How many descriptors this process may have, after asking for as many as it is allowed to ask for.
#[must_use]
pub fn descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many connections to one address the range of local ports allows.
#[must_use]
pub fn port_limit() -> u64 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u64>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) if first <= last => last - first + 1,
        _ => 28_232,
    }
}

/// Processor seconds that the machine has been busy, and those that it has waited for disks.
fn machine_seconds() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|ticks| ticks.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what guests use is in user already.
    let at = |place: usize| ticks.get(place).copied().unwrap_or_default();
    let busy = at(0) + at(1) + at(2) + at(5) + at(6) + at(7);
    (busy / ticks_per_second(), at(4) / ticks_per_second())
}

fn available_bytes() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_as_a_server_would_be() {
        let mut observer = Observer::new(Some(std::process::id()));
        let until = own_cpu() + Duration::from_millis(50);
        while own_cpu() < until {
            std::hint::black_box(0);
        }
        let sample = observer.look(Duration::from_millis(1500));
        assert_eq!((sample.at_ms, sample.processes), (1500.0, 1));
        assert!(
            sample.threads >= 1 && sample.memory_bytes > 100_000 && sample.available_bytes > 0,
            "{sample:?}"
        );
        assert!(sample.generator_cpu > 0.0, "{sample:?}");
    }

    #[test]
    fn whoever_listens_is_found_by_his_port() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(listening_on(port), Some(std::process::id()));
        drop(listener);
        assert_eq!(listening_on(port), None);
    }
}
