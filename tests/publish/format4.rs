//! A state directory as builds with format 4 left it: a file for each zone, a journal beside it.

use std::fs;
use std::path::Path;

use anyns::wire::Name;
use sha2::{Digest, Sha256};

use crate::support::Pop;

pub(crate) const STATE: &str = "state/a.example.state";
pub(crate) const JOURNAL: &str = "state/a.example.journal";
/// The link of the version in the state file.
pub(crate) const CHAIN: [u8; 32] = [7; 32];

pub(crate) fn hash(octets: impl AsRef<[u8]>) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What is in a state file.
pub(crate) struct StateFile {
    /// 2, 3 or 4.
    pub(crate) format: u32,
    pub(crate) serial: u32,
    pub(crate) digest: String,
    /// The hash of the zone file's octets.
    pub(crate) octets: String,
    /// Absolute, one record a line.
    pub(crate) records: String,
    pub(crate) record_count: usize,
}

impl StateFile {
    /// Puts it into the state directory, in place of whatever is there.
    pub(crate) fn write(&self, pop: &Pop) {
        let _ = fs::remove_dir_all(pop.path("state"));
        fs::create_dir(pop.path("state")).unwrap();
        fs::write(pop.path("state/lock"), "").unwrap();
        let (zones, file) = (pop.path("zones"), pop.path("zones/a.example.zone"));
        fs::write(pop.path(STATE), self.text(&zones, &file)).unwrap();
    }

    fn text(&self, root: &Path, file: &Path) -> String {
        let Self { format, serial, digest, octets, records, record_count } = self;
        let chain: String = CHAIN.iter().map(|octet| format!("{octet:02x}")).collect();
        let source_digest = if *format == 2 { String::new() } else { format!(";source-digest {digest}\n") };
        let chain = if *format == 2 { String::new() } else { format!(";chain {chain}\n") };
        let octets = if *format == 4 { format!(";octets {octets}\n") } else { String::new() };
        let head = format!(
            ";anyns-state {format}\n;zone a.example.\n;digest {digest}\n;serial {serial}\n{source_digest}\
             ;source-serial {serial}\n;records {record_count}\n;signed false\n;accepted 1732147200\n{chain}\
             ;root {root:?}\n;path {file:?}\n{octets}"
        );
        format!("{head};header {}\n{records};body {}\n", hash(&head), hash(records))
    }
}

/// A journal of steps from one serial to the next, each of which changes the address of `h0`; and the link of the last.
pub(crate) fn journal(from: u32, to: u32, hosts: u32) -> (Vec<u8>, Vec<usize>) {
    let zone: Name = "a.example.".parse().unwrap();
    let check = Sha256::new().chain_update(zone.as_wire()).chain_update(CHAIN).finalize();
    let mut octets = [&b"anyns-journal 1\n"[..], zone.as_wire(), &check, &CHAIN].concat();
    let mut chain = CHAIN.to_vec();
    let mut ends = Vec::new();
    for serial in from..to {
        let soa = |serial: u32| {
            let names = [&b"\x02ns\x07example\0"[..], b"\x04host\x07example\0"].concat();
            let numbers = [serial, 1, 1, 1, 1].map(u32::to_be_bytes).concat();
            record(&zone, 6, &[names, numbers].concat())
        };
        let address = |host: u32, serial: u32| {
            let owner = format!("h{host}.a.example.").parse().unwrap();
            record(&owner, 1, &[10, 0, (serial >> 8) as u8, serial as u8])
        };
        let all = |serial: u32| {
            let hosts: Vec<u8> = (0..hosts).flat_map(|host| address(host, serial)).collect();
            [(1 + hosts_count(hosts.len())).to_be_bytes().to_vec(), soa(serial), hosts].concat()
        };
        let mut body = [serial.to_be_bytes(), (serial + 1).to_be_bytes()].concat();
        body.extend(1_732_147_200_u64.to_be_bytes());
        body.extend(u64::from(hosts + 2).to_be_bytes());
        body.push(0);
        body.extend(all(serial));
        body.extend(all(serial + 1));
        let frame = [&b"anyns-e\n"[..], &(body.len() as u32).to_be_bytes(), &body].concat();
        chain = Sha256::new().chain_update(&chain).chain_update(&frame).finalize().to_vec();
        octets.extend(frame);
        octets.extend(&chain);
        ends.push(octets.len());
    }
    (octets, ends)
}

/// An address record of these zones has so many octets.
fn hosts_count(octets: usize) -> u32 {
    const ADDRESS: usize = b"\x02h0\x01a\x07example\0".len() + 8 + 4;
    (octets / ADDRESS) as u32
}

fn record(owner: &Name, record_type: u16, rdata: &[u8]) -> Vec<u8> {
    let (kind, length) = (record_type.to_be_bytes(), (rdata.len() as u16).to_be_bytes());
    [owner.as_wire(), &kind, &60_u32.to_be_bytes(), &length, rdata].concat()
}
