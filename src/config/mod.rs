//! The configuration file: TOML in, every module's checked settings out.
//!
//! The file is read into a `Spec`, which knows the keys and the form of each value; the sections are then
//! folded into the settings types that the modules own. Every fault is collected with the key, the line and what is
//! allowed, so that one run shows them all. Never starts anything, never looks at the host: what can only be known
//! there (is the address here? is the port free?) is checked by the module that uses it.

mod check;
mod control;
mod fault;
mod fold;
mod spec;
#[cfg(test)]
mod tests;
mod values;

use std::path::{Path, PathBuf};

pub use control::control_socket;
pub use fault::{ConfigError, Located};
pub use fold::{Config, Drain, Pop, RouteDriver};

use fault::Faults;
use spec::Spec;

/// The configuration used when none is named: `zones/` on port 5300 of loopback, with the dry-run route driver.
pub const DEFAULT: &str = include_str!("default.toml");

/// The name that faults of [`DEFAULT`] are reported under.
const DEFAULT_NAME: &str = "(built-in default)";

/// A configuration and what an operator should look at before it is used.
#[derive(Debug)]
pub struct Loaded {
    /// The settings of every module.
    pub config: Config,
    /// What is allowed and probably not meant, each with its place.
    pub warnings: Vec<Located>,
}

/// Reads the file at `path`, or [`DEFAULT`] where there is none.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let (file, text) = match path {
        None => (PathBuf::from(DEFAULT_NAME), DEFAULT.to_owned()),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            (path.to_owned(), text)
        }
    };
    parse(&file, &text)
}

/// Checks the text of a configuration file; `file` is only for messages and for paths relative to it.
pub fn parse(file: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let mut faults = Faults::new(file, text);
    let spec = match Spec::from_text(text) {
        Ok(spec) => spec,
        Err(fault) => return Err(faults.refuse(fault)),
    };
    let config = fold::fold(&spec, &mut faults);
    faults.finish(config)
}
