//! Questions about a family: every owner, names above, below and between them, random ones; all interesting types;
//! every kind of EDNS and header bit that a resolver sends.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::generate::Family;
use super::model;
use super::name::Name;
use super::vocabulary::{label, pick};
use super::zone::Signing;

/// EDNS of a query.
#[derive(Clone, Copy, Debug)]
pub struct Edns {
    pub payload: u16,
    pub version: u8,
    pub dnssec_ok: bool,
}

/// One query.
#[derive(Clone, Debug)]
pub struct Question {
    /// QNAME, in the case that is sent.
    pub name: Name,
    /// QTYPE.
    pub record_type: u16,
    /// The OPT record, if there is one.
    pub edns: Option<Edns>,
    /// RD, CD and AD as they stand in the header.
    pub flags: u16,
}

/// RD, CD and AD (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6, RFC 6840 section 5.7).
const RD: u16 = 0x0100;
pub const CD: u16 = 0x0010;
const AD: u16 = 0x0020;
/// ANY.
pub const ANY: u16 = 255;
/// DS.
pub const DS: u16 = 43;

/// Types with their mnemonics, the usual ones several times.
pub const TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("A", 1),
    ("A", 1),
    ("A", 1),
    ("A", 1),
    ("AAAA", 28),
    ("AAAA", 28),
    ("AAAA", 28),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("MX", 15),
    ("TXT", 16),
    ("TXT", 16),
    ("RP", 17),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("DS", DS),
    ("DS", DS),
    ("SSHFP", 44),
    ("DNSKEY", 48),
    ("TLSA", 52),
    ("HTTPS", 65),
    ("ANY", ANY),
    ("CAA", 257),
    ("TYPE65280", 65280),
];

/// Types that servers know from within and seldom get asked for; each server treats them in its own way.
pub const RARE_TYPES: &[(&str, u16)] = &[("RRSIG", 46), ("NSEC", 47), ("NSEC3", 50), ("NSEC3PARAM", 51)];

/// Kinds of questions, by the model's tags, that peers answer in ways of their own, and how many of each a group asks
/// at most of [`QUOTA_COUNT`] questions about each family. All of them come up more often; bounded so, each is asked some hundred times over all groups and peers, on
/// any day, and what `allowed.toml` hides does not depend on the day's luck.
const QUOTAS: &[(&str, usize)] = &[
    ("asks-alias", 20),
    ("binary", 16),
    ("cd", 16),
    ("crosses", 16),
    ("dnssec-type", 24),
    ("ds-at-child", 20),
    ("ds-unasked", 24),
    ("edns-version", 12),
    ("known-elsewhere", 16),
    ("long-chain", 12),
    ("nested", 16),
    ("too-long", 16),
    ("unproved", 16),
    // No proof exists, and each server makes something else of it.
    ("unprovable", 0),
    ("wildcard-lacks", 16),
];
/// What [`QUOTAS`] are reckoned for.
const QUOTA_COUNT: usize = 500;
/// Questions that are tried for each that is asked, at most.
const MOST_TRIES: usize = 3;

/// The mnemonic of a type.
pub fn mnemonic(record_type: u16) -> String {
    let known = TYPES.iter().chain(RARE_TYPES).find(|(_, number)| *number == record_type);
    known.map_or_else(|| format!("TYPE{record_type}"), |(name, _)| (*name).to_owned())
}

/// Up to `count` questions about each family of a group, all families in turn.
pub fn questions(rng: &mut Rng, families: &[Family], count: usize) -> Vec<Question> {
    let names: Vec<Vec<Name>> = families.iter().map(|family| names(rng, family)).collect();
    let quotas = QUOTAS.iter().map(|(tag, most)| (*tag, (most * count).div_ceil(QUOTA_COUNT)));
    let mut left: BTreeMap<&str, usize> = quotas.collect();
    let mut questions = Vec::new();
    for (family, names) in (0..count * MOST_TRIES).flat_map(|_| families.iter().zip(&names)) {
        if questions.len() == count * families.len() {
            break;
        }
        let signed = family.zones.iter().any(|zone| zone.signing != Signing::Unsigned);
        let question = question(rng, names, signed);
        let tags = model::tags(std::slice::from_ref(family), &question);
        if tags.iter().any(|tag| left.get(*tag) == Some(&0)) {
            continue;
        }
        for tag in &tags {
            left.entry(tag).and_modify(|left| *left -= 1);
        }
        questions.push(question);
    }
    questions
}

