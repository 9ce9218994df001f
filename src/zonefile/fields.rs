//! The words of one entry, taken one after the other, and the values that many types share.

use crate::wire::Name;
use crate::zone::Place;

use crate::zonefile::fault::{FileFault, Flaw, Snippet};
use crate::zonefile::lexer::{Entry, Quoting, Token};

/// What remains of an entry, with the origin that its relative names get.
#[derive(Clone, Copy)]
pub(super) struct Fields<'e, 'a> {
    tokens: &'e [Token<'a>],
    end: Place,
    pub(super) origin: &'e Name,
    /// The last name that looks as if its dot at the end was forgotten.
    pub(super) dotless: Option<&'e Token<'a>>,
    /// What is read was accepted before: values that are well-formed are not judged again.
    pub(super) is_kept: bool,
}

impl<'e, 'a> Fields<'e, 'a> {
    /// All words of the entry.
    pub(super) fn new(entry: &'e Entry<'a>, origin: &'e Name) -> Self {
        Self { tokens: &entry.tokens, end: entry.end, origin, dotless: None, is_kept: false }
    }

    /// The same words, of what was accepted before.
    pub(super) fn kept(&self) -> Self {
        Self { is_kept: true, ..*self }
    }

    /// The next word, not taken.
    pub(super) fn peek(&self) -> Option<&'e Token<'a>> {
        self.tokens.first()
    }

    /// Takes the next word, however it is quoted.
    pub(super) fn any(&mut self, expected: &'static str) -> Result<&'e Token<'a>, Flaw> {
        let Some((token, rest)) = self.tokens.split_first() else {
            return Err(Flaw { place: self.end, fault: FileFault::Missing { expected } });
        };
        self.tokens = rest;
        Ok(token)
    }

