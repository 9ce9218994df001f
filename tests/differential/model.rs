//! What a question meets in the zones, as tags: a slow, plain walk by RFC 1034 section 4.3.2, apart from the server's.
//!
//! The tags sort differences and narrow the entries of `allowed.toml`; no answer is derived from them.

use std::collections::BTreeSet;

use super::generate::Family;
use super::name::Name;
use super::questions::{ANY, CD, DS, Question, RARE_TYPES, mnemonic};
use super::zone::{Record, Signing, Zone};

/// Tags; each is explained where it is given.
pub type Tags = BTreeSet<&'static str>;

/// Aliases after which the walk stops.
const MAX_STEPS: usize = 24;
/// Aliases before one that makes a chain long: Knot DNS 3.2 stops after five.
const LONG: usize = 5;

/// What happens to a question.
pub fn tags(families: &[Family], question: &Question) -> Tags {
    let name = question.name.lower();
    let zones = zones(families, &name);
    let mut walk = Walk { zones, tags: Tags::new(), name, kind: question.record_type };
    if question.edns.is_some_and(|edns| edns.version > 0) {
        walk.tags.insert("edns-version");
    }
    if question.edns.is_some_and(|edns| edns.dnssec_ok) {
        walk.tags.insert("do");
    }
    if question.flags & CD != 0 {
        walk.tags.insert("cd");
    }
    if RARE_TYPES.iter().any(|(_, number)| *number == question.record_type) {
        walk.tags.insert("dnssec-type");
    }
    // Octets that no host name has (RFC 2181 section 11 allows them).
    if question.name.0.iter().flatten().any(|octet| !(0x20..0x7f).contains(octet)) {
        walk.tags.insert("binary");
    }
    walk.run();
    walk.tags
}

struct Walk<'a> {
    /// Those of the family of the question: no other is above or below its names.
    zones: &'a [Zone],
    tags: Tags,
    name: Name,
    kind: u16,
}

enum Next {
    End,
    Follow(Name),
}

impl<'a> Walk<'a> {
    fn run(&mut self) {
        let mut seen = vec![self.name.clone()];
        let Some(mut zone) = self.zone() else {
            self.tags.insert("no-zone");
            return;
        };
        for step in 0..MAX_STEPS {
            self.tags.insert(signing(zone));
            if zone.nodes.keys().any(|owner| owner.0.iter().flatten().any(|octet| *octet == 0)) {
                self.tags.insert("nul");
            }
            // A chain that counts cuts below cuts denies wrongly (RFC 4035 section 2.3).
            if zone.signing != Signing::Unsigned && has_nested_cuts(zone) {
                self.tags.insert("cut-below-cut");
            }
            let Next::Follow(target) = self.step(zone) else { return };
            self.name = target.lower();
            self.tags.insert(if step >= LONG { "long-chain" } else { "chain" });
            if seen.contains(&self.name) {
                // A chain without an end is a long one.
                self.tags.extend(["loop", "long-chain"]);
                return;
            }
            seen.push(self.name.clone());
            // The chain leaves what is served, or goes on in another zone.
            let Some(next) = self.zone() else {
                self.tags.insert("leaves");
                return;
            };
            if next.origin != zone.origin {
                self.tags.insert("crosses");
                let down = next.origin.lower().is_at_or_below(&zone.origin.lower());
                self.tags.insert(if down { "crosses-down" } else { "crosses-away" });
            }
            zone = next;
        }
        self.tags.insert("endless");
    }

