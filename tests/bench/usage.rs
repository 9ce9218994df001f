//! What the processes of a server have used, from /proc: CPU time and memory, children and threads included.

use std::collections::BTreeSet;
use std::ops::Sub;
use std::time::Duration;

use crate::support::process::read;

/// The unit of the times in /proc/PID/stat: `USER_HZ`, 100 on every Linux but those for Alpha and Itanium.
const TICK: Duration = Duration::from_millis(10);

/// CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// In the process.
    pub(crate) user: Duration,
    /// In the kernel for the process.
    pub(crate) system: Duration,
}

impl Cpu {
    /// Both.
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

/// The process, its children, theirs and so on, as long as they live.
pub(crate) fn tree(root: u32) -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .expect("/proc can be read")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process| Some((process, number(&fields(process), 1)?)))
        .filter_map(|(process, parent)| Some((process, u32::try_from(parent).ok()?)))
        .collect();
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(parent));
        let children: Vec<u32> = children.map(|(process, _)| *process).collect();
        found.extend(children);
        if found.len() == before {
            return found;
        }
    }
}

/// The CPU time of the process and all below it, those included that ended and were waited for.
pub(crate) fn cpu(root: u32) -> Cpu {
    let mut sum = Cpu::default();
    for process in tree(root) {
        let fields = fields(process);
        let ticks = |index| TICK * u32::try_from(number(&fields, index).unwrap_or(0)).unwrap_or(u32::MAX);
        // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), counted here from the state, which is field 3.
        sum.user += ticks(11) + ticks(13);
        sum.system += ticks(12) + ticks(14);
    }
    sum
}

/// The CPU time of the threads of one process that live, to the nanosecond where `/proc` of this kernel has it (`CONFIG_SCHED_INFO`).
pub(crate) fn precise_cpu(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process has threads");
    let used = |thread: std::fs::DirEntry| {
        let text = read(&thread.path().join("schedstat"));
        text.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(threads.flatten().map(used).sum())
}

/// The octets that this process has given to the disk.
pub(crate) fn written() -> u64 {
    let text = read("/proc/self/io".as_ref());
    let line =
        text.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("the kernel counts them");
    line.parse().expect("a number")
}

/// The memory of the process and all below it in octets: proportional set size, so that shared pages count once.
pub(crate) fn memory(root: u32) -> u64 {
    let pss = |process: u32| {
        let text = read(format!("/proc/{process}/smaps_rollup").as_ref());
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?.to_owned();
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    tree(root).into_iter().filter_map(pss).sum::<u64>() * 1024
}

/// Whether the process is gone, or is only waited for.
pub(crate) fn is_gone(process: u32) -> bool {
    fields(process).first().is_none_or(|state| state == "Z")
}

/// The fields of /proc/PID/stat behind the name, which may hold anything; none if there is no such process.
fn fields(process: u32) -> Vec<String> {
    let text = read(format!("/proc/{process}/stat").as_ref());
    let after = text.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
    after.split_whitespace().map(str::to_owned).collect()
}

fn number(fields: &[String], index: usize) -> Option<u64> {
    fields.get(index)?.parse().ok()
}
