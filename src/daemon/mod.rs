//! Puts the parts together: build, then spawn, then wait.
//!
//! ```text
//!   build   admin socket, service addresses, sockets, zones, speaker, probes   (each may refuse, nothing is announced)
//!   spawn   main        signals, the service manager's watchdog, the ordered stop
//!           decide      1x thread   facts -> policy -> decision, a lease; orders
//!           speaker     1x thread   gate, BGP: one task per neighbor
//!           watchdog    1x thread   ends the BGP connections of a speaker that does not run
//!           health      1x thread   probes
//!           host        1x thread   addresses and routes of this host
//!           catalogs    1x thread   who is a member of which catalog
//!           canaries    1x thread   which secondary may have which version
//!           publisher   1x thread   zones in, and its own threads
//!           control     1x thread   the admin socket, the status, metrics
//!           web         1x thread   the page and the API, if configured
//!           dnstap      1x thread   samples of messages out and counted, if asked for
//!           rssac002    1x thread   daily statistics out, if asked for
//!           log         1x thread   log records out
//!           otlp        1x thread   log records and spans to a receiver, if asked for
//!           serve-N     Nx threads  queries in, responses out
//!   wait    a signal: drain in order, then everything closes: the speaker, the probes, the deciding task, the sockets,
//!           what feeds zones, the publisher, the admin socket last
//! ```
//!
//! No two of these share a runtime or a blocking write, and those that supervise each other share no lock. Who supervises whom:
//! the watchdog the speaker, the speaker the deciding task (the lease), the deciding task every fact, the status every task, the
//! service manager the deciding task and the speaker.
//!
//! | folder | may name |
//! | --- | --- |
//! | `canaries` | (nothing) |
//! | `catalogs` | (nothing) |
//! | `orders` | `reload` `transfers` |
//! | `process` | `canaries` `catalogs` `orders` `reload` `status` `transfers` |
//! | `reload` | `catalogs` `status` |
//! | `status` | `canaries` `catalogs` |
//! | `transfers` | `canaries` `status` |

mod canaries;
mod catalogs;
mod controller;
mod decide;
mod deciding;
mod drain;
mod drain_file;
mod error;
mod facts;
mod order;
mod orders;
mod process;
mod reload;
mod required;
mod response;
mod sources;
mod status;
mod thread;
mod transfers;
mod web;
mod zone_control;

use std::path::PathBuf;

use crate::config::Config;

pub use drain_file::ordered_drain;
pub use error::DaemonError;
use process::logged::Logged;

/// Runs until a signal ends it, and returns after everything is closed in order. `file` is read again at a reload.
pub fn run(config: Config, file: Option<PathBuf>) -> Result<(), DaemonError> {
    let logged = Logged::start(&config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DaemonError::Runtime)?;
    let outcome = runtime.block_on(async {
        let signals = process::signals::Signals::new().map_err(DaemonError::Signals)?;
        let parts = process::build::build(config, file, &logged).await?;
        process::stop::after_a_signal(parts, signals).await;
        Ok(())
    });
    runtime.shutdown_background();
    logged.finish();
    outcome
}
