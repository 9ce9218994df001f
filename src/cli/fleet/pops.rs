//! The list of POPs, and how they are asked.

use std::path::Path;

use crate::config;
use crate::fleet::{Clients, FleetError, clients};

use super::super::outcome::{CommandError, NobodyAsked};
use super::super::questions::block_on;

/// How long a POP may take for an answer, unless the command says otherwise.
pub(super) const LIMIT: &str = "3s";

/// The POPs of the file; one whose files cannot be read is told like one that does not answer.
pub(super) fn pops(file: Option<&Path>) -> Result<Clients, NobodyAsked> {
    listed(file).map_err(NobodyAsked)
}

fn listed(file: Option<&Path>) -> Result<Clients, CommandError> {
    let Some(file) = file else {
        return Err(
            "no POP is known: name a file with [[fleet.pop]] with --fleet, or the configuration with --config"
                .into(),
        );
    };
    let mut settings = config::fleet(file)?;
    if settings.pops.is_empty() {
        let message = format!(
            "{}: no POP is listed; add [[fleet.pop]] with name and url for each, such as url = \"http://198.51.100.10:9533\"",
            file.display()
        );
        return Err(message.into());
    }
    // The management addresses of another host are no sources here.
    settings.sources.retain(|address| std::net::UdpSocket::bind((*address, 0)).is_ok());
    Ok(clients(&settings))
}

/// Runs questions to POPs to their end.
pub(super) fn run<T>(work: impl Future<Output = T>) -> Result<T, FleetError> {
    block_on(work).map_err(FleetError::Runtime)
}
