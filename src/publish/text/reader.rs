//! Entries in, records out: owners, TTLs and classes that are inherited, and where files and faults are kept.
//!
//! Goes on after a fault to find the next ones, but only where what follows still means something: a record whose
//! owner is inherited from a faulty line is passed over, and a faulty `$ORIGIN` ends the reading.

use std::path::{Path, PathBuf};

use crate::wire::{Name, RecordType};
use crate::zone::{Place, Record, ZoneBuilder};

use super::Limits;
use super::fault::{Fault, Flaw, Located, MAX_FAULTS, Snippet};
use super::fields::Fields;
use super::lexer::{Entry, Lexer, Token};
use super::number;
use super::open::FileId;
use super::rdata;

const TTL: &str = "a TTL from 0 to 2147483647 seconds, units allowed as in 1h30m";
const TTL_CLASS_TYPE: &str = "a TTL, the class IN or a record type";

/// The state of one reading.
pub(super) struct Reader<'l> {
    pub(super) limits: &'l Limits,
    /// Includes must lie below it.
    pub(super) root: PathBuf,
    pub(super) builder: ZoneBuilder,
    /// [`Place::file`] counts in here.
    pub(super) files: Vec<PathBuf>,
    /// The files that are being read, the innermost last.
    pub(super) open: Vec<FileId>,
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
    /// Nothing that follows can be understood.
    pub(super) lost: bool,
    scratch: Vec<u8>,
}

/// What an include does not change for the file around it.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) origin: Name,
    pub(super) owner: Owner,
}

/// The owner that a line with a leading blank inherits.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// There was no record yet.
    None,
    /// The one of the last record.
    Known(Name),
    /// The last record's owner was faulty.
    Faulty,
}

impl<'l> Reader<'l> {
    pub(super) fn new(origin: &Name, root: PathBuf, limits: &'l Limits) -> Self {
        Self {
            limits,
            root,
            builder: ZoneBuilder::new(origin.clone()),
            files: Vec::new(),
            open: Vec::new(),
            octets: 0,
            includes: 0,
            generated: 0,
            faults: Vec::new(),
            warnings: Vec::new(),
            records: 0,
            default_ttl: None,
            last_ttl: None,
            lost: false,
            scratch: Vec::new(),
        }
    }

    /// Reads all entries of one file.
    pub(super) fn entries(&mut self, lexer: &mut Lexer<'_>, scope: &mut Scope) {
        let mut entry = Entry::default();
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
        let mut fields = Fields::new(entry, &scope.origin);
        let place = fields.peek().map_or(entry.end, |token| token.place);
        if !entry.leading_blank {
            scope.owner = Owner::Faulty;
            scope.owner = Owner::Known(self.owner(&mut fields)?);
        }
        let owner = match &scope.owner {
            Owner::None => return Err(Flaw { place, fault: Fault::NoOwner }),
            Owner::Faulty => return Ok(()),
            Owner::Known(owner) => owner.clone(),
        };
        let (said, record_type) = ttl_class_type(&mut fields)?;
        let mut rdata = std::mem::take(&mut self.scratch);
        rdata.clear();
        let outcome = rdata::read(record_type, &mut fields, &mut rdata).and_then(|()| {
            self.warn_of_missing_dot(&fields);
            let ttl = self.ttl(said, record_type, &rdata, place)?;
            self.push(Record { owner, record_type, ttl, rdata: rdata.as_slice().into() }, place)
        });
        self.scratch = rdata;
        outcome
    }

    fn owner(&mut self, fields: &mut Fields<'_, '_>) -> Result<Name, Flaw> {
        let place = fields.peek().map_or(fields.end(), |token| token.place);
        self.scratch.clear();
        fields.name("an owner name without quotes", &mut self.scratch)?;
        let name = Name::from_wire(&self.scratch).map_err(|error| Flaw {
            place,
            fault: Fault::Name { found: Snippet::new(&self.scratch), error },
        })?;
        Ok(name)
    }

    /// `www.example.org` under the origin `example.org.`: most often a forgotten dot.
    fn warn_of_missing_dot(&mut self, fields: &Fields<'_, '_>) {
        let Some(token) = fields.dotless else { return };
        let name =
            Name::from_text(token.text, fields.origin).map(|name| name.to_string()).unwrap_or_default();
        let fault =
            Fault::MissingDot { found: Snippet::new(token.text), name: Snippet::new(name.as_bytes()) };
        self.warn(Flaw { place: token.place, fault });
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
        let minimum = rdata.last_chunk::<4>().map(|octets| u32::from_be_bytes(*octets));
        // So that the fault or the warning is given once.
        self.last_ttl = Some(0);
        match minimum.filter(|minimum| record_type == RecordType::SOA && *minimum <= i32::MAX as u32) {
            Some(minimum) => {
                self.last_ttl = Some(minimum);
                self.warn(Flaw { place, fault: Fault::SoaTtl });
                Ok(minimum)
            }
            None => Err(Flaw { place, fault: Fault::NoTtl }),
        }
    }

    fn push(&mut self, record: Record, place: Place) -> Result<(), Flaw> {
        if self.records >= self.limits.records {
            self.lost = true;
            return Err(Flaw { place, fault: Fault::TooManyRecords { limit: self.limits.records } });
        }
        self.records += 1;
        self.builder.push(record, place);
        Ok(())
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

    /// Ends the reading: the records, the files, the faults and the warnings.
    pub(super) fn finish(self) -> (ZoneBuilder, Vec<PathBuf>, Vec<Located>, Vec<Located>) {
        let faults = located(self.faults, &self.files);
        let warnings = located(self.warnings, &self.files);
        (self.builder, self.files, faults, warnings)
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
        .ok_or_else(|| flaw(Fault::UnknownType { found: Snippet::new(token.text) }))?;
    if record_type.is_meta() {
        return Err(flaw(Fault::MetaType { record_type }));
    }
    Ok(record_type)
}

/// Whether the word is the class IN; another class is a fault.
fn is_class(token: &Token<'_>) -> Result<bool, Flaw> {
    let word = token.text;
    let is = |class: &str| word.eq_ignore_ascii_case(class.as_bytes());
    if is("IN") || is("CLASS1") {
        return Ok(true);
    }
    let numbered = word.split_at_checked(5).filter(|(class, _)| class.eq_ignore_ascii_case(b"CLASS"));
    let numbered = numbered.and_then(|(_, number)| number::decimal(number, 65_535));
    if is("CH") || is("HS") || is("CS") || is("CHAOS") || is("HESIOD") || numbered.is_some() {
        return Err(Flaw { place: token.place, fault: Fault::Class { found: Snippet::new(word) } });
    }
    Ok(false)
}
