//! Processes as `/proc` shows them. What has ended or belongs to others shows nothing.

use std::collections::HashSet;
use std::fs;

/// What a process and all that it has started use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) processes: u32,
    pub(super) threads: u32,
    pub(super) cpu_s: f64,
    pub(super) memory_bytes: u64,
    pub(super) read_bytes: f64,
    pub(super) written_bytes: f64,
}

impl Usage {
    /// Of a process and all that it has started.
    pub(super) fn of(pid: u32) -> Self {
        let mut whole = Usage::default();
        let mut rest = vec![pid];
        while let Some(pid) = rest.pop() {
            let one = Self::of_one(pid);
            whole.processes += one.processes;
            whole.threads += one.threads;
            whole.cpu_s += one.cpu_s;
            whole.memory_bytes += one.memory_bytes;
            whole.read_bytes += one.read_bytes;
            whole.written_bytes += one.written_bytes;
            rest.extend(children(pid));
        }
        whole
    }

    /// Of a process alone.
    pub(super) fn of_one(pid: u32) -> Self {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return Usage::default() };
        // The name of the program stands in parentheses and may hold anything.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let fields: Vec<f64> =
            after.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        let at = |place: usize| fields.get(place).copied().unwrap_or_default();
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let io = |key: &str| {
            let value = io.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
        };
        Usage {
            processes: 1,
            // Counted from the state, which is the third field of the file.
            threads: at(17) as u32,
            cpu_s: (at(11) + at(12)) / ticks_per_second(),
            memory_bytes: at(21) as u64 * rustix::param::page_size() as u64,
            read_bytes: io("read_bytes"),
            written_bytes: io("write_bytes"),
        }
    }
}

/// How many ticks of `/proc` make a second.
pub(super) fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let children = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    children
        .flat_map(|line| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// The process that listens on a port of this machine, where this user may see it.
#[must_use]
pub fn listening_on(port: u16) -> Option<u32> {
    let sockets: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(|line| listener(line, port)).collect::<Vec<_>>())
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Children inherit the socket; who made it has the lowest number, but for a wrap-around of numbers.
    pids.filter(|pid| has_socket(*pid, &sockets)).min()
}

/// The socket of a line of `/proc/net/tcp`, if it listens on the port.
fn listener(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let local = fields.get(1)?.rsplit_once(':')?.1;
    let listens = *fields.get(3)? == "0A" && u16::from_str_radix(local, 16) == Ok(port);
    listens.then(|| format!("socket:[{}]", fields.get(9).copied().unwrap_or_default()))
}

fn has_socket(pid: u32, sockets: &HashSet<String>) -> bool {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    folder
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|link| link.to_str().is_some_and(|link| sockets.contains(link)))
}
