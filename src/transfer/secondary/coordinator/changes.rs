//! What the coordinator does with what comes from outside: NOTIFYs, orders, other settings, other versions that are served.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::publish::{Fault, KeptState, Report, SourceFault};
use crate::transfer::refresh::Order;
use crate::wire::{Name, Serial};
use crate::zone::Expiry;

use crate::transfer::secondary::access::AtService;
use crate::transfer::secondary::coordinator::entry::{ZoneEntry, soa_of};
use crate::transfer::secondary::coordinator::follower::{Follower, is_decided};
use crate::transfer::secondary::coordinator::late::LateState;
use crate::transfer::secondary::coordinator::{Coordinator, now};
use crate::transfer::secondary::fetch::install_gate::forget;
use crate::transfer::secondary::jobs::pacer::Pacer;
use crate::transfer::secondary::settings::{
    PrimariesDiffer, PrimaryServer, SecondarySettings, SecondaryZone,
};

impl Coordinator {
    /// A NOTIFY from this address. The primaries may be others than when it was judged: it is the primary that it is by the list of now, if it
    /// is one still.
    pub(super) fn notified(&mut self, zone: &Name, source: IpAddr, hint: Option<Serial>) {
        match self.zones.get_mut(zone) {
            Some(entry) if !entry.is_known() => entry.early.note_notify(hint),
            Some(entry) => {
                entry.note_told(hint, now());
                let primary = entry.settings.primary_at(source);
                if let Some(server) = primary.and_then(|primary| entry.settings.primaries.get(primary)) {
                    self.jobs.is_heard(server.address, Instant::now());
                }
                self.step(zone, |refresh| refresh.notified(primary, hint));
            }
            None => {}
        }
    }

    pub(super) fn ordered(&mut self, zone: Option<Name>, except: &BTreeSet<Name>, order: Order) -> usize {
        if let Some(entry) = zone.as_ref().and_then(|zone| self.zones.get_mut(zone)) {
            entry.compare_soon();
        }
        self.take_order(zone, except, order)
    }

    fn take_order(&mut self, zone: Option<Name>, except: &BTreeSet<Name>, order: Order) -> usize {
        let zones: Vec<Name> = match zone {
            Some(zone) => self.zones.get_key_value(&zone).map(|(zone, _)| zone.clone()).into_iter().collect(),
            None => self.zones.keys().filter(|zone| !except.contains(*zone)).cloned().collect(),
        };
        for zone in &zones {
            match self.zones.get_mut(zone) {
                Some(entry) if !entry.is_known() => entry.early.note_order(order),
                _ => self.step(zone, |refresh| refresh.ordered(order)),
            }
        }
        zones.len()
    }

    /// A NOTIFY that was accepted, or an UPDATE that was refused, at a service address.
    pub(super) fn take_from_service(&mut self, message: AtService) {
        match message {
            AtService::Notified { zone, source, hint } => {
                self.notified(&zone.settings.name, source, hint);
                self.forwarder.notified(&zone.settings.name, hint);
            }
            AtService::Update { zone, source } => {
                let hubs: Vec<String> =
                    zone.settings.primaries.iter().map(|primary| primary.address.to_string()).collect();
                let (zone, hub) = (&zone.settings.name, hubs.join(", "));
                self.log.write(source, |left_out| {
                    tracing::warn!(%zone, %source, hub, left_out, "UPDATE refused: this is a secondary of the zone; it is to be sent to the hub");
                });
            }
        }
    }

