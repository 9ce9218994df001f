//! What a question meets in the zones, as tags: a slow, plain walk by RFC 1034 section 4.3.2, apart from the server's.
//!
//! The tags sort differences and narrow the entries of `allowed.toml`; no answer is derived from them.

use std::collections::BTreeSet;

use super::generate::Family;
use super::name::Name;
use super::questions::{ANY, DS, Question, mnemonic};
use super::zone::{Signing, Zone};

/// Tags; each is explained where it is given.
pub type Tags = BTreeSet<&'static str>;

/// Aliases after which the walk stops.
const MAX_STEPS: usize = 24;
/// Aliases before one that makes a chain long: Knot DNS 3.2 stops after five.
const LONG: usize = 5;

/// What happens to a question.
pub fn tags(families: &[Family], question: &Question) -> Tags {
    let mut walk =
        Walk { families, tags: Tags::new(), name: question.name.lower(), kind: question.record_type };
    if question.edns.is_some_and(|edns| edns.version > 0) {
        walk.tags.insert("edns-version");
    }
    // Octets that no host name has (RFC 2181 section 11 allows them).
    if question.name.0.iter().flatten().any(|octet| !(0x20..0x7f).contains(octet)) {
        walk.tags.insert("binary");
    }
    if walk.name.is_wildcard() {
        walk.tags.insert("asks-wildcard");
    }
    walk.run();
    walk.tags
}

struct Walk<'a> {
    families: &'a [Family],
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
            if step == 0 {
                self.tags.insert(signing(zone));
            }
            let Next::Follow(target) = self.step(zone) else { return };
            self.name = target.lower();
            self.tags.insert(if step >= LONG { "long-chain" } else { "chain" });
            if seen.contains(&self.name) {
                self.tags.insert("loop");
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
        let closest = closest(self.families, &self.name)?;
        if self.kind == DS && closest.origin.lower() == self.name {
            let above = closest_above(self.families, &self.name);
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
                if self.hides_another(zone, &at) {
                    self.tags.insert("cut-below-cut");
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
        let encloser = (1..=self.name.0.len()).map(|up| self.name.ancestor(up)).find(|up| zone.exists(up));
        let wildcard = encloser.unwrap_or_default().child(b"*");
        if zone.exists(&wildcard) {
            self.tags.insert("wildcard");
            return self.at(zone, &wildcard);
        }
        self.tags.insert("nxdomain");
        // The name stands in another zone served here, where it is hidden by a cut.
        if self.families.iter().flat_map(|family| &family.zones).any(|other| other.exists(&self.name)) {
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
            self.tags.insert("dname-asked-alias");
            return Next::End;
        }
        Next::Follow(made)
    }

    fn at(&mut self, zone: &Zone, owner: &Name) -> Next {
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

fn closest<'a>(families: &'a [Family], name: &Name) -> Option<&'a Zone> {
    let zones = families.iter().flat_map(|family| &family.zones);
    zones.filter(|zone| name.is_at_or_below(&zone.origin.lower())).max_by_key(|zone| zone.origin.0.len())
}

fn closest_above<'a>(families: &'a [Family], name: &Name) -> Option<&'a Zone> {
    closest(families, &name.ancestor(1))
}

/// The lines of the zones that a question meets: for a report.
pub fn lines(families: &[Family], question: &Question) -> Vec<String> {
    let name = question.name.lower();
    let Some(zone) = closest(families, &name) else { return Vec::new() };
    let nearby =
        |owner: &Name| owner.is_at_or_below(&name) || name.is_at_or_below(owner) || sibling(owner, &name);
    let near = zone.nodes.iter().filter(|(owner, _)| nearby(owner)).flat_map(|(_, records)| records);
    let line = |record: &super::zone::Record| {
        format!("{} {} {} {}", record.owner, record.ttl, record.kind, record.text)
    };
    near.map(line).collect()
}

/// A wildcard that may stand for the name.
fn sibling(owner: &Name, name: &Name) -> bool {
    owner.is_wildcard() && name.is_at_or_below(&owner.ancestor(1))
}
