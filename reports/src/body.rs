//! Bodies of requests and answers, laid out for reading without changing a byte that matters.
//!
//! JSON is indented from its text, not from a parsed value: the order of members, doubled members and the spelling of
//! numbers are evidence.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::text;

/// Values up to this length stay in one line, in bytes.
const INLINE_LIMIT: usize = 56;

/// Longer lines are clipped, in characters.
const LINE_LIMIT: usize = 400;

/// The body with line breaks and indentation if it is JSON, and as it is if not.
pub(crate) fn laid_out(body: &str) -> Cow<'_, str> {
    if serde_json::from_str::<IgnoredAny>(body).is_err() {
        return Cow::Borrowed(body);
    }
    let mut text = String::with_capacity(body.len() * 2);
    lay_out(body.trim(), 0, &mut text);
    Cow::Owned(text)
}

/// At most `limit` printable lines of the body, laid out, with a line about what is missing.
pub(crate) fn excerpt(body: &str, limit: usize) -> Vec<String> {
    let body = laid_out(body);
    let total = body.lines().count();
    let shown = if total > limit + 1 { limit } else { total };
    let mut lines: Vec<String> = body
        .lines()
        .take(shown)
        .map(|line| text::clip(&text::printable(line), LINE_LIMIT).into_owned())
        .collect();
    if shown < total {
        lines.push(format!("… {}", text::count(total - shown, "more line")));
    }
    lines
}

fn lay_out(value: &str, depth: usize, text: &mut String) {
    let Some(brackets) = value.get(..1).filter(|first| ["{", "["].contains(first)) else {
        text.push_str(value);
        return;
    };
    if let Some(line) = inline(value) {
        text.push_str(&line);
        return;
    }
    text.push_str(brackets);
    let mut first = true;
    for member in split(&value[1..value.len() - 1], b',') {
        text.push_str(if first { "\n" } else { ",\n" });
        first = false;
        text.extend(std::iter::repeat_n("  ", depth + 1));
        let mut parts = split(member, b':');
        if let (true, Some(name), Some(value)) = (brackets == "{", parts.next(), parts.next()) {
            text.push_str(name);
            text.push_str(": ");
            lay_out(value, depth + 1, text);
        } else {
            lay_out(member, depth + 1, text);
        }
    }
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
    text.push_str(if brackets == "{" { "}" } else { "]" });
}

/// The value in one line, if it is short enough.
fn inline(value: &str) -> Option<String> {
    let mut line = String::with_capacity(INLINE_LIMIT);
    let mut quotes = Quotes::default();
    for character in value.chars() {
        match (quotes.passes(character), character) {
            (false, character) if character.is_ascii_whitespace() => {}
            (false, ',') => line.push_str(", "),
            (false, ':') => line.push_str(": "),
            (false, '{') => line.push_str("{ "),
            (false, '}') if line.ends_with("{ ") => line.replace_range(line.len() - 1.., "}"),
            (false, '}') => line.push_str(" }"),
            (_, character) => line.push(character),
        }
        if line.len() > INLINE_LIMIT {
            return None;
        }
    }
    Some(line)
}

/// The parts of a JSON text between separators that stand outside of strings and brackets.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text.trim()).filter(|text| !text.is_empty());
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quotes = Quotes::default();
        let mut depth = 0_usize;
        for (at, byte) in text.bytes().enumerate() {
            match (quotes.passes(char::from(byte)), byte) {
                (false, b'{' | b'[') => depth += 1,
                (false, b'}' | b']') => depth = depth.saturating_sub(1),
                (false, byte) if byte == separator && depth == 0 => {
                    rest = Some(&text[at + 1..]);
                    return Some(text[..at].trim());
                }
                _ => {}
            }
        }
        rest = None;
        Some(text.trim())
    })
}

/// Whether a scan is inside of a JSON string.
#[derive(Default)]
struct Quotes {
    inside: bool,
    escaped: bool,
}

impl Quotes {
    /// Passes a character; true for every one that belongs to a string, quotes included.
    fn passes(&mut self, character: char) -> bool {
        let was_inside = self.inside;
        match character {
            _ if self.escaped => self.escaped = false,
            '\\' if self.inside => self.escaped = true,
            '"' => self.inside = !self.inside,
            _ => {}
        }
        was_inside || self.inside
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    #[rstest]
    #[case("{}", "{}")]
    #[case("  [ ]\n", "[]")]
    #[case(
        r#"{"b":1,"a":[1.0,{"x":"},:"}],"b":"\"{"}"#,
        r#"{ "b": 1, "a": [1.0, { "x": "},:" }], "b": "\"{" }"#
    )]
    #[case("{\"unfinished\": ", "{\"unfinished\": ")]
    #[case("<html>", "<html>")]
    fn stays_in_one_line(#[case] body: &str, #[case] expected: &str) {
        assert_eq!(laid_out(body), expected);
    }

    #[test]
    fn long_json_is_indented_and_means_the_same() -> Result<(), serde_json::Error> {
        let body = r#"{"rooms":{"join":{"!a:b":{"timeline":{"limited":false,"events":[{"type":"m.room.member","content":{"membership":"join"}},12345678901234567890.50]}}}},"next_batch":"s1_\"2\\"}"#;
        let text = laid_out(body);
        assert_eq!(serde_json::from_str::<Value>(&text)?, serde_json::from_str::<Value>(body)?);
        assert!(text.contains("12345678901234567890.50"), "numbers keep their spelling: {text}");
        insta::assert_snapshot!(text);
        Ok(())
    }

    #[test]
    fn an_excerpt_tells_what_is_missing() {
        let body = "line\n".repeat(50);
        let lines = excerpt(&body, 40);
        assert_eq!(lines.len(), 41);
        assert_eq!(lines[40], "… 10 more lines");
        assert_eq!(excerpt(&"line\n".repeat(41), 40).len(), 41, "one line more is no reason to cut");
    }
}
