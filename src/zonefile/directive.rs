//! `$ORIGIN`, `$TTL`, `$INCLUDE` and `$GENERATE`.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::wire::Name;
use crate::zone::Place;

use crate::zonefile::fault::{FileFault, Flaw, Roots, Snippet};
use crate::zonefile::fields::{Fields, unescape};
use crate::zonefile::generate::Generate;
use crate::zonefile::include_gate::IncludeGate;
use crate::zonefile::lexer::{Entry, Lexer, Token};
use crate::zonefile::number;
use crate::zonefile::open::{id, look_and_open, read_whole};
use crate::zonefile::reader::{Reader, Scope};

/// How deep includes may nest: people use two levels; each level keeps its file in memory.
const MAX_INCLUDE_DEPTH: usize = 8;

/// How many `$INCLUDE` lines one zone may have, repeated ones counted: opening each costs far more than its line.
const MAX_INCLUDES: usize = 1_000;

impl Reader<'_> {
    /// Obeys a line that begins with `$`.
    pub(super) fn directive(
        &mut self,
        word: &Token<'_>,
        entry: &Entry<'_>,
        scope: &mut Scope,
    ) -> Result<(), Flaw> {
        let is = |directive: &str| word.text.eq_ignore_ascii_case(directive.as_bytes());
        match () {
            () if is("$ORIGIN") => {
                let origin = origin(entry, &scope.origin);
                self.lost |= origin.is_err();
                scope.origin = origin?;
                Ok(())
            }
            () if is("$TTL") => {
                let ttl = default_ttl(entry, &scope.origin);
                self.default_ttl = Some(*ttl.as_ref().unwrap_or(&0));
                ttl.map(|_| ())
            }
            () if is("$INCLUDE") => self.include(entry, scope),
            () if is("$GENERATE") => self.generate(entry, scope),
            () => Err(Flaw {
                place: word.place,
                fault: FileFault::UnknownDirective { found: Snippet::new(word.text) },
            }),
        }
    }

    /// `$INCLUDE file [origin]` (RFC 1035 section 5.1): afterwards origin and owner are as before.
    fn include(&mut self, entry: &Entry<'_>, scope: &Scope) -> Result<(), Flaw> {
        let mut fields = Fields::new(entry, &scope.origin);
        fields.any("$INCLUDE")?;
        let mut file = Vec::new();
        let token = fields.any("the name of a file")?;
        if token.text.is_empty() || unescape(token.text, &mut file).is_none() {
            return Err(token.unexpected("the name of a file"));
        }
        let mut inner = scope.clone();
        if fields.peek().is_some() {
            inner.origin = name(&mut fields)?;
        }
        fields.finish()?;
        let flaw = |fault| Flaw { place: token.place, fault };
        self.includes += 1;
        if self.is_piece() {
            // It is left to whoever reads the whole file.
            self.lost = true;
            return Ok(());
        }
        if self.includes > MAX_INCLUDES {
            self.lost = true;
            return Err(flaw(FileFault::IncludeCount { limit: MAX_INCLUDES }));
        }
        if self.open.len() > MAX_INCLUDE_DEPTH {
            return Err(flaw(FileFault::IncludeDepth { limit: MAX_INCLUDE_DEPTH }));
        }
        let path = self.include_path(token.place, Path::new(OsStr::from_bytes(&file))).map_err(flaw)?;
        if self.gate.is_some_and(|IncludeGate(may_include)| !may_include(&path)) {
            self.lost = true;
            return Err(flaw(FileFault::NotIncluded { path }));
        }
        self.file(&path, &mut inner).map_err(flaw)
    }

    /// A relative path counts from the directory of the file with the `$INCLUDE`. The result must lie below one of the
    /// roots: whoever may write a zone must not learn other files through what faults quote of them. The check is of
    /// the path as written; a symbolic link is the doing of whoever owns the directory, and is followed.
    fn include_path(&self, place: Place, file: &Path) -> Result<PathBuf, FileFault> {
        let from =
            self.files.get(place.file as usize).and_then(|path| path.parent()).unwrap_or(Path::new(""));
        let path = normalized(&from.join(file));
        if self.roots.iter().any(|root| is_below(&path, root)) {
            return Ok(path);
        }
        Err(FileFault::IncludeOutside { path, roots: Roots(self.roots.clone()) })
    }

    /// Reads an included file.
    fn file(&mut self, path: &Path, scope: &mut Scope) -> Result<(), FileFault> {
        let number = self.file_number(path);
        let (mut file, facts) = look_and_open(path)?;
        self.open_file(&mut file, &facts, number, scope)
    }

    /// Reads the zone file itself, or an included one, which is open.
    pub(super) fn open_file(
        &mut self,
        file: &mut File,
        facts: &Metadata,
        number: u32,
        scope: &mut Scope,
    ) -> Result<(), FileFault> {
        let path = self.files.get(number as usize).cloned().unwrap_or_default();
        let left = self.limits.octets.saturating_sub(self.octets);
        let octets = read_whole(file, facts, &path, left, self.limits.octets)?;
        if self.open.is_empty() {
            self.file_digest = Some(Sha256::digest(&octets).into());
        }
        let id = id(facts);
        if self.open.contains(&id) {
            return Err(FileFault::IncludeCycle { path });
        }
        self.octets += octets.len() as u64;
        self.expect_text(octets.len());
        if octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") {
            return Err(FileFault::Utf16);
        }
        // Editors on Windows write it without being asked; it can mean nothing else.
        let text = octets.strip_prefix(b"\xef\xbb\xbf");
        if text.is_some() {
            self.warn(Flaw {
                place: Place { file: number, line: 1, column: 1 },
                fault: FileFault::ByteOrderMark,
            });
        }
        self.open.push(id);
        self.entries(&mut Lexer::new(text.unwrap_or(&octets), number), scope);
        self.open.pop();
        Ok(())
    }

    /// Stops at the first fault, because the others would be the same; the owner to inherit stays as it was.
    fn generate(&mut self, entry: &Entry<'_>, scope: &Scope) -> Result<(), Flaw> {
        let generate = Generate::new(entry, self.limits.generate, self.generated)?;
        self.generated += generate.count();
        let place = entry.tokens.first().map_or(entry.end, |token| token.place);
        let mut scope = scope.clone();
        let mut line = Vec::new();
        for value in generate.values() {
            generate.expand(value, &mut line)?;
            let mut record = Entry::default();
            Lexer::for_generated(&line, place).next_entry(&mut record)?;
            self.record(&record, &mut scope)?;
        }
        Ok(())
    }
}

