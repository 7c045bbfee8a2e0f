//! Words, lines and numbers as people read them.

use std::borrow::Cow;

/// How wide printed text is, in characters.
pub(crate) const WIDTH: usize = 80;

/// Text that no terminal takes for commands: control characters, and those that turn the direction of writing, are
/// spelled out. Line feeds and tabs stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let spelled = text.chars().fold(String::with_capacity(text.len() + 16), |mut spelled, character| {
        if is_treacherous(character) {
            spelled.extend(character.escape_unicode());
        } else {
            spelled.push(character);
        }
        spelled
    });
    Cow::Owned(spelled)
}

/// Printable text in one line.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_treacherous(character: char) -> bool {
    let turns_direction = matches!(character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns_direction || (character.is_control() && character != '\n' && character != '\t')
}

/// Breaks text into lines of at most `width` characters, between words where there are any. Line feeds stay.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = printable(text);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split_whitespace() {
            let word_length = word.chars().count();
            if length > 0 && length + 1 + word_length > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += word_length;
        }
        lines.push(line);
    }
    lines
}

/// At most `limit` characters of a text, with an ellipsis for the rest.
pub(crate) fn clip(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()),
    }
}

/// A count with its noun: `1 check`, `1,204 checks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in the unit that suits it: `4.2 ms`, `312 ms`, `1.23 s`, `3 min 04 s`.
pub(crate) fn duration(duration_ms: f64) -> String {
    match duration_ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.2} s", ms / 1e3),
        ms => {
            let seconds = (ms / 1e3).round();
            format!("{} min {:02} s", (seconds / 60.0).floor(), seconds % 60.0)
        }
    }
}

/// A piece of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Words(&'a str),
    /// Stood between backticks.
    Code(&'a str),
}

/// The pieces of a sentence in which backticks mark code. A sentence with a backtick too many has no code.
pub(crate) fn pieces(sentence: &str) -> Vec<Piece<'_>> {
    if sentence.matches('`').count() % 2 == 1 {
        return vec![Piece::Words(sentence)];
    }
    let piece = |(index, text)| if index % 2 == 0 { Piece::Words(text) } else { Piece::Code(text) };
    sentence.split('`').enumerate().map(piece).filter(|piece| *piece != Piece::Words("")).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0.0, "0.0 ms")]
    #[case(4.23, "4.2 ms")]
    #[case(312.4, "312 ms")]
    #[case(1_234.0, "1.23 s")]
    #[case(184_000.0, "3 min 04 s")]
    fn durations(#[case] duration_ms: f64, #[case] expected: &str) {
        assert_eq!(duration(duration_ms), expected);
    }

    #[rstest]
    #[case(1, "1 check")]
    #[case(0, "0 checks")]
    #[case(1_234_567, "1,234,567 checks")]
    fn counts(#[case] number: usize, #[case] expected: &str) {
        assert_eq!(count(number, "check"), expected);
    }

    #[test]
    fn lines_break_between_words_and_never_lose_one() {
        let lines = wrap("one two three fourteen-characters-and-more four\n\nfive", 12);
        assert_eq!(lines, ["one two", "three", "fourteen-characters-and-more", "four", "", "five"]);
    }

    #[test]
    fn a_terminal_takes_no_commands() {
        assert_eq!(printable("a\u{1b}[2J\r\n\tb\u{202e}"), "a\\u{1b}[2J\\u{d}\n\tb\\u{202e}");
    }

    #[test]
    fn code_stands_between_backticks() {
        assert_eq!(pieces("`a` is b"), [Piece::Code("a"), Piece::Words(" is b")]);
        assert_eq!(pieces("a` is b"), [Piece::Words("a` is b")]);
    }
}
