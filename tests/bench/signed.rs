//! A zone with good signatures of ECDSA P-256, signed here on all cores: hosts with an A and an NSEC record, each signed.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyns::wire::{Name, RecordType};
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use crate::zones::{World, ZoneFile, label};

const ORIGIN: &str = "signed.test";
const TTL: u32 = 3600;
const DAY: u64 = 86_400;
/// Type bit maps of the NSEC records: A RRSIG NSEC; NS SOA RRSIG NSEC DNSKEY (RFC 4034 section 4.1.2).
const OF_HOST: &[u8] = b"\0\x06\x40\0\0\0\0\x03";
const OF_APEX: &[u8] = b"\0\x07\x22\0\0\0\0\x03\x80";

/// Signs one version after the other.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// The labels below the apex, in canonical order.
    hosts: Vec<String>,
    begins: u64,
}

impl Signer {
    /// For a zone of about so many signatures.
    pub(crate) fn new(signatures: u32, seed: u64) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key can be made");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("the key is one");
        let mut hosts: Vec<String> =
            (0..u64::from(signatures / 2)).map(|number| label(b'h', seed, number)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right").as_secs();
        Self { key, random, hosts, begins: now - DAY }
    }

    /// Signatures of the zone.
    pub(crate) fn signatures(&self) -> u64 {
        2 * self.hosts.len() as u64 + 4
    }

    /// Writes a version; in all but the first a tenth of the hosts has another address, and so new signatures. The others have
    /// the signatures of `base`, the text of the first.
    pub(crate) fn text(&self, serial: u32, base: Option<&str>) -> String {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let part = self.hosts.len().div_ceil(threads).max(1);
        let apex = self.apex(serial);
        let bodies: Vec<String> = match base {
            Some(base) => vec![self.changed(base, serial)],
            None => std::thread::scope(|scope| {
                let parts: Vec<_> = (0..self.hosts.len())
                    .step_by(part)
                    .map(|first| scope.spawn(move || self.part(first..(first + part).min(self.hosts.len()))))
                    .collect();
                parts.into_iter().map(|part| part.join().expect("the thread ends well")).collect()
            }),
        };
        apex + &bodies.concat()
    }

    /// The world of its zone, with nothing in it yet.
    pub(crate) fn world(&self, directory: &Path, seed: u64) -> World {
        std::fs::create_dir_all(directory).expect("the directory of the zone can be made");
        let path = directory.join(format!("{ORIGIN}.zone"));
        World {
            directory: directory.into(),
            zones: vec![ZoneFile { origin: ORIGIN.into(), path }],
            seed,
            records: 2 * self.signatures(),
            hosts: self.hosts.len() as u64,
            aliases: 0,
            wildcards: 0,
            delegations: 0,
            signed: true,
        }
    }

    fn apex(&self, serial: u32) -> String {
        let origin = name("");
        let numbers = [serial, 7200, 1800, 1_209_600, TTL].map(u32::to_be_bytes).concat();
        let server = name(&self.hosts[0]);
        let soa = [server.as_wire(), server.as_wire(), &numbers].concat();
        let nsec = [server.as_wire(), OF_APEX].concat();
        let key = self.dnskey();
        let sets = [
            (RecordType::SOA, soa, format!("{server} {server} {serial} 7200 1800 1209600 {TTL}")),
            (RecordType::NS, server.as_wire().to_vec(), server.to_string()),
            (RecordType::DNSKEY, key.clone(), format!("256 3 13 {}", BASE64.encode(&key[4..]))),
            (RecordType::NSEC, nsec, format!("{server} NS SOA RRSIG NSEC DNSKEY")),
        ];
        let mut text = format!("$ORIGIN {ORIGIN}.\n$TTL {TTL}\n");
        for (record_type, rdata, shown) in sets {
            writeln!(text, "@ {record_type} {shown}\n{}", self.rrsig("@", &origin, record_type, &rdata))
                .expect("text grows");
        }
        text
    }

    fn part(&self, hosts: std::ops::Range<usize>) -> String {
        let mut text = String::new();
        for number in hosts {
            self.host(number, 10, &mut text);
            let (host, next) = (&self.hosts[number], self.hosts.get(number + 1));
            let next = name(next.map_or("", String::as_str));
            let rdata = [next.as_wire(), OF_HOST].concat();
            let rrsig = self.rrsig(host, &name(host), RecordType::NSEC, &rdata);
            writeln!(text, "{host} NSEC {next} A RRSIG NSEC\n{rrsig}").expect("text grows");
        }
        text
    }

    /// The hosts of the first version, a tenth of them otherwise.
    fn changed(&self, base: &str, serial: u32) -> String {
        let mut text = String::with_capacity(base.len());
        let mut lines = base.lines().skip_while(|line| !line.starts_with(&self.hosts[0]));
        for number in 0..self.hosts.len() {
            let own: Vec<&str> = lines.by_ref().take(4).collect();
            if number % 10 == 0 {
                self.host(number, 10 + serial as u8, &mut text);
            } else {
                own[..2].iter().for_each(|line| text.push_str(&format!("{line}\n")));
            }
            own[2..].iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text
    }

    fn host(&self, number: usize, first: u8, text: &mut String) {
        let [.., b, c, d] = (number as u32).to_be_bytes();
        let host = &self.hosts[number];
        let rrsig = self.rrsig(host, &name(host), RecordType::A, &[first, b, c, d]);
        writeln!(text, "{host} A {first}.{b}.{c}.{d}\n{rrsig}").expect("text grows");
    }

    /// Of an RRset of one record with names in lower case.
    fn rrsig(&self, shown: &str, owner: &Name, record_type: RecordType, rdata: &[u8]) -> String {
        let (labels, expires, tag) = (owner.label_count() as u8, self.begins + 30 * DAY, self.tag());
        let mut message = record_type.0.to_be_bytes().to_vec();
        message.extend([13, labels]);
        [TTL, expires as u32, self.begins as u32].iter().for_each(|one| message.extend(one.to_be_bytes()));
        message.extend(tag.to_be_bytes());
        message.extend(name("").as_wire());
        message.extend(owner.as_wire());
        message.extend(record_type.0.to_be_bytes());
        message.extend([0, 1]);
        message.extend(TTL.to_be_bytes());
        message.extend((rdata.len() as u16).to_be_bytes());
        message.extend(rdata);
        let signature = self.key.sign(&self.random, &message).expect("the key signs");
        let signature = BASE64.encode(signature.as_ref());
        let begins = self.begins;
        format!(
            "{shown} RRSIG {record_type} 13 {labels} {TTL} {expires} {begins} {tag} {ORIGIN}. {signature}"
        )
    }

    fn dnskey(&self) -> Vec<u8> {
        // Without the octet that says "not compressed" (RFC 6605 section 4).
        [&[1, 0, 3, 13][..], &self.key.public_key().as_ref()[1..]].concat()
    }

    /// RFC 4034 appendix B.
    fn tag(&self) -> u16 {
        let pairs = self.dnskey();
        let sum: u32 =
            pairs.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        (sum + (sum >> 16)) as u16
    }
}

/// A name of the zone.
fn name(label: &str) -> Name {
    let text = if label.is_empty() { format!("{ORIGIN}.") } else { format!("{label}.{ORIGIN}.") };
    text.parse().expect("it is a name")
}
