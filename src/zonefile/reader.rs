//! Entries in, records out: owners, TTLs and classes that are inherited, and where files and faults are kept.
//!
//! Goes on after a fault to find the next ones, but only where what follows still means something: a record whose
//! owner is inherited from a faulty line is passed over, and a faulty `$ORIGIN` ends the reading.

use std::path::{Path, PathBuf};

use crate::wire::{CLASS_IN, Name, RecordType};
use crate::zone::{Place, RecordBatch, ServedVersion};

use crate::zonefile::fault::{FileFault, Flaw, Located, MAX_FAULTS, Snippet};
use crate::zonefile::fields::Fields;
use crate::zonefile::include_gate::IncludeGate;
use crate::zonefile::lexer::{Entry, Lexer, Token};
use crate::zonefile::limits::Limits;
use crate::zonefile::number;
use crate::zonefile::open::FileId;
use crate::zonefile::rdata;

const TTL: &str = "a TTL from 0 to 2147483647 seconds, units allowed as in 1h30m";
const TTL_CLASS_TYPE: &str = "a TTL, the class IN or a record type";

/// Room for an owner, for RDATA and for the words of a line as most have them: it is not made bit by bit for each small zone.
const NAME_ROOM: usize = 64;
const RDATA_ROOM: usize = 128;
const TOKENS: usize = 16;

/// The state of one reading.
pub(super) struct Reader<'l> {
    pub(super) limits: &'l Limits,
    /// Includes must lie in or below one of them; the first is the directory of the zone file.
    pub(super) roots: Vec<PathBuf>,
    origin: Name,
    /// Batches that are full, and the one that is being filled.
    full: Vec<RecordBatch>,
    batch: RecordBatch,
    /// The served version, if batches are to keep only what differs from it.
    pub(super) standing: Option<ServedVersion>,
    /// What is read was accepted before, so that values are not judged again.
    pub(super) is_kept: bool,
    /// The first fault that was passed over for that.
    tolerated: Option<Flaw>,
    /// [`Place::file`] counts in here.
    pub(super) files: Vec<PathBuf>,
    /// SHA-256 over the octets of the zone file, once it was read.
    pub(super) file_digest: Option<[u8; 32]>,
    /// The files that are being read, the innermost last.
    pub(super) open: Vec<FileId>,
    /// Says which files may be included.
    pub(super) gate: Option<IncludeGate<'l>>,
    /// Octets of all files so far.
    pub(super) octets: u64,
    /// `$INCLUDE` lines so far.
    pub(super) includes: usize,
    /// Records of `$GENERATE` lines so far.
    pub(super) generated: u64,
    faults: Vec<Flaw>,
    warnings: Vec<Flaw>,
    records: u64,
    /// From `$TTL` (RFC 2308 section 4).
    pub(super) default_ttl: Option<u32>,
    /// The last TTL that a record gave (RFC 1035 section 5.1).
    last_ttl: Option<u32>,
    /// What is read.
    part: Part,
    /// Nothing that follows can be understood.
    pub(super) lost: bool,
    scratch: Vec<u8>,
}

/// Records of a batch: few enough that sorting stays in the cache, many enough that merging batches is little work.
const BATCH_RECORDS: usize = 100_000;

/// How much of a file one reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// Its first piece.
    First,
    /// Another piece: of what stands before it only the origin and the default TTL are known.
    Later,
}

/// What an include does not change for the file around it.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) origin: Name,
    owner: Owner,
    /// In wire form, if `owner` is known; kept beside it, so that it is allocated once.
    name: Vec<u8>,
}

/// The owner that a line with a leading blank inherits.
#[derive(Clone, Copy, Debug)]
enum Owner {
    /// There was no record yet.
    None,
    /// The one of the last record.
    Known,
    /// The last record's owner was faulty.
    Faulty,
}

/// What one reading found.
pub(super) struct Found {
    pub(super) batches: Vec<RecordBatch>,
    /// What the batches were reduced by.
    pub(super) standing: Option<ServedVersion>,
    pub(super) files: Vec<PathBuf>,
    /// SHA-256 over the octets of the zone file, if it is the only one.
    pub(super) file_digest: Option<[u8; 32]>,
    pub(super) faults: Vec<Located>,
    pub(super) warnings: Vec<Located>,
    /// The first fault that was passed over, because the file was accepted before.
    pub(super) tolerated: Option<Located>,
}

