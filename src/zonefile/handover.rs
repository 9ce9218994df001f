//! A bounded queue between threads that are observed: every wait is timed, so that a thread which waits uses a little CPU
//! time and one that is frozen does not ([`crate::telemetry::pulse`]).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::telemetry::locked;
use crate::telemetry::pulse::WAIT;

/// The queue, and how many threads take from it.
#[derive(Debug)]
pub(super) struct Handover<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
    takers: usize,
}

impl<T> Handover<T> {
    /// Of so many values at most, for so many takers.
    pub(super) fn new(most: usize, takers: usize) -> Self {
        let state = State { waiting: VecDeque::with_capacity(most), closed: false, takers };
        Self { state: Mutex::new(state), changed: Condvar::new(), most }
    }

    /// Hands a value over; waits while the queue is full. False if nobody takes it any more.
    pub(super) fn give(&self, value: T) -> bool {
        let mut state = self.lock();
        while state.waiting.len() >= self.most && state.takers > 0 {
            state = self.wait(state);
        }
        state.waiting.push_back(value);
        self.changed.notify_all();
        state.takers > 0
    }

    /// Takes a value; waits for one. `None` if there will be no more.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = state.waiting.pop_front() {
                self.changed.notify_all();
                return Some(value);
            }
            if state.closed {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// Says that a taker has ended, or was never started.
    pub(super) fn taker_ended(&self) {
        let mut state = self.lock();
        state.takers = state.takers.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Says that there will be no more, and waits until every taker has ended.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        while state.takers > 0 {
            state = self.wait(state);
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait_timeout(state, WAIT).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        locked(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_through_and_the_end_is_waited_for() {
        let handover = Handover::new(2, 2);
        let sum = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(value) = handover.take() {
                        *sum.lock().unwrap() += value;
                    }
                    handover.taker_ended();
                });
            }
            for value in 1..=100 {
                assert!(handover.give(value));
            }
            handover.close();
            assert_eq!(*sum.lock().unwrap(), 5050);
        });
        assert!(!handover.give(1), "nobody is left");
    }
}
