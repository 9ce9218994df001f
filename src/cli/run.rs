//! `anyns run`.

use std::path::Path;

use crate::{config, daemon};

use super::exit::Exit;
use super::{Outcome, print_error};

/// Runs until a signal ends it.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let loaded = config::load(file)?;
    for warning in &loaded.warnings {
        print_error(&format!("warning: {warning}").into());
    }
    daemon::run(loaded.config, file.map(Path::to_owned))?;
    Ok(Exit::DONE)
}
