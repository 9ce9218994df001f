//! The members of catalogs in the state directory: read at the start, kept as they change, forgotten after their time.

use crate::publish::state::tables::members::KeptMember;
use crate::publish::state::writer::rows::ZoneRows;
use crate::publish::work::kept::keeping::Keeping;
use crate::publish::work::zone::entry::Entry;
use crate::wire::Name;

impl Keeping {
    /// Learns from the state directory who was a member. What catalogs have said since the start counts.
    pub(in crate::publish) fn read_members(&mut self) {
        let state = self.state.clone();
        let Some(store) = state.store() else { return };
        match store.members() {
            Ok(members) => {
                for (name, member) in members {
                    self.members.all.entry(name).or_insert(member);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the members of catalogs cannot be read: their catalogs list them again")
            }
        }
    }

    /// An entry for a zone of which the state directory has something; `None`: it waits out of service for its end.
    pub(in crate::publish) fn stored_entry(&self, zone: &Name) -> Option<Entry> {
        let members = &self.members;
        let waits = members.keeps_aside(zone) || self.removed.has(zone);
        (!waits).then(|| Entry { is_member: members.lists(zone), ..Entry::stored() })
    }

    /// Keeps what is new of these.
    pub(in crate::publish) fn keep_members(&mut self, kept: Vec<(Name, Option<KeptMember>)>) {
        if kept.is_empty() {
            return;
        }
        let written = match self.state.writer() {
            Some(writer) => writer.keep_rows(ZoneRows::Members(kept)),
            None => return self.members.is_unkept = self.state.unwritable().is_some(),
        };
        if let Err(error) = written {
            tracing::error!(%error, "who is a member of which catalog is not kept: a restart without their primaries may lose zones");
            self.members.is_unkept = true;
        }
    }

    /// Keeps all of them, if they could not be kept before.
    pub(in crate::publish) fn keep_members_again(&mut self) {
        if std::mem::take(&mut self.members.is_unkept) {
            self.keep_all_members();
        }
    }

    /// Keeps all of them in a state directory that is new.
    pub(in crate::publish) fn keep_all_members(&mut self) {
        let all = self.members.all.iter();
        let all = all.map(|(name, member)| (name.clone(), Some(member.clone()))).collect();
        self.keep_members(all);
    }
}
