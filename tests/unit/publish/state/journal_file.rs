//! Appending and cutting, one after the other and at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::UNIX_EPOCH;

use crate::publish::accept::{Provenance, Standing};
use crate::publish::state::journal::Step;
use crate::publish::state::journal_file::*;
use crate::wire::Serial;
use crate::zone::RecordBatch;

fn zone() -> Name {
    "a.example.".parse().unwrap()
}

fn header(serial: u32, chain: Digest) -> Header {
    let serial = Serial(serial);
    let (source_digest, digest) = ([1; 32], Some([1; 32]));
    let standing =
        Standing { serial, source_serial: serial, source_digest, digest, records: 3, signed: false };
    let provenance =
        Provenance::File { root: Path::new("/z").into(), path: Path::new("/z/a").into(), octets: None };
    Header { standing, provenance, accepted_at: UNIX_EPOCH, chain }
}

/// Appends an entry from one serial to the next; returns its link.
fn append(store: &Store, from: u32, before: &Digest) -> Digest {
    let empty = RecordBatch::new(&zone());
    let (from, to) = (Serial(from), Serial(from + 1));
    let step = Step { from, to, accepted_at: UNIX_EPOCH, records: 3, signed: false };
    let (octets, after) = journal::entry(before, &step, &empty, &empty).unwrap();
    store.append(&zone(), before, (&octets, after)).unwrap();
    after
}

/// What a start would find: the serial that the journal leads to from the state file of this version.
fn after_restart(directory: &Path, serial: u32, chain: Digest) -> u32 {
    let copy = tempfile::tempdir().unwrap();
    let _ = fs::copy(directory.join("a.example.journal"), copy.path().join("a.example.journal"));
    let (header, damage) = Store::open(copy.path()).unwrap().advance(&zone(), header(serial, chain));
    assert!(damage.is_none(), "{damage:?}");
    header.standing.serial.0
}

#[test]
fn what_is_in_the_state_file_is_cut_off_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let mut links = vec![[7; 32]];
    for from in 1..5 {
        links.push(append(&store, from, links.last().unwrap()));
    }
    for (at, link) in links.iter().enumerate() {
        assert_eq!(after_restart(directory.path(), 1 + at as u32, *link), 5);
    }
    store.trim(&zone(), &links[2]).unwrap();
    assert_eq!(after_restart(directory.path(), 3, links[2]), 5);
    assert_eq!(after_restart(directory.path(), 2, links[1]), 2, "it is in the state file");
    let sixth = append(&store, 5, &links[4]);
    assert_eq!(after_restart(directory.path(), 3, links[2]), 6);
    store.trim(&zone(), &sixth).unwrap();
    assert!(!store.journal_of(&zone()).exists());
    append(&store, 6, &sixth);
    assert_eq!(after_restart(directory.path(), 6, sixth), 7);
    store.trim(&zone(), &[8; 32]).unwrap();
    assert!(!store.journal_of(&zone()).exists(), "it led to a version of another history");
}

#[test]
fn a_version_that_the_journal_does_not_lead_to_begins_another() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    append(&store, 1, &[7; 32]);
    append(&store, 9, &[8; 32]);
    assert_eq!(after_restart(directory.path(), 9, [8; 32]), 10);
    assert_eq!(after_restart(directory.path(), 1, [7; 32]), 1);
}

#[test]
fn a_journal_is_low_high_once_and_full() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let fill = |more: u64| store.journal_fill(&zone(), more as usize);
    assert_eq!(fill(LEAST), Fill::Low);
    assert_eq!(fill(LEAST + 1), Fill::Full, "one write instead of two");
    append(&store, 1, &[7; 32]);
    assert_eq!(fill(LEAST), Fill::High);
    assert_eq!(fill(LEAST), Fill::Low, "it is being written");
    assert_eq!(fill(LEAST * PATIENCE), Fill::Full);
    assert!(store.not_trimmed(&zone()));
    assert_eq!(fill(LEAST), Fill::High, "it was not written");
    // Of a large zone it may be larger.
    File::create(store.path_of(&zone())).unwrap().set_len(8 * LEAST).unwrap();
    store.not_trimmed(&zone());
    assert_eq!(fill(LEAST * 3), Fill::Low);
    assert_eq!(fill(LEAST * 4), Fill::High);
}

/// The keeper cuts while the publisher appends: at each moment, what a start would find is the last entry.
#[test]
fn cutting_while_entries_are_appended_loses_none() {
    const ENTRIES: u32 = 300;
    // After so many entries the next one waits for a cut: however the threads are scheduled, cuts come between entries.
    const CUT_EVERY: u32 = 30;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let (links, ended) = (Mutex::new(vec![[7; 32]]), AtomicBool::new(false));
    let (has_cut, cut) = mpsc::channel();
    let cuts = std::thread::scope(|scope| {
        let (links, ended, store, directory) = (&links, &ended, &store, &directory);
        let keeper = scope.spawn(move || {
            let (mut cuts, mut state) = (0, 0);
            while !ended.load(Ordering::Acquire) {
                // The version that is written whole is an older one by the time that the journal is cut.
                let newest = links.lock().unwrap().len() - 1;
                state = newest.saturating_sub(2).max(state);
                let link = links.lock().unwrap()[state];
                store.trim(&zone(), &link).unwrap();
                cuts += 1;
                let known = links.lock().unwrap().len() as u32;
                // Copied under the lock, as a crash would: no entry is half written.
                let tails = store.journals.lock();
                let found = after_restart(directory.path(), 1 + state as u32, link);
                drop(tails);
                assert!(found >= known, "{found} of {known}");
                has_cut.send(()).unwrap();
            }
            cuts
        });
        for from in 1..=ENTRIES {
            if from % CUT_EVERY == 0 {
                let _earlier = cut.try_iter().count();
                // An error means that the keeper has failed, which its join tells.
                let _ = cut.recv();
            }
            let before = *links.lock().unwrap().last().unwrap();
            let link = append(store, from, &before);
            links.lock().unwrap().push(link);
        }
        ended.store(true, Ordering::Release);
        keeper.join().unwrap()
    });
    println!("{cuts} cuts beside {ENTRIES} entries");
    assert!(cuts >= ENTRIES / CUT_EVERY, "{cuts}");
}
