//! What can be wrong with a zone file, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::wire::{NameError, RecordType};
use crate::zone::{Place, ZoneFault, ZoneWarning};

use crate::zonefile::value_fault::ValueFault;

/// The most faults (and the most warnings) that one reading reports: enough to mend a file in one go, too few to
/// flood a log.
pub const MAX_FAULTS: usize = 100;

/// Octets of the file that a fault quotes; a hostile file must not write the log.
const SNIPPET_OCTETS: usize = 60;

/// One fault or warning with its place; displayed as a compiler does: `file:line:column: what is wrong`.
#[derive(Debug)]
pub struct Located {
    /// The file, as it was named by the caller or by `$INCLUDE`.
    pub file: PathBuf,
    /// Line, from 1; 0 for a fault of the file as a whole, which is displayed without line and column.
    pub line: u32,
    /// Column in octets, from 1; 0 for a fault of the file as a whole.
    pub column: u32,
    /// What is wrong.
    pub fault: FileFault,
}

impl fmt::Display for Located {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.fault) {
            // These name the file.
            (0, FileFault::Io { path, .. } | FileFault::NotAFile { path, .. }) if *path == self.file => {
                self.fault.fmt(formatter)
            }
            (0, _) => write!(formatter, "{}: {}", self.file.display(), self.fault),
            (line, _) => write!(formatter, "{}:{line}:{}: {}", self.file.display(), self.column, self.fault),
        }
    }
}

/// Why a zone file gave no zone: at least one fault. Displayed as one line: the first fault, and how many there are more.
#[derive(Debug)]
pub struct ReadError {
    /// The faults in the order they were found, at most [`MAX_FAULTS`]; reading stops at that number.
    pub faults: Vec<Located>,
    /// Faults that were found, too, and are not in `faults` any more.
    pub more: usize,
    /// The zone file and every file it includes, as far as they are known, those that could not be read among them:
    /// a watcher waits for a change of any of these.
    pub files: Vec<PathBuf>,
}

impl ReadError {
    /// Whether a fault is of a record, but does not say of which line.
    pub(super) fn lacks_lines(&self) -> bool {
        let is_of_record =
            |fault: &FileFault| matches!(fault, FileFault::Zone(fault) if fault.place().is_some());
        self.faults.iter().any(|located| located.line == 0 && is_of_record(&located.fault))
    }

    /// Whether the reading ended at a file that may not be included.
    pub fn is_of_gate(&self) -> bool {
        self.faults.iter().any(|located| matches!(located.fault, FileFault::NotIncluded { .. }))
    }

    /// A fault of the zone file as a whole.
    pub fn of_file(path: &Path, fault: FileFault) -> Self {
        let faults = vec![Located { file: path.into(), line: 0, column: 0, fault }];
        Self { faults, more: 0, files: vec![path.into()] }
    }

