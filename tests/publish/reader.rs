//! A worker in miniature: loads the snapshot all the time and looks for gaps and mixtures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyns::zone::Published;

use crate::support::{content_of, name};

pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, String>>,
}

impl Reader {
    /// Watches one zone that is served already.
    pub(crate) fn start(published: &Arc<Published>, zone: &str) -> Self {
        let (zone, published) = (name(zone), published.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut loads = 0;
            let mut newest = 0;
            while !stopped.load(Ordering::Relaxed) {
                let snapshot = published.load();
                let zone = snapshot.zone(&zone).ok_or("a gap: the zone is not served")?;
                let content = content_of(zone)?;
                if content < newest {
                    return Err(format!("went back from {newest} to {content}"));
                }
                newest = content;
                loads += 1;
                std::thread::yield_now();
            }
            Ok(loads)
        });
        Self { stop, thread }
    }

    /// Ends, and fails the test if anything was wrong.
    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let loads = self.thread.join().unwrap().unwrap();
        assert!(loads > 0);
    }
}
