//! The zones that an operator holds, as the state directory has them.

use std::sync::Arc;

use crate::publish::error::HoldError;
use crate::publish::fault::{Fault, SourceFault};
use crate::publish::state::database::{DatabaseError, has_mark, mark};
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::files::holds::{self, DamagedHolds, FILE as HELD_ZONES, Hold, Holds, MARK};
use crate::publish::work::kept::keeping::Keeping;
use crate::wire::Name;

impl Keeping {
    /// Takes in which zones are held. Where that cannot be read, all are: a version that an operator keeps away must not pass because a
    /// file is damaged.
    pub(in crate::publish) fn read_holds(&mut self) {
        let Some(directory) = self.opener.directory() else { return };
        let is_unread = self.opener.is_pending();
        let found = match is_unread {
            false => holds::read(directory),
            // The file is in it, so it would not answer either.
            true => Err(DamagedHolds::unread("the state directory does not answer")),
        };
        let holds = match found {
            Ok(holds) => holds,
            Err(DamagedHolds { is_empty: true, .. }) if !self.has_taken_over_holds() => Holds::default(),
            Err(DamagedHolds { mut readable, error, .. }) => {
                let copy =
                    if is_unread { String::new() } else { format!("; a copy is {HELD_ZONES}.damaged") };
                let reason = format!("{HELD_ZONES} could not be read ({error}){copy}");
                readable.insert_all(Hold::new(&reason));
                if self.state.writer().is_some()
                    && let Err(error) = holds::write(directory, &readable)
                {
                    tracing::error!(%error, "the file of the zones that are held cannot be set aside: it stays in its place");
                }
                readable
            }
        };
        self.holds = Arc::new(holds);
    }

    /// Whether the file was written, or taken over from an older build, by this one. So it is taken where nobody knows.
    fn has_taken_over_holds(&self) -> bool {
        let database = self.state.writer().and_then(|writer| writer.store().database());
        database.is_none_or(|database| database.read(|from| has_mark(from, MARK)).unwrap_or(true))
    }

    /// At the start: gives the file of an older build its head and its end.
    pub(in crate::publish) fn take_over_holds(&self) {
        let database = self.state.writer().and_then(|writer| writer.store().database());
        let (Some(directory), Some(database)) = (self.opener.directory(), database) else { return };
        if self.has_taken_over_holds() {
            return;
        }
        let is_there = directory.join(HELD_ZONES).exists();
        let written = if is_there { holds::take_over(directory, &self.holds) } else { Ok(()) };
        let marked =
            written.and_then(|()| database.write(|to| mark(to, MARK, true)).map_err(DatabaseError::into_io));
        if let Err(error) = marked {
            tracing::warn!(%error, "the file {HELD_ZONES} of an older build stays as it is");
        }
    }

    /// The fault that every zone is held.
    pub(in crate::publish) fn hold_fault(&self) -> Option<SourceFault> {
        let Hold { reason, since } = self.holds.all()?;
        Some(SourceFault::AllHeld { since: *since, reason: reason.to_string() })
    }

    /// Keeps them, and puts them in force; whether a restart will know of it.
    pub(in crate::publish) fn keep_holds(&mut self, holds: Arc<Holds>) -> Result<bool, HoldError> {
        let before = self.holds.clone();
        let kept = match &*self.state {
            StateDirectory::None => Ok(false),
            StateDirectory::Kept(writer) => writer.keep_holds(before, holds.clone()).map(|()| true),
            StateDirectory::Unwritable { error, .. } => Err(error.to_io()),
        };
        let is_kept = kept.map_err(|source| HoldError::NotKept { source })?;
        self.holds = holds;
        Ok(is_kept)
    }

    /// What is to be told of a zone that is held.
    pub(in crate::publish) fn held(&self, zone: &Name) -> Option<Fault> {
        let Hold { reason, since } = self.holds.get(zone)?;
        Some(Fault::Held { zone: zone.clone(), since: *since, reason: reason.to_string() })
    }
}
