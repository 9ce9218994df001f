//! Whichever thread of the publisher is frozen, an observer is told why changes are not seen, and that it is over.
//!
//! A child process runs a publisher and an observer; the test stops one of its threads with ptrace(2), which stands for a
//! read that a dead disk never answers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyns::publish::Settings;
use anyns::telemetry::{Beat, RunTime};

use crate::journal::Child;
use crate::support::{Pop, replace, zone_text};
use crate::wait;

/// Where the child works; not set, it is no child.
const CHILD: &str = "ANYNS_TEST_FROZEN_CHILD";
/// Within this time a frozen thread is told, and its end too.
const TOLD: Duration = Duration::from_secs(5);
/// How long a child may take to start, and a thread to appear.
const PATIENCE: Duration = Duration::from_secs(60);

/// No test of its own: the process that is observed. Says each change of what its observer finds.
#[tokio::test]
async fn child_that_is_frozen() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let mut pop = Pop::at(Path::new(&directory));
    pop.start_with(Settings { rescan: Duration::from_secs(1), ..pop.settings() }).await;
    let (mut liveness, history) = (pop.handle().liveness(), pop.handle().history());
    let kept_file = pop.path("kept");
    let observer = move || {
        // Nobody sends: the timeout is the observer's clock.
        let (_sender, never) = channel::<()>();
        let (mut time, mut said) = (RunTime::new(Instant::now()), None);
        while never.recv_timeout(Beat::PERIOD) == Err(RecvTimeoutError::Timeout) {
            let kept = ["a.example.", "large.example."].map(|zone| {
                let found = history.steps(&zone.parse().unwrap()).ok().flatten();
                found.map_or_else(String::new, |found| format!("{zone} {}\n", found.serial))
            });
            fs::write(&kept_file, kept.concat()).unwrap();
            let found = liveness.observe(time.advance(Instant::now()));
            let kind = (found.as_ref().map(std::mem::discriminant), liveness.verifier().is_some());
            if said != Some(kind) {
                let verifier = liveness.verifier().map(|_| "signatures are not verified".to_owned());
                let text = found.map(|stall| stall.to_string()).or(verifier);
                println!("found {}", text.unwrap_or_else(|| "nothing".to_owned()));
                said = Some(kind);
            }
        }
    };
    std::thread::Builder::new().name("observer".to_owned()).spawn(observer).unwrap().join().unwrap();
}

struct Observed {
    child: Child,
    found: Receiver<String>,
}

impl Observed {
    fn start(pop: &Pop) -> Self {
        let mut child = Child(
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "frozen::child_that_is_frozen", "--nocapture"])
                .env(CHILD, pop.directory.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (sender, found) = channel();
        std::thread::spawn(move || {
            for line in lines {
                // The harness writes on the same line before.
                if let Some((_, text)) = line.split_once("found ") {
                    let _ = sender.send(text.to_owned());
                }
            }
        });
        let observed = Self { child, found };
        assert_eq!(observed.next(PATIENCE), "nothing");
        observed
    }

    fn next(&self, within: Duration) -> String {
        self.found.recv_timeout(within).expect("the observer finds something else")
    }

    /// The thread with this name, when there is one.
    fn thread(&self, name: &str) -> i32 {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.child.0.id()));
        let find = || {
            fs::read_dir(&tasks).ok()?.flatten().find_map(|task| {
                let comm = fs::read_to_string(task.path().join("comm")).ok()?;
                (comm.trim_end() == name).then(|| task.file_name().to_str()?.parse().ok())?
            })
        };
        wait::wait_for(name, PATIENCE, find).0
    }
}

/// A thread that is stopped until the value is dropped. To be used on one thread: that is the tracer.
struct Frozen(i32);

