//! Whether the server's clock is right, as far as the `Date` header of an answer shows it.

use reports::Level;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc2822};

use super::{
    finding::{Chart, Rule},
    visit::Answer,
};

static CLOCK: Rule = Rule {
    id: "clock/agrees",
    level: Level::May,
    says: "The server's clock is right, as everybody orders messages by it and keys expire by it.",
    spec: None,
};

#[cfg(test)]
pub(super) static RULES: &[&Rule] = &[&CLOCK];

/// The header has whole seconds, and the answer was some time on its way.
const TOLERATED: Duration = Duration::seconds(5);

/// Compares the clock behind an answer with that of this machine.
pub(super) fn examine(answer: &Answer, place: &str, chart: &mut Chart) {
    let date = answer.header("date");
    let Ok(theirs) = OffsetDateTime::parse(date, &Rfc2822) else {
        let why = if date.is_empty() { "no Date header".to_owned() } else { format!("Date: {date}") };
        chart.add(CLOCK.idle(place, why));
        return;
    };
    let ahead = theirs - answer.when;
    if ahead.abs() <= TOLERATED {
        let found = format!("within {} s of the clock of this machine", TOLERATED.whole_seconds());
        chart.add(CLOCK.kept(place, found));
        return;
    }
    let side = if ahead.is_positive() { "ahead of" } else { "behind" };
    chart.add(CLOCK.broken(
        place,
        format!("{} s {side} the clock of this machine", ahead.abs().whole_seconds()),
        "see that both machines keep time by NTP; messages seem to come from the past or the future, and other servers take \
         keys for expired",
    ));
}
