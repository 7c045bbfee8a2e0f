//! How much a server can take: the largest number of active users with whom every objective is kept.

use std::time::Duration;

use reports::load::{Capacity, LoadRecord, Step};

use crate::{
    resource,
    run::{Rig, RunError, Settings},
};

/// How a search goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Users of the first step.
    pub first: u32,
    /// Users at most.
    pub most: u32,
    /// How long each step is driven before it is measured.
    pub warm_up: Duration,
    /// How close the answer is to the first number that fails, as their ratio.
    pub within: f64,
}

/// How often an answer that its confirmation contradicts is lowered.
const MOST_CONFIRMATIONS: u32 = 4;
/// By what it is lowered each time.
const LOWERED: f64 = 0.9;
/// How much longer than a step a confirmation is.
const CONFIRMED_FOR: u32 = 2;

/// What the search knows so far.
#[derive(Debug, Default)]
struct Bounds {
    holds: Option<u32>,
    fails: Option<u32>,
    gave_way: Option<String>,
    steps: Vec<Step>,
}

/// Searches: doubles until an objective is missed, halves the gap, and confirms what it found by a longer run, whose
/// record it gives.
///
/// # Errors
/// When nothing could be measured.
pub async fn search(
    rig: &mut Rig<'_>,
    settings: &Settings,
    search: Search,
    say: &dyn Fn(&str),
    mut cancelled: std::pin::Pin<&mut dyn Future<Output = ()>>,
) -> Result<LoadRecord, RunError> {
    let mut bounds = Bounds::default();
    let mut last = None;
    while let Some(users) = bounds.next(search) {
        let record = step(rig, settings, search, users, 1, &mut cancelled).await?;
        let goes_on = !record.interrupted;
        bounds.learn(users, &record, say);
        last = Some(record);
        if !goes_on {
            break;
        }
    }
    let mut confirmed = None;
    for _ in 0..MOST_CONFIRMATIONS {
        let Some(users) = bounds.holds.filter(|_| last.as_ref().is_some_and(|record| !record.interrupted))
        else {
            break;
        };
        say(&format!("confirming {users} users"));
        let record = step(rig, settings, search, users, CONFIRMED_FOR, &mut cancelled).await?;
        let kept = is_kept(&record);
        bounds.learn(users, &record, say);
        last = Some(record.clone());
        if kept {
            confirmed = Some(record);
            break;
        }
        bounds.holds = Some((f64::from(users) * LOWERED) as u32).filter(|lower| *lower > 0 && *lower < users);
    }
    let is_confirmed = confirmed.is_some();
    let mut record = confirmed
        .or(last)
        .ok_or_else(|| RunError::Usage("a search needs a first step within its bounds".to_owned()))?;
    record.capacity = Some(bounds.answer(&record, is_confirmed));
    Ok(record)
}

async fn step(
    rig: &mut Rig<'_>,
    settings: &Settings,
    search: Search,
    users: u32,
    longer: u32,
    cancelled: &mut std::pin::Pin<&mut dyn Future<Output = ()>>,
) -> Result<LoadRecord, RunError> {
    let step = Settings { users, ..settings.clone() };
    if !search.warm_up.is_zero() {
        let warm_up = Settings { span: search.warm_up, record: None, ..step.clone() };
        let record = rig.measure(&warm_up, cancelled.as_mut()).await?;
        if record.interrupted {
            return Ok(record);
        }
    }
    // Other arrivals than in the warm-up and in the step before.
    rig.measure(&Settings { span: settings.span * longer, ..step }, cancelled.as_mut()).await
}

fn is_kept(record: &LoadRecord) -> bool {
    record.outcome() == reports::Outcome::AsExpected
}

