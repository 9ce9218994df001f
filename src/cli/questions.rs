//! Questions over the network, asked to their end on this thread.

use std::io;

/// Runs them. A look-up of a name that hangs is left behind: it must not delay the end, whatever the outcome is.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_look_up_that_hangs_does_not_delay_an_error() {
        let (hold, held) = channel::<()>();
        let begun = Instant::now();
        let outcome = block_on(async move {
            let hangs = tokio::task::spawn_blocking(move || held.recv_timeout(Duration::from_secs(30)));
            let limit = Duration::from_millis(1);
            tokio::time::timeout(limit, hangs).await.map(|_| ()).map_err(|_| "no address")
        });
        assert_eq!(outcome.unwrap(), Err("no address"));
        assert!(begun.elapsed() < Duration::from_secs(20));
        drop(hold);
    }
}
