//! One server over its versions, in one picture for a README: an SVG of what became of the checks, a bar for each version.

use maud::{Markup, PreEscaped, html};

use crate::recorded::Recorded;
use crate::{Record, Summary, Verdict, text};

/// Sizes in pixels.
const COLUMN: usize = 120;
const BAR: usize = 72;
const BARS: usize = 240;
const ROW: usize = 20;
const MARGIN: usize = 16;

/// Follows the colours that its reader prefers. Every part has its number beside it, so that colour says nothing alone.
const CSS: &str = "text{font:13px system-ui,sans-serif;fill:#1c2128;text-anchor:middle}.head{font-weight:600}\
    .small{font-size:11px}.key{text-anchor:start}\
    .passed{fill:#b7e4c2}.observed{fill:#e6e9ed}.advised{fill:#f6dfa8}.failed{fill:#f7c4c0}\
    @media(prefers-color-scheme:dark){text{fill:#e4e8ee}.passed{fill:#1d4d2b}.observed{fill:#2a313b}\
    .advised{fill:#57420f}.failed{fill:#662522}}";

/// What a bar is made of, from below.
const PARTS: [(&str, Verdict); 4] = [
    ("passed", Verdict::Pass),
    ("observed", Verdict::Observed),
    ("advised", Verdict::Advice),
    ("failed", Verdict::Fail),
];

/// The picture of these results, in their order; those without a record are left out.
#[must_use]
pub fn render(server: &str, recorded: &[Recorded]) -> String {
    let versions: Vec<(&str, &Record, Summary)> = recorded
        .iter()
        .filter_map(|one| {
            one.record.as_ref().map(|record| (&*one.version, record, Summary::of(&record.checks)))
        })
        .collect();
    let most = versions.iter().map(|(_, _, summary)| summary.checks).max().unwrap_or_default().max(1);
    let width = 2 * MARGIN + COLUMN * versions.len().max(4);
    let height = 2 * MARGIN + BARS + 4 * ROW;
    let title = format!("Conformance of {} by version", text::one_line(server));
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
            role="img" aria-labelledby="title"
        {
            title #title { (title) }
            style { (PreEscaped(CSS)) }
            @for (column, (version, record, summary)) in versions.iter().enumerate() {
                (bar(MARGIN + column * COLUMN + COLUMN / 2, version, record, summary, most))
            }
            (key(height - MARGIN))
        }
    };
    picture.into_string()
}

fn bar(x: usize, version: &str, record: &Record, summary: &Summary, most: usize) -> Markup {
    let mut top = MARGIN + ROW + BARS;
    let below = top;
    html! {
        @for (name, count) in PARTS.map(|(name, verdict)| (name, summary.of_verdict(verdict))) {
            @let height = count * BARS / most;
            @let y = { top -= height; top };
            rect x=(x - BAR / 2) y=(y) width=(BAR) height=(height) class=(name) {}
            @if height >= 14 {
                text x=(x) y=(y + height / 2 + 4) class="small" { (text::thousands(count)) }
            }
        }
        text x=(x) y=(top - 6) class="small" { (text::thousands(summary.failed)) " failed" }
        text x=(x) y=(below + ROW - 4) class="head" { (text::clip(version, 14)) }
        text x=(x) y=(below + 2 * ROW - 6) class="small" { "by " (record.releases.judged) }
    }
}

fn key(y: usize) -> Markup {
    html! {
        @for (number, (name, _)) in PARTS.iter().enumerate() {
            @let x = MARGIN + number * COLUMN;
            rect x=(x) y=(y - 11) width="14" height="14" class=(name) {}
            text x=(x + 20) y=(y) class="key small" { (name) }
        }
    }
}
