//! A signal that comes while the lab is built: the tool stops where it is and takes away what it has built.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::signal::unix::{SignalKind, signal};

use super::error::LabError;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT, SIGTERM and SIGHUP do not end the process: [`check`] tells that one came.
pub fn listen() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(context);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        INTERRUPTED.store(true, SeqCst);
    });
    Ok(())
}

/// A fault once a signal has come.
pub fn check() -> Result<(), LabError> {
    if INTERRUPTED.load(SeqCst) { Err(LabError::Interrupted) } else { Ok(()) }
}
