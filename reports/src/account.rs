//! The account of one check that did not come out as it should: the sentence, the citation, what was sent, what came,
//! what was expected, and the command that repeats it.

use crate::style::Style;
use crate::{Check, Exchange, Failure, Record, Verdict, body, text};

/// How many lines of a body are shown.
const BODY_LINES: usize = 40;

/// How many exchanges before those shown in full get a line.
const EARLIER_EXCHANGES: usize = 8;

/// How many lines of the server's log are shown; its last ones.
const LOG_LINES: usize = 20;

/// Width of the column of labels.
const LABEL: usize = 10;

/// Headers that every exchange has and that tell nothing; the record has them.
const DULL_HEADERS: [&str; 10] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "date",
    "host",
    "keep-alive",
    "server",
    "transfer-encoding",
    "user-agent",
];

/// The account as lines without line feeds, none of them indented.
pub(crate) fn of(record: &Record, check: &Check, style: Style) -> Vec<String> {
    let mut account = Account { lines: Vec::new(), style };
    account.lines.extend(text::wrap(&check.requirement, text::WIDTH - 4));
    let weight = format!("{} · {}", check.level, check.severity);
    account
        .lines
        .push(style.dim(&format!("{weight} · {}", record.citation_url(&text::one_line(&check.spec)))));
    if let Some(reason) = &check.reason {
        account.words("reason", reason);
    }
    if let Some(failure) = &check.failure {
        account.failure(failure);
    }
    match &check.expectation {
        Some(expectation) => account.words("foreseen", &format!("{}: {expectation}", check.expected.words())),
        None if check.expected != Verdict::Pass => account.words("foreseen", check.expected.words()),
        None => {}
    }
    account.lines
}

struct Account {
    lines: Vec<String>,
    style: Style,
}

impl Account {
    fn failure(&mut self, failure: &Failure) {
        let (shown, earlier) = select(&failure.exchanges);
        self.earlier(&earlier);
        for exchange in shown {
            self.exchange(exchange);
        }
        if let Some(log) = &failure.server_log {
            self.log(log);
        }
        self.words("got", &failure.got);
        self.words("expected", &failure.expected);
        if !failure.repeat.is_empty() {
            self.line("repeat", &self.style.bold(&text::one_line(&failure.repeat)));
        }
    }

    fn earlier(&mut self, exchanges: &[&Exchange]) {
        let left_out = exchanges.len().saturating_sub(EARLIER_EXCHANGES);
        let mut label = "before";
        if left_out > 0 {
            self.line(label, &self.style.dim(&format!("… {}", text::count(left_out, "earlier exchange"))));
            label = "";
        }
        for exchange in &exchanges[left_out..] {
            let line = format!("{} → {}", request_line(exchange), answer_line(exchange));
            self.line(label, &self.style.dim(&line));
            label = "";
        }
    }

    fn exchange(&mut self, exchange: &Exchange) {
        self.line("sent", &request_line(exchange));
        if let Some(note) = &exchange.note {
            self.words("", &format!("({note})"));
        }
        self.headers(&exchange.request_headers);
        self.body(exchange.request_body.as_deref());
        self.words("came", &answer_line(exchange));
        self.headers(&exchange.response_headers);
        self.body(exchange.response_body.as_deref());
    }

    fn headers(&mut self, headers: &[(String, String)]) {
        for (name, value) in headers {
            if !DULL_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                self.line("", &self.style.dim(&text::one_line(&format!("{name}: {value}"))));
            }
        }
    }

    fn body(&mut self, body: Option<&str>) {
        for line in
            body.filter(|body| !body.is_empty()).map(|body| body::excerpt(body, BODY_LINES)).iter().flatten()
        {
            self.quote(line);
        }
    }

    fn log(&mut self, log: &str) {
        let lines: Vec<&str> = log.trim_end().lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
        self.line("log", &format!("last {} of the server", text::count(shown.len(), "line")));
        for line in shown {
            self.quote(&text::printable(line));
        }
    }

    fn words(&mut self, label: &str, words: &str) {
        for (index, line) in text::wrap(words, text::WIDTH - LABEL - 2).iter().enumerate() {
            self.line(if index == 0 { label } else { "" }, line);
        }
    }

    /// Foreign text stands behind a bar: nothing in it can be taken for a line of ours, or for a workflow command.
    fn quote(&mut self, line: &str) {
        self.line("", &format!("{} {line}", self.style.dim("│")));
    }

    fn line(&mut self, label: &str, rest: &str) {
        let label = self.style.dim(&format!("{label:<LABEL$}"));
        self.lines.push(format!("{label}{rest}").trim_end().to_owned());
    }
}

/// Which exchanges are told in full (those with a note or an error, and the last one), and which in a line.
fn select(exchanges: &[Exchange]) -> (Vec<&Exchange>, Vec<&Exchange>) {
    let last = exchanges.len().saturating_sub(1);
    let (mut shown, mut earlier) = (Vec::new(), Vec::new());
    for (index, exchange) in exchanges.iter().enumerate() {
        let in_full = index == last || exchange.note.is_some() || exchange.error.is_some();
        if in_full { shown.push(exchange) } else { earlier.push(exchange) }
    }
    (shown, earlier)
}

/// Method and URL, in one line.
pub(crate) fn request_line(exchange: &Exchange) -> String {
    text::one_line(&format!("{} {}", exchange.method, exchange.url))
}

/// Status and time, or why there is none, in one line.
pub(crate) fn answer_line(exchange: &Exchange) -> String {
    let duration = text::duration(exchange.duration_ms);
    match (exchange.status, &exchange.error) {
        (Some(status), None) => format!("{status} after {duration}"),
        (Some(status), Some(error)) => format!("{status} after {duration}: {}", text::one_line(error)),
        (None, Some(error)) => format!("no answer after {duration}: {}", text::one_line(error)),
        (None, None) => format!("no answer after {duration}"),
    }
}
