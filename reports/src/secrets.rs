//! What must not enter a record: access tokens and passwords, and bodies without end.
//!
//! Records are attached to builds and published. A run may have been made with the token of a real administrator.
//! Secrets are therefore shortened on the way into the record, once, and no renderer has to think of them.

use std::collections::BTreeSet;

use crate::{Check, Exchange, Failure};

/// How much of a body is kept, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// How much of a server log is kept, in bytes; its end, because that is where the answer stands.
const LOG_LIMIT: usize = 64 * 1024;

/// Members of JSON objects, and parameters of queries and forms, whose values are secret.
const NAMES: [&str; 14] = [
    "access_token",
    "refresh_token",
    "login_token",
    "id_token",
    "as_token",
    "hs_token",
    "registration_token",
    "token",
    "password",
    "new_password",
    "client_secret",
    "code",
    "code_verifier",
    "mac",
];

/// Shorter values are left alone: nothing would be hidden, and half of the text might match.
const SHORTEST_SECRET: usize = 8;

/// How much of a secret stays: enough to tell what sort of token it is.
const SHOWN: usize = 4;

impl Check {
    /// This check as it may be kept and shown: secrets shortened, long bodies cut, times rounded to microseconds.
    ///
    /// A secret found anywhere in the exchanges is shortened everywhere in the check, in its texts too.
    #[must_use]
    pub fn for_record(&self) -> Self {
        let mut check = self.clone();
        check.duration_ms = to_microseconds(check.duration_ms);
        if let Some(failure) = &mut check.failure {
            let secrets = Secrets::of(failure);
            secrets.shorten_in_failure(failure);
            if let Some(reason) = &mut check.reason {
                secrets.shorten(reason);
            }
        }
        check
    }
}

/// A command line in which the values of options about tokens, secrets and passwords are shortened.
pub(crate) fn shorten_arguments(command: &str) -> String {
    let mut is_value_secret = false;
    let shortened = command.split(' ').map(|argument| {
        let was_secret = std::mem::take(&mut is_value_secret);
        let is_secret = ["token", "secret", "password"].iter().any(|word| argument.contains(word));
        match argument.split_once('=') {
            Some((option, value)) if argument.starts_with('-') && is_secret => {
                format!("{option}={}", shortened(value))
            }
            None if argument.starts_with('-') => {
                is_value_secret = is_secret;
                argument.to_owned()
            }
            _ if was_secret => shortened(argument),
            _ => argument.to_owned(),
        }
    });
    shortened.collect::<Vec<_>>().join(" ")
}

fn shortened(secret: &str) -> String {
    secret.chars().take(SHOWN).chain(['…']).collect()
}

struct Secrets(Vec<String>);

impl Secrets {
    fn of(failure: &Failure) -> Self {
        let mut found = BTreeSet::new();
        for exchange in &failure.exchanges {
            collect_from_exchange(exchange, &mut found);
        }
        let mut found: Vec<String> =
            found.into_iter().filter(|value| value.len() >= SHORTEST_SECRET).collect();
        // The longest first, so that a secret which begins with another one is not left half shown.
        found.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(found)
    }

    fn shorten(&self, text: &mut String) {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), &shortened(secret));
            }
        }
    }

    fn shorten_in_failure(&self, failure: &mut Failure) {
        for text in [&mut failure.expected, &mut failure.got, &mut failure.repeat] {
            self.shorten(text);
        }
        failure.repeat = shorten_arguments(&failure.repeat);
        if let Some(log) = &mut failure.server_log {
            self.shorten(log);
            cut_start(log);
        }
        for exchange in &mut failure.exchanges {
            self.shorten_in_exchange(exchange);
        }
    }

    fn shorten_in_exchange(&self, exchange: &mut Exchange) {
        exchange.duration_ms = to_microseconds(exchange.duration_ms);
        self.shorten(&mut exchange.url);
        for (_, value) in exchange.request_headers.iter_mut().chain(&mut exchange.response_headers) {
            self.shorten(value);
        }
        for text in [&mut exchange.error, &mut exchange.note].into_iter().flatten() {
            self.shorten(text);
        }
        for body in [&mut exchange.request_body, &mut exchange.response_body].into_iter().flatten() {
            self.shorten(body);
            cut_end(body);
        }
    }
}

fn collect_from_exchange(exchange: &Exchange, found: &mut BTreeSet<String>) {
    if let Some((_, query)) = exchange.url.split_once('?') {
        collect_from_form(query, found);
    }
    for (name, value) in exchange.request_headers.iter().chain(&exchange.response_headers) {
        match value.split_once(' ') {
            Some((scheme, token))
                if name.eq_ignore_ascii_case("authorization")
                    && ["bearer", "basic"].contains(&scheme.to_ascii_lowercase().as_str()) =>
            {
                found.insert(token.trim().to_owned());
            }
            _ if name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie") => {
                found.insert(value.split(';').next().unwrap_or_default().to_owned());
            }
            _ if name.eq_ignore_ascii_case("location") => {
                collect_from_form(value.split_once('?').map_or("", |(_, query)| query), found);
            }
            _ => {}
        }
    }
    for body in [&exchange.request_body, &exchange.response_body].into_iter().flatten() {
        if body.trim_start().starts_with(['{', '[']) {
            collect_from_json(body, found);
        } else {
            collect_from_form(body, found);
        }
    }
}

