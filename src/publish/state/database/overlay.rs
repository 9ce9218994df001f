//! A database file that is read and never written: what the database writes, such as after a crash, stays in memory.
//!
//! For a disk that cannot be written, and for a look at the state of a process that runs. Takes no lock.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use redb::StorageBackend;

use crate::telemetry::locked;

/// Octets of a piece: a page of the database.
const PIECE: u64 = 4096;

/// The file, and what was written over it.
#[derive(Debug)]
pub(in crate::publish) struct Overlay {
    file: File,
    /// Octets of the file: what lies behind them is zero until it is written.
    known: u64,
    written: Mutex<WrittenPages>,
}

#[derive(Debug)]
struct WrittenPages {
    length: u64,
    /// By number.
    pieces: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    /// Over the file at `path`.
    pub(in crate::publish) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let known = file.metadata()?.len();
        let written = Mutex::new(WrittenPages { length: known, pieces: BTreeMap::new() });
        Ok(Self { file, known, written })
    }

    fn lock(&self) -> MutexGuard<'_, WrittenPages> {
        locked(&self.written)
    }

    /// Reads from the file; behind its end stands zero.
    fn read_below(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(self.known.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (known, behind) = out.split_at_mut(there);
        behind.fill(0);
        self.file.read_exact_at(known, offset)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.lock().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let written = self.lock();
        self.read_below(offset, out)?;
        let end = offset + out.len() as u64;
        for (number, piece) in written.pieces.range(offset / PIECE..=end / PIECE) {
            let start = number * PIECE;
            let (from, to) = (offset.max(start), end.min(start + PIECE));
            if from < to
                && let Some(target) = out.get_mut((from - offset) as usize..(to - offset) as usize)
                && let Some(source) = piece.get((from - start) as usize..(to - start) as usize)
            {
                target.copy_from_slice(source);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        self.lock().length = length;
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut written = self.lock();
        let end = offset + data.len() as u64;
        let mut at = offset;
        while at < end {
            let number = at / PIECE;
            let start = number * PIECE;
            let to = end.min(start + PIECE);
            let piece = match written.pieces.entry(number) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut piece = vec![0; PIECE as usize].into_boxed_slice();
                    self.read_below(start, &mut piece)?;
                    entry.insert(piece)
                }
            };
            if let Some(target) = piece.get_mut((at - start) as usize..(to - start) as usize)
                && let Some(source) = data.get((at - offset) as usize..(to - offset) as usize)
            {
                target.copy_from_slice(source);
            }
            at = to;
        }
        Ok(())
    }
}
