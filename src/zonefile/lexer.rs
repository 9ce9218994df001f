//! Octets in, entries of words out (RFC 1035 section 5.1): blanks, comments, quotes, parentheses, line ends.
//!
//! Borrows from the input; allocates only the one reused list of tokens. Escapes stay in the words, because only the
//! field that a word is for knows what they mean.

use crate::zone::Place;

use crate::zonefile::fault::{FileFault, Flaw};

/// The most octets of one entry with its comments: 65,535 octets of RDATA written as `\DDD` each, and as much again
/// for lines, blanks and comments.
pub(super) const MAX_ENTRY_OCTETS: usize = 512 * 1024;

/// The most lines that a string is thought to go on for, once it is not closed in its line; keys and signatures that were
/// pasted have some ten.
const MAX_STRING_LINES: usize = 32;

/// The deepest nesting of parentheses. RFC 1035 does not nest them at all; BIND does, so files may.
const MAX_PARENTHESES: u32 = 16;

/// How a word was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Without quotes.
    Bare,
    /// In quotes, which are not part of the text.
    Quoted,
    /// `key="value"`, quotes included in the text (RFC 9460 section 2.1).
    Pair,
}

/// One word of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a [u8],
    pub(super) quoting: Quoting,
    pub(super) place: Place,
}

/// One entry: a record or a directive, on one line or on several in parentheses.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    /// Whether the line begins with a blank, so that the owner is the one before.
    pub(super) leading_blank: bool,
    /// Right after the last word.
    pub(super) end: Place,
}

/// Cuts a file into entries.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    position: usize,
    line: u32,
    line_start: usize,
    file: u32,
    /// Where every word is said to stand, for text that `$GENERATE` made.
    fixed: Option<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Ordinary,
    Blank,
    LineFeed,
    CarriageReturn,
    Semicolon,
    Open,
    Close,
    Quote,
    Backslash,
    Nul,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Ordinary; 256];
    classes[0] = Class::Nul;
    classes[b' ' as usize] = Class::Blank;
    classes[b'\t' as usize] = Class::Blank;
    classes[0x0b] = Class::Blank;
    classes[0x0c] = Class::Blank;
    classes[b'\n' as usize] = Class::LineFeed;
    classes[b'\r' as usize] = Class::CarriageReturn;
    classes[b';' as usize] = Class::Semicolon;
    classes[b'(' as usize] = Class::Open;
    classes[b')' as usize] = Class::Close;
    classes[b'"' as usize] = Class::Quote;
    classes[b'\\' as usize] = Class::Backslash;
    classes
};

impl<'a> Lexer<'a> {
    /// Reads a file from its beginning.
    pub(super) fn new(input: &'a [u8], file: u32) -> Self {
        Self { input, position: 0, line: 1, line_start: 0, file, fixed: None }
    }

    /// Reads a piece of a file that begins with this line.
    pub(super) fn at_line(input: &'a [u8], file: u32, line: u32) -> Self {
        Self { line, ..Self::new(input, file) }
    }

    /// Reads text that stands nowhere in a file; its words get `place`.
    pub(super) fn for_generated(input: &'a [u8], place: Place) -> Self {
        Self { fixed: Some(place), ..Self::new(input, place.file) }
    }

    /// Puts the next entry that has words into `entry`; false at the end of the input. After an error the rest of
    /// the faulty entry is skipped, and the next call goes on behind it.
    pub(super) fn next_entry(&mut self, entry: &mut Entry<'a>) -> Result<bool, Flaw> {
        let mut open = Vec::new();
        let outcome = self.entry(entry, &mut open);
        if let Err(flaw) = &outcome {
            if matches!(flaw.fault, FileFault::UnclosedQuote { .. }) {
                self.skip_lines_of_string();
            }
            self.recover(!open.is_empty());
        }
        outcome
    }

    fn entry(&mut self, entry: &mut Entry<'a>, open: &mut Vec<Place>) -> Result<bool, Flaw> {
        entry.tokens.clear();
        entry.leading_blank = self.class() == Some(Class::Blank);
        let mut start = self.position;
        while let Some(class) = self.class() {
            if self.position - start > MAX_ENTRY_OCTETS {
                return Err(self.too_long(open));
            }
            match class {
                Class::Blank => self.position += 1,
                Class::Semicolon => self.skip_comment(),
                Class::LineFeed => {
                    self.next_line();
                    if open.is_empty() {
                        if !entry.tokens.is_empty() {
                            return Ok(true);
                        }
                        start = self.position;
                        entry.leading_blank = self.class() == Some(Class::Blank);
                    }
                }
                Class::CarriageReturn if self.input.get(self.position + 1) == Some(&b'\n') => {
                    self.position += 1
                }
                Class::CarriageReturn => return Err(self.flaw(FileFault::LoneCarriageReturn)),
                Class::Open => self.open_parenthesis(open)?,
                Class::Close => {
                    if open.pop().is_none() {
                        return Err(self.flaw(FileFault::UnmatchedParenthesis));
                    }
                    self.position += 1;
                }
                Class::Quote => entry.tokens.push(self.quoted()?),
                Class::Ordinary | Class::Backslash => entry.tokens.push(self.word()?),
                Class::Nul => return Err(self.flaw(FileFault::NulOctet)),
            }
            if matches!(class, Class::Quote | Class::Ordinary | Class::Backslash) {
                entry.end = self.here();
            }
        }
        match open.first() {
            Some(&place) => {
                Err(Flaw { place, fault: FileFault::UnclosedParenthesis { limit: MAX_ENTRY_OCTETS } })
            }
            None => Ok(!entry.tokens.is_empty()),
        }
    }

