//! How fast the built-in server is beside Synapse on SQLite, one after the other on the same machine.
//!
//! `cargo bench --bench speed`; `DETERMINANT_SPEED_SECONDS` says how long each rate is measured, 10 if nothing does. Synapse is
//! measured where `fixtures/targets/synapse/install.sh` has put it. Both keep what they are told in files. What everybody else on
//! the machine used meanwhile stands in the last line: a figure from a busy machine is a ratio at best.

mod house;
mod measures;
mod person;

use std::time::Duration;

use house::{House, Kind};
use measures::Figures;

/// What goes wrong here is told and ends the column.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() {
    let seconds = std::env::var("DETERMINANT_SPEED_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(10));
    let mut columns: Vec<(Kind, Figures)> = Vec::new();
    for kind in [Kind::BuiltInFlushed, Kind::BuiltIn, Kind::Synapse] {
        match measured(kind, span).await {
            Ok(figures) => columns.push((kind, figures)),
            Err(error) => say(&format!("{} was not measured: {error}", kind.name())),
        }
    }
    table(&columns);
}

async fn measured(kind: Kind, span: Duration) -> Fallible<Figures> {
    let house = House::open(kind).await?;
    measures::take(&house, span).await
}

/// A line for every figure, and last how much better the built-in server is that is as durable as Synapse.
fn table(columns: &[(Kind, Figures)]) {
    let names: String = columns.iter().map(|(kind, _)| format!("{:>22}", kind.name())).collect();
    say(&format!("{:<44}{names}{:>12}", "", "ratio"));
    let Some((_, first)) = columns.first() else { return };
    for (row, figure) in first.rows().iter().enumerate() {
        let values: Vec<f64> = columns.iter().map(|(_, figures)| figures.rows()[row].value).collect();
        let shown: String = values.iter().map(|value| format!("{value:>22.1}")).collect();
        let of = |kind: Kind| columns.iter().position(|(it, _)| *it == kind).map(|column| values[column]);
        let ratio = match (of(Kind::BuiltIn), of(Kind::Synapse)) {
            (Some(ours), Some(theirs)) if figure.compared => {
                format!("{:>11.1}×", figure.advantage(ours, theirs))
            }
            _ => String::new(),
        };
        say(&format!("{:<44}{shown}{ratio}", figure.name));
    }
}

#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}
