//! The newest value of one writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::wake::{WakeReceiver, WakeSender, pair};

/// How often a reader looks when no socket pair can be had to wake it: the process is out of file descriptors.
const UNWOKEN: Duration = Duration::from_millis(100);

/// The writing end.
#[derive(Debug)]
pub struct Latest<T> {
    shared: Arc<Shared<T>>,
}

/// A reading end. Each clone waits by itself.
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
    /// Made at the first wait: most readers only look.
    receiver: Option<WakeReceiver>,
}

#[derive(Debug)]
struct Shared<T> {
    value: ArcSwap<T>,
    version: AtomicU64,
    /// Of the readers that wait.
    senders: ArcSwap<Vec<Arc<WakeSender>>>,
}

impl<T> Latest<T> {
    /// With this value at first.
    pub fn new(value: T) -> Self {
        let shared = Shared {
            value: ArcSwap::from_pointee(value),
            version: AtomicU64::new(0),
            senders: ArcSwap::from_pointee(Vec::new()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A reading end, which has seen the value of now.
    #[must_use]
    pub fn reader(&self) -> Reader<T> {
        let seen = self.shared.version.load(Ordering::Acquire);
        Reader { shared: self.shared.clone(), seen, receiver: None }
    }

    /// Replaces the value and wakes the readers; never blocks.
    pub fn publish(&self, value: T) {
        self.shared.value.store(Arc::new(value));
        self.shared.wake_readers();
    }

    /// The value that was published last.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.shared.value.load_full()
    }
}

impl<T: PartialEq> Latest<T> {
    /// Replaces the value and wakes the readers if it differs; whether it did.
    pub fn publish_if_new(&self, value: T) -> bool {
        let differs = **self.shared.value.load() != value;
        if differs {
            self.publish(value);
        }
        differs
    }
}

impl<T: Clone> Latest<T> {
    /// Changes a copy of the value, publishes it and wakes the readers; never blocks. `change` runs again if another writer
    /// came between.
    pub fn update(&self, mut change: impl FnMut(&mut T)) {
        self.shared.value.rcu(|value| {
            let mut copy = T::clone(value);
            change(&mut copy);
            copy
        });
        self.shared.wake_readers();
    }
}

impl<T> Shared<T> {
    fn wake_readers(&self) {
        self.version.fetch_add(1, Ordering::Release);
        let senders = self.senders.load();
        let gone = senders.iter().filter(|sender| !sender.wake()).count();
        if gone > 0 {
            self.senders.rcu(|senders| {
                senders.iter().filter(|sender| sender.is_connected()).cloned().collect::<Vec<_>>()
            });
        }
    }

    fn receiver(&self) -> Option<WakeReceiver> {
        let (sender, receiver) = pair().ok()?;
        let sender = Arc::new(sender);
        self.senders.rcu(|senders| senders.iter().chain([&sender]).cloned().collect::<Vec<_>>());
        Some(receiver)
    }
}

impl<T> Reader<T> {
    /// The newest value; never blocks.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        self.shared.value.load_full()
    }

    /// Returns when a value was published since the last call. Cancel-safe. Needs a tokio runtime with time and I/O.
    pub async fn changed(&mut self) {
        loop {
            let version = self.shared.version.load(Ordering::Acquire);
            if version != self.seen {
                self.seen = version;
                return;
            }
            if self.receiver.is_none() {
                self.receiver = self.shared.receiver();
                // What was published before the sender existed has woken nothing.
                if self.receiver.is_some() {
                    continue;
                }
            }
            match &mut self.receiver {
                Some(receiver) => receiver.wait().await,
                None => tokio::time::sleep(UNWOKEN).await,
            }
        }
    }

    /// Returns the first value that fits, which may be the one of now. Cancel-safe. Needs a tokio runtime with time and I/O.
    pub async fn wait_for(&mut self, mut fits: impl FnMut(&T) -> bool) -> Arc<T> {
        loop {
            self.seen = self.shared.version.load(Ordering::Acquire);
            let value = self.load();
            if fits(&value) {
                return value;
            }
            self.changed().await;
        }
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), seen: self.seen, receiver: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_reader_on_another_runtime_sees_the_newest_value() {
        let latest = Latest::new(0);
        let mut reader = latest.reader();
        let writer = std::thread::spawn(move || {
            (1..=10_000).for_each(|value| latest.publish(value));
            latest
        });
        let last = async {
            while *reader.load() < 10_000 {
                reader.changed().await;
            }
        };
        tokio::time::timeout(PATIENCE, last).await.unwrap();
        let latest = writer.join().unwrap();
        assert!(!latest.publish_if_new(10_000));
        assert!(latest.publish_if_new(10_001));
        tokio::time::timeout(PATIENCE, reader.changed()).await.unwrap();
        assert_eq!(*reader.clone().load(), 10_001);
    }

    #[tokio::test]
    async fn nothing_published_wakes_nobody() {
        let latest = Latest::new(0);
        let mut reader = latest.reader();
        assert!(tokio::time::timeout(Duration::from_millis(20), reader.changed()).await.is_err());
        latest.publish(1);
        tokio::time::timeout(PATIENCE, reader.changed()).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), reader.changed()).await.is_err());
    }

    #[tokio::test]
    async fn a_clone_waits_by_itself_and_a_reader_that_is_gone_leaves_no_sender() {
        let latest = Latest::new(0);
        let (mut first, mut second) = (latest.reader(), latest.reader().clone());
        for value in 1..=2 {
            let publish = async { latest.update(|old| *old += 1) };
            let both = async { tokio::join!(first.changed(), second.changed(), publish) };
            tokio::time::timeout(PATIENCE, both).await.unwrap();
            assert_eq!([*first.load(), *second.load()], [value; 2]);
        }
        assert_eq!(latest.shared.senders.load().len(), 2);
        drop(first);
        latest.publish(3);
        assert_eq!(latest.shared.senders.load().len(), 1);
        assert_eq!(*second.wait_for(|value| *value == 3).await, 3);
    }
}