    /// The same with the first fault and the number of the others: a hundred faults of each of a hundred thousand zones are
    /// too many to keep.
    pub fn first(mut self) -> Self {
        self.more += self.faults.len().saturating_sub(1);
        self.faults.truncate(1);
        self.faults.shrink_to_fit();
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.faults.first() {
            first.fmt(formatter)?;
        }
        let more = self.more + self.faults.len().saturating_sub(1);
        match more {
            0 => Ok(()),
            1 => write!(formatter, "; and 1 more fault"),
            _ if more + 1 >= MAX_FAULTS => {
                write!(formatter, "; and {more} more faults, where reading stopped")
            }
            _ => write!(formatter, "; and {more} more faults"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.faults.first().map(|located| &located.fault as &(dyn std::error::Error + 'static))
    }
}

/// A fault and its place, before the place's file number is turned into a path.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) place: Place,
    pub(super) fault: FileFault,
}

/// Some octets of the file, shortened and made printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet(Box<str>);

impl Snippet {
    /// Quotes the beginning of `octets`.
    pub fn new(octets: &[u8]) -> Self {
        let (shown, dots) = match octets.get(..SNIPPET_OCTETS) {
            Some(beginning) if octets.len() > SNIPPET_OCTETS => (beginning, "..."),
            _ => (octets, ""),
        };
        let mut text = String::with_capacity(shown.len() + 3);
        for &octet in shown {
            match octet {
                0x20..=0x7e => text.push(char::from(octet)),
                _ => text.push_str(&format!("\\{octet:03}")),
            }
        }
        text.push_str(dots);
        Self(text.into())
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Directories that includes may come from; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(pub Vec<PathBuf>);

impl fmt::Display for Roots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut roots = self.0.iter();
        let here = Path::new(".");
        let first = roots.next().map_or(here, |root| if root.as_os_str().is_empty() { here } else { root });
        write!(formatter, "{}", first.display())?;
        match roots.filter(|root| *root != first).count() {
            0 => Ok(()),
            others => write!(formatter, " and outside {others} more directories that includes may come from"),
        }
    }
}

/// What is wrong (or, among warnings, odd), and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// A word that does not fit its field.
    #[error("found `{found}`, expected {expected}")]
    Unexpected {
        /// The word.
        found: Snippet,
        /// What the field takes.
        expected: &'static str,
    },
    /// The entry ends too early; the place is its end.
    #[error("the entry ends here, expected {expected}")]
    Missing {
        /// What the next field takes.
        expected: &'static str,
    },
    /// More words than the entry has fields.
    #[error("found `{found}` after the last field, expected the end of the line")]
    Trailing {
        /// The first word too many.
        found: Snippet,
    },
    /// No domain name (RFC 1035 section 5.1).
    #[error("`{found}` is no domain name: {error}")]
    Name {
        /// The text.
        found: Snippet,
        /// Why.
        error: NameError,
    },
    /// A record type that is not in the registry.
    #[error("found `{found}`, expected a TTL, the class IN or a record type such as A, TXT or TYPE65280")]
    UnknownType {
        /// The text.
        found: Snippet,
    },
    /// A class other than IN.
    #[error("the class is {found}, expected IN: no other class is served")]
    Class {
        /// The class.
        found: Snippet,
    },
    /// A question or meta type (RFC 6895 section 3.1).
    #[error("{record_type} is a question or meta type, expected the type of a record")]
    MetaType {
        /// The type.
        record_type: RecordType,
    },
    /// A type whose RDATA can only be given as RFC 3597 has it.
    #[error("{record_type} has no presentation format here, expected `\\# length hex` (RFC 3597)")]
    NoPresentation {
        /// The type.
        record_type: RecordType,
    },
    /// The first entry begins with a blank.
    #[error(
        "the line begins with a blank, but there is no owner before it to inherit; expected an owner name"
    )]
    NoOwner,
    /// No TTL by any rule.
    #[error("no TTL, and no $TTL or record with a TTL before it; expected a TTL or a $TTL line above")]
    NoTtl,
    /// More RDATA than a record can hold.
    #[error("the RDATA is {octets} octets long, expected at most 65535")]
    RdataTooLong {
        /// Its length.
        octets: usize,
    },
    /// RFC 3597 section 5: the length and the digits differ.
    #[error("the RDATA is said to be {said} octets long and is {found}; expected the same number")]
    GenericLength {
        /// The number after `\#`.
        said: u16,
        /// The octets that follow.
        found: usize,
    },
    /// RFC 3597 octets that are no RDATA of the (known) type.
    #[error("these octets are no RDATA of type {record_type}, expected the layout of that type")]
    GenericLayout {
        /// The type.
        record_type: RecordType,
    },
    /// RDATA whose fields contradict each other, in either form.
    #[error("the {record_type} record has {problem}")]
    Value {
        /// The type.
        record_type: RecordType,
        /// What is wrong.
        problem: ValueFault,
    },
    /// End of file inside parentheses; the place is the outermost open one.
    #[error("this parenthesis is not closed, expected `)` within {limit} octets and before the file ends")]
    UnclosedParenthesis {
        /// The most octets one entry may take.
        limit: usize,
    },
    /// A `)` too many.
    #[error("found `)` without a `(` before it")]
    UnmatchedParenthesis,
    /// Nested parentheses beyond the bound.
    #[error("parentheses are nested deeper than {limit}, expected one pair")]
    NestedTooDeep {
        /// The bound.
        limit: u32,
    },
    /// A quoted string that goes past its line; the place is the opening quote.
    #[error(
        "the quoted string that begins in line {line} is not closed there, expected `\"` before the end of that line"
    )]
    UnclosedQuote {
        /// The line of the opening quote, from 1.
        line: u32,
    },
    /// A quote inside a word.
    #[error("found `\"` inside a word, expected a blank before it, or `\\\"` for the character itself")]
    QuoteInside,
    /// Text right after a quoted string.
    #[error("found text right after a quoted string, expected a blank between them")]
    AfterQuote,
    /// A NUL octet: a file with holes, or no text.
    #[error("found a NUL octet, expected text: the file may have been cut or is binary")]
    NulOctet,
    /// A carriage return alone.
    #[error("found a carriage return without a line feed, expected LF or CRLF line ends")]
    LoneCarriageReturn,
    /// A backslash at the end of a line.
    #[error("found `\\` at the end of the line, expected three digits or a character after it")]
    BackslashAtEnd,
    /// One line or parenthesised entry beyond the bound.
    #[error("the entry is longer than {limit} octets, expected less: RDATA ends at 65535 octets")]
    EntryTooLong {
        /// The bound.
        limit: usize,
    },
    /// UTF-16, by its byte order mark.
    #[error("the file is UTF-16 text, expected ASCII or UTF-8")]
    Utf16,
    /// A `$` word that is no directive.
    #[error("found `{found}`, expected $ORIGIN, $TTL, $INCLUDE or $GENERATE")]
    UnknownDirective {
        /// The word.
        found: Snippet,
    },
    /// A file that includes itself, straight or in a circle.
    #[error("{path} is already being read: an include cycle, expected a file that is not above this one")]
    IncludeCycle {
        /// The file.
        path: PathBuf,
    },
    /// Includes nested beyond the bound.
    #[error("includes are nested deeper than {limit}, expected less")]
    IncludeDepth {
        /// The bound.
        limit: usize,
    },
    /// More `$INCLUDE` lines than the bound.
    #[error("more than {limit} files are included, expected less")]
    IncludeCount {
        /// The bound.
        limit: usize,
    },
    /// An include outside the directories that includes may come from.
    #[error(
        "{path} is outside {roots}, expected a file below it (the key zones.include-roots allows more directories)"
    )]
    IncludeOutside {
        /// The file.
        path: PathBuf,
        /// The directories; the first is that of the zone file.
        roots: Roots,
    },
    /// An include that the caller forbids ([`IncludeGate`](crate::zonefile::include_gate::IncludeGate)).
    #[error("{path} may not be asked for now")]
    NotIncluded {
        /// The file.
        path: PathBuf,
    },
    /// A `$GENERATE` of too many records, refused before it is expanded.
    #[error("$GENERATE would make {count} records, expected at most {limit} from all such lines of the zone")]
    GenerateCount {
        /// How many.
        count: u64,
        /// The bound.
        limit: u64,
    },
    /// A file that cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else than a file.
    #[error("{path} is {kind}, expected a regular file")]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// A zone whose files are too large together.
    #[error("{path} makes the zone's files larger than {limit} octets, expected less")]
    TooLarge {
        /// The file that crossed the bound.
        path: PathBuf,
        /// The bound.
        limit: u64,
    },
    /// A zone of too many records.
    #[error("the zone has more than {limit} records, expected less")]
    TooManyRecords {
        /// The bound.
        limit: u64,
    },
    /// Records that are no zone together.
    #[error(transparent)]
    Zone(ZoneFault),
    /// Warning: records that are a zone together, but rarely should be.
    #[error(transparent)]
    ZoneWarning(ZoneWarning),
    /// Warning: a UTF-8 byte order mark was skipped.
    #[error("the file begins with a byte order mark; it was skipped, expected none")]
    ByteOrderMark,
    /// Warning: the SOA's last field stood in for the TTL (RFC 1035 section 5.2, before RFC 2308).
    #[error("no TTL for the SOA record, its last field was taken; expected a $TTL line above")]
    SoaTtl,
    /// Warning: service parameters in AliasMode (RFC 9460 section 2.4.2): SHOULD NOT be there, and BIND, Knot and NSD take them.
    #[error("the {record_type} record has priority 0 (AliasMode) and parameters; every client ignores them")]
    AliasParameters {
        /// SVCB or HTTPS.
        record_type: RecordType,
    },
    /// Warning: a relative name that repeats the origin.
    #[error("`{found}` becomes {name}; expected a dot at its end if the origin is not to be added")]
    MissingDot {
        /// The text.
        found: Snippet,
        /// What it means as written.
        name: Snippet,
    },
}

impl FileFault {
    /// Whether RDATA has the layout of its type, and only what it says can never be right: other servers serve it.
    pub fn is_of_value(&self) -> bool {
        matches!(self, Self::Value { .. })
    }
}
