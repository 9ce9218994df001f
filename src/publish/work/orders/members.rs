//! Zones that catalogs list: what becomes of them here when one is listed, begins anew, or is listed no more.
//!
//! [`MemberChanges`] flow in; entries to check, zones to serve no longer, and what is to be kept flow out. Who is a member is durable
//! before a primary is asked for the zone, so that a restart has the same zones without asking anybody. What is kept of a zone that
//! is listed no more stays for its time, out of service and out of the report. Never decides who is a member.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use crate::clock::Moment;
use crate::publish::state::tables::members::KeptMember;
use crate::publish::work::core::Core;
use crate::publish::work::zone::entry::Entry;
use crate::wire::Name;
use crate::zone::Expiry;

/// What a new version of a catalog changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberChanges {
    /// Members that are to be served, or of which other things are said now. What is kept of one that was a member before comes back,
    /// unless its label is another one, or its owner is one to which the owner before did not give it.
    pub set: Vec<(Name, KeptMember)>,
    /// Members that begin anew: what is served and kept of them is of no use.
    pub reset: Vec<(Name, KeptMember)>,
    /// Members that zone files hold: members no more, and served on.
    pub to_files: Vec<Name>,
    /// Zones that are members no more, and until when what is kept of each stays, in seconds since 1970.
    pub removed: Vec<(Name, u64)>,
}

impl Core {
    /// Every member has an entry, also one of which nothing is kept.
    pub(in crate::publish) fn enter_members(&mut self) {
        let listed = self.keeping.members.all.iter().filter(|(_, member)| member.kept_until.is_none());
        let listed: Vec<Name> = listed.map(|(name, _)| name.clone()).collect();
        for name in listed {
            self.entry_or_new(&name).is_member = true;
        }
    }

    /// Takes what a new version of a catalog changes; durable when this is answered, if that can be.
    pub(in crate::publish) fn change_members(&mut self, changes: MemberChanges, reply: oneshot::Sender<()>) {
        self.take_results();
        let mut kept = Vec::new();
        let mut gone = Vec::new();
        let mut anew = BTreeSet::new();
        let MemberChanges { set, reset, to_files, removed } = changes;
        for name in &to_files {
            // What is kept of it is that of the file, also over a restart.
            kept.extend(self.keeping.members.all.remove(name).map(|_| (name.clone(), None)));
        }
        self.leave_to_files(&to_files);
        for (name, until) in removed {
            let stays = self.stays_without_catalog(&name);
            let members = &mut self.keeping.members;
            let Some(member) = members.all.get_mut(&name) else { continue };
            if stays {
                // What is kept of it is that of the zone that stays, also over a restart.
                members.all.remove(&name);
                kept.push((name.clone(), None));
            } else {
                member.kept_until = Some(until);
                kept.push((name.clone(), Some(member.clone())));
                members.retention.begin(&name, until, Moment::now());
            }
            gone.push(name);
        }
        for (name, member) in reset {
            self.keeping.forget_soon(&name);
            anew.insert(name.clone());
            kept.push((name.clone(), Some(member.clone())));
            self.keeping.members.all.insert(name.clone(), member);
            gone.push(name);
        }
        self.take_out_of_service(&gone);
        for (name, member) in set {
            let before = self.keeping.members.all.insert(name.clone(), member.clone());
            if before.is_some_and(|before| before.kept_until.is_some() && !before.is_same_zone(&member)) {
                self.keeping.forget_soon(&name);
                anew.insert(name.clone());
            }
            kept.push((name, Some(member)));
        }
        self.forget_the_old(&mut kept);
        let names: Vec<Name> = kept.iter().map(|(name, _)| name.clone()).collect();
        // The rules of one that the configuration names were those of no zone, or are so now.
        let are_named = names.iter().any(|name| self.configured.settings.names(name));
        self.keeping.keep_members(kept);
        for name in names {
            if self.keeping.members.lists(&name) {
                let stored = !anew.contains(&name);
                self.check_member(name, stored);
            }
        }
        if are_named && self.reporting.settled {
            self.report_all();
        }
        self.report_changed();
        let _ = reply.send(());
    }

