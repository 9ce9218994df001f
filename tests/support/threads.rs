//! The threads of a running process: their names, and freezing one of them.
//!
//! A frozen thread executes no instruction until it is thawed; the others go on. It is what a bug that loops or blocks
//! for ever does to one thread, at an instant that the test chooses. ptrace(2) does it; the thread that attaches must also detach,
//! so a thread of the test's own holds each frozen thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::wait::looked_for;

/// How often the holder of a frozen thread looks whether the process was killed.
const LOOK: Duration = Duration::from_millis(50);

/// How long a thread may take to have its name.
const NAMED: Duration = Duration::from_secs(10);

/// One thread of a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thread {
    /// Its name, as the kernel keeps it: at most 15 octets.
    pub name: String,
    /// Its thread ID.
    pub id: i32,
}

/// The threads that a process has now, by name.
pub fn threads(process: u32) -> Vec<Thread> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let mut threads: Vec<Thread> = tasks
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id = entry.file_name().to_str()?.parse().ok()?;
            // A thread that ends while the directory is read has no name any more.
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            Some(Thread { name: name.trim_end().to_owned(), id })
        })
        .collect();
    threads.sort();
    threads
}

/// The processes of this name that `ancestor` has started, or that those have, and so on.
pub fn descendants(ancestor: u32, name: &str) -> Vec<u32> {
    let all: Vec<(u32, u32, String)> = std::fs::read_dir("/proc")
        .expect("the processes of this machine")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id = entry.file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            Some((id, field("PPid:")?.parse().ok()?, field("Name:")?.to_owned()))
        })
        .collect();
    let parent = |id: u32| all.iter().find(|(other, ..)| *other == id).map(|(_, parent, _)| *parent);
    let descends = |id: u32| std::iter::successors(parent(id), |id| parent(*id)).any(|id| id == ancestor);
    all.iter().filter(|(id, _, found)| found == name && descends(*id)).map(|(id, ..)| *id).collect()
}

/// A frozen thread; thaws when it is dropped, also by a panic of the test.
pub struct Frozen {
    thaw: Sender<()>,
    holder: Option<JoinHandle<()>>,
}

impl Frozen {
    /// Freezes the thread of this name and returns when it stands still; says which threads there are when there is not
    /// exactly one of this name. Waits for one that was only just started: it gives itself its name.
    pub fn by_name(process: u32, name: &str) -> Result<Self, String> {
        let found = || {
            let all = threads(process);
            let mut found = all.iter().filter(|thread| thread.name == name).map(|thread| thread.id);
            found.next().filter(|_| found.next().is_none())
        };
        looked_for(NAMED, found).map(Self::by_id).ok_or_else(|| {
            let all = threads(process);
            let names: Vec<&str> = all.iter().map(|thread| thread.name.as_str()).collect();
            format!("not exactly one thread has the name {name}; there are {}", names.join(" "))
        })
    }

    /// Freezes the thread with this ID and returns when it stands still.
    pub fn by_id(id: i32) -> Self {
        let (thaw, thawed) = channel();
        let (stands, standing) = channel();
        let holder = std::thread::spawn(move || hold(Pid::from_raw(id), &stands, &thawed));
        if standing.recv().is_err() {
            let cause = holder.join().expect_err("it ended without freezing the thread");
            std::panic::resume_unwind(cause);
        }
        Self { thaw, holder: Some(holder) }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // An error means that the holder has ended: nothing is frozen.
        let _ = self.thaw.send(());
        let _ = self.holder.take().map(JoinHandle::join);
    }
}

/// Attaches, stops the thread, waits for the end of the freeze, detaches.
fn hold(thread: Pid, stands: &Sender<()>, thawed: &Receiver<()>) {
    ptrace::seize(thread, ptrace::Options::empty()).expect("the thread can be traced");
    ptrace::interrupt(thread).expect("the thread can be stopped");
    let stopped = waitpid(thread, Some(WaitPidFlag::__WALL)).expect("the thread can be waited for");
    assert!(matches!(stopped, WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..)), "{stopped:?}");
    let _ = stands.send(());
    // Until a message comes, or the owner is gone.
    while thawed.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        // A process that is killed ends only when the tracer of its threads has been notified.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
        if matches!(
            waitpid(thread, Some(flags)),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_)
        ) {
            return;
        }
    }
    if ptrace::detach(thread, None).is_err() {
        // It was killed meanwhile.
        let _ = waitpid(thread, Some(WaitPidFlag::__WALL));
    }
}
