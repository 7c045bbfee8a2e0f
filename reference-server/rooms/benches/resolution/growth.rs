//! The table that shows how the cost grows with the room and with the fork.

use std::collections::BTreeMap;
use std::time::Duration;

/// What the rows of the table are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) version: &'static str,
    pub(crate) run: &'static str,
    pub(crate) forks: usize,
    pub(crate) changes: usize,
}

/// The time that one resolution took, by row and number of events in the room.
#[derive(Default)]
pub(crate) struct Growth(BTreeMap<Row, BTreeMap<usize, Vec<Duration>>>);

impl Growth {
    /// Notes how long a number of resolutions took.
    pub(crate) fn record(&mut self, row: &Row, events: usize, iterations: u64, elapsed: Duration) {
        let one = elapsed / u32::try_from(iterations).unwrap();
        self.0.entry(row.clone()).or_default().entry(events).or_default().push(one);
    }

    /// Prints the least times in milliseconds, since anything above is the machine's other work.
    ///
    /// The last columns say how much dearer the largest room is than the smallest, and what a conflicting event
    /// costs in the largest.
    pub(crate) fn print(&self, sizes: &[usize]) {
        println!();
        print!("version run   forks changes");
        sizes.iter().for_each(|size| print!(" {size:>9}"));
        println!("  growth  per event");
        for (Row { version, run, forks, changes }, by_size) in &self.0 {
            print!("{version:<7} {run:<5} {forks:>5} {changes:>7}");
            let times: Vec<_> = sizes
                .iter()
                .filter_map(|size| Some(by_size.get(size)?.iter().min()?.as_secs_f64()))
                .collect();
            times.iter().for_each(|time| print!(" {:>9.3}", time * 1e3));
            if let (Some(first), Some(last)) = (times.first(), times.last()) {
                print!("  {:>5.1}x  {:>6.2} us", last / first, last * 1e6 / (forks * changes) as f64);
            }
            println!();
        }
    }
}
