//! Which member belongs to which catalog, and what a new version of a catalog changes (RFC 9432 section 5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::wire::{Name, Serial};

use super::read::{CatalogMember, CatalogZone};
use super::recent::RecentRemovals;

/// How many members may go at once before an operator is asked; both must be exceeded, or all go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalLimit {
    /// Percent of the catalog's members.
    pub percent: u8,
    /// How many.
    pub members: usize,
}

impl RemovalLimit {
    /// Whether so many members of so many may not go at once. All of several go only by an export that failed.
    pub fn is_exceeded(&self, gone: usize, of: usize) -> bool {
        self.is_much(gone, of) || (gone > 1 && gone == of && self.percent < 100)
    }

    /// Whether so many members of so many may not go one after the other.
    pub fn is_much(&self, gone: usize, of: usize) -> bool {
        gone > self.members && gone * 100 > of * usize::from(self.percent)
    }
}

impl Default for RemovalLimit {
    /// A day's work removes some zones of many; an empty export, a filter that matches nothing, removes a tenth at least.
    fn default() -> Self {
        Self { percent: 10, members: 10 }
    }
}

/// The serial under which members wait whose catalog left the configuration over a restart: no version of it is known.
pub const LEFT: Serial = Serial(0);

/// A member as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The catalog that owns it.
    pub catalog: Name,
    /// What that catalog says of it.
    pub properties: CatalogMember,
}

/// All catalogs, in the order of the configuration, and their members.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    order: Vec<Name>,
    /// The last good version of each.
    versions: BTreeMap<Name, Arc<CatalogZone>>,
    members: BTreeMap<Name, Member>,
    /// Zones that the configuration names: no catalog may have them.
    configured: BTreeSet<Name>,
    limit: RemovalLimit,
    /// Limits of catalogs that have their own.
    limits: BTreeMap<Name, RemovalLimit>,
    /// Members that an operator holds at the version that is served: none of them goes or begins anew by itself.
    kept: BTreeSet<Name>,
    recent: RecentRemovals,
    /// What the last version of each catalog says of its own members and waits.
    waiting: BTreeMap<Name, Held>,
    /// That, the members that another catalog would take over and begin anew, and those of catalogs that left.
    held: BTreeMap<Name, Held>,
    /// Catalogs that were not configured any more at the start: their members stay until an operator lets them go.
    left: BTreeSet<Name>,
    /// Whether it is to be decided which of these have so few members that they go by themselves.
    is_left_new: bool,
}

/// What a new version of a catalog changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipChanges {
    /// Members that are to be served now.
    pub added: BTreeMap<Name, Member>,
    /// Members that are to be served no more.
    pub removed: BTreeSet<Name>,
    /// Members that are served on, by other settings: their groups or their catalog are others.
    pub changed: BTreeMap<Name, Member>,
    /// Members that begin anew: what was kept of them does not count (section 5.4).
    pub reset: BTreeMap<Name, Member>,
    /// Members that another catalog or the configuration has.
    pub conflicts: Vec<Conflict>,
}

/// A member of a catalog that is not taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The zone.
    pub member: Name,
    /// The catalog that names it.
    pub catalog: Name,
    /// The catalog that has it; `None` for the configuration.
    pub owner: Option<Name>,
}

/// Who has let many removals pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acceptance {
    /// An operator of the server that makes the catalog.
    AtProducer,
    /// An operator of this server.
    Here,
}

/// Members that wait for an operator before they go, or begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The serial of the newest version that says so.
    pub serial: Serial,
    /// The serial of the version since which it is these members, or fewer: an order for any serial since then means them.
    pub since: Serial,
    /// The members.
    pub members: BTreeSet<Name>,
}

impl Membership {
    /// The catalogs in the order in which they get members that several have at the start, and the zones that the configuration names.
    pub fn new(order: Vec<Name>, configured: BTreeSet<Name>, limit: RemovalLimit) -> Self {
        Self { order, configured, limit, ..Self::default() }
    }

    /// With limits of their own for catalogs.
    #[must_use]
    pub fn with_limits(self, limits: BTreeMap<Name, RemovalLimit>) -> Self {
        Self { limits, ..self }
    }

    /// With these members, and those of them that wait for an operator, as they were before a restart. Versions of the catalogs that
    /// are taken later change them. Members of catalogs that are not configured any more stay as they are: see
    /// [`let_few_go`](Self::let_few_go).
    #[must_use]
    pub fn restored(self, members: BTreeMap<Name, Member>, waiting: BTreeMap<Name, Held>) -> Self {
        let owners = members.values().map(|member| &member.catalog);
        let left = owners.filter(|owner| !self.order.contains(owner)).cloned().collect();
        let mut restored = Self { members, held: waiting.clone(), waiting, left, is_left_new: true, ..self };
        restored.hold_left();
        restored
    }

