//! What resolving forks costs, over the size of the room, the number of forks and their size.
//!
//! On every other fork a moderator bans members, on the others those members change their names; the levels
//! change on each. `first` knows nothing of the room, `again` has resolved an earlier fork of it. After the single
//! results comes a table that shows how the cost grows. Run with `cargo bench -p rooms --bench resolution`.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

mod growth;
mod room;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use protocol::RoomVersion;
use protocol::room_version::{V10, V12};
use rooms::resolution::{AuthChains, resolve_with};
use rooms::state::StateMap;

use self::growth::{Growth, Row};
use self::room::Room;

const EVENTS: [usize; 3] = [1_000, 10_000, 100_000];
const FORKS: [usize; 2] = [2, 8];
const CHANGES: [usize; 3] = [10, 100, 400];
/// How many different forks of each kind are resolved one after the other.
const ROUNDS: usize = 6;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut growth = Growth::default();
    for version in [&V10, &V12] {
        for events in EVENTS {
            resolution(&mut criterion, &mut growth, version, events);
        }
    }
    criterion.final_summary();
    growth.print(&EVENTS);
}

fn resolution(criterion: &mut Criterion, growth: &mut Growth, version: &'static RoomVersion, events: usize) {
    let mut group = criterion.benchmark_group(format!("resolution/version-{}/{events}-events", version.id));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
    let (mut room, trunk) = Room::new(version, events);
    let mut learned = AuthChains::default();
    let earlier = room.fork(&trunk, 2, 1);
    resolve_with(&mut learned, version, &earlier, &room.events).unwrap();
    for (forks, changes) in FORKS.into_iter().flat_map(|forks| CHANGES.map(|changes| (forks, changes))) {
        let rounds: Vec<_> = (0..ROUNDS).map(|_| room.fork(&trunk, forks, changes)).collect();
        for (run, known) in [("first", None), ("again", Some(&learned))] {
            let row = Row { version: version.id, run, forks, changes };
            group.bench_function(format!("{run}/{forks}-forks-{changes}-changes"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let elapsed = time(&room, known, &rounds, iterations);
                    growth.record(&row, events, iterations, elapsed);
                    elapsed
                });
            });
        }
    }
    group.finish();
}

/// The time of so many resolutions, each of forks that are new to what is known of the room.
fn time(room: &Room, known: Option<&AuthChains>, rounds: &[Vec<StateMap>], iterations: u64) -> Duration {
    let resolve = |chains: &mut AuthChains, states: &[StateMap]| {
        let start = Instant::now();
        let resolved = resolve_with(chains, room.version, black_box(states), &room.events);
        let elapsed = start.elapsed();
        black_box(resolved).unwrap();
        elapsed
    };
    let (warm_up, rounds) = rounds.split_first().unwrap();
    let mut chains = AuthChains::default();
    let mut elapsed = Duration::ZERO;
    for (_, round) in (0..iterations).zip((0..rounds.len()).cycle()) {
        match known {
            None => chains = AuthChains::default(),
            // A copy is not part of a room's life, so that its after-effects on allocator and caches do not count.
            Some(known) if round == 0 => {
                chains = known.clone();
                resolve(&mut chains, warm_up);
            }
            Some(_) => {}
        }
        elapsed += resolve(&mut chains, &rounds[round]);
    }
    elapsed
}
