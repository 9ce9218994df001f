//! Zones that were forgotten, over restarts, for the catalogs that are made here: which there are, and that the catalogs have said it.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::publish::state::database::DatabaseError;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::publisher::PublisherHandle;
use crate::wire::Name;

/// So long the state directory may take to tell it.
const PATIENCE: Duration = Duration::from_secs(10);

impl PublisherHandle {
    /// The zones of which everything that was kept was forgotten, so that what has their names next is another zone; of each until
    /// [`said_anew`](Self::said_anew). It is noted from now on: a catalog is made here. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// It cannot be read, or the publisher has stopped.
    pub async fn begun_anew(&self) -> io::Result<BTreeSet<Name>> {
        let state = self.state().await?;
        let read = tokio::task::spawn_blocking(move || match state.store() {
            Some(store) => store.begun_anew().map_err(DatabaseError::into_io),
            None => Ok(BTreeSet::new()),
        });
        // A disk that hangs by now must not keep catalogs from being followed.
        let read = tokio::time::timeout(PATIENCE, read).await.map_err(|_| io::ErrorKind::TimedOut)?;
        read.map_err(io::Error::other).flatten()
    }

    /// No catalog is made here: nothing is noted from now on, and what was is forgotten soon. One that is made later begins with what it
    /// lists then.
    pub async fn notes_none_anew(&self) {
        if let Ok(state) = self.state().await
            && let Some(writer) = state.writer()
        {
            writer.store().notes_anew.store(false, Ordering::Relaxed);
            writer.keep_rows_soon(ZoneRows::NoneAnew);
        }
    }

    /// Every catalog that is made here and lists one of these zones says that it began anew: that is forgotten soon.
    pub async fn said_anew(&self, zones: BTreeSet<Name>) {
        if let Ok(state) = self.state().await
            && let Some(writer) = state.writer()
        {
            writer.keep_rows_soon(ZoneRows::SaidAnew(zones));
        }
    }
}
