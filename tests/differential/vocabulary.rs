//! What zones are made of: labels, TTLs, and the RDATA of each type.

use fastrand::Rng;

use super::name::Name;
use super::zone::Record;

/// Labels that collide often, so that names lie at, above, below and between each other.
const LABELS: &[&str] =
    &["a", "b", "c", "d", "mail", "www", "_sip", "_tcp", "x-y", "Mixed", "zz", "0", "sub", "ns", "deep", "e"];

/// Types that a name may have any number of, in the master file's words.
const KINDS: &[&str] = &[
    "A",
    "AAAA",
    "TXT",
    "MX",
    "SRV",
    "CAA",
    "TYPE65280",
    "HTTPS",
    "PTR",
    "NAPTR",
    "TLSA",
    "SSHFP",
    "HINFO",
    "RP",
];

/// A label: mostly a common one, now and then one that no host has.
pub fn label(rng: &mut Rng) -> Vec<u8> {
    match rng.u32(..1200) {
        0 => b"with.dot".to_vec(),
        1 => b"\x00nul".to_vec(),
        2 => b"\xff\xfe".to_vec(),
        3..=20 => vec![b'l'; 63],
        21..=32 => b"sp ace".to_vec(),
        _ => pick(rng, LABELS).as_bytes().to_vec(),
    }
}

/// One of these.
pub fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    choices.get(rng.usize(..choices.len())).expect("an index below the length")
}

/// A TTL in seconds.
pub fn ttl(rng: &mut Rng) -> u32 {
    *pick(rng, &[0, 30, 60, 300, 3600, 86_400])
}

/// A record with a name in its RDATA.
pub fn pointing(owner: &Name, ttl: u32, kind: &'static str, target: &Name) -> Record {
    Record { owner: owner.clone(), ttl, kind, text: target.to_string(), target: Some(target.clone()) }
}

/// A record with this RDATA.
pub fn plain(owner: &Name, ttl: u32, kind: &'static str, text: impl Into<String>) -> Record {
    Record { owner: owner.clone(), ttl, kind, text: text.into(), target: None }
}

/// An address record.
pub fn address(rng: &mut Rng, owner: &Name, kind: &'static str) -> Record {
    let text = match kind {
        "A" => format!("192.0.2.{}", rng.u8(..)),
        _ => format!("2001:db8::{:x}", rng.u16(1..)),
    };
    plain(owner, ttl(rng), kind, text)
}

/// RDATA of a type with one name in it.
fn around(rng: &mut Rng, kind: &str, target: &Name) -> String {
    match kind {
        "MX" => format!("{} {target}", rng.u16(..)),
        "SRV" => format!("{} {} {} {target}", rng.u16(..9), rng.u16(..9), rng.u16(..)),
        "HTTPS" => format!("{} {target} alpn=\"h2,h3\" port={}", rng.u16(1..), rng.u16(1..)),
        "NAPTR" => format!("{} 10 \"S\" \"SIP+D2U\" \"\" {target}", rng.u16(..)),
        _ => target.to_string(),
    }
}

/// Some records of one ordinary type; names in them come from `target`.
pub fn set(rng: &mut Rng, owner: &Name, mut target: impl FnMut(&mut Rng) -> Name) -> Vec<Record> {
    let kind = *pick(rng, KINDS);
    let ttl = ttl(rng);
    let count = if rng.u32(..12) == 0 { rng.usize(8..30) } else { rng.usize(1..4) };
    let records = (0..count).map(|index| {
        let text = match kind {
            "A" | "AAAA" => return Record { ttl, ..address(rng, owner, kind) },
            "TXT" => format!("\"{}\" \"{index}\"", "text ".repeat(rng.usize(..12))),
            "CAA" => format!("0 issue \"ca{index}.example\""),
            "MX" | "SRV" | "HTTPS" | "PTR" | "NAPTR" => {
                let target = target(rng);
                let text = around(rng, kind, &target);
                return Record { target: Some(target), ..plain(owner, ttl, kind, text) };
            }
            "TLSA" => format!("3 1 1 {:064x}", rng.u128(..)),
            "SSHFP" => format!("4 2 {:064x}", rng.u128(..)),
            "HINFO" => format!("\"cpu{index}\" \"os\""),
            "RP" => format!("{} {}", target(rng), target(rng)),
            _ => format!("\\# 4 {:08x}", rng.u32(..)),
        };
        plain(owner, ttl, kind, text)
    });
    records.collect()
}
