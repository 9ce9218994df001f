//! What the operator chose about daily statistics.

use std::path::PathBuf;

use crate::wire::Name;

/// What the operator chose about daily statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the files are written; made if it is missing.
    pub directory: PathBuf,
    /// What the documents call the service, such as `as112.example`.
    pub service: String,
    /// This instance: the files have its name, `_` in place of what a name of a file should not have.
    pub instance: String,
    /// The zone of the service, whose versions are told of; none for a service of many zones.
    pub zone: Option<Name>,
}
