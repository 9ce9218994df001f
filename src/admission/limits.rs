//! The limits in force, which a reload may change while queries are answered.
//!
//! A reload puts new settings in; each worker takes their limiter at its next batch. Nothing locks, so a frozen worker does not
//! delay the others.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption, Cache};

use super::{Limiter, Settings, SettingsError, WorkerLimiter};

/// The limits in force.
#[derive(Debug)]
pub struct Limits {
    settings: ArcSwap<Settings>,
    limiter: Arc<ArcSwapOption<Limiter>>,
}

impl Limits {
    /// These limits, from now on.
    ///
    /// # Errors
    /// A setting that is out of its range.
    pub fn new(settings: &Settings, now: Instant) -> Result<Self, SettingsError> {
        let limiter = Limiter::new(settings, now)?.map(Arc::new);
        Ok(Self {
            settings: ArcSwap::from_pointee(settings.clone()),
            limiter: Arc::new(ArcSwapOption::new(limiter)),
        })
    }

    /// Puts other limits in force. What was counted so far is forgotten: every prefix has its whole burst once more.
    ///
    /// # Errors
    /// A setting that is out of its range; the limits stay as they are.
    pub fn change(&self, settings: &Settings, now: Instant) -> Result<(), SettingsError> {
        let limiter = Limiter::new(settings, now)?.map(Arc::new);
        self.settings.store(Arc::new(settings.clone()));
        self.limiter.store(limiter);
        Ok(())
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The part of one of `workers` workers.
    pub fn worker(&self, workers: usize) -> WorkerLimits {
        let limits = Cache::new(self.limiter.clone());
        let limiter = self.limiter.load_full().map(|limiter| limiter.worker(workers));
        WorkerLimits { limits, workers, limiter }
    }
}

/// A worker's part of the limits in force.
#[derive(Debug)]
pub struct WorkerLimits {
    limits: Cache<Arc<ArcSwapOption<Limiter>>, Option<Arc<Limiter>>>,
    workers: usize,
    limiter: Option<WorkerLimiter>,
}

impl WorkerLimits {
    /// The limiter in force, for checks at this time; `None` while nothing is limited. Allocates after a change only.
    pub fn at(&mut self, now: Instant) -> Option<&mut WorkerLimiter> {
        let limits = self.limits.load();
        if !self.limiter.as_ref().map_or(limits.is_none(), |limiter| limiter.is_of(limits.as_ref())) {
            self.limiter = limits.as_ref().map(|limiter| limiter.worker(self.workers));
        }
        let limiter = self.limiter.as_mut()?;
        limiter.set_time(now);
        Some(limiter)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::{Admission, Mode};
    use super::*;

    #[test]
    fn a_change_is_in_force_at_the_next_batch_of_each_worker() {
        let now = Instant::now();
        let one = NonZeroU32::MIN;
        let tight = Settings { queries_per_second: one, burst: one, slip: 0, ..Settings::default() };
        let off = Settings { mode: Mode::Off, ..tight.clone() };
        let source = "192.0.2.1".parse().unwrap();
        let exempting = Settings { exempt: vec!["192.0.2.0/24".parse().unwrap()], ..tight.clone() };
        let limits = Limits::new(&off, now).unwrap();
        let (mut first, mut second) = (limits.worker(2), limits.worker(2));
        assert!(first.at(now).is_none() && second.at(now).is_none());
        limits.change(&tight, now).unwrap();
        let limiter = first.at(now).unwrap();
        assert_eq!([limiter.check(source), limiter.check(source)], [Admission::Answer, Admission::Drop]);
        assert_eq!(second.at(now).unwrap().check(source), Admission::Drop, "it is one limit for all workers");
        assert_eq!(first.at(now).unwrap().check(source), Admission::Drop, "it is kept from batch to batch");
        limits.change(&exempting, now).unwrap();
        assert_eq!([0; 3].map(|_| first.at(now).unwrap().check(source)), [Admission::Answer; 3]);
        let wrong = Settings { ipv4_prefix_length: 33, ..tight };
        assert!(limits.change(&wrong, now).is_err());
        assert_eq!(*limits.settings(), exempting);
        limits.change(&off, now).unwrap();
        assert!(first.at(now).is_none() && second.at(now).is_none());
    }
}