    /// The closest zone; for DS at an apex the one above it, where that is served (RFC 4035 section 3.1.4.1).
    fn zone(&mut self) -> Option<&'a Zone> {
        let closest = closest(self.zones, &self.name)?;
        if self.kind == DS && closest.origin.lower() == self.name {
            let above = closest_above(self.zones, &self.name);
            self.tags.insert(if above.is_some() { "ds-at-child" } else { "ds-at-apex" });
            return Some(above.unwrap_or(closest));
        }
        Some(closest)
    }

    fn step(&mut self, zone: &Zone) -> Next {
        let apex_labels = zone.origin.0.len();
        for labels in apex_labels..=self.name.0.len() {
            let at = self.name.ancestor(self.name.0.len() - labels);
            let is_name = labels == self.name.0.len();
            if labels > apex_labels && zone.find(&at, "NS").is_some() && !(is_name && self.kind == DS) {
                self.tags.insert("cut");
                if zone.find(&at, "DS").is_some() && !self.tags.contains("do") {
                    self.tags.insert("ds-unasked");
                }
                if self.hides_another(zone, &at) {
                    self.tags.extend(["cut-below-cut", "nested"]);
                }
                return Next::End;
            }
            if !is_name && let Some(dname) = zone.find(&at, "DNAME") {
                return self.dname(dname.target.as_ref(), self.name.0.len() - labels);
            }
        }
        if zone.exists(&self.name) {
            return self.at(zone, &self.name.clone());
        }
        let above = |up| self.name.ancestor(up);
        let up = (1..=self.name.0.len()).find(|up| zone.exists(&above(*up))).unwrap_or_default();
        if is_unproved(zone, &above(up)) {
            self.tags.insert("unproved");
            // The denial wants a wildcard at the closest provable encloser covered, and there is one (RFC 5155
            // section 7.2.2).
            let provable = (up..self.name.0.len()).map(above).find(|name| !is_unproved(zone, name));
            if provable.is_some_and(|name| zone.exists(&name.child(b"*"))) {
                self.tags.insert("unprovable");
            }
        }
        let wildcard = above(up).child(b"*");
        if zone.exists(&wildcard) {
            self.tags.insert("wildcard");
            return self.at(zone, &wildcard);
        }
        self.tags.insert("nxdomain");
        // The name, or one above it that would enclose it, stands in another zone served here, hidden by a cut.
        if (0..up).any(|up| self.zones.iter().any(|other| other.exists(&self.name.ancestor(up)))) {
            self.tags.insert("known-elsewhere");
        }
        Next::End
    }

    /// Whether another cut stands below this one, on the way to the name or below the name.
    fn hides_another(&self, zone: &Zone, cut: &Name) -> bool {
        let near = |owner: &Name| owner.is_at_or_below(&self.name) || self.name.is_at_or_below(owner);
        let mut below =
            zone.nodes.iter().filter(|(owner, _)| *owner != cut && owner.is_at_or_below(cut) && near(owner));
        below.any(|(_, records)| records.iter().any(|record| record.kind == "NS"))
    }

    fn dname(&mut self, target: Option<&Name>, kept: usize) -> Next {
        self.tags.insert("dname");
        let labels = self.name.0.iter().take(kept).chain(target.iter().flat_map(|target| &target.0));
        let made = Name(labels.cloned().collect());
        if made.wire_length() > 255 {
            self.tags.insert("too-long");
            return Next::End;
        }
        if matches!(mnemonic(self.kind).as_str(), "CNAME" | "ANY") {
            self.tags.extend(["asks-alias", "asks-dname-alias"]);
            return Next::End;
        }
        Next::Follow(made)
    }

    fn at(&mut self, zone: &Zone, owner: &Name) -> Next {
        // The name of a wildcard itself, asked for or led to.
        if self.name.is_wildcard() {
            self.tags.insert("asks-wildcard");
        }
        let kind = mnemonic(self.kind);
        let records = zone.records(owner);
        if records.is_empty() {
            self.tags.insert("ent");
        }
        if self.kind == ANY && !records.is_empty() || records.iter().any(|record| record.kind == kind) {
            self.tags.insert("data");
            if zone.find(owner, "CNAME").is_some() {
                self.tags.insert("asks-alias");
            }
            return Next::End;
        }
        match zone.find(owner, "CNAME").and_then(|record| record.target.clone()) {
            Some(target) => {
                self.tags.insert("cname");
                Next::Follow(target)
            }
            None => {
                self.tags.insert("nodata");
                if is_unproved(zone, owner) {
                    self.tags.insert("unproved");
                }
                if self.name.is_wildcard() && matches!(zone.signing, Signing::Nsec3 | Signing::Nsec3OptOut) {
                    self.tags.insert("wildcard-lacks");
                }
                Next::End
            }
        }
    }
}

