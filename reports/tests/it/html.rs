//! The page is one page: complete, linked to nothing but the specification, and made of tags that close.

use std::collections::BTreeSet;

use crate::sample;

const VOID: [&str; 4] = ["meta", "input", "br", "!DOCTYPE"];

/// A tag with its attributes, as a browser would see it.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
}

/// Every opening tag. Panics where tags do not close in order, or where text holds a bare bracket.
fn tags(page: &str) -> Vec<Tag<'_>> {
    let (mut tags, mut open, mut rest) = (Vec::new(), Vec::new(), page);
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').expect("a tag that never ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '!'), "`<{tag}>` is no tag of ours");
        if !VOID.contains(&name) {
            open.push(name);
        }
        tags.push(Tag { name, attributes: attributes_of(attributes) });
        if ["style", "script"].contains(&name) {
            let end = rest.find(&format!("</{name}>")).expect("a block that never ends");
            rest = &rest[end..];
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    tags
}

fn attributes_of(text: &str) -> Vec<(&str, &str)> {
    let mut attributes = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let name_end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        if let Some(value) = after.strip_prefix("=\"") {
            let (value, after) = value.split_once('"').expect("a value that never ends");
            attributes.push((name, value));
            rest = after.trim_start();
        } else {
            attributes.push((name, ""));
            rest = after.trim_start();
        }
    }
    attributes
}

pub(crate) fn check_page(page: &str) {
    let tags = tags(page);
    let mut ids = BTreeSet::new();
    let mut fragments = Vec::new();
    for Tag { name, attributes } in &tags {
        for (attribute, value) in attributes {
            match *attribute {
                "id" => assert!(
                    ids.insert(*value) && !value.contains(char::is_whitespace),
                    "id {value} is not unique"
                ),
                "href" if value.starts_with('#') => fragments.push(&value[1..]),
                "href" => assert!(value.starts_with("https://spec.matrix.org/"), "{value} leaves the page"),
                "src" | "srcset" | "action" | "style" => panic!("<{name}> has {attribute}={value}"),
                other => assert!(!other.starts_with("on"), "<{name}> has the handler {other}"),
            }
        }
    }
    for fragment in fragments {
        assert!(ids.contains(fragment), "#{fragment} leads nowhere");
    }
    let named = |wanted: &str| tags.iter().filter(|tag| tag.name == wanted).count();
    assert_eq!((named("h1"), named("main"), named("title")), (1, 1, 1));
    let scripts: Vec<&Tag<'_>> = tags.iter().filter(|tag| tag.name == "script").collect();
    assert_eq!(scripts.iter().filter(|script| script.attributes.is_empty()).count(), 1);
    assert!(
        scripts.iter().all(|script| script.attributes.iter().all(|(name, _)| ["id", "type"].contains(name)))
    );
    for tag in tags.iter().filter(|tag| tag.name == "html") {
        assert_eq!(tag.attributes, [("lang", "en")]);
    }
}

#[test]
fn the_page_of_a_run() {
    let page = reports::html::render(&sample::record());
    check_page(&page);
    for part in [
        "<title>Synapse 1.140.0 · Determinant</title>",
        "4 unexpected results",
        "href=\"https://spec.matrix.org/v1.12/client-server-api/#typing-notifications\"",
        "since <code>since</code>, and nothing else.",
        "id=\"check:rooms/creation/every-version~5b~12~5d~\"",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    let (_, body) = page.split_once("<body>").expect("a body");
    let (body, _) = body.split_once("<script>").expect("a script");
    insta::assert_snapshot!(body.replace("><", ">\n<"));
}

#[test]
fn hostile_text_makes_no_tag() {
    let page = reports::html::render(&sample::hostile_record());
    check_page(&page);
    assert!(!page.contains("<img"));
    assert!(!page.contains(['\u{0}', '\u{1b}', '\u{202e}']));
}

#[test]
fn style_and_script_name_no_address_and_close_nothing() {
    let page = reports::html::render(&sample::record());
    for name in ["style", "script"] {
        let (_, block) = page.split_once(&format!("<{name}>")).expect("a block");
        let (block, _) = block.split_once(&format!("</{name}>")).expect("its end");
        for part in ["http", "//cdn", "url(", "@import", "</", "<!--"] {
            assert!(!block.contains(part), "{name} has {part}");
        }
    }
}
