//! Followed catalogs: which version is in force, who is a member, and what a new version changes. No I/O.
//!
//! Versions of catalog zones flow in, what the publisher and the transfers are to do flows out. Never decides whether a version of a
//! catalog zone is served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use rpds::RedBlackTreeMapSync;

use crate::catalog::{
    CatalogFault, CatalogMember, CatalogZone, Conflict, Held, Member, Membership, MembershipChanges,
    RemovalLimit,
};
use crate::clock::{Due, Moment, Retention};
use crate::config::{Catalogs, FollowedCatalog};
use crate::publish::{Fault, FilePresence, KEPT_ASIDE, KeptMember, MemberChanges, Report};
use crate::transfer::secondary::{MemberZones, OnExpiry, SecondaryZone};
use crate::wire::{Name, Serial};
use crate::zone::Zone;

use super::facts::{CatalogFact, HeldRemovals};

/// Clashes that are logged of one version: the status counts all of them.
const MOST_LOGGED: usize = 10;
/// Zones whose data is kept although no catalog lists them: a hub that lists other zones each hour must not fill the disk.
const MOST_REMOVED: usize = 100_000;

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub(super) struct MemberOrders {
    pub(super) publish: MemberChanges,
    pub(super) transfer: MemberZones,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) catalogs: Vec<FollowedCatalog>,
    /// What becomes of members that expire whose catalog is not configured any more.
    expired: OnExpiry,
    pub(super) configured: Arc<BTreeSet<Name>>,
    pub(super) membership: Membership,
    /// The version of each catalog zone that was looked at last, good or not.
    pub(super) seen: BTreeMap<Name, Arc<Zone>>,
    faults: BTreeMap<Name, CatalogFault>,
    pub(super) conflicts: Vec<Conflict>,
    /// Zones that each catalog lists and may not: how many, and the first.
    strangers: BTreeMap<Name, (usize, Name)>,
    /// Zones that a file had and has no more: served still, and a catalog may have them.
    pub(super) free: BTreeSet<Name>,
    /// Where the files of zones that clash are, as far as they are not there.
    pub(super) away: BTreeMap<Name, FilePresence>,
    /// Zones that are new among the clashes of which that is not known yet.
    pub(super) new_clashes: BTreeSet<Name>,
    /// Members whose zone the configuration named a file for until the reload that goes on: another source may have a file.
    pub(super) held_back: BTreeSet<Name>,
    /// Which changes of the report were looked at for that.
    pub(super) looked_at: Option<u64>,
    pub(super) owners: RedBlackTreeMapSync<Name, Name>,
    /// Zones that are members no more, by the catalog that had them, until when their data is kept.
    removed: BTreeMap<Name, (Name, u64)>,
    retention: Retention<Name>,
    /// Members that wait for an operator, since which serial of their catalog, as the publisher keeps it.
    waits: BTreeMap<Name, Serial>,
    /// How often any of it may have changed.
    pub(super) changes: u64,
}

impl Following {
    /// Begins with the members that were kept.
    pub(super) fn new(catalogs: Catalogs, kept: &BTreeMap<Name, KeptMember>) -> Self {
        let mut members = BTreeMap::new();
        let mut removed = BTreeMap::new();
        let mut waiting: BTreeMap<Name, Held> = BTreeMap::new();
        let mut waits = BTreeMap::new();
        for (name, member) in kept {
            if let (Some(since), None) = (member.waits_since, member.kept_until) {
                let since = Serial(since);
                let none = Held { serial: since, since, members: BTreeSet::new() };
                waiting.entry(member.catalog.clone()).or_insert(none).members.insert(name.clone());
                waits.insert(name.clone(), since);
            }
            match member.kept_until {
                Some(until) => drop(removed.insert(name.clone(), (member.catalog.clone(), until))),
                None => drop(members.insert(name.clone(), of_kept(member))),
            }
        }
        let owners = members.iter().map(|(name, member)| (name.clone(), member.catalog.clone())).collect();
        let Catalogs { followed, configured, expired, .. } = catalogs;
        let order = followed.iter().map(|catalog| catalog.name.clone()).collect();
        let limits = followed.iter().map(|catalog| (catalog.name.clone(), catalog.limit)).collect();
        let membership = Membership::new(order, BTreeSet::clone(&configured), RemovalLimit::default())
            .with_limits(limits)
            .restored(members, waiting);
        Self {
            catalogs: followed,
            expired,
            configured,
            membership,
            seen: BTreeMap::new(),
            faults: BTreeMap::new(),
            conflicts: Vec::new(),
            strangers: BTreeMap::new(),
            free: BTreeSet::new(),
            away: BTreeMap::new(),
            new_clashes: BTreeSet::new(),
            held_back: BTreeSet::new(),
            looked_at: None,
            owners,
            removed,
            retention: Retention::default(),
            waits,
            changes: 0,
        }
    }

