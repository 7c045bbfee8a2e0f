//! Paths to a property of an event: appendices/#dot-separated-property-paths.

use serde_json::{Map, Value};

/// A path as names; a backslash takes the meaning from the dot or backslash after it, and before
/// anything else is a character like others.
pub(crate) fn split(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '.' => names.push(std::mem::take(&mut name)),
            '\\' => name.push(characters.next_if(|next| matches!(next, '.' | '\\')).unwrap_or('\\')),
            other => name.push(other),
        }
    }
    names.push(name);
    names
}

/// What is at the end of a path.
pub(crate) fn find<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let names = split(path);
    let (first, rest) = names.split_first()?;
    rest.iter().try_fold(object.get(first)?, |value, name| value.get(name.as_str()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{find, split};

    #[rstest]
    #[case("content.body", &["content", "body"])]
    #[case(r"content.m\.relates_to", &["content", "m.relates_to"])]
    #[case(r"content.m\\foo", &["content", r"m\foo"])]
    #[case(r"a\xb.c\", &[r"a\xb", r"c\"])]
    fn escapes_are_those_of_the_appendix(#[case] path: &str, #[case] names: &[&str]) {
        assert_eq!(split(path), names);
    }

    #[test]
    fn a_path_leads_to_a_value_or_nowhere() {
        let Value::Object(event) = json!({"content": {"m.mentions": {"room": true}, "body": "text"}}) else {
            unreachable!("an object was written")
        };
        assert_eq!(find(&event, r"content.m\.mentions.room"), Some(&json!(true)));
        assert_eq!(find(&event, "content.body.more"), None);
        assert_eq!(find(&event, "content.m.mentions"), None);
    }
}
