//! What is logged, which a reload may change.
//!
//! A change swaps the filter without a lock, so a thread that logs does not wait for it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};

use super::log_error::LogError;

/// Changes what is logged.
#[derive(Clone, Debug)]
pub struct LogLevel(Arc<ArcSwap<EnvFilter>>);

/// Whether this is a level: `info`, or levels by module as in `info,anyns::health=debug`.
///
/// # Errors
/// [`LogError::Level`].
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    // A word alone that is no level would name a module, of which everything is logged, and of all others nothing.
    let is_word = |part: &&str| !part.contains(['=', ':', '[']);
    let wrong = level
        .split(',')
        .map(str::trim)
        .filter(is_word)
        .find(|word| word.is_empty() || word.parse::<LevelFilter>().is_err());
    if let Some(word) = wrong {
        return Err(LogError::Word { word: word.to_owned() });
    }
    EnvFilter::try_new(level).map_err(|source| LogError::Level { level: level.to_owned(), source })
}

impl LogLevel {
    pub(super) fn new(level: &str) -> Result<Self, LogError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(filter(level)?))))
    }

    /// Logs this from now on.
    ///
    /// # Errors
    /// An unknown level; what is logged stays as it is.
    pub fn change(&self, level: &str) -> Result<(), LogError> {
        self.0.store(Arc::new(filter(level)?));
        // Each place that logs caches whether its records are wanted.
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    pub(super) fn filter(&self) -> Current {
        Current(self.0.clone())
    }
}

/// The filter in force.
pub(super) struct Current(Arc<ArcSwap<EnvFilter>>);

impl<S> Filter<S> for Current {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::enabled(&**self.0.load(), metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        Filter::<S>::callsite_enabled(&**self.0.load(), metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&**self.0.load())
    }
}
