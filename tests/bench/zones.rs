//! Zones made from a seed: the same options give the same files.
//!
//! Names are looked up by number: [`label`] gives the n-th label of a kind without keeping any, so that queries for a
//! zone of millions cost no memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use data_encoding::{BASE32_DNSSEC, BASE64};
use sha1::{Digest, Sha1};

/// A zone and its file.
#[derive(Clone, Debug)]
pub(crate) struct ZoneFile {
    /// Its name, without the root's dot.
    pub(crate) origin: String,
    /// The file.
    pub(crate) path: PathBuf,
}

/// What is in a zone, so that queries can be made for it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// The directory that holds nothing but the zone files.
    pub(crate) directory: PathBuf,
    /// The zones.
    pub(crate) zones: Vec<ZoneFile>,
    /// The seed of its names.
    pub(crate) seed: u64,
    /// Records in all zones together.
    pub(crate) records: u64,
    /// Names with addresses, `label(b'h', seed, 0..hosts)`.
    pub(crate) hosts: u64,
    /// Aliases of hosts, `label(b'c', …)`.
    pub(crate) aliases: u64,
    /// Names with a wildcard below them, `label(b'w', …)`.
    pub(crate) wildcards: u64,
    /// Delegations, `label(b'd', …)`.
    pub(crate) delegations: u64,
    /// Whether it has an NSEC3 chain.
    pub(crate) signed: bool,
}

/// The n-th label of a kind: twelve letters of base 32, then the kind's. All kinds are spread over the whole canonical
/// order, so that names which do not exist fall between any two that do.
pub(crate) fn label(kind: u8, seed: u64, number: u64) -> String {
    let mut bits = mix(seed ^ u64::from(kind).rotate_left(48) ^ number);
    let mut text = String::with_capacity(13);
    for _ in 0..12 {
        text.push(char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(bits & 31) as usize]));
        bits >>= 5;
    }
    text.push(char::from(kind));
    text
}

/// A bijection of 64 bits that spreads neighbors (the finalizer of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A zone of about this many records: hosts with A and half of them AAAA, one alias for twenty records, one wildcard for
/// a thousand.
pub(crate) fn mixed(directory: &Path, records: u32, seed: u64) -> World {
    let mut world = World::new(directory, seed);
    world.aliases = u64::from(records) / 20;
    world.wildcards = (u64::from(records) / 1000).max(1);
    world.hosts = (u64::from(records).saturating_sub(5 + world.aliases + world.wildcards) * 2 / 3).max(1);
    let mut zone = Writer::new(&mut world, "mixed.test");
    for number in 0..zone.world.hosts {
        let (name, address) = (label(b'h', seed, number), mix(number ^ seed));
        zone.record(&format!("{name} A 10.{}", octets(address)));
        if number % 2 == 1 {
            zone.record(&format!(
                "{name} AAAA 2001:db8::{:x}:{:x}",
                address >> 16 & 0xffff,
                address & 0xffff
            ));
        }
    }
    for number in 0..zone.world.aliases {
        let target = label(b'h', seed, mix(number) % zone.world.hosts);
        zone.record(&format!("{} CNAME {target}", label(b'c', seed, number)));
    }
    for number in 0..zone.world.wildcards {
        zone.record(&format!("*.{} A 10.{}", label(b'w', seed, number), octets(mix(number))));
    }
    zone.finish();
    world
}

/// A zone of delegations: each with NS and a glue A below it, every second with DS, every tenth with a glue AAAA.
pub(crate) fn delegations(directory: &Path, delegations: u32, seed: u64) -> World {
    let mut world = World::new(directory, seed);
    world.delegations = u64::from(delegations);
    let mut zone = Writer::new(&mut world, "referral.test");
    for number in 0..u64::from(delegations) {
        zone.delegation(number);
    }
    zone.finish();
    world
}

/// The same, signed: the signatures are of the right length and of no key, because no server verifies them; the NSEC3 chain is
/// whole and leaves the delegations without DS out (RFC 5155 section 6), without salt and iterations (RFC 9276).
pub(crate) fn signed_delegations(directory: &Path, delegations: u32, seed: u64) -> World {
    let mut world = World::new(directory, seed);
    (world.delegations, world.signed) = (u64::from(delegations), true);
    let mut zone = Writer::new(&mut world, "referral.test");
    let origin = zone.world.origin().to_owned();
    zone.record(&format!("@ DNSKEY 257 3 13 {}", "A".repeat(86) + "=="));
    zone.record("@ NSEC3PARAM 1 0 0 -");
    for covered in ["SOA", "NS", "DNSKEY", "NSEC3PARAM"] {
        zone.signature("@", covered, 1, 0);
    }
    let mut hashes = vec![hash(&origin), hash(&format!("ns1.{origin}")), hash(&format!("ns2.{origin}"))];
    for name in ["ns1", "ns2"] {
        zone.signature(name, "A", 2, 0);
    }
    for number in 0..u64::from(delegations) {
        if zone.delegation(number) {
            let name = label(b'd', seed, number);
            zone.signature(&name, "DS", 2, number);
            hashes.push(hash(&format!("{name}.{origin}")));
        }
    }
    hashes.sort_unstable();
    let nexts = hashes.iter().skip(1).chain(hashes.first());
    for (number, (own, next)) in hashes.iter().zip(nexts).enumerate() {
        let (own, next) = (BASE32_DNSSEC.encode(own), BASE32_DNSSEC.encode(next));
        zone.record(&format!("{own} NSEC3 1 1 0 - {next} NS DS RRSIG"));
        zone.signature(&own, "NSEC3", 2, number as u64);
    }
    zone.finish();
    world
}

