//! Queries for a world: uniformly random names, as a file for dnsperf and as a sample for the comparison.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::zones::{World, label};

/// One query of so many is in the sample.
const SAMPLED: u32 = 100;

/// A query of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// QNAME, without the root's dot.
    pub(crate) name: String,
    /// QTYPE's mnemonic.
    pub(crate) record_type: &'static str,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blend {
    /// 90 % hits, of all queries 5 % CNAME and 3 % wildcard; 10 % NXDOMAIN.
    Mix,
    /// Names that do not exist.
    Nxdomain,
    /// Types that do not exist.
    Nodata,
    /// Names that a wildcard answers.
    Wildcard,
    /// Names below a delegation.
    Referral,
}

/// The queries of a scenario.
#[derive(Debug)]
pub(crate) struct Queries {
    /// In dnsperf's format.
    pub(crate) file: PathBuf,
    /// One of [`SAMPLED`], spread evenly.
    pub(crate) sample: Vec<Query>,
}

impl Query {
    /// Reads what [`Queries::write`] wrote.
    pub(crate) fn read(line: &str) -> Self {
        let (name, mnemonic) = line.split_once(' ').expect("a name and a type");
        Self { name: name.into(), record_type: known(mnemonic) }
    }

    /// As it goes over the wire: class IN, RD clear, no EDNS.
    pub(crate) fn encode(&self, id: u16) -> Vec<u8> {
        let mut octets = id.to_be_bytes().to_vec();
        octets.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        for label in self.name.split('.') {
            octets.push(u8::try_from(label.len()).expect("a label of at most 63 octets"));
            octets.extend(label.as_bytes());
        }
        octets.push(0);
        octets.extend([0, type_number(self.record_type), 0, 1]);
        octets
    }
}

impl Queries {
    /// Writes `count` queries to `file`.
    pub(crate) fn write(file: &Path, blend: Blend, world: &World, count: u32) -> Self {
        let mut random = Rng::with_seed(world.seed ^ u64::from(count));
        let mut out = BufWriter::new(File::create(file).expect("the file of queries can be made"));
        let mut sample = Vec::new();
        for number in 0..count {
            let query = pick(blend, world, &mut random);
            writeln!(out, "{} {}", query.name, query.record_type).expect("the queries can be written");
            if number % SAMPLED == 0 {
                sample.push(query);
            }
        }
        out.flush().expect("the queries can be written");
        Self { file: file.into(), sample }
    }
}

/// One query of this blend.
pub(crate) fn pick(blend: Blend, world: &World, random: &mut Rng) -> Query {
    match blend {
        Blend::Nxdomain => missing(world, random),
        Blend::Nodata => Query { record_type: "MX", ..host(world, random) },
        Blend::Wildcard => wildcard(world, random),
        Blend::Referral => {
            let cut = label(b'd', world.seed, random.u64(0..world.delegations));
            at(world, format!("www.{cut}"), "A")
        }
        Blend::Mix => match random.u32(0..100) {
            0..10 => missing(world, random),
            10..13 => wildcard(world, random),
            13..18 if world.aliases > 0 => {
                at(world, label(b'c', world.seed, random.u64(0..world.aliases)), "A")
            }
            _ => host(world, random),
        },
    }
}

fn host(world: &World, random: &mut Rng) -> Query {
    let number = random.u64(0..world.hosts);
    // Every second host has an AAAA; half of the queries for it ask for that.
    let record_type = if number % 2 == 1 && random.bool() { "AAAA" } else { "A" };
    at(world, label(b'h', world.seed, number), record_type)
}

fn missing(world: &World, random: &mut Rng) -> Query {
    at(world, label(b'x', random.u64(..), 0), "A")
}

fn wildcard(world: &World, random: &mut Rng) -> Query {
    let below = label(b'w', world.seed, random.u64(0..world.wildcards));
    at(world, format!("{}.{below}", label(b'r', random.u64(..), 0)), "A")
}

fn at(world: &World, name: String, record_type: &'static str) -> Query {
    Query { name: format!("{name}.{}", world.origin()), record_type }
}

fn known(mnemonic: &str) -> &'static str {
    let known = ["A", "SOA", "MX", "AAAA"].into_iter().find(|known| *known == mnemonic);
    known.unwrap_or_else(|| panic!("the benchmarks ask for no {mnemonic}"))
}

fn type_number(mnemonic: &str) -> u8 {
    match mnemonic {
        "A" => 1,
        "SOA" => 6,
        "MX" => 15,
        "AAAA" => 28,
        other => panic!("the benchmarks ask for no {other}"),
    }
}
