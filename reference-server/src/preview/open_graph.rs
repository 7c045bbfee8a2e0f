//! What a page says of itself in its head: the Open Graph protocol, and what HTML itself has for pages without it.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, HtmlString, Spanned, Token, Tokenizer};
use serde_json::{Map, Value};

/// The longest property that is shown, in characters.
const MAX_CHARACTERS: usize = 1000;

/// The properties of a page, `og:title` and `og:description` from the page's own title and description where it has no
/// others. Of a property that is given twice, the first counts: the others describe further images.
pub(super) fn read(page: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(page);
    let mut emitter = DefaultEmitter::default();
    // What stands in scripts and style sheets is no markup.
    emitter.naively_switch_states(true);
    let mut reading = Reading::default();
    for Ok(token) in Tokenizer::new_with_emitter(text.as_ref(), emitter) {
        reading.take(&token);
    }
    reading.finish()
}

#[derive(Debug, Default)]
struct Reading {
    properties: Map<String, Value>,
    title: Option<String>,
    description: Option<String>,
    in_title: bool,
}

impl Reading {
    fn take(&mut self, token: &Token) {
        match token {
            Token::StartTag(tag) if tag.name.as_slice() == b"meta" => self.meta(&tag.attributes),
            Token::StartTag(tag) => self.in_title = tag.name.as_slice() == b"title" && self.title.is_none(),
            Token::EndTag(_) => self.in_title = false,
            Token::String(text) if self.in_title => {
                self.title.get_or_insert_default().push_str(&String::from_utf8_lossy(text));
            }
            _ => {}
        }
    }

    fn meta(&mut self, attributes: &BTreeMap<HtmlString, Spanned<HtmlString, ()>>) {
        let attribute = |name: &str| {
            let value = attributes.get(name.as_bytes())?;
            Some(String::from_utf8_lossy(value).trim().to_owned())
        };
        let Some(content) = attribute("content").filter(|content| !content.is_empty()) else { return };
        // Many pages write `name` where the protocol has `property`.
        let name =
            attribute("property").or_else(|| attribute("name")).unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            // Without its addition, the image's own property: the one that counts is the first.
            "og:image:url" | "og:image:secure_url" => self.set("og:image".to_owned(), &content),
            name if name.starts_with("og:") => self.set(name.to_owned(), &content),
            "description" => drop(self.description.get_or_insert(content)),
            _ => {}
        }
    }

    fn set(&mut self, name: String, content: &str) {
        self.properties.entry(name).or_insert_with(|| shortened(content).into());
    }

    fn finish(mut self) -> Map<String, Value> {
        for (name, text) in [("og:title", self.title.take()), ("og:description", self.description.take())] {
            let text = text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                self.set(name.to_owned(), &text);
            }
        }
        self.properties
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::read;

    #[rstest]
    #[case::nothing("", json!({}))]
    #[case::own_title("<title>\n A &amp;\n B</title><title>C</title>", json!({"og:title": "A & B"}))]
    #[case::description(
        "<meta name=description content=' D '><body><svg><title>no</title></svg>",
        json!({"og:title": "no", "og:description": "D"})
    )]
    #[case::protocol_before_page(
        "<title>Page</title><META PROPERTY='og:title' CONTENT='Title'><meta property=og:title content=2>",
        json!({"og:title": "Title"})
    )]
    #[case::script("<script>'<meta property=og:title content=1>'</script>", json!({}))]
    #[case::comment("<!-- <title>x</title> --><meta property='og:type' content='article'>", json!({"og:type": "article"}))]
    #[case::image(
        "<meta property='og:image:secure_url' content='/a.png'><meta property='og:image' content='/b.png'>",
        json!({"og:image": "/a.png"})
    )]
    #[case::unfinished("<meta property='og:title' content='a'><meta property='og:", json!({"og:title": "a"}))]
    fn properties_are_found(#[case] page: &str, #[case] expected: Value) {
        assert_eq!(Value::Object(read(page.as_bytes())), expected);
    }

    #[test]
    fn properties_are_shortened() {
        let page = format!("<title>{}</title>", "é".repeat(5000));
        assert_eq!(read(page.as_bytes())["og:title"].as_str().map(|title| title.chars().count()), Some(1000));
    }
}