impl Bounds {
    /// The users of the next step; nothing when the search is over.
    fn next(&self, search: Search) -> Option<u32> {
        match (self.holds, self.fails) {
            (None, None) => Some(search.first.min(search.most)),
            (Some(holds), None) => {
                Some(holds.saturating_mul(2).min(search.most)).filter(|users| *users > holds)
            }
            (None, Some(fails)) => Some(fails / 2).filter(|users| *users > 0),
            (Some(holds), Some(fails)) => {
                let between = u32::midpoint(holds, fails);
                let is_wide = f64::from(fails) > f64::from(holds) * search.within;
                Some(between).filter(|users| is_wide && *users > holds && *users < fails)
            }
        }
    }

    fn learn(&mut self, users: u32, record: &LoadRecord, say: &dyn Fn(&str)) {
        let kept = is_kept(record);
        let missed: Vec<String> = match (&record.void, &record.fault) {
            (Some(why), _) | (None, Some(why)) => vec![why.clone()],
            _ => {
                let missed = record.objectives.iter().filter(|objective| !objective.kept);
                missed
                    .map(|objective| {
                        format!(
                            "{} was {}",
                            objective.text,
                            objective.actual.as_deref().unwrap_or("not there")
                        )
                    })
                    .collect()
            }
        };
        let p95 = record.series("delivery").and_then(|series| series.latency.p95_ms);
        say(&match missed.as_slice() {
            [] => format!(
                "{users} users: kept{}",
                p95.map_or(String::new(), |ms| format!(", delivery p95 {ms:.0} ms"))
            ),
            missed => format!("{users} users: missed, {}", missed.join("; ")),
        });
        self.steps.push(Step { users: u64::from(users), kept, missed, delivery_p95_ms: p95 });
        if kept {
            self.holds = Some(self.holds.map_or(users, |holds| holds.max(users)));
        } else {
            self.fails = Some(self.fails.map_or(users, |fails| fails.min(users)));
            self.gave_way = Some(resource::gave_way(record));
        }
    }

    fn answer(self, record: &LoadRecord, is_confirmed: bool) -> Capacity {
        let profile = &record.plan.profile;
        let server =
            format!("{} {}", record.target.name, record.target.version.as_deref().unwrap_or_default());
        let server = server.trim_end();
        let gave_way = self.gave_way.as_deref();
        let sentence = match (self.holds, gave_way) {
            (Some(holds), Some(gave_way)) if is_confirmed => {
                format!(
                    "{server} holds {holds} active users of profile {profile} on this machine; beyond that, {gave_way}"
                )
            }
            (Some(holds), None) if is_confirmed => {
                format!(
                    "{server} holds {holds} active users of profile {profile} on this machine, and more were not tried"
                )
            }
            (_, Some(gave_way)) => {
                format!(
                    "{server} held no number of active users of profile {profile} that was tried; {gave_way}"
                )
            }
            _ => format!("the search for what {server} holds of profile {profile} did not reach its end"),
        };
        Capacity {
            users: self.holds.filter(|_| is_confirmed).map(u64::from),
            gave_way: self.gave_way,
            sentence,
            steps: self.steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search { first: 10, most: 5_000, warm_up: Duration::ZERO, within: 1.15 };

    /// What a search finds of a server that holds so many, and in how many steps.
    fn found(holds: u32) -> (Option<u32>, usize) {
        let mut bounds = Bounds::default();
        let mut steps = 0;
        while let Some(users) = bounds.next(SEARCH) {
            steps += 1;
            if users <= holds { bounds.holds = Some(users) } else { bounds.fails = Some(users) }
        }
        (bounds.holds, steps)
    }

    #[test]
    fn a_search_comes_close_from_below_in_few_steps() {
        for holds in 1..4_000 {
            let (found, steps) = found(holds);
            let found = found.unwrap_or_else(|| panic!("{holds} were not found"));
            assert!(
                found <= holds && f64::from(holds) <= f64::from(found) * 1.15 + 1.0,
                "{found} of {holds}"
            );
            assert!(steps <= 14, "{steps} steps for {holds}");
        }
    }

    #[test]
    fn a_search_ends_where_nothing_holds_and_where_everything_does() {
        assert_eq!(found(0).0, None);
        assert_eq!(found(1_000_000).0, Some(5_000));
    }
}
