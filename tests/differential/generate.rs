//! Families of zones from a seed: a parent, children that are served too, and a stranger with aliases into both.
//!
//! Left out, because the RFCs leave them open: NS and DNAME at a wildcard (RFC 4592 sections 4.2 and 4.4), records
//! below a DNAME, RRsets of different TTLs. They have tests of their own.

use fastrand::Rng;

use super::name::Name;
use super::vocabulary::{address, label, pick, plain, pointing, set, ttl};
use super::zone::{Record, Signing, Zone};

/// Zones that know each other.
#[derive(Clone, Debug)]
pub struct Family {
    /// The label below the top-level domain, in lower case, that all its names have and no other family's.
    pub label: Vec<u8>,
    /// The zones; the closest one answers.
    pub zones: Vec<Zone>,
}

/// How many families a seed gives.
pub const FAMILIES: usize = 30;

/// The families of one seed; `tag` keeps the names of two seeds apart.
pub fn families(seed: u64, tag: &str, signed: bool) -> Vec<Family> {
    let mut rng = Rng::with_seed(seed);
    (0..FAMILIES).map(|number| family(&mut rng, &format!("{tag}{number}"), signed)).collect()
}

fn family(rng: &mut Rng, tag: &str, signed: bool) -> Family {
    let parent = Name::plain(&format!("{tag}.Test"));
    let mut origins = vec![parent.clone(), Name::plain(&format!("{tag}.example"))];
    let child = parent.child(if rng.bool() { b"sub" } else { b"Kid" });
    origins.push(child.clone());
    if rng.bool() {
        // A zone whose parent in between is not served, or is empty there.
        origins.push(child.child(b"e").child(b"deep"));
    }
    let zones = origins.iter().enumerate().map(|(index, origin)| {
        let signing = match rng.u32(..4) {
            _ if !signed => Signing::Unsigned,
            0 => Signing::Nsec,
            1 => Signing::Nsec3,
            2 => Signing::Nsec3OptOut,
            _ => *pick(rng, &[Signing::Nsec, Signing::Nsec3]),
        };
        let apex_dname = index == 1 && rng.u32(..6) == 0;
        Builder { zone: apex(rng, origin, signing), origins: &origins }.fill(rng, apex_dname)
    });
    Family { label: tag.as_bytes().to_vec(), zones: zones.collect() }
}

/// SOA and NS, with a negative TTL that is now the SOA's own and now its MINIMUM (RFC 2308 section 3).
fn apex(rng: &mut Rng, origin: &Name, signing: Signing) -> Zone {
    let mut zone = Zone { origin: origin.clone(), signing, nodes: Default::default() };
    let (own, minimum) = (*pick(rng, &[60, 900, 3600]), *pick(rng, &[30, 900, 86_400]));
    let server = Name::plain("ns.elsewhere.invalid");
    let text = format!("{server} hostmaster.{origin} {} 7200 900 604800 {minimum}", rng.u16(1..));
    zone.add(plain(origin, own, "SOA", text));
    zone.add(pointing(origin, ttl(rng), "NS", &server));
    zone
}

struct Builder<'a> {
    zone: Zone,
    origins: &'a [Name],
}

