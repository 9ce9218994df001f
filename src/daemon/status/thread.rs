//! The thread `control`: the admin socket and the status task, and nothing that can block.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::control::{Answers, Inquiry, Server};
use crate::handoff::Receiver;
use crate::telemetry::{Beat, keep_going, keep_running};

use super::StatusTask;

/// How long the thread may take to end: the answers under way, and a margin.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is looked whether the thread has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The running thread.
#[derive(Debug)]
pub(in crate::daemon) struct ControlThread {
    thread: JoinHandle<()>,
    stop: CancellationToken,
}

impl ControlThread {
    /// Starts it with its own runtime.
    pub(in crate::daemon) fn start(
        server: Server,
        status_task: StatusTask,
        inquiries: Receiver<Inquiry>,
        beat: Beat,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let run = move || runtime.block_on(run(server, status_task, inquiries, beat, stopped));
        let thread = thread::Builder::new().name("control".into()).spawn(run)?;
        Ok(Self { thread, stop })
    }

    /// Removes the socket and ends the thread; a thread that is frozen is left behind.
    pub(in crate::daemon) async fn stop(self) {
        self.stop.cancel();
        let begun = Instant::now();
        while !self.thread.is_finished() && begun.elapsed() < GRACE {
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn run(
    mut server: Server,
    status_task: StatusTask,
    mut inquiries: Receiver<Inquiry>,
    beat: Beat,
    stop: CancellationToken,
) {
    let status_task = Arc::new(status_task);
    let answers: Arc<dyn Answers> = status_task.clone();
    let serve = keep_running(&beat, &mut server, async |server| server.run(&answers, &beat, &stop).await);
    let mut kept = status_task.clone();
    let keep = keep_running(&status_task.beat, &mut kept, async |status_task| status_task.run().await);
    let inform = keep_going(&beat, async || status_task.answer_inquiries(&mut inquiries).await);
    tokio::select! {
        () = serve => {}
        () = keep => {}
        () = inform => {}
        // A task that pauses after a panic does not look at it.
        () = stop.cancelled() => {}
    }
    server.close().await;
}
