//! What was released when the last process ended: known at the start, or when a state directory answers that was silent then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::publish::{KeptReleases, KeptState, MissingReleases};
use crate::wire::Name;

use super::entries::CanaryEntry;
use super::known::{KnownRelease, UNKNOWN_BEFORE};
use super::task::CanaryTask;

impl CanaryTask {
    /// Takes what the last process kept; anew when more of it can be read. What was halted because nobody knew what was released is looked
    /// at again, what an operator has ordered since counts.
    pub(super) fn take_kept(&mut self) {
        let state = self.state.load();
        let Some(KeptState { releases: KeptReleases { zones, missing }, .. }) = &*state else { return };
        if self.taken.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, &state)) {
            return;
        }
        let unknown: Vec<Name> =
            self.entries.zones.keys().filter(|name| self.is_unknown(name)).cloned().collect();
        for name in &unknown {
            self.entries.remove(name);
        }
        let is_open = |name: &Name| !self.entries.zones.contains_key(name);
        let read = zones.iter().filter(|(name, _)| is_open(name));
        let read = read.map(|(name, kept)| (name.clone(), KnownRelease { kept: *kept, number: 0 })).collect();
        // What a reload has noted since the last turn counts: the disk has not heard of it.
        let noted = std::mem::replace(&mut self.kept, read);
        self.kept.extend(noted);
        (self.missing, self.unknown, self.seen, self.has_settled) = (*missing, None, None, false);
        self.taken = Some(state.clone());
    }

    /// Keeps what these zones, taken out of their entries, come back to. Returns those of which nobody knows what was released: they come
    /// back as unknown, so that they are looked at when the state directory answers.
    pub(super) fn keep_known(&mut self, zones: Vec<(Name, CanaryEntry)>) -> BTreeSet<Name> {
        let (unknown, known): (BTreeMap<_, _>, BTreeMap<_, _>) =
            zones.into_iter().partition(|(_, entry)| is_unknown(entry));
        self.kept.extend(known.into_iter().map(|(name, entry)| {
            let known = entry.known();
            (name, known)
        }));
        let unknown: BTreeSet<Name> = unknown.into_keys().collect();
        if let Some(all) = &mut self.unknown {
            all.extend(unknown.iter().cloned());
        }
        unknown
    }

    /// Whether nobody knows what was released of this zone and the state directory may tell it yet. Then it comes back as unknown, too.
    pub(super) fn note_unread(&mut self, name: &Name) -> bool {
        let is_unread = self.entries.zones.get(name).is_some_and(|entry| self.may_be_kept(entry));
        if is_unread && let Some(all) = &mut self.unknown {
            all.insert(name.clone());
        }
        is_unread
    }

    fn is_unknown(&self, name: &Name) -> bool {
        self.entries.zones.get(name).is_some_and(is_unknown)
    }

    /// Whether the state directory may have more of this zone than is known: then that stays.
    pub(super) fn may_be_kept(&self, entry: &CanaryEntry) -> bool {
        self.missing == Some(MissingReleases::Unread) && is_unknown(entry)
    }
}

fn is_unknown(entry: &CanaryEntry) -> bool {
    entry.stopped.as_deref() == Some(UNKNOWN_BEFORE)
}