impl Builder<'_> {
    fn fill(mut self, rng: &mut Rng, apex_dname: bool) -> Zone {
        let origin = self.zone.origin.clone();
        if apex_dname {
            let target = Name::plain("redirected.invalid").child(&label(rng));
            self.zone.add(pointing(&origin, ttl(rng), "DNAME", &target));
            return self.zone;
        }
        let name = origin.child(b"ns");
        self.zone.add(pointing(&origin, 0, "NS", &name));
        // BIND loads no zone whose own server has no address or is an alias.
        let record = address(rng, &name, "A");
        self.zone.add(record);
        self.data(rng, &origin);
        self.delegate_served_children(rng);
        for _ in 0..rng.usize(10..26) {
            let owner = self.owner(rng);
            // What stands below a cut is nobody's: some of it is enough. No wildcards: NSD and Knot DNS make glue of them.
            let few = has_asterisk(&owner) || self.is_in_child(&owner) || rng.u32(..30) > 0;
            if few && self.is_hidden(&owner) {
                continue;
            }
            match rng.u32(..100) {
                0..=44 => self.data(rng, &owner),
                45..=64 => self.alias(rng, &owner),
                65..=71 => self.dname(rng, &owner),
                72..=88 => self.cut(rng, &owner),
                _ => self.chain(rng, &owner),
            }
        }
        self.zone.cut_https_chains();
        self.zone
    }

    /// An owner below the apex; a third of them wildcards or names beside existing ones.
    fn owner(&self, rng: &mut Rng) -> Name {
        let depth = rng.usize(1..4);
        let mut name = self.zone.origin.clone();
        if rng.u32(..4) == 0 {
            let owners: Vec<&Name> = self.zone.nodes.keys().collect();
            name = (*pick(rng, &owners)).clone();
        }
        for _ in 0..depth {
            name = name.child(&label(rng));
        }
        if rng.u32(..5) == 0 { name.child(b"*") } else { name }
    }

    /// Where an alias, a server or an exchange may point: into this zone, a neighbor's, or nowhere that is served.
    fn target(&self, rng: &mut Rng) -> Name {
        // Names below a cut are seldom pointed to.
        let hidden_too = rng.u32(..8) == 0;
        let owners: Vec<&Name> =
            self.zone.nodes.keys().filter(|owner| hidden_too || !self.is_hidden(owner)).collect();
        match rng.u32(..100) {
            0..=47 => (*pick(rng, &owners)).clone(),
            48..=55 => pick(rng, &owners).child(&label(rng)),
            56..=91 => self.zone.origin.child(&label(rng)),
            92 if rng.u32(..4) == 0 => pick(rng, self.origins).child(&label(rng)),
            93 if rng.bool() => pick(rng, self.origins).child(&label(rng)).child(&label(rng)),
            _ => Name::plain("far.Away.invalid").child(&label(rng)),
        }
    }

    /// Whether nothing but an alias, or no alias at all, may be added here, and nothing is redirected from above.
    fn is_free_for(&self, owner: &Name, alone: bool) -> bool {
        let records = self.zone.records(owner);
        let below_dname =
            (1..=owner.0.len()).any(|up| self.zone.find(&owner.ancestor(up), "DNAME").is_some());
        let fits =
            if alone { records.is_empty() } else { records.iter().all(|record| record.kind != "CNAME") };
        fits && !below_dname && owner.wire_length() < 200
    }

    /// Whether a name is below a cut or a zone that is served by itself.
    fn is_hidden(&self, owner: &Name) -> bool {
        let apex = self.zone.origin.0.len();
        let mut above = (0..owner.0.len().saturating_sub(apex)).map(|up| owner.ancestor(up));
        self.is_in_child(owner) || above.any(|name| self.zone.find(&name, "NS").is_some())
    }

    /// Whether a cut stands above a name.
    fn is_cut_off(&self, owner: &Name) -> bool {
        let apex = self.zone.origin.0.len();
        let mut above = (1..owner.0.len().saturating_sub(apex)).map(|up| owner.ancestor(up));
        above.any(|name| self.zone.find(&name, "NS").is_some())
    }

    /// Whether a name is in a zone below this one that is served too. Only glue is put there: NSD keeps the names of all
    /// zones in one table, and loads no zone with a DNAME above a name of another.
    fn is_in_child(&self, owner: &Name) -> bool {
        let (lower, apex) = (owner.lower(), self.zone.origin.0.len());
        let below = |other: &&Name| other.0.len() > apex && lower.is_at_or_below(&other.lower());
        self.origins.iter().any(|other| below(&other))
    }

    /// Whether aliases lead from `target` back to `owner`.
    fn loops(&self, owner: &Name, target: &Name) -> bool {
        let mut name = target.lower();
        for _ in 0..32 {
            if name == owner.lower() {
                return true;
            }
            match self.zone.find(&name, "CNAME").and_then(|record| record.target.as_ref()) {
                Some(next) => name = next.lower(),
                None => return false,
            }
        }
        true
    }

    fn add(&mut self, record: Record) {
        if self.is_free_for(&record.owner, false) {
            self.zone.add(record);
        }
    }

    fn data(&mut self, rng: &mut Rng, owner: &Name) {
        for _ in 0..rng.usize(1..4) {
            for record in set(rng, owner, |rng| self.target(rng)) {
                self.add(record);
            }
        }
    }

    fn alias(&mut self, rng: &mut Rng, owner: &Name) {
        let target = self.target(rng);
        if self.is_free_for(owner, true) && (rng.u32(..25) == 0 || !self.loops(owner, &target)) {
            self.zone.add(pointing(owner, ttl(rng), "CNAME", &target));
        }
    }

    fn dname(&mut self, rng: &mut Rng, owner: &Name) {
        let lower = owner.lower();
        let empty_below =
            !self.zone.nodes.keys().any(|other| *other != lower && other.is_at_or_below(&lower));
        // NSD keeps the names of all zones in one table, and loads no zone with a DNAME above a name of another.
        let above_zone = self.origins.iter().any(|origin| origin.lower().is_at_or_below(&lower));
        let taken = ["NS", "DNAME"].iter().any(|kind| self.zone.find(owner, kind).is_some());
        if owner.is_wildcard() || taken || above_zone || !empty_below || !self.is_free_for(owner, false) {
            return;
        }
        let mut target = self.target(rng);
        if rng.u32(..3) == 0 {
            // Long, so that some names that it makes are too long (RFC 6672 section 2.2).
            for _ in 0..3 {
                target = target.child(&[b'x'; 60]);
            }
        }
        // A DNAME above its own target makes longer and longer names; each server stops somewhere else.
        let endless = target.lower().is_at_or_below(&owner.lower());
        if target.wire_length() < 250 && !endless {
            self.zone.add(pointing(owner, ttl(rng), "DNAME", &target));
        }
    }

    /// A delegation with servers of every kind: in the child, beside it, in the zone, elsewhere.
    fn cut(&mut self, rng: &mut Rng, owner: &Name) {
        let has_dname = self.zone.find(owner, "DNAME").is_some();
        // Here too: no wildcards below.
        let lower = owner.lower();
        if self.zone.nodes.keys().any(|other| other.is_at_or_below(&lower) && has_asterisk(other)) {
            return;
        }
        if owner.is_wildcard() || has_dname || !self.is_free_for(owner, false) || *owner == self.zone.origin {
            return;
        }
        // PowerDNS makes a chain of its own over cuts below cuts, and all denials of the zone differ.
        if self.zone.signing != Signing::Unsigned && self.is_cut_off(owner) {
            return;
        }
        let ttl = ttl(rng);
        let count = if rng.u32(..8) == 0 { 12 } else { rng.usize(1..4) };
        for _ in 0..count {
            let server = match rng.u32(..6) {
                0..=2 => owner.child(&label(rng)),
                3 => owner.clone(),
                4 => self.target(rng),
                _ => Name::plain("ns.far.invalid"),
            };
            self.zone.add(pointing(owner, ttl, "NS", &server));
            let inside = server.lower().is_at_or_below(&self.zone.origin.lower());
            if inside && !server.is_wildcard() && rng.u32(..6) > 0 {
                for kind in ["A", "AAAA"] {
                    let record = address(rng, &server, kind);
                    if rng.u32(..4) > 0 {
                        self.add(record);
                    }
                }
            }
        }
        // DS without a signature over it proves nothing; NSD, Knot DNS and BIND leave it out of referrals.
        if self.zone.signing != Signing::Unsigned && rng.bool() {
            let text = format!("{} 13 2 {:064x}", rng.u16(..), rng.u128(..));
            self.zone.add(plain(owner, 3600, "DS", text));
        }
        if rng.u32(..10) == 0 {
            // What stands below a cut beside glue is nobody's (RFC 1034 section 4.2.1).
            let hidden = owner.child(&label(rng));
            self.add(plain(&hidden, 60, "TXT", "\"below a cut\""));
        }
    }

    /// A chain of aliases, now and then one that ends in itself.
    fn chain(&mut self, rng: &mut Rng, owner: &Name) {
        let length = rng.usize(2..5);
        let mut from = owner.clone();
        for _ in 0..length {
            let to = if rng.u32(..20) == 0 { owner.clone() } else { self.zone.origin.child(&label(rng)) };
            let loops = self.loops(&from, &to) && rng.u32(..25) > 0;
            if loops || !self.is_free_for(&from, true) {
                return;
            }
            self.zone.add(pointing(&from, ttl(rng), "CNAME", &to));
            from = to;
        }
    }

    /// A delegation as it should be: to the server that the child itself names, with its address as glue.
    fn delegate(&mut self, rng: &mut Rng, child: &Name) {
        let server = child.child(b"ns");
        let glue = address(rng, &server, "A");
        self.zone.add(pointing(child, 3600, "NS", &server));
        self.zone.add(glue);
        if self.zone.signing != Signing::Unsigned {
            self.zone.add(plain(child, 3600, "DS", format!("{} 13 2 {:064x}", rng.u16(..), rng.u128(..))));
        }
    }

    /// The zones of the family below this one are delegated, most of them.
    fn delegate_served_children(&mut self, rng: &mut Rng) {
        let origin = self.zone.origin.clone();
        let below = self.origins.iter().filter(|other| **other != origin && other.is_at_or_below(&origin));
        for child in below.cloned().collect::<Vec<_>>() {
            match rng.u32(..14) {
                // Not delegated at all: the child answers all the same, because it is served here.
                0 => {}
                // As in `cut`, most of the time.
                3.. if self.zone.signing != Signing::Unsigned && self.is_cut_off(&child) => {}
                1 => self.cut(rng, &child),
                _ => self.delegate(rng, &child),
            }
        }
    }
}

/// Whether any label is `*`.
fn has_asterisk(name: &Name) -> bool {
    name.0.iter().any(|label| label == b"*")
}
