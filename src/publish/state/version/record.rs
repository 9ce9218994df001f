//! What is kept of one zone: its header, the state of its files, and its records in wire form.
//!
//! A version in, octets out, and back. Pure: no I/O. Each value carries the hash of what follows it, and is not trusted otherwise.
//!
//! ```text
//! value  check           32 octets: SHA-256 of all that follows
//!        header          see Header::write
//!        files           whether they are known, and then: when they were read, 32 octets that tell by which rules they were
//!                        judged, the state of the zone file, and the number, the paths and the states of those that it includes
//!        pieces          4 octets: how many pieces the records are in; 0: they follow
//!        records         4 octets, and that many records (see crate::publish::state::version::step)
//! piece  check           32 octets: SHA-256 of the records
//!        records
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::publish::accept::{Digest, Provenance};
use crate::publish::source::read::{Files, Fingerprint};
use crate::publish::state::database::fields::{Fields, push_maybe, push_short, push_time};
use crate::publish::state::version::header::Header;
use crate::publish::state::version::step::{each, parts, push_record};
use crate::wire::{Name, RecordType};
use crate::zone::{Place, RecordBatch, Zone, ZoneBuilder, ZoneWarning};
use crate::zonefile::check_rdata;

/// Records up to so many octets stand in the value itself: most zones are read with one look.
const INLINE: usize = 64 << 10;
/// A piece has about so many octets: a page tree copies a value whole where it changes.
const PIECE: usize = 256 << 10;
/// Octets of a check.
const CHECK: usize = 32;

/// The files that gave a version, as they were when they were read and judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Seen {
    pub(in crate::publish) files: Files,
    /// When they were read.
    pub(in crate::publish) at: SystemTime,
    /// The rules by which they were judged.
    pub(in crate::publish) terms: Digest,
}

impl Seen {
    /// Files whose reading is to be spared at the next start; `None` if they had not rested when they were read.
    pub(in crate::publish) fn new(files: &Files, terms: Digest) -> Option<Arc<Self>> {
        files.settled.map(|at| Arc::new(Self { files: files.clone(), at, terms }))
    }
}

/// A version as it goes into the database: its octets are made piece by piece, for all of them are as large as the zone.
#[derive(Clone, Debug)]
pub(in crate::publish) struct RecordWriter {
    pub(in crate::publish) header: Arc<Header>,
    pub(in crate::publish) seen: Option<Arc<Seen>>,
    pub(in crate::publish) zone: Arc<Zone>,
}

/// The value of a zone on its way into the database, and what there is beside it.
#[derive(Clone, Debug)]
pub(in crate::publish) struct RecordValue {
    pub(in crate::publish) octets: Vec<u8>,
    /// How many pieces were shown, and the octets of all of them.
    pub(in crate::publish) pieces: u32,
    pub(in crate::publish) piece_octets: u64,
}

/// The value of a zone, its records not yet made a zone.
#[derive(Clone, Debug)]
pub(in crate::publish) struct KeptRecord<'o> {
    pub(in crate::publish) header: Header,
    pub(in crate::publish) seen: Option<Seen>,
    /// How many pieces there are.
    pub(in crate::publish) pieces: u32,
    records: &'o [u8],
}

impl RecordWriter {
    /// Makes the octets of the version; shows each piece once, in order.
    pub(in crate::publish) fn write<E>(
        &self,
        mut show: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<RecordValue, E> {
        let (mut writer, mut pieces, mut piece_octets) = (PieceWriter::default(), 0_u32, 0_u64);
        let (mut shown, mut had_pieces) = (Ok(()), false);
        let mut hand_out = |piece: &[u8]| {
            if shown.is_ok() {
                shown = show(pieces, piece);
            }
            // There are fewer: no zone has so many octets.
            pieces = pieces.saturating_add(1);
            piece_octets += piece.len() as u64;
        };
        self.zone.for_each_record(|owner, record_type, ttl, rdata| {
            if writer.octets.len() > PIECE {
                hand_out(writer.close());
                writer.octets.clear();
                had_pieces = true;
            }
            writer.push(owner, record_type, ttl, rdata);
        });
        let last = writer.close();
        let is_inline = last.len() <= INLINE && !had_pieces;
        if !is_inline {
            hand_out(last);
        }
        shown?;
        let mut octets = vec![0; CHECK];
        self.header.write(&mut octets);
        push_maybe(&mut octets, self.seen.as_deref().filter(|seen| is_short(seen)), push_seen);
        octets.extend(pieces.to_be_bytes());
        if is_inline {
            octets.extend(last.get(CHECK..).unwrap_or_default());
        }
        seal(&mut octets);
        Ok(RecordValue { octets, pieces, piece_octets })
    }
}

/// A piece that is being filled; its room is used again for the next one.
#[derive(Debug, Default)]
struct PieceWriter {
    octets: Vec<u8>,
    count: u32,
}

impl PieceWriter {
    fn push(&mut self, owner: &[u8], record_type: RecordType, ttl: u32, rdata: &[u8]) {
        if self.octets.is_empty() {
            self.octets.resize(CHECK + 4, 0);
        }
        push_record(&mut self.octets, owner, record_type, ttl, rdata);
        self.count += 1;
    }