    /// Takes what the configuration says now.
    pub(super) fn change(&mut self, settings: Arc<SecondarySettings>) {
        let now = now();
        let pacer = Pacer::new(settings.soa_queries, settings.soa_queries_per_primary, now.instant);
        self.jobs.change(pacer, settings.transfers_per_primary);
        self.idle.close_all();
        let keys = settings.keys.changed_since(&self.settings.keys);
        self.settings = settings.clone();
        self.forwarder.change(settings.clone());
        self.configured = settings.zones.iter().map(|zone| zone.name.clone()).collect();
        // What the configuration names is no member of a catalog.
        self.members.retain(|zone| !self.configured.contains(zone));
        let gone = self.zones.keys().filter(|zone| !self.configured.contains(*zone));
        let gone: BTreeSet<Name> = gone.filter(|zone| !self.members.contains(*zone)).cloned().collect();
        let (mut elsewhere, mut otherwise) = (BTreeSet::new(), self.members_with(&keys));
        for zone in &settings.zones {
            let of = (settings.bounds, self.next_generation());
            self.forget_waiting_of_others(zone);
            let Some(entry) = self.zones.get_mut(&zone.name) else { continue };
            match entry.change(zone.clone(), &keys, of, now) {
                PrimariesDiffer::Not => {}
                PrimariesDiffer::InCredentials => otherwise.push(zone.name.clone()),
                PrimariesDiffer::InAddresses => drop(elsewhere.insert(zone.name.clone())),
            }
        }
        self.jobs.forget(&elsewhere);
        // What they refuse to replace came from primaries that are asked no more.
        elsewhere.iter().for_each(|zone| self.outward.note_withdrawn(zone));
        let closed = self.remove_zones(&gone);
        self.forget_confirmations(settings.elsewhere.intersection(&gone).cloned());
        // Of what the configuration named nothing is aside: it is served on where a catalog or a file has it now, so an older serial of
        // its primaries is no other zone.
        for zone in &gone {
            self.kept_aside.remove(zone);
        }
        // What comes from a file from now on does not expire. Of a member of a catalog the publisher decides: it may begin anew, and
        // what has expired of it is answered no more.
        gone.iter().for_each(|zone| self.outward.note_expiry(zone, Expiry::Current, now.instant));
        tokio::spawn(forget(self.sink.clone(), closed));
        self.ask_again(otherwise);
        settings.zones.iter().for_each(|zone| self.settle(&zone.name));
        self.add_zones();
        let in_use = self.zones.values().flat_map(|entry| entry.settings.addresses()).collect();
        self.jobs.forget_other_peers(&in_use);
        self.edns.forget_other_peers(&in_use);
        self.comparisons.forget_other_peers(&in_use);
    }

    /// A zone is to have these primaries: what waits of others goes, so that what is known as served is served.
    pub(in crate::transfer::secondary) fn forget_waiting_of_others(&mut self, zone: &SecondaryZone) {
        let Some(entry) = self.zones.get_mut(&zone.name) else { return };
        if entry.settings.addresses() != zone.addresses()
            && self.sink.only_from(&zone.name, &zone.addresses())
        {
            let served = self.sink.served(&zone.name).as_deref().and_then(soa_of);
            entry.fell_back(now(), served);
        }
    }

    /// Asks the primaries of these zones as soon as nothing is under way: they are known by something else now.
    pub(in crate::transfer::secondary) fn ask_again(&mut self, zones: Vec<Name>) {
        if !zones.is_empty() {
            self.jobs.end_pauses(Instant::now());
        }
        for zone in zones {
            self.take_order(Some(zone), &BTreeSet::new(), Order::Refresh);
        }
    }

    /// The members of catalogs of which a primary has one of these keys.
    fn members_with(&self, keys: &HashSet<Name>) -> Vec<Name> {
        let has = |primary: &PrimaryServer| primary.key.as_ref().is_some_and(|key| keys.contains(key));
        let is_one = |zone: &&Name| {
            self.zones.get(*zone).is_some_and(|entry| entry.settings.primaries.iter().any(has))
        };
        match keys.is_empty() {
            true => Vec::new(),
            false => self.members.iter().filter(is_one).cloned().collect(),
        }
    }

    /// Adds the zones of the settings that are not there yet.
    pub(super) fn add_zones(&mut self) {
        let settings = self.settings.clone();
        self.configured = settings.zones.iter().map(|zone| zone.name.clone()).collect();
        for zone in &settings.zones {
            if !self.zones.contains_key(&zone.name) {
                if settings.catalogs.contains(&zone.name) {
                    self.awaited.add_catalog(zone.name.clone());
                }
                self.add_zone(zone.clone());
            }
        }
    }

    /// Adds a zone; it begins when it is known what is served of it.
    pub(in crate::transfer::secondary) fn add_zone(&mut self, zone: SecondaryZone) {
        let name = zone.name.clone();
        let generation = self.next_generation();
        let is_listed_again = self.kept_aside.remove(&name);
        // Also of what waited before a restart.
        self.sink.only_from(&name, &zone.addresses());
        let mut entry = ZoneEntry::new(zone, generation);
        entry.is_listed_again = is_listed_again;
        self.zones.insert(name.clone(), entry);
        self.outward.note(&name);
        let report = self.follower.as_ref().map(Follower::report);
        if report.is_none_or(|report| is_decided(&report, &name)) {
            self.look_at_served(&name);
        }
    }

