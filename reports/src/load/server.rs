//! What a load run cost: the server's processes, the generator itself, and the rest of the machine.

use serde::{Deserialize, Serialize};

/// The machine at one moment of the run. Shares of processor time are since the sample before; 1 is one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in milliseconds from the start.
    pub at_ms: f64,
    /// Processes of the server.
    pub processes: u32,
    /// Threads of the server.
    pub threads: u32,
    /// Cores that the server used.
    pub cpu: f64,
    /// Memory of the server that is resident, in bytes.
    pub memory_bytes: u64,
    /// Bytes that the server read from disks, per second.
    pub read_bytes_per_s: f64,
    /// Bytes that the server wrote to disks, per second.
    pub written_bytes_per_s: f64,
    /// Cores that the generator used.
    pub generator_cpu: f64,
    /// Cores that everybody else on this machine used.
    pub foreign_cpu: f64,
    /// Memory that is free for use on this machine, in bytes.
    pub available_bytes: u64,
    /// Cores that waited for disks.
    pub disk_wait: f64,
}

/// How the generator itself fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// How late the slots of the schedule were taken up.
    pub lag: super::Spread,
    /// Its processor time, in milliseconds.
    pub cpu_ms: f64,
    /// The largest share of its thread that it used between two samples.
    pub busiest: f64,
    /// Descriptors it had open at most, and how many it may have.
    pub descriptors: u64,
    /// How many descriptors it may have.
    pub descriptor_limit: u64,
    /// Connections it had open at most.
    pub connections: u64,
    /// How many connections to one address its port range allows.
    pub port_limit: u64,
    /// Its resident memory at most, in bytes.
    pub memory_bytes: u64,
}

/// A metric of the server that changed during the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name, with its labels as the server writes them.
    pub name: String,
    /// Its value before the run.
    pub first: f64,
    /// Its value after the run.
    pub last: f64,
}
