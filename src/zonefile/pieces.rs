//! A large file in pieces, on all cores.
//!
//! ```text
//!   file --> cut (1x) --> pieces --> Reader (Nx, one for each core) --> in order: Reader::take
//! ```
//!
//! A piece begins with a line that seems to begin an entry with an owner of its own; what `$ORIGIN` and `$TTL` say
//! there is guessed from the lines that begin with `$`. Both are guesses, and both are verified: a piece that ends
//! inside parentheses has a fault, and a piece counts only if it began with what the one before it ended with. The
//! first was read from the beginning, so every piece that counts was read as in one go. Where that fails, where a fault
//! is found (all of them must be told in order), and for what needs the whole file (`$INCLUDE`, TTLs that are
//! inherited from record to record without `$TTL`), the caller reads the file from its beginning instead: the
//! outcome is always that of one reading.
//!
//! Holds a few pieces of the file at a time, never all of it. One file at a time is read so by this process: it has
//! all cores, and what it holds is bounded once.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{Builder, available_parallelism, scope};

use sha2::{Digest as _, Sha256};

use crate::wire::Name;
use crate::zone::ServedVersion;

use crate::telemetry::locked;
use crate::telemetry::pulse::{Place, WAIT, Work as PulseWork};
use crate::zonefile::FileProgress;
use crate::zonefile::Limits;
use crate::zonefile::directive::{default_ttl, origin};
use crate::zonefile::handover::Handover;
use crate::zonefile::lexer::{Entry, Lexer};
use crate::zonefile::reader::{Context, Piece, Reader};

/// Octets of a piece: large beside an entry and the work of handing it over, small beside the file.
pub(super) const PIECE: usize = 4 << 20;

/// UTF-8's and UTF-16's byte order marks: they are left to a reading from the beginning.
const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// The file whose turn it is.
static TURN: Turn = Turn { taken: Mutex::new(false), changed: Condvar::new() };

struct Turn {
    taken: Mutex<bool>,
    changed: Condvar,
}

impl Turn {
    /// Waits for it, with signs of life.
    fn take(&self) -> impl Drop + use<> {
        struct Taken;
        impl Drop for Taken {
            fn drop(&mut self) {
                *locked(&TURN.taken) = false;
                TURN.changed.notify_one();
            }
        }
        let mut taken = locked(&self.taken);
        while *taken {
            taken = self.changed.wait_timeout(taken, WAIT).unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken = true;
        Taken
    }
}

/// Reads the whole file into `reader`, in pieces of about `size` octets, and notes in `file_progress` how far it is. False if it must be read from its beginning
/// instead: nothing was taken in then, and the file stands at its beginning again.
pub(super) fn read(
    reader: &mut Reader<'_>,
    file: &mut File,
    facts: &Metadata,
    zone: &Name,
    (size, file_progress): (usize, Option<&FileProgress>),
) -> io::Result<bool> {
    let limits = reader.limits;
    if facts.len() <= size as u64 || facts.len() > limits.octets {
        return Ok(false);
    }
    let _turn = TURN.take();
    file_progress.into_iter().for_each(|file_progress| file_progress.begin(facts.len()));
    let (digest, pieces) = read_pieces(reader, file, facts.len(), zone, (size, file_progress));
    match digest.and_then(|_| in_order(pieces, zone, limits)) {
        Some(pieces) => {
            pieces.into_iter().for_each(|piece| reader.take(piece));
            reader.file_digest = digest;
            Ok(true)
        }
        None => file.rewind().map(|()| false),
    }
}

/// The digest of the file's octets if it was read to its end without a fault, and its pieces in the order in which they
/// were done.
fn read_pieces(
    reader: &Reader<'_>,
    file: &mut File,
    length: u64,
    zone: &Name,
    (size, file_progress): (usize, Option<&FileProgress>),
) -> (Option<[u8; 32]>, Vec<Done>) {
    let (limits, standing) = (reader.limits, reader.standing.as_ref());
    let is_kept = reader.is_kept;
    let work = PieceWork {
        zone,
        limits,
        standing,
        is_kept,
        failed: AtomicBool::new(false),
        pieces: Mutex::default(),
    };
    let threads = available_parallelism().map_or(1, NonZero::get);
    let cuts = Handover::new(threads, threads);
    let (give_back, buffers) = channel();
    let cut = scope(|scope| {
        for number in 1..=threads {
            let (work, cuts, give_back) = (&work, &cuts, give_back.clone());
            let place = file_progress.map(|file_progress| file_progress.pulse.reserve(PulseWork::Read));
            let run = move || {
                place.iter().for_each(Place::begin);
                work.run(cuts, &give_back);
                cuts.taker_ended();
            };
            if Builder::new().name(format!("zones-{number}")).spawn_scoped(scope, run).is_err() {
                cuts.taker_ended();
            }
        }
        let mut cutter = Cutter::new(zone, length, (size, file_progress));
        let cut = cutter.cut(file, &cuts, &buffers, &work.failed).map(|()| cutter.hash);
        cuts.close();
        cut
    });
    let digest = cut.ok().filter(|_| !work.failed.into_inner()).map(|hash| hash.finalize().into());
    (digest, work.pieces.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The pieces, if each began with what the one before it ended with, and if all together keep to the limits.
fn in_order(mut pieces: Vec<Done>, zone: &Name, limits: &Limits) -> Option<Vec<Piece>> {
    pieces.sort_by_key(|done| done.index);
    let mut context = Context { origin: zone.clone(), default_ttl: None };
    let (mut records, mut generated) = (0, 0);
    for done in &pieces {
        if !done.began.is_same(&context) {
            return None;
        }
        context = done.piece.context.clone();
        records += done.piece.records;
        generated += done.piece.generated;
    }
    let kept = records <= limits.records && generated <= limits.generate;
    kept.then(|| pieces.into_iter().map(|done| done.piece).collect())
}

/// A piece on its way to a thread.
struct Cut {
    index: usize,
    octets: Vec<u8>,
    /// The line it begins with.
    line: u32,
    began: Context,
}

/// A piece that was read.
struct Done {
    index: usize,
    began: Context,
    piece: Piece,
}

struct PieceWork<'a> {
    zone: &'a Name,
    limits: &'a Limits,
    standing: Option<&'a ServedVersion>,
    is_kept: bool,
    failed: AtomicBool,
    pieces: Mutex<Vec<Done>>,
}

impl PieceWork<'_> {
    fn run(&self, cuts: &Handover<Cut>, give_back: &Sender<Vec<u8>>) {
        while let Some(Cut { index, octets, line, began }) = cuts.take() {
            let has_mark = index == 0 && MARKS.iter().any(|mark| octets.starts_with(mark));
            if !has_mark && !self.failed.load(Ordering::Relaxed) {
                // One that panics is read from its beginning by the caller, who finds out what is the matter.
                let read = AssertUnwindSafe(|| self.piece(index, &octets, line, began));
                match catch_unwind(read).unwrap_or_default() {
                    Some(done) => locked(&self.pieces).push(done),
                    None => self.failed.store(true, Ordering::Relaxed),
                }
            }
            self.failed.fetch_or(has_mark, Ordering::Relaxed);
            // The cutter may have ended.
            let _ = give_back.send(octets);
        }
    }

    fn piece(&self, index: usize, octets: &[u8], line: u32, began: Context) -> Option<Done> {
        // Includes are left to a reading of the whole file, so where they may lie does not matter.
        let mut reader = Reader::new(self.zone, Vec::new(), self.limits);
        reader.standing = self.standing.cloned();
        reader.is_kept = self.is_kept;
        let lexer = &mut Lexer::at_line(octets, 0, line);
        let piece = reader.piece(lexer, began.clone(), index == 0)?;
        Some(Done { index, began, piece })
    }
}

/// Cuts a file.
struct Cutter<'m> {
    size: usize,
    file_progress: Option<&'m FileProgress>,
    left: u64,
    index: usize,
    line: u32,
    context: Context,
    /// What was read behind the last cut.
    rest: Vec<u8>,
    /// Over what was handed over.
    hash: Sha256,
}