impl Question {
    /// The query as a message.
    pub fn message(&self, id: u16) -> Vec<u8> {
        let mut octets = id.to_be_bytes().to_vec();
        octets.extend(self.flags.to_be_bytes());
        octets.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        octets.extend(self.name.wire());
        octets.extend(self.record_type.to_be_bytes());
        octets.extend([0, 1]);
        if let Some(Edns { payload, version, dnssec_ok }) = self.edns {
            octets.extend([0, 0, 41]);
            octets.extend(payload.to_be_bytes());
            octets.extend([0, version, if dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
        }
        octets
    }

    /// The most octets of its answer over UDP, by RFC 1035 and RFC 6891 and with a ceiling of 1232.
    pub fn limit(&self) -> usize {
        self.edns.map_or(512, |edns| usize::from(edns.payload.clamp(512, 1232)))
    }

    /// As a person would write it.
    pub fn text(&self) -> String {
        let edns = self.edns.map_or_else(String::new, |edns| {
            let dnssec_ok = if edns.dnssec_ok { " +dnssec" } else { "" };
            format!(" +edns={} +bufsize={}{dnssec_ok}", edns.version, edns.payload)
        });
        let flags: String = [(RD, " +rd"), (CD, " +cd"), (AD, " +ad")]
            .into_iter()
            .filter(|(bit, _)| self.flags & bit != 0)
            .map(|(_, text)| text)
            .collect();
        format!("{} {}{edns}{flags}", self.name, mnemonic(self.record_type))
    }
}

/// Every name worth asking for; the names of the zones' own records stand several times.
fn names(rng: &mut Rng, family: &Family) -> Vec<Name> {
    let mut names = Vec::new();
    for zone in &family.zones {
        for (owner, records) in &zone.nodes {
            // Hardly anybody asks for the name of a wildcard itself.
            if !owner.is_wildcard() || rng.u32(..4) == 0 {
                names.extend([owner.clone(), owner.clone()]);
            }
            names.push(owner.child(&label(rng)));
            names.push(owner.child(&label(rng)).child(&label(rng)));
            names.push(owner.ancestor(1).child(&label(rng)));
            names.extend((1..owner.0.len()).map(|up| owner.ancestor(up)));
            names.push(beside(owner));
            if rng.u32(..16) == 0 {
                names.push(owner.child(b"*"));
            }
            for target in records.iter().filter_map(|record| record.target.as_ref()) {
                names.extend([target.clone(), target.child(&label(rng))]);
            }
            if records.iter().any(|record| record.kind == "DNAME") {
                names.extend((0..2).map(|_| owner.child(&label(rng))));
                // With a long target that is too long (RFC 6672 section 2.2).
                names.push(owner.child(&[b'q'; 50]).child(&[b'q'; 50]));
            }
        }
        names.push(zone.origin.child(&[b'y'; 63]).child(&[b'z'; 50]));
    }
    names.extend([Name::default(), Name::plain("test"), Name::plain("nobody.invalid")]);
    names.retain(|name| name.wire_length() <= 255);
    names
}

/// The name right behind this one in canonical order, but for names below it.
fn beside(name: &Name) -> Name {
    let mut beside = name.clone();
    if let Some(first) = beside.0.first_mut().filter(|first| first.len() < 63) {
        first.push(b'0');
    }
    beside
}

/// Signed zones are mostly asked as validators ask, with DO.
fn question(rng: &mut Rng, names: &[Name], signed: bool) -> Question {
    let mut name = pick(rng, names).clone();
    if rng.u32(..3) == 0 {
        let octets = name.0.iter_mut().flatten().filter(|octet| octet.is_ascii_alphabetic());
        octets.for_each(|octet| *octet ^= if rng.bool() { 0x20 } else { 0 });
    }
    let types = if rng.u32(..50) == 0 { RARE_TYPES } else { TYPES };
    let (_, record_type) = *pick(rng, types);
    let edns = match rng.u32(..10) {
        0..=2 if !signed || rng.u32(..6) == 0 => None,
        3 => Some(*pick(rng, &[512, 0, 700, 65_535])),
        4 => Some(4096),
        _ => Some(1232),
    };
    let dnssec_ok = if signed { 19 } else { 10 };
    let edns = edns.map(|payload| Edns {
        payload,
        version: u8::from(rng.u32(..200) == 0),
        dnssec_ok: rng.u32(..20) < dnssec_ok,
    });
    let bits = [(RD, 2), (CD, 200), (AD, 6)].into_iter().filter(|(_, one_in)| rng.u32(..*one_in) == 0);
    let flags = bits.map(|(bit, _)| bit).sum();
    Question { name, record_type, edns, flags }
}