/// What one piece of a file gave.
pub(super) struct Piece {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) records: u64,
    pub(super) generated: u64,
    pub(super) warnings: Vec<Flaw>,
    pub(super) tolerated: Option<Flaw>,
    /// What holds behind it.
    pub(super) context: Context,
}

/// What a record inherits from lines far before it.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) origin: Name,
    pub(super) default_ttl: Option<u32>,
}

impl Context {
    /// Whether both are the same, octet by octet.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.origin.as_wire() == other.origin.as_wire() && self.default_ttl == other.default_ttl
    }
}

impl Scope {
    /// The beginning of a file.
    pub(super) fn new(origin: &Name) -> Self {
        Self { origin: origin.clone(), owner: Owner::None, name: Vec::with_capacity(NAME_ROOM) }
    }
}

impl<'l> Reader<'l> {
    pub(super) fn new(origin: &Name, roots: Vec<PathBuf>, limits: &'l Limits) -> Self {
        Self {
            limits,
            roots,
            origin: origin.clone(),
            full: Vec::new(),
            batch: RecordBatch::new(origin),
            standing: None,
            is_kept: false,
            tolerated: None,
            files: Vec::new(),
            file_digest: None,
            open: Vec::new(),
            gate: None,
            octets: 0,
            includes: 0,
            generated: 0,
            faults: Vec::new(),
            warnings: Vec::new(),
            records: 0,
            default_ttl: None,
            last_ttl: None,
            part: Part::Whole,
            lost: false,
            scratch: Vec::with_capacity(RDATA_ROOM),
        }
    }

    /// Makes room for the records of a file of so many octets.
    pub(super) fn expect_text(&mut self, octets: usize) {
        self.batch.expect_text(octets);
    }