impl<'m> Cutter<'m> {
    fn new(zone: &Name, length: u64, (size, file_progress): (usize, Option<&'m FileProgress>)) -> Self {
        let context = Context { origin: zone.clone(), default_ttl: None };
        Self {
            size,
            file_progress,
            left: length,
            index: 0,
            line: 1,
            context,
            rest: Vec::new(),
            hash: Sha256::new(),
        }
    }

    /// Hands over piece after piece, up to the length that the file had.
    fn cut(
        &mut self,
        file: &mut File,
        cuts: &Handover<Cut>,
        buffers: &Receiver<Vec<u8>>,
        failed: &AtomicBool,
    ) -> io::Result<()> {
        while (self.left > 0 || !self.rest.is_empty()) && !failed.load(Ordering::Relaxed) {
            let mut octets = buffers.try_recv().unwrap_or_default();
            octets.clear();
            octets.append(&mut self.rest);
            let wanted = self.left.min(self.size.saturating_sub(octets.len()).max(1) as u64);
            let read = file.by_ref().take(wanted).read_to_end(&mut octets)? as u64;
            if read < wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.left -= read;
            self.file_progress.into_iter().for_each(|file_progress| file_progress.add(read));
            if self.left > 0 {
                let Some(end) = last_start(&octets) else {
                    // A line longer than a piece.
                    return Err(io::ErrorKind::InvalidData.into());
                };
                self.rest.extend_from_slice(octets.get(end..).unwrap_or_default());
                octets.truncate(end);
            }
            let cut = Cut { index: self.index, line: self.line, began: self.context.clone(), octets };
            self.pass(&cut.octets);
            self.hash.update(&cut.octets);
            if !cuts.give(cut) {
                return Err(io::Error::other("no thread reads the pieces"));
            }
        }
        Ok(())
    }

    /// Learns from a piece what holds behind it.
    fn pass(&mut self, octets: &[u8]) {
        let mut entry = Entry::default();
        let directives = memchr::memmem::find_iter(octets, b"\n$").map(|at| at + 1);
        for start in octets.starts_with(b"$").then_some(0).into_iter().chain(directives) {
            let line = octets.get(start..).unwrap_or_default();
            let line = line.get(..memchr::memchr(b'\n', line).unwrap_or(line.len())).unwrap_or_default();
            if !matches!(Lexer::new(line, 0).next_entry(&mut entry), Ok(true)) {
                continue;
            }
            let is = |directive: &[u8]| {
                line.get(..directive.len()).is_some_and(|word| word.eq_ignore_ascii_case(directive))
            };
            // What is faulty here is found, and told, by whoever reads the piece.
            if is(b"$ORIGIN")
                && let Ok(origin) = origin(&entry, &self.context.origin)
            {
                self.context.origin = origin;
            }
            if is(b"$TTL")
                && let Ok(ttl) = default_ttl(&entry, &self.context.origin)
            {
                self.context.default_ttl = Some(ttl);
            }
        }
        self.index += 1;
        let lines = memchr::memchr_iter(b'\n', octets).count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }
}

/// Where the last line begins that has an owner of its own.
fn last_start(octets: &[u8]) -> Option<usize> {
    memchr::memrchr_iter(b'\n', octets)
        .map(|at| at + 1)
        .find(|&start| octets.get(start).is_some_and(|first| !b" \t\x0b\x0c\r\n;)".contains(first)))
}
