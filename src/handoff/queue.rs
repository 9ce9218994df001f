//! A bounded queue of values for one reader.

use std::io;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use super::wake::{WakeReceiver, WakeSender, pair};

/// The writing end; clones write to the same queue.
#[derive(Debug)]
pub struct Queue<T> {
    shared: Arc<(ArrayQueue<T>, WakeSender)>,
}

/// The reading end.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<(ArrayQueue<T>, WakeSender)>,
    receiver: WakeReceiver,
}

/// A queue of at most `capacity` values, which is not zero.
///
/// # Errors
/// No socket pair can be had.
pub fn queue<T>(capacity: usize) -> io::Result<(Queue<T>, Receiver<T>)> {
    let (sender, receiver) = pair()?;
    let shared = Arc::new((ArrayQueue::new(capacity), sender));
    Ok((Queue { shared: shared.clone() }, Receiver { shared, receiver }))
}

impl<T> Queue<T> {
    /// Puts a value in and wakes the reader; never blocks.
    ///
    /// # Errors
    /// The value, if the queue is full.
    pub fn push(&self, value: T) -> Result<(), T> {
        self.shared.0.push(value)?;
        self.shared.1.wake();
        Ok(())
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> Receiver<T> {
    /// The next value, if there is one.
    pub fn try_next(&mut self) -> Option<T> {
        self.shared.0.pop()
    }

    /// The next value. Cancel-safe.
    pub async fn next(&mut self) -> T {
        loop {
            match self.try_next() {
                Some(value) => return value,
                None => self.receiver.wait().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn values_come_in_order_and_a_full_queue_gives_them_back() {
        let (queue, mut receiver) = queue(2).unwrap();
        assert_eq!([queue.push(1), queue.push(2), queue.push(3)], [Ok(()), Ok(()), Err(3)]);
        assert_eq!([receiver.next().await, receiver.next().await], [1, 2]);
        assert_eq!(receiver.try_next(), None);
        let writer = queue.clone();
        let thread = std::thread::spawn(move || writer.push(4));
        let next = tokio::time::timeout(Duration::from_secs(20), receiver.next()).await;
        assert_eq!(next.unwrap(), 4);
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
}
