//! What generated histories are like: how fast they are made, how many have a real conflict, what they exercise.
//!
//!     cargo run --release -p vectors --example histories -- [CASES] [SEED]

use std::io::{self, Write};
use std::time::Instant;

use protocol::RoomVersion;
use vectors::history::{Coverage, generate};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().ok());
    let cases = arguments.next().flatten().unwrap_or(1_200);
    let seed = arguments.next().flatten().unwrap_or(1);
    let mut coverage = Coverage::default();
    let mut questions = 0;
    let start = Instant::now();
    for (index, version) in (0..cases).zip(RoomVersion::ALL.into_iter().cycle()) {
        let history = generate(seed, index).play(version);
        questions += history.questions().len();
        coverage.add(&history);
    }
    let elapsed_s = start.elapsed().as_secs_f64();
    let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole as f64;
    let mut out = io::stdout().lock();
    writeln!(out, "{cases} histories, {:.0} per second", cases as f64 / elapsed_s)?;
    writeln!(out, "  with a real conflict {:.1} %", percent(coverage.conflicts, coverage.histories))?;
    writeln!(out, "  {:.1} events each", coverage.events as f64 / coverage.histories as f64)?;
    writeln!(out, "  {:.1} % of them rejected", percent(coverage.rejected, coverage.events))?;
    writeln!(out, "  {:.1} questions each", questions as f64 / coverage.histories as f64)?;
    let (hit, total) = (coverage.rules_hit(), Coverage::rules_total());
    writeln!(out, "leaves of the authorization rules: {hit} of {total}, {:.1} %", percent(hit, total))?;
    for (version, leaf) in coverage.missed_rules() {
        let outcome = if leaf.allows { "allowing" } else { "rejecting" };
        writeln!(out, "  missed in {}: {} {outcome}", version.id, leaf.rule)?;
    }
    for (algorithm, step) in coverage.missed_steps() {
        writeln!(out, "  missed in state resolution {algorithm:?}: {step:?}")?;
    }
    Ok(())
}