    /// Takes the next word if there is one.
    pub(super) fn optional(&mut self) -> Option<&'e Token<'a>> {
        let (token, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(token)
    }

    /// Takes the next word, which must have no quotes.
    pub(super) fn bare(&mut self, expected: &'static str) -> Result<&'e Token<'a>, Flaw> {
        let token = self.any(expected)?;
        if token.quoting == Quoting::Bare { Ok(token) } else { Err(token.unexpected(expected)) }
    }

    /// Takes the next word through `parse`, which returns `None` for what is not `expected`.
    pub(super) fn parsed<T>(
        &mut self,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, Flaw> {
        let token = self.bare(expected)?;
        parse(token.text).ok_or_else(|| token.unexpected(expected))
    }

    /// Takes a domain name and appends its wire form.
    pub(super) fn name(&mut self, expected: &'static str, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let token = self.bare(expected)?;
        let start = out.len();
        token.name(self.origin, out)?;
        if token.repeats_origin(out.get(start..).unwrap_or_default(), self.origin) {
            self.dotless = Some(token);
        }
        Ok(())
    }

    /// Takes a character-string, in quotes or without, and appends its octets without a length.
    pub(super) fn characters(&mut self, expected: &'static str, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let token = self.any(expected)?;
        if token.quoting == Quoting::Pair || unescape(token.text, out).is_none() {
            return Err(token.unexpected(expected));
        }
        Ok(())
    }

    /// Takes a character-string of at most 255 octets and appends it with its length octet (RFC 1035 section 3.3).
    pub(super) fn short_characters(&mut self, expected: &'static str, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let token = self.peek();
        let start = out.len();
        out.push(0);
        self.characters(expected, out)?;
        match (u8::try_from(out.len() - start - 1), token) {
            (Ok(length), _) => {
                if let Some(octet) = out.get_mut(start) {
                    *octet = length;
                }
                Ok(())
            }
            (Err(_), Some(token)) => Err(token.unexpected("a character-string of at most 255 octets")),
            (Err(_), None) => Err(Flaw { place: self.end, fault: FileFault::Missing { expected } }),
        }
    }

    /// Takes all remaining words as one text in pieces, such as base64 that is broken into lines.
    pub(super) fn joined(&mut self, expected: &'static str) -> Result<(&'e Token<'a>, Vec<u8>), Flaw> {
        let first = self.peek().ok_or(Flaw { place: self.end, fault: FileFault::Missing { expected } })?;
        let mut text = Vec::with_capacity(self.tokens.iter().map(|token| token.text.len()).sum());
        while self.peek().is_some() {
            text.extend_from_slice(self.bare(expected)?.text);
        }
        Ok((first, text))
    }

    /// Checks that no word is left.
    pub(super) fn finish(&self) -> Result<(), Flaw> {
        match self.peek() {
            Some(token) => Err(Flaw {
                place: token.place,
                fault: FileFault::Trailing { found: Snippet::new(token.text) },
            }),
            None => Ok(()),
        }
    }

    /// Right behind the last word.
    pub(super) fn end(&self) -> Place {
        self.end
    }
}

impl Token<'_> {
    /// This word is not what was `expected`.
    pub(super) fn unexpected(&self, expected: &'static str) -> Flaw {
        Flaw { place: self.place, fault: FileFault::Unexpected { found: Snippet::new(self.text), expected } }
    }

    /// This word as a domain name, appended in wire form.
    pub(super) fn name(&self, origin: &Name, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let start = out.len();
        if push_plain_name(self.text, origin, out).is_some() {
            return Ok(());
        }
        out.truncate(start);
        let name = Name::from_text(self.text, origin).map_err(|error| Flaw {
            place: self.place,
            fault: FileFault::Name { found: Snippet::new(self.text), error },
        })?;
        out.extend_from_slice(name.as_wire());
        Ok(())
    }

    /// Whether this relative name (`wire` with the origin added) ended in the origin already before.
    fn repeats_origin(&self, wire: &[u8], origin: &Name) -> bool {
        let Some((0, labels)) = origin.as_wire().split_last().filter(|(_, labels)| !labels.is_empty()) else {
            return false;
        };
        let before = wire.len().checked_sub(origin.as_wire().len()).and_then(|end| wire.get(..end));
        let tail = before.and_then(|before| before.get(before.len().checked_sub(labels.len())?..));
        !self.text.ends_with(b".") && tail.is_some_and(|tail| tail.eq_ignore_ascii_case(labels))
    }
}

/// The fast path of [`Name::from_text`], without allocation: names without escapes and within the bounds. `None`
/// leaves it to that function to find out what is wrong, if anything is.
fn push_plain_name(text: &[u8], origin: &Name, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    if text.is_empty() || text == b"@" || text == b"." || text.len() >= Name::MAX_OCTETS {
        return None;
    }
    let (labels, absolute) = match text.strip_suffix(b".") {
        Some(labels) => (labels, true),
        None => (text, false),
    };
    let mut label_start = out.len();
    out.push(0);
    for &octet in labels {
        match octet {
            b'.' => {
                close_label(out, label_start)?;
                label_start = out.len();
                out.push(0);
            }
            b'\\' => return None,
            _ => out.push(octet),
        }
    }
    close_label(out, label_start)?;
    if absolute {
        out.push(0);
    } else {
        out.extend_from_slice(origin.as_wire());
    }
    (out.len() - start <= Name::MAX_OCTETS).then_some(())
}

fn close_label(out: &mut [u8], start: usize) -> Option<()> {
    let length = u8::try_from(out.len() - start - 1).ok().filter(|length| (1..=63).contains(length))?;
    *out.get_mut(start)? = length;
    Some(())
}

/// Resolves `\DDD` and `\x` (RFC 1035 section 5.1) and appends; `None` for a bad escape.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    loop {
        let Some(plain) = rest.iter().position(|&octet| octet == b'\\') else {
            out.extend_from_slice(rest);
            return Some(());
        };
        out.extend_from_slice(rest.get(..plain)?);
        rest = match rest.get(plain + 1..)? {
            [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
                let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
                out.push(u8::try_from(value).ok()?);
                rest
            }
            [b'0'..=b'9', ..] => return None,
            [octet, rest @ ..] => {
                out.push(*octet);
                rest
            }
            [] => return None,
        };
    }
}
