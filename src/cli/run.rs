//! `anyns run`.

use std::path::Path;

use crate::sys::allocator;
use crate::{config, daemon};

use super::exit::Exit;
use super::outcome::Outcome;
use super::output::print_note;

/// Runs until a signal ends it.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    allocator::prepare();
    let loaded = config::load(file)?;
    for warning in &loaded.warnings {
        print_note(&format!("warning: {warning}"));
    }
    daemon::run(loaded.config, file.map(Path::to_owned))?;
    Ok(Exit::DONE)
}