    /// The piece, with its count and its check.
    fn close(&mut self) -> &[u8] {
        if let Some(place) = self.octets.get_mut(CHECK..CHECK + 4) {
            place.copy_from_slice(&self.count.to_be_bytes());
        }
        seal(&mut self.octets);
        self.count = 0;
        &self.octets
    }
}

/// What would not fit is left out: then the files are read at the next start.
fn is_short(seen: &Seen) -> bool {
    let fits = |path: &PathBuf| path.as_os_str().len() <= usize::from(u16::MAX);
    seen.files.included.len() <= usize::from(u16::MAX)
        && seen.files.included.iter().all(|(path, _)| fits(path))
}

/// Puts the check in its place.
fn seal(value: &mut [u8]) {
    if let Some((check, rest)) = value.split_first_chunk_mut::<CHECK>() {
        *check = Sha256::digest(rest).into();
    }
}

/// What follows the check, if it is right.
fn sound(value: &[u8]) -> Option<&[u8]> {
    let (check, rest) = value.split_first_chunk::<CHECK>()?;
    (Digest::from(Sha256::digest(rest)) == *check).then_some(rest)
}

/// Reads the value of a zone; `None` if it is not sound.
pub(in crate::publish) fn read(value: &[u8]) -> Option<KeptRecord<'_>> {
    read_sound(sound(value)?)
}

/// Reads a value that [`read`] has read before.
pub(in crate::publish) fn read_again(value: &[u8]) -> Option<KeptRecord<'_>> {
    read_sound(value.get(CHECK..)?)
}

fn read_sound(octets: &[u8]) -> Option<KeptRecord<'_>> {
    let mut fields = Fields(octets);
    let header = Header::read(&mut fields)?;
    let seen = fields.maybe(|fields| read_seen(fields, &header))?;
    let pieces = fields.u32()?;
    Some(KeptRecord { header, seen, pieces, records: fields.0 })
}

impl KeptRecord<'_> {
    /// Its zone. `piece` gives the pieces, each of which is asked for once; `None` if something is not sound. And what a version
    /// like it would be refused for today.
    pub(in crate::publish) fn zone(
        &self,
        origin: &Name,
        mut piece: impl FnMut(u32) -> Option<Vec<u8>>,
    ) -> Result<(Zone, Option<String>), String> {
        let unsound = || "the records do not match their hash".to_owned();
        let (mut builder, mut refused) = (ZoneBuilder::of_kept(origin.clone()).in_order(), None);
        if self.pieces == 0 {
            builder.add(batch(self.records, origin, &mut refused).ok_or_else(unsound)?);
        }
        for number in 0..self.pieces {
            let octets = piece(number).ok_or_else(unsound)?;
            let records = sound(&octets).ok_or_else(unsound)?;
            builder.add(batch(records, origin, &mut refused).ok_or_else(unsound)?);
        }
        let zone = builder.finish().map_err(|faults| {
            faults.first().map_or_else(|| "it is no zone".to_owned(), ToString::to_string)
        })?;
        if zone.serial() != self.header.standing.serial {
            return Err("its SOA serial is not the one in its header".to_owned());
        }
        let is_tolerated = |warning: &&ZoneWarning| matches!(warning, ZoneWarning::RefusedToday { .. });
        let tolerated =
            refused.or_else(|| zone.warnings().iter().find(is_tolerated).map(ToString::to_string));
        Ok((zone, tolerated))
    }
}

/// The records as a batch; the first that could not come in a file today is told in `refused`.
fn batch(records: &[u8], origin: &Name, refused: &mut Option<String>) -> Option<RecordBatch> {
    let mut batch = RecordBatch::new(origin);
    let mut is_sound = true;
    let rest = each(records, |record| match parts(record) {
        Some((owner, record_type, ttl, rdata)) => {
            if refused.is_none() {
                *refused = check_rdata(record_type, rdata).err().map(|fault| fault.to_string());
            }
            batch.push(owner, record_type, ttl, rdata, Place::default());
        }
        None => is_sound = false,
    })?;
    (rest.is_empty() && is_sound).then_some(batch)
}

fn push_seen(out: &mut Vec<u8>, seen: &Seen) {
    push_time(out, seen.at);
    out.extend(seen.terms);
    push_maybe(out, seen.files.zone.as_ref(), push_fingerprint);
    // Not more, as `is_short` saw to.
    out.extend((seen.files.included.len() as u16).to_be_bytes());
    for (path, fingerprint) in &seen.files.included {
        push_short(out, path.as_os_str().as_bytes());
        push_maybe(out, fingerprint.as_ref(), push_fingerprint);
    }
}

fn read_seen(fields: &mut Fields<'_>, header: &Header) -> Option<Seen> {
    let (at, terms) = (fields.time()?, fields.digest()?);
    let zone = fields.maybe(read_fingerprint)?;
    let mut included = Vec::new();
    for _ in 0..fields.u16()? {
        let path = PathBuf::from(OsStr::from_bytes(fields.short()?));
        included.push((path, fields.maybe(read_fingerprint)?));
    }
    let path = match &header.provenance {
        Provenance::File { path, .. } => Some(path.clone()),
        Provenance::Transfer { .. } => None,
    };
    let files = Files { path, zone, included: included.into(), settled: Some(at) };
    Some(Seen { files, at, terms })
}

fn push_fingerprint(out: &mut Vec<u8>, fingerprint: &Fingerprint) {
    let Fingerprint { device, inode, born, size, modified, changed } = fingerprint;
    [device, inode, size].into_iter().for_each(|number| out.extend(number.to_be_bytes()));
    push_maybe(out, *born, push_time);
    let numbers = [modified.0, modified.1, changed.0, changed.1];
    numbers.into_iter().for_each(|number| out.extend(number.to_be_bytes()));
}

fn read_fingerprint(fields: &mut Fields<'_>) -> Option<Fingerprint> {
    let (device, inode, size) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let born = fields.maybe(Fields::time)?;
    let (modified, changed) = ((fields.i64()?, fields.i64()?), (fields.i64()?, fields.i64()?));
    Some(Fingerprint { device, inode, born, size, modified, changed })
}
