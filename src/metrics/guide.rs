//! The table of all metrics in Markdown.

use std::fmt::Write;

use super::table::ALL;

/// The table that stands in `deploy/metrics.md`; a test compares them.
#[must_use]
pub fn guide() -> String {
    let mut text = "| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.word(),
            labels.join(" "),
            metric.help
        );
    }
    text
}