fn collect_from_form(form: &str, found: &mut BTreeSet<String>) {
    for pair in form.split(['&', '#']) {
        if let Some((name, value)) = pair.split_once('=')
            && NAMES.contains(&name)
        {
            found.insert(value.to_owned());
        }
    }
}

/// Finds string values by their member names, in text that need not be whole JSON: a broken body has secrets too.
fn collect_from_json(body: &str, found: &mut BTreeSet<String>) {
    for name in NAMES {
        let member = format!("\"{name}\"");
        for (start, _) in body.match_indices(&member) {
            let value = body[start + member.len()..]
                .trim_start()
                .strip_prefix(':')
                .and_then(|rest| rest.trim_start().strip_prefix('"'));
            if let Some(value) = value {
                found.insert(until_quote(value).to_owned());
            }
        }
    }
}

fn until_quote(text: &str) -> &str {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[..at],
            _ => {}
        }
    }
    text
}

fn cut_end(text: &mut String) {
    let length = text.len();
    if length > BODY_LIMIT {
        let end = (0..=BODY_LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push_str(&format!("… (cut: {length} bytes in all)"));
    }
}

fn cut_start(text: &mut String) {
    let length = text.len();
    if length > LOG_LIMIT {
        let start =
            (length - LOG_LIMIT..=length).find(|start| text.is_char_boundary(*start)).unwrap_or(length);
        *text = format!("(cut: {length} bytes in all) …{}", &text[start..]);
    }
}

fn to_microseconds(duration_ms: f64) -> f64 {
    (duration_ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(exchange: Exchange, got: &str) -> Check {
        Check {
            id: "client/login/a".to_owned(),
            level: crate::Level::Must,
            severity: crate::Severity::Security,
            verdict: crate::Verdict::Fail,
            expected: crate::Verdict::Pass,
            expectation: None,
            spec: "client-server-api/#login".to_owned(),
            duration_ms: 1.234_567_8,
            requirement: "The server lets a user in.".to_owned(),
            reason: None,
            failure: Some(Failure { got: got.to_owned(), exchanges: vec![exchange], ..Failure::default() }),
        }
    }

    #[test]
    fn a_token_is_shortened_wherever_it_shows_up() {
        let exchange = Exchange {
            url: "/sync?access_token=in-the-query&since=s1".to_owned(),
            request_headers: vec![("Authorization".to_owned(), "Bearer syt_the_whole_token".to_owned())],
            request_body: Some("{\"password\" : \"with \\\" quote inside\", \"user\": \"alice\"}".to_owned()),
            response_body: Some("{\"access_token\":\"unfinished-token".to_owned()),
            error: Some("no answer for in-the-query".to_owned()),
            ..Exchange::default()
        };
        let kept = check(exchange, "syt_the_whole_token was refused").for_record();
        let text = serde_json::to_string(&kept).unwrap_or_default();
        for secret in ["syt_the_whole", "in-the-query", "quote inside", "unfinished-token"] {
            assert!(!text.contains(secret), "{secret} is still in {text}");
        }
        for shown in ["Bearer syt_…", "access_token=in-t…&since=s1", "syt_… was refused", "alice"] {
            assert!(text.contains(shown), "{shown} is missing in {text}");
        }
        assert!((kept.duration_ms - 1.235).abs() < f64::EPSILON);
    }

    #[test]
    fn a_command_line_keeps_no_secret() {
        let command = "run https://a.example --admin-token syt_abcdefgh --registration-secret=abcdefgh --only client/login";
        let expected =
            "run https://a.example --admin-token syt_… --registration-secret=abcd… --only client/login";
        assert_eq!(shorten_arguments(command), expected);
    }

    #[test]
    fn federation_signatures_and_short_values_stay() {
        let header = "X-Matrix origin=\"a\",sig=\"abcdefghijkl\"";
        let exchange = Exchange {
            request_headers: vec![("Authorization".to_owned(), header.to_owned())],
            response_body: Some("{\"access_token\":\"abc\"}".to_owned()),
            ..Exchange::default()
        };
        let original = check(exchange, "abc");
        assert_eq!(original.for_record().failure, original.failure);
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let body = "ä".repeat(BODY_LIMIT);
        let exchange = Exchange { response_body: Some(format!("x{body}")), ..Exchange::default() };
        let kept = check(exchange, "").for_record();
        let failure = kept.failure.unwrap_or_default();
        let body = failure.exchanges[0].response_body.as_deref().unwrap_or_default();
        assert!(body.len() < BODY_LIMIT + 64);
        assert!(body.ends_with("ä… (cut: 131073 bytes in all)"), "{}", &body[body.len() - 60..]);
    }
}