    /// In the place of another one.
    pub(super) fn after(self, before: &Self) -> Self {
        Self { changes: before.changes + 1, ..self }
    }

    /// Takes what the configuration says now; zones of catalogs that leave it are removed. Those of catalogs that it did not name any more
    /// at the start stay: see [`settle_left`](Self::settle_left).
    pub(super) fn configure(&mut self, catalogs: Catalogs, report: &Report, now: u64) -> MemberOrders {
        self.changes += 1;
        let before: BTreeMap<Name, u64> =
            self.catalogs.iter().map(|catalog| (catalog.name.clone(), catalog.keep.as_secs())).collect();
        let Catalogs { followed, configured, expired, .. } = catalogs;
        self.expired = expired;
        let limits = followed.iter().map(|catalog| (catalog.name.clone(), catalog.limit)).collect();
        let old = std::mem::replace(&mut self.catalogs, followed);
        let filters = |all: &[FollowedCatalog], name: &Name| {
            all.iter().find(|one| one.name == *name).map(|one| one.allowed.clone())
        };
        // One that may list other zones now is looked at anew.
        self.seen.retain(|name, _| {
            let now = filters(&self.catalogs, name);
            now.is_some() && now == filters(&old, name)
        });
        self.strangers.retain(|name, _| self.catalogs.iter().any(|catalog| catalog.name == *name));
        self.faults.retain(|name, _| self.catalogs.iter().any(|catalog| catalog.name == *name));
        let names: Vec<Name> =
            self.owners.keys().filter(|name| configured.contains(*name)).cloned().collect();
        for name in &names {
            self.owners.remove_mut(name);
        }
        let old = std::mem::replace(&mut self.configured, configured);
        self.membership.set_configured(self.without_files(report, &old, None));
        let changes = self.membership.reconfigure(limits);
        let mut orders =
            self.orders(changes, now, |catalog| before.get(catalog).copied().unwrap_or_default());
        self.look_at_new_clashes(report);
        // The publisher looks for files under these settings next.
        let had_file = |name: &&Name| {
            let file = report.zones.get(*name).map(|zone| zone.file);
            old.contains(*name) && file.is_some_and(FilePresence::is_expected)
        };
        let new = orders.publish.set.iter().map(|(name, _)| name);
        self.held_back.extend(new.filter(had_file).cloned());
        // Members may come from other primaries now.
        let members = self.membership.members().iter().filter(|(name, _)| !self.held_back.contains(*name));
        orders.transfer.set = members.map(|(name, member)| self.zone(name, member)).collect();
        orders
    }

    /// Whether this version of a catalog zone was not looked at yet.
    pub(super) fn is_news(&self, zone: &Arc<Zone>) -> bool {
        self.seen.get(zone.origin()).is_none_or(|seen| !Arc::ptr_eq(seen, zone))
    }

