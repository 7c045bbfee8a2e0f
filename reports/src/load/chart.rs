//! Line charts as SVG: drawn once, readable without a script, in light and in dark.

use maud::{Markup, html};

use crate::text;

/// Sizes of a chart, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;

/// Lines that a chart tells apart by colour.
pub(super) const MOST_LINES: usize = 6;

/// A line of a chart. What has no figure leaves a gap.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// How an axis is read.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Marks with their words.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) logarithmic: bool,
}

impl Axis {
    /// From zero to a round number above everything.
    pub(super) fn linear(most: f64, words: impl Fn(f64) -> String) -> Self {
        let step = round_step(most.max(1e-9) / 4.0);
        let ticks: Vec<(f64, String)> =
            (0..=5).map(|number| f64::from(number) * step).map(|at| (at, words(at))).collect();
        let to = ticks.iter().map(|(at, _)| *at).find(|at| *at >= most).unwrap_or(most);
        let ticks = ticks.into_iter().filter(|(at, _)| *at <= to).collect();
        Axis { ticks, from: 0.0, to, logarithmic: false }
    }

    /// Whole powers of ten around everything.
    pub(super) fn logarithmic(least: f64, most: f64, words: impl Fn(f64) -> String) -> Self {
        let (first, last) = (least.max(1e-3).log10().floor() as i32, most.max(1e-3).log10().ceil() as i32);
        let last = last.max(first + 1);
        let ticks = (first..=last).map(|power| 10_f64.powi(power)).map(|at| (at, words(at))).collect();
        Axis { ticks, from: 10_f64.powi(first), to: 10_f64.powi(last), logarithmic: true }
    }

    fn place(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.logarithmic { value.max(self.from).log10() } else { value };
        let span = scaled(self.to) - scaled(self.from);
        if span <= 0.0 { 0.0 } else { ((scaled(value) - scaled(self.from)) / span).clamp(0.0, 1.0) }
    }
}

/// A chart with its legend.
pub(super) fn draw(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> Markup {
    let across = |value: f64| LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
    let up = |value: f64| HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);
    html! {
        figure.chart {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                @for (at, words) in &y.ticks {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(number(up(*at))) y2=(number(up(*at))) {}
                    text x=(LEFT - 6.0) y=(number(up(*at) + 4.0)) text-anchor="end" { (words) }
                }
                @for (at, words) in &x.ticks {
                    text x=(number(across(*at))) y=(HEIGHT - 8.0) text-anchor="middle" { (words) }
                }
                @for (place, line) in lines.iter().take(MOST_LINES).enumerate() {
                    @for run in runs(&line.points) {
                        @let points: Vec<String> =
                            run.iter().map(|(x, y)| format!("{},{}", number(across(*x)), number(up(*y)))).collect();
                        @if points.len() == 1 {
                            circle class=(format!("l{place}")) cx=(number(across(run[0].0))) cy=(number(up(run[0].1))) r="2.5" {}
                        } @else {
                            polyline class=(format!("l{place}")) points=(points.join(" ")) {}
                        }
                    }
                }
            }
            ul.legend {
                @for (place, line) in lines.iter().take(MOST_LINES).enumerate() {
                    li class=(format!("l{place}")) { (text::one_line(&line.label)) }
                }
            }
        }
    }
}

/// The stretches of a line that have figures.
fn runs(points: &[(f64, Option<f64>)]) -> Vec<Vec<(f64, f64)>> {
    points
        .split(|(_, y)| y.is_none())
        .map(|run| run.iter().filter_map(|(x, y)| Some((*x, (*y)?))).collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}

/// 1, 2 or 5 times a power of ten, not below.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least)
        .unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0.9, 1.0)]
    #[case(1.1, 2.0)]
    #[case(230.0, 500.0)]
    fn steps_are_round(#[case] least: f64, #[case] step: f64) {
        assert!((round_step(least) - step).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_figure_leaves_a_gap() {
        let points = [(0.0, Some(1.0)), (1.0, None), (2.0, Some(3.0)), (3.0, Some(4.0))];
        assert_eq!(runs(&points), [vec![(0.0, 1.0)], vec![(2.0, 3.0), (3.0, 4.0)]]);
    }

    #[test]
    fn an_axis_reaches_over_everything() {
        let axis = Axis::linear(7.3, |at| at.to_string());
        assert!(axis.to >= 7.3 && axis.place(7.3) <= 1.0);
        let axis = Axis::logarithmic(0.3, 450.0, |at| at.to_string());
        assert_eq!((axis.from, axis.to), (0.1, 1000.0));
    }
}