fn signing(zone: &Zone) -> &'static str {
    match zone.signing {
        Signing::Unsigned => "unsigned",
        Signing::Nsec => "nsec",
        Signing::Nsec3 => "nsec3",
        Signing::Nsec3OptOut => "opt-out",
    }
}

/// The zones of the family that has this name; none if no family has.
pub fn zones<'a>(families: &'a [Family], name: &Name) -> &'a [Zone] {
    let label = name.0.iter().rev().nth(1);
    let is_in = |family: &&Family| label.is_some_and(|label| label.eq_ignore_ascii_case(&family.label));
    families.iter().find(is_in).map_or(&[], |family| &family.zones)
}

/// Whether more than one zone has records of this name: one has them as data, those above as glue.
pub fn stands_twice(zones: &[Zone], name: &Name) -> bool {
    zones.iter().filter(|zone| !zone.records(name).is_empty()).count() > 1
}

/// Whether opt-out left a name without an NSEC3 record: it is empty and has nothing below it but delegations without DS
/// (RFC 5155 section 7.1).
fn is_unproved(zone: &Zone, name: &Name) -> bool {
    let is_bare = |owner: &Name| zone.find(owner, "NS").is_some() && zone.find(owner, "DS").is_none();
    let apex = zone.origin.0.len();
    let mut below = zone.nodes.keys().filter(|owner| owner.is_at_or_below(name));
    let hides = |owner: &Name| (0..owner.0.len().saturating_sub(apex)).any(|up| is_bare(&owner.ancestor(up)));
    zone.signing == Signing::Nsec3OptOut && name.0.len() > apex && below.all(hides)
}

/// Whether a zone has a cut below another cut of its own.
fn has_nested_cuts(zone: &Zone) -> bool {
    let apex = zone.origin.lower();
    let is_cut = |records: &[Record]| records.iter().any(|record| record.kind == "NS");
    let cuts = || zone.nodes.iter().filter(|(owner, records)| **owner != apex && is_cut(records));
    cuts().any(|(low, _)| cuts().any(|(high, _)| low != high && low.is_at_or_below(high)))
}

fn closest<'a>(zones: &'a [Zone], name: &Name) -> Option<&'a Zone> {
    zones
        .iter()
        .filter(|zone| name.is_at_or_below(&zone.origin.lower()))
        .max_by_key(|zone| zone.origin.0.len())
}

fn closest_above<'a>(zones: &'a [Zone], name: &Name) -> Option<&'a Zone> {
    closest(zones, &name.ancestor(1))
}

/// The lines of the zones that a question meets: for a report.
pub fn lines(families: &[Family], question: &Question) -> Vec<String> {
    let name = question.name.lower();
    let zones = zones(families, &name);
    let Some(zone) = closest(zones, &name) else { return Vec::new() };
    let nearby =
        |owner: &Name| owner.is_at_or_below(&name) || name.is_at_or_below(owner) || sibling(owner, &name);
    let near = zone.nodes.iter().filter(|(owner, _)| nearby(owner)).flat_map(|(_, records)| records);
    let line = |record: &Record| format!("{} {} {} {}", record.owner, record.ttl, record.kind, record.text);
    near.map(line).collect()
}

/// A wildcard that may stand for the name.
fn sibling(owner: &Name, name: &Name) -> bool {
    owner.is_wildcard() && name.is_at_or_below(&owner.ancestor(1))
}