    /// Of the catalogs that left the configuration over a restart, those members go now that may by the limit; all members of a catalog
    /// that has more wait for an order under the serial [`LEFT`]: a mistyped name is no reason for an outage. `None`: there are none, or that
    /// was decided before. To be called when it is known which zones files have.
    pub fn let_few_go(&mut self) -> Option<MembershipChanges> {
        if !std::mem::take(&mut self.is_left_new) || self.left.is_empty() {
            return None;
        }
        let members = |catalog: &Name| self.held.get(catalog).map_or(0, |held| held.members.len());
        let is_small = |catalog: &&Name| !self.limit.is_exceeded(members(catalog), members(catalog));
        let few = self.left.iter().filter(is_small).cloned().collect();
        Some(self.let_go(&few))
    }

    /// The catalogs that are not configured and whose members wait for an order.
    pub fn left(&self) -> impl Iterator<Item = &Name> {
        self.left.iter().filter(|catalog| self.held.contains_key(*catalog))
    }

    /// Takes other catalogs with their limits. Members of catalogs that leave the configuration go, whatever the limit: that says so. Those
    /// of catalogs that left it over a restart stay.
    pub fn reconfigure(&mut self, catalogs: Vec<(Name, RemovalLimit)>) -> MembershipChanges {
        self.order = catalogs.iter().map(|(name, _)| name.clone()).collect();
        self.limits = catalogs.into_iter().collect();
        self.left.retain(|name| !self.limits.contains_key(name));
        self.versions.retain(|name, _| self.limits.contains_key(name));
        let owners = self.members.values().map(|member| &member.catalog);
        let is_gone = |owner: &&Name| !self.limits.contains_key(*owner) && !self.left.contains(*owner);
        let gone = owners.filter(is_gone).cloned().collect();
        self.let_go(&gone)
    }

