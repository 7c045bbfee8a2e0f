//! Coverage on a terminal.

use crate::style::Style;
use crate::{Chapter, Coverage, Tally, text};

impl Coverage {
    /// A table of what was exercised, ending in a line feed; `with_missing` lists what was not.
    #[must_use]
    pub fn to_terminal(&self, style: Style, with_missing: bool) -> String {
        let mut page = format!(
            "{}\n",
            style.dim(&format!("{:<34}{:>10}{:>10}{:>10}", "", "asserted", "touched", "total"))
        );
        for row in self.rows() {
            let touched = row.touched.map_or(String::new(), text::thousands);
            let asserted = format!("{:>10}", text::thousands(row.asserted));
            let asserted =
                if row.asserted >= row.total { style.good(&asserted) } else { style.doubtful(&asserted) };
            page.push_str(&format!(
                "{:<34}{asserted}{touched:>10}{:>10}\n",
                row.name,
                text::thousands(row.total)
            ));
            for missing in row.missing.iter().filter(|_| with_missing) {
                page.push_str(&format!("  {} {}\n", style.dim("not asserted:"), text::one_line(missing)));
            }
        }
        page.push_str(&chapters(&self.requirements.chapters, style));
        page
    }
}

/// The requirements by chapter, below a blank line.
fn chapters(chapters: &[Chapter], style: Style) -> String {
    if chapters.is_empty() {
        return String::new();
    }
    let head = format!("{:<54}{:>10}{:>10}", "requirements proved, by chapter", "must", "should");
    let mut page = format!("\n{}\n", style.dim(&head));
    let mut line = |name: &str, must: Tally, should: Tally| {
        let [must, should] = [must, should].map(|tally| cell(tally, style));
        page.push_str(&format!("{:<54}{must}{should}\n", text::one_line(name)));
    };
    for document in chapters.chunk_by(|one, other| one.document() == other.document()) {
        // Before the chapters of a document comes what they are together.
        if let [first, _, ..] = document {
            let sum = |tally: fn(&Chapter) -> Tally| document.iter().map(tally).sum::<Tally>();
            line(first.document(), sum(|chapter| chapter.must), sum(|chapter| chapter.should));
        }
        for Chapter { name, must, should } in document {
            let indented = format!("  {name}");
            line(if document.len() > 1 { &indented } else { name }, *must, *should);
        }
    }
    page
}

fn cell(tally: Tally, style: Style) -> String {
    let Tally { total, proved } = tally;
    match total {
        0 => format!("{:>10}", ""),
        _ if proved >= total => style.good(&format!("{:>10}", format!("{proved}/{total}"))),
        _ => style.doubtful(&format!("{:>10}", format!("{proved}/{total}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chapter(name: &str, must: (usize, usize), should: (usize, usize)) -> Chapter {
        let tally = |(proved, total)| Tally { total, proved };
        Chapter { name: name.to_owned(), must: tally(must), should: tally(should) }
    }

    #[test]
    fn a_document_is_the_sum_of_its_chapters() {
        let chapters = chapters(
            &[
                chapter("client-server-api/push", (3, 4), (0, 0)),
                chapter("client-server-api/tags", (2, 2), (1, 5)),
                chapter("push-gateway-api", (3, 3), (2, 2)),
            ],
            Style::plain(),
        );
        let words: Vec<Vec<&str>> =
            chapters.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        let expected = [
            vec!["client-server-api", "5/6", "1/5"],
            vec!["client-server-api/push", "3/4"],
            vec!["client-server-api/tags", "2/2", "1/5"],
            vec!["push-gateway-api", "3/3", "2/2"],
        ];
        assert_eq!(words, expected);
    }
}
