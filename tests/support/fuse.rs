//! A file system that does not answer while its daemon is stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A FUSE file system that shows another directory.
pub struct Fuse {
    daemon: Child,
    mount: PathBuf,
}

impl Fuse {
    /// Shows `source` at `mount`. `None` where there is no FUSE.
    pub fn mount(source: &Path, mount: &Path) -> Option<Self> {
        fs::create_dir_all(source).expect("the directory can be made");
        fs::create_dir_all(mount).expect("the mount point can be made");
        // Nothing is cached, so that every look asks the daemon.
        let options = "attr_timeout=0,entry_timeout=0,negative_timeout=0";
        let daemon =
            Command::new("bindfs").arg("-f").args(["-o", options]).args([source, mount]).spawn().ok()?;
        let mut fuse = Self { daemon, mount: mount.to_path_buf() };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if fs::read_to_string("/proc/self/mounts")
                .is_ok_and(|text| text.contains(&*mount.to_string_lossy()))
            {
                return Some(fuse);
            }
            if fuse.daemon.try_wait().expect("the daemon can be asked").is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        None
    }

    fn signal(&self, signal: &str) {
        let pid = self.daemon.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("kill can be run");
        assert!(status.success(), "the daemon takes the signal");
    }

    /// It does not answer until [`go_on`](Self::go_on).
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        // A thread that waits for the daemon gets an error when it has ended.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}
