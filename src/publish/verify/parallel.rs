//! Signatures verified on several threads: for a check, and before a version is published that may be refused.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{Builder, available_parallelism, scope};

use crate::zone::signatures::{Findings, Pieces};

/// Verifies all pieces on all cores, the calling thread among them. `step` is called by the calling thread before each owner, with
/// the number of pieces that are done.
pub(in crate::publish) fn verify(pieces: &Pieces<'_>, mut step: impl FnMut(usize)) -> Findings {
    let threads = available_parallelism().map_or(1, NonZero::get).min(pieces.count());
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found: Mutex<Vec<(usize, Findings)>> = Mutex::default();
    let work = |step: &mut dyn FnMut(usize)| {
        let take = || Some(next.fetch_add(1, Relaxed)).filter(|index| *index < pieces.count());
        while let Some(index) = take() {
            let one = pieces.verify(index, || step(done.load(Relaxed)));
            done.fetch_add(1, Relaxed);
            found.lock().unwrap_or_else(PoisonError::into_inner).push((index, one));
        }
    };
    scope(|scope| {
        for number in 1..threads {
            // Fewer where the system has no thread left.
            let spawned =
                Builder::new().name(format!("verify-{number}")).spawn_scoped(scope, || work(&mut |_| {}));
            if spawned.is_err() {
                break;
            }
        }
        work(&mut step);
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(index, _)| *index);
    let mut all = Findings::default();
    found.into_iter().for_each(|(_, one)| all.merge(one));
    all
}
