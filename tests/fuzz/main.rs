//! The fuzz targets with the stable compiler: every kept seed, then mutations of them from a fixed seed. `README.md`
//! says how to run them for an hour with cargo-fuzz.

// A helper that cannot go on fails the test; clippy's leave for tests does not reach helpers.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "a test stops at the first fault and prints what it does"
)]

mod targets;

use std::path::Path;

use fastrand::Rng;

/// Mutations of each target; the long run makes a hundred times as many.
const MUTATIONS: u32 = 30_000;
/// The scanner writes a file for each, which takes longer.
const FILE_MUTATIONS: u32 = 4_000;
/// Octets that grammars care about.
const SPECIAL: &[u8] = b"\0\x01\x3f\x40\xc0\x0c\xff\"\\();$@\n\t .*_";

#[test]
fn messages_are_read_or_refused() {
    run("message", MUTATIONS, targets::message::check);
}

#[test]
fn answers_fit_and_can_be_read() {
    run("answer", MUTATIONS, |data| {
        targets::answer::check(data);
    });
    println!("answer: most steps: {:?}", targets::answer::most());
}

#[test]
fn transfers_are_read_or_refused() {
    run("transfer", MUTATIONS, targets::transfer::check);
}

#[test]
fn updates_are_read_or_refused() {
    run("update", MUTATIONS, targets::update::check);
}

#[test]
fn zone_files_are_zones_or_faults() {
    let _clean_up = CleanUp;
    run("zone_file", FILE_MUTATIONS, targets::zone_file::check);
}

/// Also when a mutation fails.
struct CleanUp;

impl Drop for CleanUp {
    fn drop(&mut self) {
        targets::zone_file::clean_up();
    }
}

fn run(name: &str, mutations: u32, target: fn(&[u8])) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "no seeds for {name}");
    seeds.iter().for_each(|seed| target(seed));
    let full = std::env::var_os("ANYNS_TEST_FULL").is_some();
    let (mutations, seed) = if full { (100 * mutations, fastrand::u64(..)) } else { (mutations, 20_261_121) };
    println!("{name}: {} seeds, {mutations} mutations from {seed}", seeds.len());
    let mut rng = Rng::with_seed(seed);
    for _ in 0..mutations {
        target(&mutated(&mut rng, &seeds));
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(name);
    let entries =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a seed can be read")).collect()
}

/// A seed with some octets changed, put in, taken out, or exchanged with a piece of another seed.
fn mutated(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = seeds[rng.usize(..seeds.len())].clone();
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(..=octets.len());
        match rng.u32(..6) {
            0 if at < octets.len() => octets[at] = rng.u8(..),
            1 if at < octets.len() => octets[at] ^= 1 << rng.u32(..8),
            2 => octets.insert(at, SPECIAL[rng.usize(..SPECIAL.len())]),
            3 if at < octets.len() => drop(octets.drain(at..(at + rng.usize(1..9)).min(octets.len()))),
            4 => {
                let other = &seeds[rng.usize(..seeds.len())];
                let from = rng.usize(..=other.len());
                let to = (from + rng.usize(..40)).min(other.len());
                octets.splice(at..at, other[from..to].iter().copied());
            }
            _ if rng.u32(..8) == 0 => octets.truncate(at),
            _ => {}
        }
    }
    octets
}