/// The NSEC3 hash of a name in lower case, without salt and iterations (RFC 5155 section 5).
pub(crate) fn hash(name: &str) -> [u8; 20] {
    let mut digest = Sha1::new();
    for label in name.split('.').chain([""]) {
        digest.update([label.len() as u8]);
        digest.update(label);
    }
    digest.finalize().into()
}

/// Many zones of seven records.
pub(crate) fn small(directory: &Path, zones: u32, seed: u64) -> World {
    let mut world = World::new(directory, seed);
    for number in 0..u64::from(zones) {
        let origin = format!("{}.test", label(b'z', seed, number));
        let mut zone = Writer::new(&mut world, &origin);
        zone.record(&format!("www A 10.{}", octets(mix(number))));
        zone.record("@ MX 10 www");
        zone.finish();
    }
    world
}

impl World {
    fn new(directory: &Path, seed: u64) -> Self {
        std::fs::create_dir_all(directory).expect("the directory of the zones can be made");
        Self {
            directory: directory.into(),
            zones: Vec::new(),
            seed,
            records: 0,
            hosts: 0,
            aliases: 0,
            wildcards: 0,
            delegations: 0,
            signed: false,
        }
    }

    /// The first zone's name.
    pub(crate) fn origin(&self) -> &str {
        &self.zones.first().expect("a world has a zone").origin
    }
}

/// A zone file being written; the apex is there already: SOA, two NS and their addresses.
struct Writer<'a> {
    world: &'a mut World,
    file: BufWriter<File>,
}

impl<'a> Writer<'a> {
    fn new(world: &'a mut World, origin: &str) -> Self {
        let path = world.directory.join(format!("{origin}.zone"));
        let file = BufWriter::new(File::create(&path).expect("the zone file can be made"));
        world.zones.push(ZoneFile { origin: origin.into(), path });
        let mut writer = Self { world, file };
        writeln!(writer.file, "$ORIGIN {origin}.\n$TTL 3600").expect("the zone file can be written");
        // The SOA's TTL and MINIMUM are the same, so that all servers send the same negative TTL (RFC 2308 section 3).
        writer.record("@ SOA ns1 hostmaster 1 7200 1800 1209600 3600");
        for record in ["@ NS ns1", "@ NS ns2", "ns1 A 10.0.0.1", "ns2 A 10.0.0.2"] {
            writer.record(record);
        }
        writer
    }

    fn record(&mut self, line: &str) {
        self.file.write_all(line.as_bytes()).expect("the zone file can be written");
        self.file.write_all(b"\n").expect("the zone file can be written");
        self.world.records += 1;
    }

    /// A delegation; whether it is secure.
    fn delegation(&mut self, number: u64) -> bool {
        let seed = self.world.seed;
        let (name, bits) = (label(b'd', seed, number), mix(number ^ seed));
        self.record(&format!("{name} NS ns.{name}"));
        self.record(&format!("ns.{name} A 10.{}", octets(bits)));
        if number.is_multiple_of(2) {
            self.record(&format!(
                "{name} DS {} 13 2 {bits:016x}{bits:016x}{bits:016x}{bits:016x}",
                bits & 0xffff
            ));
        }
        if number.is_multiple_of(10) {
            self.record(&format!("ns.{name} AAAA 2001:db8::{:x}", bits & 0xffff));
        }
        number.is_multiple_of(2)
    }

    /// A signature as long as one of ECDSA P-256, `labels` being those of its owner below the root, the zone's own counted.
    fn signature(&mut self, owner: &str, covered: &str, labels: usize, number: u64) {
        let labels = labels + self.world.origin().split('.').count() - 1;
        let bits = mix(number ^ 0x5167);
        let octets: Vec<u8> = (0..8).flat_map(|word| mix(bits ^ word).to_be_bytes()).collect();
        let (signer, text) = (self.world.origin(), BASE64.encode(&octets));
        let line = format!(
            "{owner} RRSIG {covered} 13 {labels} 3600 20300101000000 20200101000000 7 {signer}. {text}"
        );
        self.record(&line);
    }

    fn finish(mut self) {
        self.file.flush().expect("the zone file can be written");
    }
}

fn octets(bits: u64) -> String {
    format!("{}.{}.{}", bits >> 16 & 255, bits >> 8 & 255, bits & 255)
}
