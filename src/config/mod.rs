//! The configuration file: TOML in, every module's checked settings out.
//!
//! The file is read into a `Spec`, which knows the keys and the form of each value; the sections are then
//! folded into the settings types that the modules own. Every fault is collected with the key, the line and what is
//! allowed, so that one run shows them all. Never starts anything, never looks at the host: what can only be known
//! there (is the address here? is the port free?) is checked by the module that uses it.

mod canary_spec;
mod check;
mod control;
mod fault;
mod file;
mod fold;
mod form;
mod include;
mod sources;
mod spec;
#[cfg(test)]
#[path = "../../tests/unit/config/mod.rs"]
mod tests;
mod values;
mod words;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use control::control_socket;
pub use fault::{ConfigError, Located};
pub use fold::{
    CanaryGroup, Catalogs, Config, Drain, FollowedCatalog, Pop, ProducedCatalog, RouteDriver,
    ShownCertificate, Transfers, TransfersAtStart,
};

use fault::Faults;

/// The configuration used when none is named: `zones/` on port 5300 of loopback, with the dry-run route driver.
pub const DEFAULT: &str = include_str!("default.toml");

/// Where a package keeps the configuration.
const USUAL_FILE: &str = "/etc/anyns/anyns.toml";

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

/// The configuration of the service of this host, if it has one: what commands mean where none is named. One that this user may not
/// see is told as there, so that reading it says so.
#[must_use]
pub fn usual_file() -> Option<PathBuf> {
    there(Path::new(USUAL_FILE))
}

fn there(path: &Path) -> Option<PathBuf> {
    let absent = |error: std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
    };
    (!std::fs::metadata(path).is_err_and(absent)).then(|| path.to_owned())
}

/// Reads the file at `path`, or [`DEFAULT`] where there is none.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    read(path, true)
}

/// As [`load`], for a file of another host: what only that host can tell (whether a group exists) is not looked at.
pub fn load_for_another_host(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    read(path, false)
}

fn read(path: Option<&Path>, is_here: bool) -> Result<Loaded, ConfigError> {
    let (name, text) = match path {
        None => (PathBuf::from(DEFAULT_NAME), DEFAULT.to_owned()),
        Some(path) => (path.to_owned(), file::read(path)?),
    };
    parse_for(&name, &text, is_here)
}

/// Only the POPs that the file and those that it includes list in `[fleet]`: the file is that of a POP, whatever else is in it, or
/// one with nothing else. Of a POP's file the management addresses are taken, too.
pub fn fleet(path: &Path) -> Result<crate::fleet::Settings, ConfigError> {
    let text = file::read(path)?;
    let sources = include::gather(path, &text)?;
    let mut faults = Faults::new(&sources, false);
    let settings = match toml::from_str::<spec::FleetFile>(sources.text()) {
        Ok(file) => fold::fold_fleet(&file.fleet, &file.pop.management_addresses, &mut faults),
        Err(error) => {
            faults.error(error.span(), "", error.message());
            crate::fleet::Settings::default()
        }
    };
    faults.finish().map(|_| settings)
}

/// Checks the text of a configuration file and the files that it includes; `file` itself is only for messages and for paths
/// relative to it.
pub fn parse(file: &Path, text: &str) -> Result<Loaded, ConfigError> {
    parse_for(file, text, true)
}

fn parse_for(file: &Path, text: &str, is_here: bool) -> Result<Loaded, ConfigError> {
    let sources = include::gather(file, text)?;
    let mut faults = Faults::new(&sources, is_here);
    let Some(form) = form::read(&sources, &mut faults) else { return finish(faults, None) };
    let of_form = faults.errors();
    let config = fold::fold(&form.spec, &mut faults);
    let config = config.map(|config| Config { digest: digest(sources.text()), ..config });
    faults.forget_from(of_form, |key| form.provoked(key));
    finish(faults, config)
}

/// See [`Config::digest`].
fn digest(text: &str) -> String {
    const OCTETS: usize = 8;
    let digest = Sha256::digest(text);
    data_encoding::HEXLOWER.encode(digest.get(..OCTETS).unwrap_or_default())
}

/// The configuration, unless something in it is not allowed; without one, its faults.
fn finish(faults: Faults<'_>, config: Option<Config>) -> Result<Loaded, ConfigError> {
    let warnings = faults.finish()?;
    match config {
        Some(config) => Ok(Loaded { config, warnings }),
        None => Err(ConfigError::Invalid { faults: Vec::new() }),
    }
}
