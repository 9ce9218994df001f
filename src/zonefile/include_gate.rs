//! Which files may be included.

use std::fmt;
use std::path::Path;

/// Says of a file whether it may be included, before anything is asked of it: its file system may not answer.
#[derive(Clone, Copy)]
pub struct IncludeGate<'a>(pub &'a (dyn Fn(&Path) -> bool + Sync));

impl fmt::Debug for IncludeGate<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IncludeGate")
    }
}
