//! Faults of a configuration file, each at its place.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::sources::Sources;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no text that could be read.
    #[error("{}: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is, and what it must be.
        reason: String,
    },
    /// The file does not tell the admin socket.
    #[error("{}: {reason}; name the socket of the running anyns with --socket, usually {}", path.display(), usual.display())]
    ControlSocket {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// Where the socket usually is.
        usual: PathBuf,
    },
    /// The file says something that is not allowed.
    #[error("{}", faults.iter().map(Located::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid {
        /// Every fault found, in the order of the file.
        faults: Vec<Located>,
    },
}

/// One fault or warning: the file, the line, the key, what is wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 where the fault belongs to no line (a missing section).
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key, such as `bgp.neighbor.address`.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Located {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.file.display())?;
        if self.line != 0 {
            write!(formatter, "{}:{}:", self.line, self.column)?;
        }
        if self.key.is_empty() {
            write!(formatter, " {}", self.message)
        } else {
            write!(formatter, " {}: {}", self.key, self.message)
        }
    }
}

/// A fault before its place is worked out.
#[derive(Debug)]
pub(super) struct Fault {
    /// Octets of the file it is about.
    pub(super) span: Option<Range<usize>>,
    /// The key.
    pub(super) key: String,
    /// What is wrong and what is allowed.
    pub(super) message: String,
}

/// Collects the faults and warnings of one file and of those that it includes.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    sources: &'a Sources,
    /// Each with the number of its file.
    errors: Vec<(usize, Located)>,
    warnings: Vec<Located>,
    is_here: bool,
}

impl<'a> Faults<'a> {
    /// `is_here`: the configuration is for this host.
    pub(super) fn new(sources: &'a Sources, is_here: bool) -> Self {
        Self { sources, errors: Vec::new(), warnings: Vec::new(), is_here }
    }

    /// Whether what this host has may be looked at.
    pub(super) fn is_here(&self) -> bool {
        self.is_here
    }

    /// The folder that relative paths in the files start from: that of the main one.
    pub(super) fn folder(&self) -> &'a Path {
        self.sources.main().parent().unwrap_or(Path::new(""))
    }

    /// Where the value of this key stands; see [`Sources::span_of`].
    pub(super) fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.sources.span_of(key)
    }

    /// Notes something that is not allowed, unless the same was noted of that place.
    pub(super) fn error_once(&mut self, span: Option<Range<usize>>, key: &str, message: String) {
        let located = self.locate(Fault { span, key: key.to_owned(), message });
        if !self.errors.contains(&located) {
            self.errors.push(located);
        }
    }

    /// Notes something that is not allowed.
    pub(super) fn error(&mut self, span: Option<Range<usize>>, key: &str, message: impl Into<String>) {
        let located = self.locate(Fault { span, key: key.to_owned(), message: message.into() });
        self.errors.push(located);
    }

    /// Notes something that is allowed and probably not meant.
    pub(super) fn warning(&mut self, span: Option<Range<usize>>, key: &str, message: impl Into<String>) {
        let (_, located) = self.locate(Fault { span, key: key.to_owned(), message: message.into() });
        self.warnings.push(located);
    }

    /// How many faults there are.
    pub(super) fn errors(&self) -> usize {
        self.errors.len()
    }

    /// Forgets those of the faults after the first `kept` whose key is one of these.
    pub(super) fn forget_from(&mut self, kept: usize, is_one: impl Fn(&str) -> bool) {
        let mut index = 0;
        self.errors.retain(|(_, fault)| {
            index += 1;
            index <= kept || !is_one(&fault.key)
        });
    }

    /// The warnings, or what is not allowed, in the order of the files.
    pub(super) fn finish(mut self) -> Result<Vec<Located>, ConfigError> {
        self.errors.sort_by_key(|(number, fault)| (*number, fault.line, fault.column));
        if self.errors.is_empty() {
            Ok(self.warnings)
        } else {
            Err(ConfigError::Invalid { faults: self.errors.into_iter().map(|(_, fault)| fault).collect() })
        }
    }

    /// The number of the file, and the fault with its place.
    fn locate(&self, fault: Fault) -> (usize, Located) {
        let (number, file, line, column) = match fault.span {
            None => (0, self.sources.main(), 0, 0),
            Some(span) => self.sources.place(span.start),
        };
        (number, Located { file: file.to_owned(), line, column, key: fault.key, message: fault.message })
    }
}
