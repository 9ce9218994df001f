//! The speaker's own questions to the service addresses, asked while the lease is expired.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// From the start of one round of questions to the start of the next.
const INTERVAL: Duration = Duration::from_millis(500);

/// Asks a service address whether this instance answers there. Runs on the speaker's thread and must not block it.
pub trait SelfTest: Send + Sync {
    /// Asks one minimal query over UDP; done in a bounded time, with usual settings within a second. The error says what was
    /// missing.
    fn ask(&self, address: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
}

/// Rounds of questions, one question for each address.
#[derive(Debug, Default)]
pub(super) struct Questions {
    tasks: JoinSet<(IpAddr, Result<(), String>)>,
    started: Option<Instant>,
}

impl Questions {
    /// Starts a round, unless one is under way or the last one started less than the interval ago.
    pub(super) fn ask(&mut self, test: &dyn SelfTest, addresses: impl Iterator<Item = IpAddr>, now: Instant) {
        let soon = self.started.is_some_and(|started| now.saturating_duration_since(started) < INTERVAL);
        if soon || !self.tasks.is_empty() {
            return;
        }
        self.started = Some(now);
        for address in addresses {
            let answer = test.ask(address);
            self.tasks.spawn(async move { (address, answer.await) });
        }
    }

    /// Gives up the round: its answers are no longer needed.
    pub(super) fn cancel(&mut self) {
        self.tasks.abort_all();
        self.started = None;
    }

    /// The next answer. Cancel-safe; never returns while nothing is asked.
    pub(super) async fn next(&mut self) -> (IpAddr, Result<(), String>) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(answer)) => return answer,
                // A question that failed as a task says nothing of the address; it is asked again.
                Some(Err(_)) => {}
                None => return std::future::pending().await,
            }
        }
    }
}
