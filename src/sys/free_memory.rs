//! Memory that is free for this process: of the machine, and of the control groups that it is in (Linux, cgroup v2). Files are read, no
//! system call is made directly.

use std::path::Path;

/// Octets that are free, or can be freed without swapping; `None` where the system does not tell.
pub fn free_memory() -> Option<u64> {
    let told = |path: &str| std::fs::read_to_string(path).ok();
    let machine = of_machine(&told("/proc/meminfo")?)?;
    let group = told("/proc/self/cgroup");
    let group =
        group.as_deref().and_then(group_of).and_then(|group| of_groups(Path::new("/sys/fs/cgroup"), group));
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// What `/proc/meminfo` says.
fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The path of the group in `/proc/self/cgroup`.
fn group_of(cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| line.strip_prefix("0::/"))
}

/// The least that a group or one around it leaves; `None` if none has a limit. In a container the path may be one of the host: then only
/// the groups that are seen count.
fn of_groups(root: &Path, group: &str) -> Option<u64> {
    let groups = Path::new(group).ancestors().map(|group| root.join(group));
    groups.filter_map(|group| of_group(&group)).min()
}

fn of_group(group: &Path) -> Option<u64> {
    let told = |file: &str| std::fs::read_to_string(group.join(file)).ok();
    let number = |file: &str| told(file)?.trim().parse::<u64>().ok();
    // `max` where there is no limit.
    let (most, current) = (number("memory.max")?, number("memory.current")?);
    // Pages of files that nobody uses go first.
    let stat = told("memory.stat").unwrap_or_default();
    let idle = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse().ok());
    Some(most.saturating_sub(current.saturating_sub(idle.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_the_groups_counts_and_idle_pages_of_files_are_free() {
        let meminfo = "MemTotal:        2000 kB\nMemAvailable:    1500 kB\nBuffers:   3 kB\n";
        assert_eq!((of_machine(meminfo), of_machine("MemTotal: 2000 kB\n")), (Some(1500 << 10), None));
        assert_eq!(group_of("1:cpu:/x\n0::/a.slice/b.service\n"), Some("a.slice/b.service"));
        assert_eq!(group_of("0::/\n"), Some(""));
        let root = tempfile::tempdir().unwrap();
        let put = |group: &str, files: &[(&str, &str)]| {
            let folder = root.path().join(group);
            std::fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(file, text)| std::fs::write(folder.join(file), text).unwrap());
        };
        put(
            "a.slice",
            &[
                ("memory.max", "1000\n"),
                ("memory.current", "900\n"),
                ("memory.stat", "anon 5\ninactive_file 300\n"),
            ],
        );
        put("a.slice/b.service", &[("memory.max", "max\n"), ("memory.current", "10\n")]);
        put("a.slice/c.service", &[("memory.max", "500\n"), ("memory.current", "450\n")]);
        let of = |group| of_groups(root.path(), group);
        assert_eq!((of("a.slice/b.service"), of("a.slice/c.service")), (Some(400), Some(50)));
        assert_eq!((of("a.slice/gone.service"), of("")), (Some(400), None));
        #[cfg(native)]
        assert!(free_memory().is_some());
    }
}
