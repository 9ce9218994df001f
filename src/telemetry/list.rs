//! A list as the field of a log record: an array in JSON, "a; b" in text.

use std::fmt;

/// Stands before the JSON form, in the alternate Debug form (`{:#?}`), which the JSON lines ask for. No text begins with it.
const MARK: char = '\u{1}';

/// A list of texts, to be logged as `?List(&texts)`.
#[derive(Clone, Copy)]
pub struct List<'a>(pub &'a [String]);

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match f.alternate() {
            true => write!(f, "{MARK}{}", serde_json::to_string(self.0).map_err(|_| fmt::Error)?),
            false => f.write_str(&self.0.join("; ")),
        }
    }
}

/// The list in the alternate Debug form of a [`List`]; `None` for every other value.
pub(super) fn from_marked(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text.strip_prefix(MARK)?).ok()
}