    /// Reads all entries of one file.
    pub(super) fn entries(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope) {
        let mut entry = Entry { tokens: Vec::with_capacity(TOKENS), ..Entry::default() };
        while !self.lost && self.faults.len() < MAX_FAULTS {
            let outcome = match lexer.next_entry(&mut entry) {
                Ok(false) => return,
                Ok(true) => self.entry(&entry, scope),
                Err(flaw) => {
                    scope.owner = Owner::Faulty;
                    Err(flaw)
                }
            };
            if let Err(flaw) = outcome {
                self.fault(flaw);
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, scope: &mut Scope) -> Result<(), Flaw> {
        match entry.tokens.first() {
            Some(first) if first.text.starts_with(b"$") => self.directive(first, entry, scope),
            _ => self.record(entry, scope),
        }
    }

    /// `[owner] [ttl] [class] type rdata`, TTL and class in either order (RFC 1035 section 5.1).
    pub(super) fn record(&mut self, entry: &Entry<'_>, scope: &mut Scope) -> Result<(), Flaw> {
        let Scope { origin, owner, name } = scope;
        let mut fields = Fields::new(entry, origin);
        let place = fields.peek().map_or(entry.end, |token| token.place);
        if !entry.leading_blank {
            *owner = Owner::Faulty;
            name.clear();
            fields.name("an owner name without quotes", name)?;
            *owner = Owner::Known;
        }
        match owner {
            Owner::None => return Err(Flaw { place, fault: FileFault::NoOwner }),
            Owner::Faulty => return Ok(()),
            Owner::Known => {}
        }
        let (said, record_type) = ttl_class_type(&mut fields)?;
        let mut rdata = std::mem::take(&mut self.scratch);
        rdata.clear();
        let mut again = self.is_kept.then(|| fields.kept());
        let read = match (rdata::read(record_type, &mut fields, &mut rdata), &mut again) {
            (Err(flaw), Some(again)) => {
                rdata.clear();
                let outcome = rdata::read_kept(record_type, again, &mut rdata);
                self.tolerated.get_or_insert(flaw);
                outcome
            }
            (read, _) => read,
        };
        let outcome = read.and_then(|()| {
            self.warn_of_missing_dot(&fields);
            self.warn_of_alias_parameters(record_type, &rdata, place);
            let ttl = self.ttl(said, record_type, &rdata, place)?;
            self.push(name, record_type, ttl, &rdata, place)
        });
        self.scratch = rdata;
        outcome
    }

    /// `www.example.org` under the origin `example.org.`: most often a forgotten dot.
    fn warn_of_missing_dot(&mut self, fields: &Fields<'_, '_>) {
        let Some(token) = fields.dotless else { return };
        let name =
            Name::from_text(token.text, fields.origin).map(|name| name.to_string()).unwrap_or_default();
        let fault =
            FileFault::MissingDot { found: Snippet::new(token.text), name: Snippet::new(name.as_bytes()) };
        self.warn(Flaw { place: token.place, fault });
    }

    fn warn_of_alias_parameters(&mut self, record_type: RecordType, rdata: &[u8], place: Place) {
        let has_mode = matches!(record_type, RecordType::SVCB | RecordType::HTTPS);
        if has_mode && rdata::is_alias_with_parameters(rdata) {
            self.warn(Flaw { place, fault: FileFault::AliasParameters { record_type } });
        }
    }

    /// The TTL as said, or by RFC 2308 section 4 the one of `$TTL`, or by RFC 1035 section 5.1 the last one said,
    /// or for the SOA its own last field, as all servers have it.
    fn ttl(
        &mut self,
        said: Option<u32>,
        record_type: RecordType,
        rdata: &[u8],
        place: Place,
    ) -> Result<u32, Flaw> {
        if let Some(ttl) = said {
            self.last_ttl = said;
            return Ok(ttl);
        }
        if let Some(ttl) = self.default_ttl.or(self.last_ttl) {
            return Ok(ttl);
        }
        if self.part == Part::Later {
            // It inherits from a piece before this one.
            self.lost = true;
            return Err(Flaw { place, fault: FileFault::NoTtl });
        }
        let minimum = rdata.last_chunk::<4>().map(|octets| u32::from_be_bytes(*octets));
        // So that the fault or the warning is given once.
        self.last_ttl = Some(0);
        match minimum.filter(|minimum| record_type == RecordType::SOA && *minimum <= i32::MAX as u32) {
            Some(minimum) => {
                self.last_ttl = Some(minimum);
                self.warn(Flaw { place, fault: FileFault::SoaTtl });
                Ok(minimum)
            }
            None => Err(Flaw { place, fault: FileFault::NoTtl }),
        }
    }

    fn push(
        &mut self,
        owner: &[u8],
        record_type: RecordType,
        ttl: u32,
        rdata: &[u8],
        place: Place,
    ) -> Result<(), Flaw> {
        if self.records >= self.limits.records {
            self.lost = true;
            return Err(Flaw { place, fault: FileFault::TooManyRecords { limit: self.limits.records } });
        }
        self.records += 1;
        if self.batch.record_count() >= BATCH_RECORDS {
            self.close_batch();
        }
        self.batch.push(owner, record_type, ttl, rdata, place);
        Ok(())
    }

    fn close_batch(&mut self) {
        let mut batch = std::mem::replace(&mut self.batch, RecordBatch::new(&self.origin));
        match &self.standing {
            Some(standing) => batch = standing.reduce(batch),
            None => batch.sort(),
        }
        self.full.push(batch);
    }

    /// Keeps a fault, up to the bound.
    pub(super) fn fault(&mut self, flaw: Flaw) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(flaw);
        }
    }

    /// Keeps a warning, up to the bound.
    pub(super) fn warn(&mut self, flaw: Flaw) {
        if self.warnings.len() < MAX_FAULTS {
            self.warnings.push(flaw);
        }
    }

