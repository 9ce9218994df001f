//! The newest value of one writer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::wake::{Bell, Sleeper, pair};

/// The writing end.
#[derive(Debug)]
pub struct Latest<T> {
    shared: Arc<Shared<T>>,
    bells: Vec<Bell>,
}

/// A reading end. Its clone reads, too, but is not woken: for those who look regularly anyway.
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
    sleeper: Option<Sleeper>,
}

#[derive(Debug)]
struct Shared<T> {
    value: ArcSwap<T>,
    version: AtomicU64,
}

impl<T> Latest<T> {
    /// With this value at first.
    pub fn new(value: T) -> Self {
        let shared = Shared { value: ArcSwap::from_pointee(value), version: AtomicU64::new(0) };
        Self { shared: Arc::new(shared), bells: Vec::new() }
    }

    /// A reading end that is woken by [`Latest::publish`].
    ///
    /// # Errors
    /// No socket pair can be had.
    pub fn reader(&mut self) -> io::Result<Reader<T>> {
        let (bell, sleeper) = pair()?;
        self.bells.push(bell);
        Ok(Reader { sleeper: Some(sleeper), ..self.look() })
    }

    /// A reading end that is not woken.
    #[must_use]
    pub fn look(&self) -> Reader<T> {
        let seen = self.shared.version.load(Ordering::Acquire);
        Reader { shared: self.shared.clone(), seen, sleeper: None }
    }

    /// Replaces the value and wakes the readers; never blocks.
    pub fn publish(&self, value: T) {
        self.shared.value.store(Arc::new(value));
        self.shared.version.fetch_add(1, Ordering::Release);
        self.bells.iter().for_each(Bell::ring);
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

impl<T> Reader<T> {
    /// The newest value; never blocks.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        self.shared.value.load_full()
    }

    /// Returns when a value was published since the last call. Cancel-safe. Never, for a reader that is not woken.
    pub async fn changed(&mut self) {
        loop {
            let version = self.shared.version.load(Ordering::Acquire);
            if version != self.seen {
                self.seen = version;
                return;
            }
            match &mut self.sleeper {
                Some(sleeper) => sleeper.wait().await,
                None => std::future::pending().await,
            }
        }
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), seen: self.seen, sleeper: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_reader_on_another_runtime_sees_the_newest_value() {
        let mut latest = Latest::new(0);
        let mut reader = latest.reader().unwrap();
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
        let mut latest = Latest::new(0);
        let mut reader = latest.reader().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), reader.changed()).await.is_err());
        latest.publish(1);
        tokio::time::timeout(PATIENCE, reader.changed()).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), reader.changed()).await.is_err());
    }
}
