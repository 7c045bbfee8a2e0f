//! What is demanded of a run: `delivery p95 < 500ms`, `errors < 0.1%`.

use std::str::FromStr;

use reports::load::{LoadRecord, Objective, Series};

/// A demand, as it was written and as it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    text: String,
    /// The operation; without it, all of them together.
    series: Option<String>,
    figure: Figure,
    relation: Relation,
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    /// A latency in milliseconds, at this quantile.
    Quantile(f64),
    Mean,
    Max,
    /// Shares of what was started, or of what arrived.
    Errors,
    Dropped,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Why a text is no demand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no objective; expected an operation, a figure and a limit, such as `delivery p95 < 500ms`, `send max < 2s`, \
     `errors < 0.1%` or `send count >= 100`"
)]
pub struct NotADemand(String);

impl FromStr for Demand {
    type Err = NotADemand;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or_else(|| NotADemand(text.to_owned()))
    }
}

impl Demand {
    fn parse(text: &str) -> Option<Self> {
        let place = text.find(['<', '>'])?;
        let (subject, rest) = text.split_at(place);
        let (relation, limit) = match (rest.strip_prefix("<="), rest.strip_prefix(">=")) {
            (Some(limit), _) => (Relation::AtMost, limit),
            (_, Some(limit)) => (Relation::AtLeast, limit),
            _ if rest.starts_with('<') => (Relation::Below, &rest[1..]),
            _ => (Relation::Above, &rest[1..]),
        };
        let words: Vec<&str> = subject.split_whitespace().collect();
        let (series, figure) = match words.as_slice() {
            [figure] => (None, Figure::parse(figure)?),
            [series, figure] => (Some((*series).to_owned()), Figure::parse(figure)?),
            _ => return None,
        };
        // A quantile of everything together would mean nothing.
        if series.is_none() && !matches!(figure, Figure::Errors | Figure::Dropped | Figure::Count) {
            return None;
        }
        let limit = figure.limit(limit.trim())?;
        Some(Demand { text: words.join(" ") + " " + rest.trim(), series, figure, relation, limit })
    }

    /// The operation that it is about, where it is about one.
    #[must_use]
    pub fn series(&self) -> Option<&str> {
        self.series.as_deref()
    }

    /// Judges a run by it.
    #[must_use]
    pub fn judge(&self, record: &LoadRecord) -> Objective {
        let series: Vec<&Series> = match &self.series {
            Some(name) => record.series(name).into_iter().collect(),
            None => record.series.iter().collect(),
        };
        let actual = self.figure.of(&series);
        let kept = actual.is_some_and(|actual| match self.relation {
            Relation::Below => actual < self.limit,
            Relation::AtMost => actual <= self.limit,
            Relation::Above => actual > self.limit,
            Relation::AtLeast => actual >= self.limit,
        });
        Objective { text: self.text.clone(), actual: actual.map(|actual| self.figure.words(actual)), kept }
    }
}

impl Figure {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "mean" => Some(Figure::Mean),
            "max" => Some(Figure::Max),
            "errors" => Some(Figure::Errors),
            "dropped" => Some(Figure::Dropped),
            "count" => Some(Figure::Count),
            _ => {
                let percent: f64 = word.strip_prefix('p')?.parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Figure::Quantile(percent / 100.0))
            }
        }
    }

    fn limit(self, text: &str) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        match self {
            Figure::Count => number(text),
            Figure::Errors | Figure::Dropped => Some(number(text.strip_suffix('%')?)? / 100.0),
            Figure::Quantile(_) | Figure::Mean | Figure::Max => {
                let in_unit = |unit: &str, ms: f64| Some(number(text.strip_suffix(unit)?)? * ms);
                in_unit("ms", 1.0).or_else(|| in_unit("us", 1e-3)).or_else(|| in_unit("s", 1e3))
            }
        }
    }

    fn of(self, series: &[&Series]) -> Option<f64> {
        let sum = |of: fn(&Series) -> u64| series.iter().map(|series| of(series)).sum::<u64>() as f64;
        let (count, dropped) = (sum(|series| series.count), sum(|series| series.dropped));
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        match self {
            Figure::Quantile(quantile) => series.first()?.latency.histogram.quantile_ms(quantile),
            Figure::Mean => series.first()?.latency.mean_ms,
            Figure::Max => series.first()?.latency.max_ms,
            Figure::Errors => share(sum(|series| series.errors), count),
            Figure::Dropped => share(dropped, count + dropped),
            Figure::Count => (!series.is_empty()).then_some(count),
        }
    }

    fn words(self, actual: f64) -> String {
        match self {
            Figure::Quantile(_) | Figure::Mean | Figure::Max => format!("{actual:.1}ms"),
            Figure::Errors | Figure::Dropped => format!("{:.2}%", actual * 100.0),
            Figure::Count => format!("{actual}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reports::load::{Histogram, Plan};
    use rstest::rstest;

    use super::*;

    fn record() -> LoadRecord {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|ms| histogram.record(Duration::from_millis(ms)));
        let mut record = LoadRecord::begun(Default::default(), 1, Plan::default(), String::new(), "");
        record.series = vec![
            Series {
                name: "send".to_owned(),
                count: 102,
                errors: 2,
                dropped: 18,
                latency: histogram.into(),
                ..Series::default()
            },
            Series { name: "join".to_owned(), count: 98, ..Series::default() },
        ];
        record
    }

    #[rstest]
    #[case("send p95 < 96ms", true, "95.0ms")]
    #[case("send p95 <= 0.09s", false, "95.0ms")]
    #[case("send max < 2s", true, "100.0ms")]
    #[case("send p50 > 49000us", true, "50.0ms")]
    #[case("errors < 1%", false, "1.00%")]
    #[case("errors <= 1%", true, "1.00%")]
    #[case("send errors < 5%", true, "1.96%")]
    #[case("send dropped < 20%", true, "15.00%")]
    #[case("send count >= 102", true, "102")]
    fn runs_are_judged(#[case] text: &str, #[case] kept: bool, #[case] actual: &str) {
        let objective = text.parse::<Demand>().expect("a demand").judge(&record());
        assert_eq!(
            (objective.kept, objective.actual.as_deref(), objective.text.as_str()),
            (kept, Some(actual), text)
        );
    }

    #[rstest]
    #[case("join p95 < 1s")]
    #[case("leave count >= 0")]
    fn what_has_no_figure_is_missed(#[case] text: &str) {
        let objective = text.parse::<Demand>().expect("a demand").judge(&record());
        assert_eq!((objective.kept, objective.actual), (false, None));
    }

    #[rstest]
    #[case("")]
    #[case("send p95")]
    #[case("send p95 < 500")]
    #[case("send p101 < 5ms")]
    #[case("p95 < 5ms")]
    #[case("errors < 5ms")]
    #[case("send the p95 < 5ms")]
    #[case("send p95 = 5ms")]
    fn other_texts_are_refused(#[case] text: &str) {
        assert!(text.parse::<Demand>().is_err());
    }
}