    /// Takes a version of a catalog zone.
    pub(super) fn take(&mut self, zone: &Arc<Zone>, report: &Report, now: u64) -> Option<MemberOrders> {
        self.changes += 1;
        let name = zone.origin().clone();
        self.seen.insert(name.clone(), zone.clone());
        let version = match CatalogZone::read(zone) {
            Ok(version) => Arc::new(self.without_strangers(version)),
            Err(fault) => {
                tracing::error!(catalog = %name, serial = %zone.serial(), error = %fault, "the catalog is broken: its members stay as they are");
                self.faults.insert(name, fault);
                return None;
            }
        };
        self.faults.remove(&name);
        let is_accepted = self.is_accepted(&version);
        let none = BTreeSet::new();
        self.membership.set_configured(self.without_files(report, &none, Some(&version)));
        self.membership.set_time(Instant::now());
        self.membership.set_kept(self.held_members(report));
        let changes = self.membership.take(version, is_accepted);
        let held = self.membership.held().get(&name).map_or(0, |held| held.members.len());
        let MembershipChanges { added, removed, changed, reset, .. } = &changes;
        let (added, removed) = (added.len(), removed.len());
        let (changed, reset) = (changed.len(), reset.len());
        tracing::info!(catalog = %name, serial = %zone.serial(), added, removed, changed, reset, held, "a version of a catalog is in force");
        let orders = self.orders(changes, now, |_| 0);
        self.look_at_new_clashes(report);
        Some(orders)
    }

    /// Lets removals pass that wait.
    pub(super) fn accept(&mut self, catalog: &Name, serial: Serial, now: u64) -> Option<MemberOrders> {
        let changes = self.membership.accept(catalog, serial)?;
        self.changes += 1;
        Some(self.orders(changes, now, |_| FollowedCatalog::DEFAULT_KEEP.as_secs()))
    }

    /// Decides what becomes of members whose catalog left the configuration over a restart, when it is known which zones have files: few go,
    /// others stay as they are until an operator lets them go or the catalog is back.
    pub(super) fn settle_left(&mut self, now: u64) -> Option<MemberOrders> {
        let changes = self.membership.let_few_go()?;
        self.changes += 1;
        let held = self.membership.held().iter();
        for (catalog, held) in held.filter(|(catalog, _)| self.settings(catalog).is_none()) {
            tracing::error!(%catalog, zones = held.members.len(), "the catalog is not followed any more: its zones are served on and get no new versions until an operator lets them go");
        }
        Some(self.orders(changes, now, |_| FollowedCatalog::DEFAULT_KEEP.as_secs()))
    }

    /// The followed catalogs.
    pub(super) fn catalogs(&self) -> &[FollowedCatalog] {
        &self.catalogs
    }

    /// Whether so many zones of a catalog may not go with it.
    pub(super) fn is_too_large_to_leave(&self, catalog: &Name, members: usize) -> bool {
        self.settings(catalog).is_some_and(|settings| settings.limit.is_exceeded(members, members))
    }

    /// Whether a version of this catalog is in force, or the newest is broken.
    pub(super) fn is_in_force(&self, catalog: &Name) -> bool {
        self.membership.version(catalog).is_some() || self.faults.contains_key(catalog)
    }

    /// The catalogs whose versions may be looked at, in the order of the configuration, while so many have neither come nor failed. New ones
    /// wait for all of them: of members that several list the first in the configuration has each (RFC 9432 section 5.2), on each POP, and
    /// not the one that comes first. One of which a version is in force, or which has members of before a restart, waits for none.
    pub(super) fn in_turn(&self, awaited: usize) -> Vec<Name> {
        let is_known = |catalog: &Name| {
            self.membership.version(catalog).is_some() || self.owners.values().any(|owner| owner == catalog)
        };
        let names = self.catalogs.iter().map(|catalog| &catalog.name);
        names.filter(|name| awaited == 0 || is_known(name)).cloned().collect()
    }

    /// Which catalog each member belongs to.
    pub(super) fn owners(&self) -> &RedBlackTreeMapSync<Name, Name> {
        &self.owners
    }

    /// Every member, to be transferred.
    pub(super) fn all(&self) -> MemberZones {
        let members = self.membership.members().iter();
        let set = members.map(|(name, member)| self.zone(name, member)).collect();
        MemberZones { set, ..MemberZones::default() }
    }

    /// Whether data of removed zones is over its time.
    pub(super) fn forget_the_old(&mut self, now: Moment) -> bool {
        let before = self.removed.len();
        let Self { removed, retention, .. } = self;
        removed.retain(|name, (_, until)| match retention.due(name, *until, KEPT_ASIDE, now) {
            Due::No => true,
            Due::Yes => false,
            Due::Until(later) => {
                *until = later;
                true
            }
        });
        retention.retain(|name| removed.contains_key(name));
        let has_forgotten = self.removed.len() != before;
        self.changes += u64::from(has_forgotten);
        has_forgotten
    }

