//! What a rollback leaves of a zone: contents of its file that are not to come back, and what is served is in no file.
//!
//! Part of [`crate::publish::work::zone::steps`].

use std::io;

use crate::publish::accept::{Digest, Refused, Terms};
use crate::publish::fault::Fault;
use crate::publish::settings::SerialRule;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::store::history::History;
use crate::publish::state::tables::rejected::{MOST, after_rollback};
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::zone::entry::Entry;
use crate::publish::work::zone::steps::CheckRun;
use crate::wire::Serial;
use crate::zone::Zone;
use crate::zonefile::digest;

impl CheckRun<'_> {
    /// Whether a rollback rejected this content. Only where serials are made here: elsewhere a higher one is its author's word that it is new.
    pub(in crate::publish) fn check_rejected(&self, content: &Digest, terms: Terms) -> Result<(), Refused> {
        if terms.serial != SerialRule::Bump {
            return Ok(());
        }
        let rejected = self.rejected();
        match rejected.contains(content) {
            true if terms.forced => {
                // An operator wants it.
                let rest = rejected.into_iter().filter(|it| it != content).collect();
                if let Some(writer) = self.context.state.writer() {
                    writer.keep_rows_soon(ZoneRows::Rejected(self.name.clone(), rest));
                }
                Ok(())
            }
            true => Err(Refused::Rejected),
            false => Ok(()),
        }
    }

    fn rejected(&self) -> Vec<Digest> {
        let Some(store) = self.context.state.store() else { return Vec::new() };
        store.rejected(self.name).unwrap_or_else(|error| {
            tracing::warn!(zone = %self.name, %error, "which contents a rollback rejected cannot be read");
            Vec::new()
        })
    }

    /// Notes that the versions after this one are left for `version`, which has its content; durable when this returns.
    pub(in crate::publish) fn reject_after(
        &self,
        to: Serial,
        served: &Zone,
        version: &Zone,
    ) -> io::Result<()> {
        let (SerialRule::Bump, StateDirectory::Kept(writer)) = (self.rule, &*self.context.state) else {
            return Ok(());
        };
        if self.is_database() {
            return Ok(());
        }
        let contents = after_rollback(&self.left_after(to, served), &self.rejected(), &digest(version));
        writer.keep_rows(ZoneRows::Rejected(self.name.clone(), contents))
    }

    /// The contents of the versions after this one, the newest first, as far as they can be told.
    fn left_after(&self, to: Serial, served: &Zone) -> Vec<Digest> {
        let steps = self.history().between(self.name, to, Some(served.serial())).ok().flatten();
        let mut contents = vec![digest(served)];
        let mut version = served.clone();
        for step in steps.unwrap_or_default().into_iter().skip(1).rev().take(MOST - 1) {
            let Ok(before) = version.with_kept_changes(step.added, step.deleted) else { break };
            contents.push(digest(&before));
            version = before;
        }
        contents
    }

    fn history(&self) -> History {
        let history = History::default();
        history.follow(self.context.state.database());
        history
    }

    /// Notes where updates led on from the file of a zone that takes none any more: what is served is in no file.
    pub(in crate::publish) fn note_updates(&self, entry: &mut Entry, serial: Serial) {
        if self.is_database() || self.is_transferred(entry) {
            return;
        }
        let source = self.history().last_source(self.name).ok().flatten();
        if matches!(source, Some(StepSource::Update { .. })) {
            let (path, zone) = (entry.path().to_path_buf(), self.name.clone());
            entry.notice = Some(Box::new(Fault::UpdatesInNoFile { path, zone, serial }));
        }
    }
}