impl Frozen {
    #[allow(unsafe_code, reason = "ptrace(2) has no safe wrapper")]
    fn new(thread: i32) -> Option<Self> {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: these requests take no pointer, and what is traced is a thread of another process.
        let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, thread, nothing, nothing) } == 0;
        let frozen = seized.then_some(Self(thread))?;
        // SAFETY: as above; the status is a local variable.
        let stopped = unsafe {
            let mut status = 0;
            libc::ptrace(libc::PTRACE_INTERRUPT, thread, nothing, nothing) == 0
                && libc::waitpid(thread, &raw mut status, libc::__WALL) == thread
                && libc::WIFSTOPPED(status)
        };
        stopped.then_some(frozen)
    }
}

impl Drop for Frozen {
    #[allow(unsafe_code, reason = "ptrace(2) has no safe wrapper")]
    fn drop(&mut self) {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the request takes no pointer.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, nothing, nothing) };
    }
}

#[test]
fn each_thread_that_is_frozen_is_told_and_its_end_too() {
    let pop = Pop::new();
    pop.write("zones/a.example.zone", &zone_text(1, 3));
    let observed = Observed::start(&pop);
    let expected = [
        ("publisher", "the publisher has not run for"),
        ("zones-0", "has made no progress for"),
        ("zones-1", "has made no progress for"),
        ("small-1", "has made no progress for"),
        ("survey-1", "has made no progress for"),
        ("state-writer", "writing the state directory has made no progress for"),
        ("notify-rs inoti", "has not answered for"),
        ("verify", "signatures are not verified"),
    ];
    let mut serial = 2;
    // A second round finds each at another instruction.
    for (name, words) in expected.into_iter().chain(expected) {
        let frozen = Frozen::new(observed.thread(name)).expect("it can be traced");
        let begun = Instant::now();
        let found = observed.next(TOLD);
        assert!(found.contains(words), "{name}: {found}");
        let told = begun.elapsed();
        if name == "verify" {
            deploys(&pop, serial);
            serial += 1;
        }
        drop(frozen);
        let begun = Instant::now();
        assert_eq!(observed.next(TOLD), "nothing", "{name} goes on");
        println!("{name}: told after {told:.1?}, over after {:.1?}", begun.elapsed());
    }
}

/// Whether the child has kept this version.
fn is_kept(pop: &Pop, zone: &str, serial: u32) -> Option<()> {
    let kept = fs::read_to_string(pop.path("kept")).ok()?;
    kept.contains(&format!("{zone} {serial}\n")).then_some(())
}

/// A version is deployed and kept all the same.
fn deploys(pop: &Pop, serial: u32) {
    replace(&pop.path("zones/a.example.zone"), &zone_text(serial, 3));
    wait::wait_for("the version is kept", PATIENCE, || is_kept(pop, "a.example.", serial));
}

#[test]
fn a_thread_that_is_frozen_while_it_reads_is_told_with_its_file() {
    let pop = Pop::new();
    let path = pop.path("zones/large.example.zone");
    pop.write("zones/large.example.zone", &zone_text(1, 3));
    let observed = Observed::start(&pop);
    let mut found_in_reading = 0;
    for serial in 2..40 {
        if found_in_reading == 3 {
            return;
        }
        replace(&path, &zone_text(serial, 150_000 + serial as usize * 10));
        let is_kept = || is_kept(&pop, "large.example.", serial);
        // It may have come to its end between the two.
        let frozen =
            wait::wait_for("a thread that reads", PATIENCE, || Frozen::new(observed.thread("zones-1"))).0;
        match observed.found.recv_timeout(TOLD) {
            Ok(found) => {
                assert!(found.contains("has made no progress for"), "{found}");
                drop(frozen);
                assert_eq!(observed.next(TOLD), "nothing");
                println!("reading: {found}");
                found_in_reading += 1;
            }
            // Frozen after its work, while it ends: nobody waits for it.
            Err(_) => assert!(is_kept().is_some(), "a thread is frozen at its work, and nobody says so"),
        }
        wait::wait_for("it is read", PATIENCE, is_kept);
    }
    panic!("{found_in_reading} of 3 were frozen while they read");
}