    /// The members of these catalogs go, which are not configured.
    fn let_go(&mut self, catalogs: &BTreeSet<Name>) -> MembershipChanges {
        let mut changes = MembershipChanges::default();
        let gone = self.members.iter().filter(|(_, member)| catalogs.contains(&member.catalog));
        let gone: Vec<Name> = gone.map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.members.remove(&name);
            changes.removed.insert(name);
        }
        self.left.retain(|name| !catalogs.contains(name));
        let (limits, left) = (&self.limits, &self.left);
        self.waiting.retain(|name, _| limits.contains_key(name) || left.contains(name));
        self.settle(&mut changes, None);
        changes
    }

    /// Takes the zones that no catalog may have: the configuration names them, or a file holds them. Members among them are members no
    /// more; nothing else is said of that.
    pub fn set_configured(&mut self, configured: BTreeSet<Name>) {
        self.members.retain(|name, _| !configured.contains(name));
        self.configured = configured;
    }

    /// The time: members that go in many small steps are counted together. Without it each version counts alone.
    pub fn set_time(&mut self, now: Instant) {
        self.recent.set_time(now);
    }

    /// Takes which members an operator holds.
    pub fn set_kept(&mut self, kept: BTreeSet<Name>) {
        self.kept = kept;
    }

    /// The version of a catalog that was taken last.
    pub fn version(&self, catalog: &Name) -> Option<&Arc<CatalogZone>> {
        self.versions.get(catalog)
    }

    /// Lets the removals of a catalog pass that wait, and members that others take over and begin anew, if they are those of the version
    /// with this serial; of a catalog that left, all members. The order of an operator of this server.
    pub fn accept(&mut self, catalog: &Name, serial: Serial) -> Option<MembershipChanges> {
        let is_meant = |held: &&Held| !serial.is_after(held.serial) && !held.since.is_after(serial);
        self.held.get(catalog).filter(is_meant)?;
        if self.left.contains(catalog) {
            return Some(self.let_go(&BTreeSet::from([catalog.clone()])));
        }
        let version = self.versions.get(catalog)?.clone();
        Some(self.take_by(version, Some(Acceptance::Here)))
    }

    /// The members and their catalogs.
    pub fn members(&self) -> &BTreeMap<Name, Member> {
        &self.members
    }

    /// What waits by the word of its own catalog. A version to come does not tell it again where it is few, so it is to be kept over a
    /// restart; what others would take over tells itself.
    pub fn waiting(&self) -> &BTreeMap<Name, Held> {
        &self.waiting
    }

    /// The removals that wait, by catalog.
    pub fn held(&self) -> &BTreeMap<Name, Held> {
        &self.held
    }

    /// Takes a new version of a catalog, which must be one of those that are configured. Removals beyond the limit are held, unless
    /// `is_accepted`: at the server that makes it. That lets neither go what an operator holds here, nor what another catalog would
    /// take over: of that the other server knows nothing. Additions are not held.
    pub fn take(&mut self, version: Arc<CatalogZone>, is_accepted: bool) -> MembershipChanges {
        self.take_by(version, is_accepted.then_some(Acceptance::AtProducer))
    }

    fn take_by(&mut self, version: Arc<CatalogZone>, accepted: Option<Acceptance>) -> MembershipChanges {
        let catalog = version.name.clone();
        let gone: BTreeSet<Name> = self
            .members
            .iter()
            .filter(|(name, member)| member.catalog == catalog && !version.members.contains_key(*name))
            .map(|(name, _)| name.clone())
            .collect();
        // One that begins anew is not served either, until it has come again.
        let begins_anew = |(name, member): &(&Name, &Member)| {
            let listed = version.members.get(*name);
            member.catalog == catalog && listed.is_some_and(|new| new.label != member.properties.label)
        };
        let anew = self.members.iter().filter(begins_anew).map(|(name, _)| name);
        let lost: BTreeSet<Name> = anew.chain(&gone).cloned().collect();
        let held = match accepted {
            None => self.to_hold(&catalog, &lost),
            Some(Acceptance::AtProducer) => lost.intersection(&self.kept).cloned().collect(),
            Some(Acceptance::Here) => BTreeSet::new(),
        };
        let before = self.waiting.remove(&catalog);
        self.recent.note(&catalog, lost.difference(&held), accepted.is_some());
        if !held.is_empty() {
            let since = before.filter(|before| held.is_subset(&before.members)).map(|before| before.since);
            let (serial, members) = (version.serial, held.clone());
            let held = Held { serial, since: since.unwrap_or(serial), members };
            self.waiting.insert(catalog.clone(), held);
        }
        self.versions.insert(catalog.clone(), version);
        let mut changes = MembershipChanges::default();
        for name in gone.difference(&held) {
            self.members.remove(name);
            changes.removed.insert(name.clone());
        }
        self.settle(&mut changes, accepted.filter(|by| *by == Acceptance::Here).map(|_| &catalog));
        changes
    }

    /// Which of the members that a version of their catalog has no more, or with another label, wait for an operator: those that wait
    /// already, those that are held, and all of them where they are many, at once or within a while.
    fn to_hold(&self, catalog: &Name, lost: &BTreeSet<Name>) -> BTreeSet<Name> {
        let waits = self.waiting.get(catalog).map(|held| &held.members);
        let waits_or_is_kept =
            |name: &&Name| waits.is_some_and(|waits| waits.contains(*name)) || self.kept.contains(*name);
        let mut held: BTreeSet<Name> = lost.iter().filter(waits_or_is_kept).cloned().collect();
        let owned = self.members.values().filter(|member| member.catalog == *catalog).count();
        let (fresh, recent) = (lost.len() - held.len(), self.recent.count(catalog));
        let limit = self.limits.get(catalog).unwrap_or(&self.limit);
        let is_much = fresh > 0 && limit.is_much(fresh + recent, owned + recent);
        if is_much || self.exceeds(catalog, lost.len(), owned) {
            held.clone_from(lost);
        }
        held
    }

    /// Whether a member waits before it begins anew by the word of its owner.
    fn is_held(&self, name: &Name, new: &Member) -> bool {
        let waits = self.waiting.get(&new.catalog).is_some_and(|held| held.members.contains(name));
        waits && self.members.get(name).is_some_and(|old| old.properties.label != new.properties.label)
    }

    fn exceeds(&self, catalog: &Name, gone: usize, owned: usize) -> bool {
        let limit = self.limits.get(catalog).unwrap_or(&self.limit);
        limit.is_exceeded(gone, owned)
    }

    /// The members that other catalogs would take over now and begin anew, by the catalog that has them, where they are more than may go at
    /// once, or where an operator holds them: they are not served either until they have come again.
    fn held_takeovers(&self, accepted: Option<&Name>) -> BTreeMap<Name, BTreeSet<Name>> {
        let mut takeovers: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for (name, old) in &self.members {
            let taker = old.properties.new_owner.as_ref().filter(|taker| **taker != old.catalog);
            let new = taker.and_then(|taker| self.versions.get(taker)?.members.get(name));
            let begins_anew = new.is_some_and(|new| new.label != old.properties.label);
            if begins_anew && !self.order.contains(name) {
                takeovers.entry(old.catalog.clone()).or_default().insert(name.clone());
            }
        }
        takeovers.retain(|catalog, taken| {
            if accepted == Some(catalog) {
                return false;
            }
            let owned = self.members.values().filter(|member| member.catalog == *catalog).count();
            if !self.exceeds(catalog, taken.len(), owned) {
                taken.retain(|name| self.kept.contains(name));
            }
            !taken.is_empty()
        });
        takeovers
    }

    /// Gives every member that some catalog names to one of them. What owners say comes first: it decides who may take over. What
    /// others take over from `accepted` does not wait.
    fn settle(&mut self, changes: &mut MembershipChanges, accepted: Option<&Name>) {
        let versions = self.order.iter().filter_map(|name| self.versions.get(name)).cloned();
        let versions: Vec<Arc<CatalogZone>> = versions.collect();
        for version in &versions {
            for (name, properties) in &version.members {
                let new = Member { catalog: version.name.clone(), properties: properties.clone() };
                let is_other = |old: &Member| old.catalog == new.catalog && *old != new;
                if self.members.get(name).is_some_and(is_other) && !self.is_held(name, &new) {
                    self.change(name, new, changes);
                }
            }
        }
        let takeovers = self.held_takeovers(accepted);
        let waits = |name: &Name, owner: &Name| takeovers.get(owner).is_some_and(|held| held.contains(name));
        for version in &versions {
            for (name, properties) in &version.members {
                if self
                    .members
                    .get(name)
                    .is_some_and(|old| old.catalog != version.name && waits(name, &old.catalog))
                {
                    continue;
                }
                let new = Member { catalog: version.name.clone(), properties: properties.clone() };
                self.claim(name, new, changes);
            }
        }
        self.held = self.waiting.clone();
        for (owner, members) in takeovers {
            let Some(serial) = self.versions.get(&owner).map(|version| version.serial) else { continue };
            let none = Held { serial, since: serial, members: BTreeSet::new() };
            let held = self.held.entry(owner).or_insert(none);
            // Beside what waits otherwise, an order means all of it only by the newest serial.
            held.since = serial;
            held.members.extend(members);
        }
        self.hold_left();
    }

    /// All members of catalogs that left wait, but for those that the configuration or a file has.
    fn hold_left(&mut self) {
        for catalog in &self.left {
            let members = self.members.iter().filter(|(_, member)| member.catalog == *catalog);
            let members = members.map(|(name, _)| name).filter(|name| !self.configured.contains(*name));
            let members: BTreeSet<Name> = members.cloned().collect();
            match members.is_empty() {
                true => self.held.remove(catalog),
                false => self.held.insert(catalog.clone(), Held { serial: LEFT, since: LEFT, members }),
            };
        }
    }

    /// A catalog names a member.
    fn claim(&mut self, name: &Name, new: Member, changes: &mut MembershipChanges) {
        let conflict = |owner: Option<Name>| {
            let (member, catalog) = (name.clone(), new.catalog.clone());
            Conflict { member, catalog, owner }
        };
        // The author of a catalog that lists the root would answer for all names.
        if self.configured.contains(name) || self.order.contains(name) || name.is_root() {
            return changes.conflicts.push(conflict(None));
        }
        match self.members.get(name) {
            None => self.add(name, new, changes),
            Some(old) if old.catalog == new.catalog => {}
            // The owner says that this one may have it (section 4.4.1).
            Some(old) if old.properties.new_owner.as_ref() == Some(&new.catalog) => {
                self.change(name, new, changes)
            }
            // It was given over, and the one that gave it still names it.
            Some(old) if new.properties.new_owner.as_ref() == Some(&old.catalog) => {}
            Some(old) => changes.conflicts.push(conflict(Some(old.catalog.clone()))),
        }
    }

    fn add(&mut self, name: &Name, new: Member, changes: &mut MembershipChanges) {
        self.recent.is_back(name);
        // One that another catalog gives up and this one has goes on, with what was kept of it only if nothing is said of that: it was
        // removed, so it begins anew.
        match changes.removed.remove(name) {
            true => changes.reset.insert(name.clone(), new.clone()),
            false => changes.added.insert(name.clone(), new.clone()),
        };
        self.members.insert(name.clone(), new);
    }

    fn change(&mut self, name: &Name, new: Member, changes: &mut MembershipChanges) {
        let begins_anew =
            self.members.get(name).is_some_and(|old| old.properties.label != new.properties.label);
        // Section 5.4: a removal with all that was kept, and then an addition. A new label is how an owner says that the old zone must not
        // be served any more, so its version does not stay until the new one has come: an owner who wants that leaves the label as it is.
        // Many at once wait for an operator ([`Membership::take`]).
        match begins_anew || changes.reset.contains_key(name) {
            true => {
                changes.changed.remove(name);
                changes.reset.insert(name.clone(), new.clone());
            }
            false => drop(changes.changed.insert(name.clone(), new.clone())),
        }
        self.members.insert(name.clone(), new);
    }
}
