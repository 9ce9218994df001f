//! The speaker's thread (1x): the gate and the driver on a runtime of their own, and the watchdog beside it.
//!
//! ```text
//!   decide ----Latest<Decision>----> gate --> driver: one task per neighbor     (thread "speaker")
//!      beat: renews the lease          |
//!   status <---Latest<RouteStatus>-----+      its beat <-- watchdog              (thread "watchdog")
//! ```
//!
//! Shares no lock with any other thread. The gate and each neighbor's task are started again when they panic; the others' sessions
//! stay up meanwhile.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::driver::{Driver, Wanted};
use super::gate::{Gate, GateControl, GateSettings};
use super::lease::Lease;
use super::self_test::Questions;
use super::status::RouteStatus;
use super::watchdog::Watchdog;
use crate::handoff::{Latest, Reader};
use crate::policy::Decision;
use crate::telemetry::{Beat, keep_running};

/// A speaker at work.
#[derive(Debug)]
pub struct Speaker {
    /// What the routes are, the latest; not woken.
    pub status: Reader<RouteStatus>,
    /// The same, woken at each change: for the deciding task.
    pub changes: Reader<RouteStatus>,
    /// The gate's beat, the watchdog's and the driver's.
    pub beats: Vec<Beat>,
    /// The beats of the neighbors' tasks, the latest; not woken.
    pub neighbor_beats: Reader<Vec<Beat>>,
    /// Changes what the gate and the watchdog go by.
    pub control: Arc<GateControl>,
    thread: JoinHandle<()>,
    watchdog: Watchdog,
    stop: CancellationToken,
}

/// Why there is no speaker.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the thread {thread}")]
pub struct SpeakerError {
    /// Which.
    pub thread: &'static str,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Starts `driver` on the thread `speaker`, following `decisions` as long as `decider` beats.
///
/// # Errors
/// No thread, no runtime, or no socket pair.
pub fn start(
    driver: impl Driver + 'static,
    settings: GateSettings,
    decisions: Reader<Decision>,
    decider: Beat,
) -> Result<Speaker, SpeakerError> {
    let failed = |thread| move |source| SpeakerError { thread, source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed("speaker"))?;
    let status = Latest::new(RouteStatus::default());
    let changes = status.reader();
    let stop = CancellationToken::new();
    let (wanted, wanted_receiver) = watch::channel(Wanted::default());
    let started = {
        let _inside = runtime.enter();
        driver.start(wanted_receiver, stop.clone())
    };
    let beat = Beat::new("gate");
    let control = Arc::new(GateControl::new(settings.clone()));
    let watchdog = Watchdog::start(control.lease(), beat.clone(), started.sessions.clone())
        .map_err(failed("watchdog"))?;
    let beats = [vec![beat.clone(), watchdog.beat()], started.beats].concat();
    let looks = status.reader();
    let mut gate = Gate {
        lease: Lease::new(settings.lease, Instant::now()),
        questions: Questions::default(),
        settings: control.settings(),
        decisions,
        decider,
        wanted,
        observed: started.observed,
        status,
        beat: beat.clone(),
        stop: stop.clone(),
    };
    let driver_task = started.task;
    let thread = std::thread::Builder::new().name("speaker".to_owned()).spawn(move || {
        runtime.block_on(async {
            keep_running(&beat, &mut gate, async |gate| gate.run().await).await;
            gate.finish(driver_task).await;
        });
    });
    let thread = thread.map_err(failed("speaker"))?;
    let neighbor_beats = started.neighbor_beats;
    Ok(Speaker { status: looks, changes, beats, neighbor_beats, control, thread, watchdog, stop })
}

impl Speaker {
    /// Withdraws everything, closes the sessions and ends the threads; gives up after `patience`. Whether it ended in time.
    pub async fn shut_down(self, patience: Duration) -> bool {
        self.stop.cancel();
        let ended = async {
            while !self.thread.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(patience, ended).await.is_ok();
        self.watchdog.stop();
        in_time
    }
}
