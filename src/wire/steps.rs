//! How much work an answer took, counted where it is done, so that a test can hold it against a bound.
//!
//! Counts only in builds with debug assertions: those of the tests and of the fuzzer. In others counting is an empty
//! function and [`take`] says `None`, so that the query path that is shipped pays nothing. Each thread counts its own.

#[cfg(debug_assertions)]
use std::cell::Cell;

/// What is counted: everything of an answer that a loop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedStep {
    /// A name is looked up among the zones or in a zone; `zone` bounds what one lookup costs.
    Search,
    /// The addresses of a delegation's name server are looked for: a search too, one for each NS record of a referral.
    Glue,
    /// A name is hashed for NSEC3 (RFC 5155 section 5).
    Hash,
    /// The writer starts a record, whether it will fit or not.
    Record,
    /// A name is compared with one that is already in the message: each suffix that is read, and each label of it.
    Comparison,
}

/// How many steps were taken, of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// See [`CountedStep::Search`].
    pub searches: u64,
    /// See [`CountedStep::Glue`].
    pub glue: u64,
    /// See [`CountedStep::Hash`].
    pub hashes: u64,
    /// See [`CountedStep::Record`].
    pub records: u64,
    /// See [`CountedStep::Comparison`].
    pub comparisons: u64,
}

impl Steps {
    /// None.
    pub const NONE: Self = Self { searches: 0, glue: 0, hashes: 0, records: 0, comparisons: 0 };

    /// Whether none of the kinds is more than in `most`.
    pub fn are_within(&self, most: &Self) -> bool {
        self.searches <= most.searches
            && self.glue <= most.glue
            && self.hashes <= most.hashes
            && self.records <= most.records
            && self.comparisons <= most.comparisons
    }

    /// The greater of both, kind by kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            searches: self.searches.max(other.searches),
            glue: self.glue.max(other.glue),
            hashes: self.hashes.max(other.hashes),
            records: self.records.max(other.records),
            comparisons: self.comparisons.max(other.comparisons),
        }
    }
}

#[cfg(debug_assertions)]
thread_local! {
    static TAKEN: Cell<Steps> = const { Cell::new(Steps::NONE) };
}

/// Counts one step of this thread.
#[inline(always)]
pub(crate) fn count(step: CountedStep) {
    #[cfg(debug_assertions)]
    TAKEN.with(|taken| {
        let mut steps = taken.get();
        match step {
            CountedStep::Search => steps.searches += 1,
            CountedStep::Glue => steps.glue += 1,
            CountedStep::Hash => steps.hashes += 1,
            CountedStep::Record => steps.records += 1,
            CountedStep::Comparison => steps.comparisons += 1,
        }
        taken.set(steps);
    });
    #[cfg(not(debug_assertions))]
    let _ = step;
}

/// The steps of this thread since it last asked; `None` in builds without debug assertions, which count nothing.
pub fn take() -> Option<Steps> {
    #[cfg(debug_assertions)]
    return Some(TAKEN.take());
    #[cfg(not(debug_assertions))]
    None
}