    /// How often the facts may have changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The facts of each catalog but for what is awaited, at the cost of a walk over all members.
    pub(super) fn facts(&self) -> Vec<CatalogFact> {
        let of = |name: &Name| {
            let clashes = || self.conflicts.iter().filter(|conflict| conflict.catalog == *name);
            let held = self.membership.held().get(name);
            let strangers = self.strangers.get(name);
            let held = held.and_then(|held| {
                let first = held.members.first()?.clone();
                Some(HeldRemovals { serial: held.serial, count: held.members.len(), first })
            });
            CatalogFact {
                name: name.clone(),
                is_produced: false,
                has_left: self.settings(name).is_none(),
                serial: self.membership.version(name).map(|version| version.serial),
                members: self.owners.values().filter(|owner| *owner == name).count(),
                awaited: 0,
                held,
                removed: self.removed.values().filter(|(owner, _)| owner == name).count(),
                clashes: clashes().count() + strangers.map_or(0, |(count, _)| *count),
                first_clash: clashes().next().map(|it| self.clash(it)).or_else(|| {
                    strangers.map(|(_, first)| format!("{first} is not among the zones that it may list"))
                }),
                fault: self.faults.get(name).map(ToString::to_string),
            }
        };
        self.catalogs.iter().map(|catalog| &catalog.name).chain(self.membership.left()).map(of).collect()
    }

    /// Many removals were accepted at the producer since the version that is in force.
    fn is_accepted(&self, version: &CatalogZone) -> bool {
        let Some(accepted) = version.accepted else { return false };
        let known = self.membership.version(&version.name).map(|known| known.serial);
        let is_later = known.map_or(accepted == version.serial, |known| accepted.is_after(known));
        is_later && !accepted.is_after(version.serial)
    }

    /// Leaves out what a catalog may not list.
    fn without_strangers(&mut self, mut version: CatalogZone) -> CatalogZone {
        let name = version.name.clone();
        let Some(settings) = self.catalogs.iter().find(|catalog| catalog.name == name) else {
            return version;
        };
        let strange: Vec<Name> =
            version.members.keys().filter(|member| !settings.may_list(member)).cloned().collect();
        self.strangers.remove(&name);
        if let Some(first) = strange.first() {
            tracing::error!(catalog = %name, zones = strange.len(), %first, "the catalog lists zones that it may not: they are not taken from it");
            self.strangers.insert(name, (strange.len(), first.clone()));
        }
        strange.iter().for_each(|member| drop(version.members.remove(member)));
        version
    }

    /// The members that an operator holds at the version that is served.
    fn held_members(&self, report: &Report) -> BTreeSet<Name> {
        let is_held = |name: &&Name| {
            let faults = report.zones.get(*name).map(|zone| &zone.faults);
            faults.is_some_and(|all| all.iter().any(|fault| matches!(fault, Fault::Held { .. })))
        };
        self.owners.keys().filter(is_held).cloned().collect()
    }

    fn settings(&self, catalog: &Name) -> Option<&FollowedCatalog> {
        self.catalogs.iter().find(|one| one.name == *catalog)
    }

    pub(super) fn zone(&self, name: &Name, member: &Member) -> SecondaryZone {
        match self.settings(&member.catalog) {
            Some(catalog) => catalog.member(name, &member.properties.groups),
            // Nobody knows where it came from: it gets older, and expires.
            None => SecondaryZone {
                name: name.clone(),
                primaries: Vec::new(),
                notify: Default::default(),
                expired: self.expired,
            },
        }
    }