    /// Brings a member into service, as far as something is kept of it. `stored`: whether that may be.
    fn check_member(&mut self, name: Name, stored: bool) {
        let entry = self.keeping.new_entry(&name);
        if let Some(entry) = self.zones.get_mut(&name) {
            let was_member = std::mem::replace(&mut entry.is_member, true);
            if !was_member && entry.away.take().is_some() {
                // Its file is not missed any more.
                self.push(&name, false);
            }
            return;
        }
        self.zones.insert(name.clone(), Entry { is_member: true, stored, ..entry });
        self.push(&name, false);
    }

    /// Zone files hold these members, and may be away just now.
    fn leave_to_files(&mut self, names: &[Name]) {
        if names.is_empty() {
            return;
        }
        for name in names {
            if let Some(entry) = self.zones.get_mut(name) {
                entry.is_member = false;
                self.push(name, false);
            }
        }
        self.publication.flush();
        // What comes from a file does not expire.
        let from_files: Vec<_> = names.iter().map(|name| (name.clone(), Expiry::Current)).collect();
        self.set_expiry(&from_files);
    }

    /// Whether a zone that no catalog lists any more is here by another way, too: the configuration names it, or a file has it.
    fn stays_without_catalog(&self, name: &Name) -> bool {
        let settings = &self.configured.settings;
        let is_configured = settings.transferred.contains(name) || settings.databases.contains(name);
        self.zones.get(name).is_some_and(|entry| is_configured || entry.found.is_some())
    }

    /// Serves these no longer, and knows them no longer; what is kept of them stays.
    fn take_out_of_service(&mut self, gone: &[Name]) {
        if gone.is_empty() {
            return;
        }
        let mut from_file = Vec::new();
        for name in gone {
            let stays = self.stays_without_catalog(name);
            match self.zones.get_mut(name) {
                Some(entry) if stays => {
                    entry.is_member = false;
                    if !self.configured.settings.transferred.contains(name) {
                        from_file.push((name.clone(), Expiry::Current));
                    }
                }
                Some(_) => {
                    self.board.forget(name);
                    self.release(name);
                    let gone = self.zones.remove(name);
                    self.has_left(gone.and_then(|gone| gone.includes_in));
                    drop(self.board.take_waiting(name));
                    self.publication.remove(name.clone());
                    self.reporting.news.insert(name.clone());
                }
                None => {}
            }
        }
        self.publication.flush();
        // What comes from a file does not expire.
        self.set_expiry(&from_file);
        self.publish_absences();
    }

    /// Forgets what was kept of zones whose time is over, now and then: a clock that jumped may have put it off.
    pub(in crate::publish) fn forget_old_members(&mut self) {
        let mut kept = Vec::new();
        self.forget_the_old(&mut kept);
        self.keeping.keep_members(kept);
    }

    /// Forgets what was kept of zones whose time is over. One that is served again by another way is no business of ours.
    fn forget_the_old(&mut self, kept: &mut Vec<(Name, Option<KeptMember>)>) {
        let (old, later) = self.keeping.members.take_due(Moment::now());
        kept.extend(later);
        for name in old {
            if !self.zones.contains_key(&name) {
                tracing::info!(zone = %name, "no catalog lists the zone any more: what was kept of it is forgotten");
                self.keeping.forget_soon(&name);
            }
            kept.push((name, None));
        }
    }

    /// Zones that the configuration names are members of no catalog; catalogs are not answered from.
    pub(in crate::publish) fn leave_to_configuration(&mut self) {
        let settings = self.configured.settings.clone();
        let mut kept = Vec::new();
        for name in settings.transferred.iter().chain(&settings.databases) {
            if self.keeping.members.all.remove(name).is_some() {
                kept.push((name.clone(), None));
                // What is kept of it goes on.
                let entry = self.zones.entry(name.clone()).or_insert_with(Entry::stored);
                entry.is_member = false;
            }
        }
        self.keeping.keep_members(kept);
        self.publication.set_unanswered(&settings.catalogs);
        self.zones.iter_mut().for_each(|(name, entry)| entry.is_catalog = settings.catalogs.contains(name));
    }
}