    /// A word without quotes, or with a quoted value behind `=`.
    fn word(&mut self) -> Result<Token<'a>, Flaw> {
        let place = self.here();
        let start = self.position;
        let mut quoting = Quoting::Bare;
        while let Some(class) = self.class() {
            match class {
                Class::Ordinary => self.skip_ordinary(),
                Class::Backslash => self.skip_escape()?,
                Class::Quote => {
                    if self.position == start || self.input.get(self.position - 1) != Some(&b'=') {
                        return Err(self.flaw(FileFault::QuoteInside));
                    }
                    self.skip_quoted()?;
                    quoting = Quoting::Pair;
                    break;
                }
                _ => break,
            }
        }
        Ok(Token { text: self.input.get(start..self.position).unwrap_or_default(), quoting, place })
    }

    fn quoted(&mut self) -> Result<Token<'a>, Flaw> {
        let place = self.here();
        let start = self.position + 1;
        self.skip_quoted()?;
        let text = self.input.get(start..self.position - 1).unwrap_or_default();
        Ok(Token { text, quoting: Quoting::Quoted, place })
    }

    /// From an opening quote to behind the closing one.
    fn skip_quoted(&mut self) -> Result<(), Flaw> {
        let place = self.here();
        self.position += 1;
        loop {
            match self.class() {
                None | Some(Class::LineFeed) => {
                    return Err(Flaw { place, fault: FileFault::UnclosedQuote { line: place.line } });
                }
                Some(Class::Quote) => break,
                Some(Class::Backslash) => self.skip_escape()?,
                Some(Class::Nul) => return Err(self.flaw(FileFault::NulOctet)),
                Some(_) => self.position += 1,
            }
        }
        self.position += 1;
        match self.class() {
            Some(Class::Ordinary | Class::Backslash) => Err(self.flaw(FileFault::AfterQuote)),
            _ => Ok(()),
        }
    }

    /// Behind what can only be part of a word; most octets of a zone file are passed here.
    fn skip_ordinary(&mut self) {
        let rest = self.input.get(self.position..).unwrap_or_default();
        let special = |octet: &u8| CLASSES[usize::from(*octet)] != Class::Ordinary;
        self.position += rest.iter().position(special).unwrap_or(rest.len());
    }

    fn skip_escape(&mut self) -> Result<(), Flaw> {
        match self.input.get(self.position + 1) {
            None | Some(b'\n' | b'\r') => Err(self.flaw(FileFault::BackslashAtEnd)),
            Some(0) => Err(self.flaw(FileFault::NulOctet)),
            Some(_) => {
                self.position += 2;
                Ok(())
            }
        }
    }

    fn open_parenthesis(&mut self, open: &mut Vec<Place>) -> Result<(), Flaw> {
        if open.len() >= MAX_PARENTHESES as usize {
            return Err(self.flaw(FileFault::NestedTooDeep { limit: MAX_PARENTHESES }));
        }
        open.push(self.here());
        self.position += 1;
        Ok(())
    }

    /// To the end of the line; a NUL in a comment is passed over, because nothing reads it.
    fn skip_comment(&mut self) {
        let rest = self.input.get(self.position..).unwrap_or_default();
        self.position += rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len());
    }

    fn next_line(&mut self) {
        self.position += 1;
        self.line = self.line.saturating_add(1);
        self.line_start = self.position;
    }

    /// From the end of a line with an unclosed string to the line that closes it, so that this is one fault: the next line
    /// with quotes, if their number is odd. If it is even, or if there is none near, then a quote was forgotten, and the
    /// next line is one of its own.
    fn skip_lines_of_string(&mut self) {
        let (position, line, line_start) = (self.position, self.line, self.line_start);
        for _ in 0..MAX_STRING_LINES {
            if self.class() != Some(Class::LineFeed) {
                break;
            }
            self.next_line();
            match self.quotes_to_line_end() {
                0 => {}
                quotes if quotes % 2 == 1 => return,
                _ => break,
            }
        }
        (self.position, self.line, self.line_start) = (position, line, line_start);
    }

    /// Goes to the end of the line and counts the quotes on the way that no backslash stands before.
    fn quotes_to_line_end(&mut self) -> usize {
        let mut quotes = 0;
        while let Some(class) = self.class().filter(|class| *class != Class::LineFeed) {
            let escapes = class == Class::Backslash
                && !matches!(self.input.get(self.position + 1), None | Some(b'\n' | b'\r'));
            self.position += if escapes { 2 } else { 1 };
            quotes += usize::from(class == Class::Quote);
        }
        quotes
    }

    /// Goes behind the line of a fault; inside parentheses also behind the lines that seem to continue the entry:
    /// those that begin with a blank or a `)`.
    fn recover(&mut self, in_parentheses: bool) {
        loop {
            self.skip_comment();
            if self.position >= self.input.len() {
                return;
            }
            self.next_line();
            let continues = matches!(
                self.class(),
                Some(Class::Blank | Class::Close | Class::LineFeed | Class::Semicolon)
            );
            if !in_parentheses || !continues {
                return;
            }
        }
    }

    fn too_long(&mut self, open: &[Place]) -> Flaw {
        match open.first() {
            Some(&place) => Flaw { place, fault: FileFault::UnclosedParenthesis { limit: MAX_ENTRY_OCTETS } },
            None => self.flaw(FileFault::EntryTooLong { limit: MAX_ENTRY_OCTETS }),
        }
    }

    fn class(&self) -> Option<Class> {
        self.input.get(self.position).map(|&octet| CLASSES[usize::from(octet)])
    }

    fn flaw(&self, fault: FileFault) -> Flaw {
        Flaw { place: self.here(), fault }
    }

    fn here(&self) -> Place {
        let column = u32::try_from(self.position - self.line_start + 1).unwrap_or(u32::MAX);
        self.fixed.unwrap_or(Place { file: self.file, line: self.line, column })
    }
}