    /// What changes of the membership mean. `keep`: how long data of catalogs that are not configured any more is kept.
    pub(super) fn orders(
        &mut self,
        changes: MembershipChanges,
        now: u64,
        keep: impl Fn(&Name) -> u64,
    ) -> MemberOrders {
        let MembershipChanges { added, removed, changed, reset, conflicts } = changes;
        for conflict in
            conflicts.iter().filter(|conflict| !self.conflicts.contains(conflict)).take(MOST_LOGGED)
        {
            tracing::error!(zone = %conflict.member, catalog = %conflict.catalog, "not taken from the catalog: {}", self.clash(conflict));
        }
        let known: BTreeSet<&Name> = self.conflicts.iter().map(|it| &it.member).collect();
        let new = conflicts.iter().filter(|it| it.owner.is_none() && !known.contains(&it.member));
        self.new_clashes.extend(new.map(|it| it.member.clone()));
        self.conflicts = conflicts;
        let mut orders = MemberOrders::default();
        let waits = self.waits();
        for name in removed {
            let owner = self.owners.get(&name).cloned().unwrap_or_else(|| name.clone());
            self.owners.remove_mut(&name);
            let keep = match self.removed.len() < MOST_REMOVED {
                true => self.settings(&owner).map_or_else(|| keep(&owner), |one| one.keep.as_secs()),
                false => 0,
            };
            let until = now.saturating_add(keep);
            self.retention.begin(&name, until, Moment { unix: now, at: Instant::now() });
            self.removed.insert(name.clone(), (owner, until));
            orders.publish.removed.push((name.clone(), now.saturating_add(keep)));
            orders.transfer.removed.push(name);
        }
        for (name, member) in added.into_iter().chain(changed) {
            orders.transfer.set.push(self.zone(&name, &member));
            self.own(&name, &member);
            let kept = to_kept(&member, waits.get(&name));
            orders.publish.set.push((name, kept));
        }
        for (name, member) in reset {
            orders.transfer.removed.push(name.clone());
            orders.transfer.set.push(self.zone(&name, &member));
            self.own(&name, &member);
            let kept = to_kept(&member, waits.get(&name));
            orders.publish.reset.push((name, kept));
        }
        self.keep_waits(waits, &mut orders);
        orders
    }

    /// Which members wait for an operator, since which serial of their catalog.
    fn waits(&self) -> BTreeMap<Name, Serial> {
        let members = self.membership.members();
        let of = |(catalog, held): (&Name, &Held)| {
            let is_its = |name: &&Name| members.get(*name).is_some_and(|member| member.catalog == *catalog);
            held.members.iter().filter(is_its).map(|name| (name.clone(), held.since)).collect::<Vec<_>>()
        };
        self.membership.waiting().iter().flat_map(of).collect()
    }

    /// Has the publisher keep which members wait now, where it keeps something else.
    fn keep_waits(&mut self, waits: BTreeMap<Name, Serial>, orders: &mut MemberOrders) {
        let before = std::mem::replace(&mut self.waits, waits);
        let is_set: BTreeSet<&Name> =
            orders.publish.set.iter().chain(&orders.publish.reset).map(|(name, _)| name).collect();
        let names: BTreeSet<&Name> = before.keys().chain(self.waits.keys()).collect();
        let differs =
            |name: &&&Name| before.get(**name) != self.waits.get(**name) && !is_set.contains(**name);
        let kept = |name: &&Name| {
            let member = self.membership.members().get(*name)?;
            Some(((*name).clone(), to_kept(member, self.waits.get(*name))))
        };
        let changed: Vec<_> = names.iter().filter(differs).filter_map(kept).collect();
        orders.publish.set.extend(changed);
    }

    fn own(&mut self, name: &Name, member: &Member) {
        self.free.remove(name);
        self.removed.remove(name);
        self.owners.insert_mut(name.clone(), member.catalog.clone());
    }
}

fn of_kept(kept: &KeptMember) -> Member {
    let KeptMember { catalog, label, new_owner, groups, .. } = kept.clone();
    Member { catalog, properties: CatalogMember { label, new_owner, groups } }
}

fn to_kept(member: &Member, waits: Option<&Serial>) -> KeptMember {
    let CatalogMember { label, new_owner, groups } = member.properties.clone();
    let waits_since = waits.map(|serial| serial.0);
    KeptMember { catalog: member.catalog.clone(), label, new_owner, groups, kept_until: None, waits_since }
}

#[cfg(test)]
#[path = "../../../tests/unit/daemon/following.rs"]
pub(super) mod tests;