    /// The number of a file in [`Place::file`]; a path that was read before keeps its number.
    pub(super) fn file_number(&mut self, path: &Path) -> u32 {
        let known = self.files.iter().position(|file| file == path);
        let number = known.unwrap_or_else(|| {
            self.files.push(path.into());
            self.files.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Reads a piece of a file, all of it but for the first with nothing before it that it needs; `None` if there is
    /// a fault in it, or something that needs the pieces before it: then the file must be read from its beginning.
    pub(super) fn piece(mut self, lexer: &mut Lexer<'_>, context: Context, is_first: bool) -> Option<Piece> {
        self.part = if is_first { Part::First } else { Part::Later };
        self.default_ttl = context.default_ttl;
        let mut scope = Scope::new(&context.origin);
        self.entries(lexer, &mut scope);
        if self.lost || !self.faults.is_empty() || self.includes > 0 {
            return None;
        }
        self.close_batch();
        Some(Piece {
            batches: self.full,
            records: self.records,
            generated: self.generated,
            warnings: self.warnings,
            tolerated: self.tolerated,
            context: Context { origin: scope.origin, default_ttl: self.default_ttl },
        })
    }

    /// Whether only a piece of a file is read.
    pub(super) fn is_piece(&self) -> bool {
        self.part != Part::Whole
    }

    /// Takes in a piece that was read elsewhere; its records and its warnings follow those so far.
    pub(super) fn take(&mut self, piece: Piece) {
        self.records += piece.records;
        self.generated += piece.generated;
        self.full.extend(piece.batches);
        self.tolerated = self.tolerated.take().or(piece.tolerated);
        piece.warnings.into_iter().for_each(|flaw| self.warn(flaw));
    }

    /// Ends the reading.
    pub(super) fn finish(mut self) -> Found {
        self.close_batch();
        let faults = located(self.faults, &self.files);
        let warnings = located(self.warnings, &self.files);
        let tolerated = located(self.tolerated.into_iter().collect(), &self.files).into_iter().next();
        let file_digest = self.file_digest.filter(|_| self.includes == 0);
        Found {
            batches: self.full,
            standing: self.standing,
            files: self.files,
            file_digest,
            faults,
            warnings,
            tolerated,
        }
    }
}

/// Turns file numbers into paths.
pub(super) fn located(flaws: Vec<Flaw>, files: &[PathBuf]) -> Vec<Located> {
    let locate = |Flaw { place, fault }| Located {
        file: files.get(place.file as usize).cloned().unwrap_or_default(),
        line: place.line,
        column: place.column,
        fault,
    };
    flaws.into_iter().map(locate).collect()
}

/// A TTL that is said, and the type. No type begins with a digit, every TTL does.
fn ttl_class_type(fields: &mut Fields<'_, '_>) -> Result<(Option<u32>, RecordType), Flaw> {
    let mut ttl = None;
    let mut class = false;
    loop {
        let token = fields.bare(TTL_CLASS_TYPE)?;
        if ttl.is_none() && token.text.first().is_some_and(u8::is_ascii_digit) {
            ttl = Some(number::ttl(token.text).ok_or_else(|| token.unexpected(TTL))?);
        } else if !class && is_class(token)? {
            class = true;
        } else {
            return Ok((ttl, record_type(token)?));
        }
    }
}

fn record_type(token: &Token<'_>) -> Result<RecordType, Flaw> {
    let flaw = |fault| Flaw { place: token.place, fault };
    let record_type = rdata::record_type(token.text)
        .ok_or_else(|| flaw(FileFault::UnknownType { found: Snippet::new(token.text) }))?;
    if record_type.is_meta() {
        return Err(flaw(FileFault::MetaType { record_type }));
    }
    Ok(record_type)
}

/// Whether the word is the class IN; another class is a fault.
fn is_class(token: &Token<'_>) -> Result<bool, Flaw> {
    let word = token.text;
    let is = |class: &str| word.eq_ignore_ascii_case(class.as_bytes());
    if is("IN") {
        return Ok(true);
    }
    let numbered = word.split_at_checked(5).filter(|(class, _)| class.eq_ignore_ascii_case(b"CLASS"));
    let numbered = numbered.and_then(|(_, number)| number::decimal(number, 65_535));
    if numbered == Some(CLASS_IN.into()) {
        return Ok(true);
    }
    if is("CH") || is("HS") || is("CS") || is("CHAOS") || is("HESIOD") || numbered.is_some() {
        return Err(Flaw { place: token.place, fault: FileFault::Class { found: Snippet::new(word) } });
    }
    Ok(false)
}
