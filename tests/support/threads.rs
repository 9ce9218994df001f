//! The threads of a running process: their names, and freezing one of them.
//!
//! A frozen thread executes no instruction until it is thawed; the others go on. It is what a bug that loops or blocks
//! for ever does to one thread, at an instant that the test chooses. ptrace(2) does it; whoever attaches must also detach,
//! so a thread of the test's own holds each frozen thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

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

/// A frozen thread; thaws when it is dropped, also by a panic of the test.
pub struct Frozen {
    thaw: Sender<()>,
    holder: Option<JoinHandle<()>>,
}

impl Frozen {
    /// Freezes the thread of this name and returns when it stands still; says which threads there are when there is not
    /// exactly one of this name.
    pub fn by_name(process: u32, name: &str) -> Result<Self, String> {
        let all = threads(process);
        let found: Vec<&Thread> = all.iter().filter(|thread| thread.name == name).collect();
        match found[..] {
            [thread] => Ok(Self::by_id(thread.id)),
            _ => {
                let names: Vec<&str> = all.iter().map(|thread| thread.name.as_str()).collect();
                Err(format!("{} threads have the name {name}; there are {}", found.len(), names.join(" ")))
            }
        }
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
    // Ends with a message, or when the owner is gone.
    let _ = thawed.recv();
    // An error means that the process was killed meanwhile.
    let _ = ptrace::detach(thread, None);
}
