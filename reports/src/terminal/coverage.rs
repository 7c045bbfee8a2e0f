//! Coverage on a terminal.

use crate::style::Style;
use crate::{Coverage, text};

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
        page
    }
}
