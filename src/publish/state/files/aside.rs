//! Where damaged things are set aside.

use std::path::{Path, PathBuf};

/// The most things of one name that are set aside; one more takes the place of the last.
const MOST_ASIDE: usize = 9;

/// Where something of this name is set aside: `NAME.damaged`, or `NAME.damaged-2` and so on, because each may be the only copy of what was
/// in it.
pub(in crate::publish) fn free_place(directory: &Path, name: &str) -> PathBuf {
    let place = |number| match number {
        1 => directory.join(format!("{name}.damaged")),
        number => directory.join(format!("{name}.damaged-{number}")),
    };
    let is_free = |path: &PathBuf| !path.try_exists().unwrap_or(true);
    (1..MOST_ASIDE).map(place).find(is_free).unwrap_or_else(|| place(MOST_ASIDE))
}