    /// What was kept of zones that neither the configuration nor a catalog names any more is of no use; said when it is known what
    /// the catalogs list.
    pub(in crate::transfer::secondary) fn forget_strange_timers(&mut self) {
        if std::mem::replace(&mut self.has_forgotten, true) {
            return;
        }
        let is_strange = |zone: &&Name| !self.zones.contains_key(*zone) && !self.kept_aside.contains(*zone);
        let strange: Vec<Name> = self.saved.keys().filter(is_strange).cloned().collect();
        for zone in strange {
            self.saved.remove(&zone);
            self.outward.note_timers(&zone, Instant::now());
        }
    }

    /// The publisher says something new.
    pub(super) fn look_at_report(&mut self) {
        let Some((report, changed)) = self.follower.as_mut().map(Follower::news) else { return };
        let names: Vec<Name> = match changed {
            Some(names) => names.into_iter().filter(|name| self.zones.contains_key(name)).collect(),
            None => self.zones.keys().cloned().collect(),
        };
        for name in names.iter().filter(|name| is_decided(&report, name)) {
            self.look_at_served(name);
        }
        let are_all_held = report.faults.iter().any(|fault| matches!(fault, SourceFault::AllHeld { .. }));
        if std::mem::replace(&mut self.are_all_held, are_all_held) && !are_all_held {
            self.ask_for_refused();
        }
    }

    /// It is known again which zones are held: what was refused because nobody knew is judged anew, and what is being judged at this moment.
    fn ask_for_refused(&mut self) {
        let now = now();
        let zones = self.zones.iter().filter(|(_, entry)| entry.may_be_refused(now));
        let zones: Vec<Name> = zones.map(|(zone, _)| zone.clone()).collect();
        for zone in zones {
            self.take_order(Some(zone), &BTreeSet::new(), Order::Refresh);
        }
    }

    /// Looks which version of a zone is served.
    pub(super) fn look_at_served(&mut self, name: &Name) {
        let now = now();
        let served = self.sink.served(name).as_deref().and_then(soa_of);
        // What comes late is of a version that comes late, too.
        let begins_anew = served.is_none() && self.saved.contains_key(name) && !self.is_unread(name);
        self.take_kept();
        let Some(entry) = self.zones.get_mut(name) else { return };
        // They are those of a version: one that was kept may be told before it is published.
        let saved = served.and_then(|_| self.saved.remove(name));
        if entry.is_known() {
            entry.serves(now, served, saved);
            return self.settle(name);
        }
        if begins_anew {
            // The first version that comes has nothing to do with the zone that had the name before.
            self.saved.remove(name);
            self.outward.note_timers(name, now.instant);
        }
        if self.sink.wants_again(name) {
            entry.early.note_notify(None);
        }
        let action = entry.begin(self.settings.bounds, served, saved, now);
        self.act(name, action);
    }

    /// Whether the version that is kept of a zone could not be read, and may come into service later.
    fn is_unread(&self, name: &Name) -> bool {
        let report: Option<Arc<Report>> = self.follower.as_ref().map(Follower::report);
        let zone = report.as_ref().and_then(|report| report.zones.get(name));
        zone.is_some_and(|zone| zone.faults.iter().any(|fault| matches!(fault, Fault::Unreadable { .. })))
    }

    /// Takes what is told of what was kept. To be called after the report is read and before it is used: a version that was kept is served
    /// after its timers are told.
    pub(in crate::transfer::secondary) fn take_kept(&mut self) {
        let Some(state) = self.late.as_mut().and_then(LateState::news) else { return };
        let Some(KeptState { timers, members, .. }) = &*state else { return };
        let now = now();
        for (zone, saved) in timers {
            match self.zones.get(zone) {
                // Nothing could be kept of it until now.
                Some(entry) if entry.is_confirmed(now) => self.outward.note_timers(zone, Instant::now()),
                _ => drop(self.saved.insert(zone.clone(), *saved)),
            }
        }
        let gone = members.iter().filter(|(_, member)| member.kept_until.is_some());
        let gone = gone.map(|(name, _)| name).filter(|name| !self.zones.contains_key(*name));
        self.kept_aside.extend(gone.cloned());
        let unkept = self.zones.iter().filter(|(zone, _)| !timers.contains_key(*zone));
        for (zone, _) in unkept.filter(|(_, entry)| entry.is_confirmed(now)) {
            self.outward.note_timers(zone, Instant::now());
        }
        self.has_forgotten = false;
        self.ask_for_refused();
    }
}
