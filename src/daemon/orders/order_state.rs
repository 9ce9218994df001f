//! What the operator wants of this POP: orders come in, a drain is begun, kept over restarts, and ended.

use std::time::{Duration, Instant};

use crate::control::{Call, Reply};
use crate::handoff::Receiver;

use crate::daemon::drain::Drain;
use crate::daemon::drain_file::DrainFile;
use crate::daemon::order::Order;
use crate::daemon::orders::blocking::BlockingOrders;
use crate::daemon::response::{done, failed};

/// The orders, and the drain or stop that they led to.
pub(in crate::daemon) struct OrderState {
    /// What signals order.
    pub(in crate::daemon) signals: Receiver<Order>,
    /// What operators ask for over the admin socket.
    pub(in crate::daemon) calls: Receiver<Call>,
    /// Whether anyns stops in order.
    pub(in crate::daemon) stopping: bool,
    pub(in crate::daemon) drain: Drain,
    pub(in crate::daemon) drain_file: DrainFile,
    /// The turns of orders that may wait for a disk.
    pub(in crate::daemon) blocking: BlockingOrders,
}

impl OrderState {
    /// Orders come by these; the drain of before a restart goes on. Blocks for the start: see [`DrainFile::restore`].
    pub(in crate::daemon) fn new(
        signals: Receiver<Order>,
        calls: Receiver<Call>,
        mut drain_file: DrainFile,
        now: Instant,
    ) -> Self {
        let drain = drain_file.restore(now);
        Self { signals, calls, stopping: false, drain, drain_file, blocking: BlockingOrders::default() }
    }

    /// The drain begins at once; the answer comes when it is known whether a restart keeps it.
    pub(in crate::daemon) fn begin_drain(&mut self, reason: String, deprefer: Duration, reply: Reply) {
        self.drain_file.forget_late();
        if let Some(earlier) = self.drain_file.forget_end() {
            earlier.send(failed("a newer order drains".into()));
        }
        let now = Instant::now();
        let is_under_way = self.drain != Drain::None;
        let note = if is_under_way { "; the reason is the new one" } else { "" };
        self.drain.begin(&reason, deprefer, now);
        let what = match (&self.drain, is_under_way) {
            (Drain::Depreferred { withdraw_at, .. }, was) => {
                let left = withdraw_at.saturating_duration_since(now).as_millis();
                let wait = humantime::format_duration(Duration::from_millis(left as u64));
                let what =
                    if was { "draining already: withdraws" } else { "draining: prefers less now, withdraws" };
                format!("{what} in {wait}")
            }
            (_, _) => "drained already: the routes are withdrawn".to_owned(),
        };
        tracing::warn!(reason, "draining by order");
        let kept = self.drain_file.keep(Some(reason));
        tokio::spawn(async move {
            let kept = kept.await.map_err(std::io::Error::other).flatten();
            let restart = match kept {
                Ok(true) => "stays drained, also across a restart, until undrain".to_owned(),
                Ok(false) => "without zones.state-directory a restart ends the drain".to_owned(),
                Err(error) => format!("a restart ends the drain, because it cannot be kept: {error}"),
            };
            reply.send(done(format!("{what}{note}; {restart}")));
        });
    }

    /// The drain ends when no restart would bring it back: [`Self::end_drain`].
    pub(in crate::daemon) fn undrain(&mut self, reply: Reply) {
        if self.drain == Drain::None {
            return reply.send(failed("not drained".into()));
        }
        self.drain_file.forget_late();
        if let Some(earlier) = self.drain_file.end(reply) {
            earlier.send(failed("a newer order ends the drain".into()));
        }
    }

    /// The file of the drain is removed, or cannot be.
    pub(in crate::daemon) fn end_drain(&mut self, (removed, reply): (std::io::Result<bool>, Reply)) {
        let remark = match removed {
            // Nobody is known to have ordered it, so a file that cannot be removed does not keep it.
            Err(error) if self.drain_file.is_unknown() => format!("; a restart drains it again: {error}"),
            Err(error) => return reply.send(failed(format!("cannot end the drain: {error}"))),
            Ok(_) => String::new(),
        };
        self.drain.end();
        tracing::warn!("the drain is over: health decides{remark}");
        reply.send(done(format!("undrained: health decides{remark}")));
    }
}
