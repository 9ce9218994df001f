//! The thread `zones-0` (1x), which owns everything that the publisher knows. Waits for the state directory, for no source.
//!
//! Jobs flow in, one at a time; when to go on, and whether something was heard, flow out. A job that panics is logged and counted, and
//! the next one finds every zone as it was left.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::telemetry::{Beat, Pause, note_panic, panic_message};

use crate::publish::work::core::{After, Core};
use crate::telemetry::pulse::{Pulse, Work};

/// How often the thread says that it is there while it has nothing to do.
const IDLE: Duration = Duration::from_millis(500);

/// What is to be done with everything.
pub(in crate::publish) type OwnerTask = Box<dyn FnOnce(&mut Core) + Send>;

struct OwnerJob {
    task: OwnerTask,
    reply: oneshot::Sender<After>,
}

/// The thread.
#[derive(Debug)]
pub(in crate::publish) struct OwnerThread {
    jobs: SyncSender<OwnerJob>,
    thread: JoinHandle<()>,
}

impl OwnerThread {
    /// Starts the thread; panics of its jobs are counted by the beat.
    pub(in crate::publish) fn start(core: Core, beat: Beat, pulse: Arc<Pulse>) -> io::Result<Self> {
        // One waits while another is done: the publisher gives the next when it has the reply.
        let (jobs, received) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("zones-0".to_owned())
            .spawn(move || run(core, &received, &beat, &pulse))?;
        Ok(Self { jobs, thread })
    }

    /// Gives it a job; `None` if the thread has ended.
    pub(in crate::publish) fn give(&self, task: OwnerTask) -> Option<oneshot::Receiver<After>> {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(OwnerJob { task, reply }).ok().map(|()| answer)
    }

    /// Ends the thread, after the job that it is at.
    pub(in crate::publish) fn end(self) {
        drop(self.jobs);
        if self.thread.join().is_err() {
            tracing::error!("the thread that looks for zones failed");
        }
    }
}

fn run(core: Core, jobs: &Receiver<OwnerJob>, beat: &Beat, pulse: &Arc<Pulse>) {
    // It shows the thread also while the core ends, which may wait for a disk.
    let place = pulse.place(Work::Look);
    let mut core = core;
    let mut pause = Pause::default();
    loop {
        match jobs.recv_timeout(IDLE) {
            Ok(OwnerJob { task, reply }) => {
                work(&mut core, task, beat, &mut pause);
                // The publisher's loop may have panicked meanwhile, and asks again.
                let _ = reply.send(core.after());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        place.step(None);
    }
}

fn work(core: &mut Core, task: OwnerTask, beat: &Beat, pause: &mut Pause) {
    let begun = Instant::now();
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(core))) else { return };
    let wait = pause.next(begun.elapsed());
    note_panic(beat, panic.as_ref(), wait);
    core.panicked(panic_message(panic.as_ref()), Instant::now() + wait);
}