/// Whether a normalized path is in or below a normalized directory.
fn is_below(path: &Path, root: &Path) -> bool {
    match path.strip_prefix(root) {
        Ok(below) if !below.components().any(|part| part == Component::ParentDir) => {
            root != Path::new("") || path.is_relative()
        }
        _ => false,
    }
}

/// The name of an `$ORIGIN` line; `before` is the origin so far.
pub(super) fn origin(entry: &Entry<'_>, before: &Name) -> Result<Name, Flaw> {
    let mut fields = Fields::new(entry, before);
    fields.any("$ORIGIN")?;
    let origin = name(&mut fields)?;
    fields.finish()?;
    Ok(origin)
}

/// The TTL of a `$TTL` line.
pub(super) fn default_ttl(entry: &Entry<'_>, origin: &Name) -> Result<u32, Flaw> {
    let mut fields = Fields::new(entry, origin);
    fields.any("$TTL")?;
    let ttl = fields.parsed("a TTL from 0 to 2147483647 seconds, units allowed as in 1h30m", number::ttl)?;
    fields.finish()?;
    Ok(ttl)
}

fn name(fields: &mut Fields<'_, '_>) -> Result<Name, Flaw> {
    let token = fields.bare("a domain name")?;
    Name::from_text(token.text, fields.origin).map_err(|error| Flaw {
        place: token.place,
        fault: FileFault::Name { found: Snippet::new(token.text), error },
    })
}

/// The path without `.` and with each `..` taken back one step, by its text alone.
pub(super) fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::with_capacity(path.as_os_str().len());
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
