//! `$GENERATE range owner [ttl] [class] type rdata` (BIND 9 Administrator Reference Manual, "BIND Primary File
//! Extension: the $GENERATE Directive").
//!
//! Works on words: each value of the range makes one line of text, which the reader takes as a record. As in BIND, a
//! single quoted word as RDATA loses its quotes (`MX "0 ."`); where there are several words, quotes stay.

use crate::zonefile::fault::{FileFault, Flaw, Snippet};
use crate::zonefile::lexer::{Entry, Quoting, Token};
use crate::zonefile::number::decimal;
use crate::zonefile::rdata::record_type;

/// The widest number that `${offset,width}` may ask for: a name ends at 255 octets.
const MAX_WIDTH: u64 = 255;

/// The largest value and offset; BIND's are 32-bit signed numbers, too.
const MAX_VALUE: u64 = i32::MAX as u64;

const RANGE: &str = "a range as start-stop or start-stop/step, with start <= stop <= 2147483647 and step > 0";
const TEMPLATE: &str =
    "$ or ${offset[,width[,base]]} with a width up to 255 and a base of d, o, x, X, n or N";

/// A checked `$GENERATE` line.
pub(super) struct Generate<'e, 'a> {
    owner: &'e Token<'a>,
    rest: &'e [Token<'a>],
    /// How many of the words in `rest` come before the RDATA.
    before_rdata: usize,
    range: Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u64,
    stop: u64,
    step: u64,
}

impl<'e, 'a> Generate<'e, 'a> {
    /// Checks the line (whose first word is `$GENERATE`), and that with the `made` records of the lines before it
    /// there are at most `limit`.
    pub(super) fn new(entry: &'e Entry<'a>, limit: u64, made: u64) -> Result<Self, Flaw> {
        let missing = |expected| Flaw { place: entry.end, fault: FileFault::Missing { expected } };
        let [_, range_token, owner, rest @ ..] = entry.tokens.as_slice() else {
            return Err(missing("a range, an owner template, a type and an RDATA template"));
        };
        let range = range(range_token.text).ok_or_else(|| range_token.unexpected(RANGE))?;
        let count = range.count();
        if count > limit.saturating_sub(made) {
            return Err(Flaw { place: range_token.place, fault: FileFault::GenerateCount { count, limit } });
        }
        if owner.quoting != Quoting::Bare {
            return Err(owner.unexpected("an owner template without quotes"));
        }
        let type_at = rest.iter().position(|token| record_type(token.text).is_some());
        let before_rdata = type_at.ok_or_else(|| missing("a record type"))? + 1;
        if rest.len() == before_rdata {
            return Err(missing("an RDATA template"));
        }
        Ok(Self { owner, rest, before_rdata, range })
    }

    /// How many records the line makes.
    pub(super) fn count(&self) -> u64 {
        self.range.count()
    }

    /// The values, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = u64> + use<> {
        let Range { start, step, .. } = self.range;
        (0..self.range.count()).map(move |index| start + index * step)
    }

    /// Puts the record for one value into `line`, as text.
    pub(super) fn expand(&self, value: u64, line: &mut Vec<u8>) -> Result<(), Flaw> {
        line.clear();
        expand(self.owner, value, line)?;
        let unquoted = self.rest.len() == self.before_rdata + 1;
        for (index, token) in self.rest.iter().enumerate() {
            line.push(b' ');
            let quotes = token.quoting == Quoting::Quoted && !(unquoted && index == self.before_rdata);
            if quotes {
                line.push(b'"');
            }
            expand(token, value, line)?;
            if quotes {
                line.push(b'"');
            }
        }
        line.push(b'\n');
        Ok(())
    }
}

impl Range {
    fn count(self) -> u64 {
        (self.stop - self.start) / self.step + 1
    }
}

fn range(text: &[u8]) -> Option<Range> {
    let mut parts = text.splitn(2, |octet| *octet == b'/');
    let mut ends = parts.next()?.splitn(2, |octet| *octet == b'-');
    let start = decimal(ends.next()?, MAX_VALUE)?;
    let stop = decimal(ends.next()?, MAX_VALUE)?;
    let step = parts.next().map_or(Some(1), |step| decimal(step, MAX_VALUE))?;
    (start <= stop && step > 0).then_some(Range { start, stop, step })
}

/// Appends a template with its `$` replaced; `$$` and `\$` are a dollar sign.
fn expand(token: &Token<'_>, value: u64, line: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut rest = token.text;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'\\', octet, rest @ ..] => {
                line.extend_from_slice(&[b'\\', *octet]);
                rest
            }
            [b'$', b'$', rest @ ..] => {
                line.extend_from_slice(b"\\$");
                rest
            }
            [b'$', b'{', rest @ ..] => modified(rest, value, line).ok_or_else(|| Flaw {
                place: token.place,
                fault: FileFault::Unexpected { found: Snippet::new(token.text), expected: TEMPLATE },
            })?,
            [b'$', rest @ ..] => {
                line.extend_from_slice(value.to_string().as_bytes());
                rest
            }
            [octet, rest @ ..] => {
                line.push(*octet);
                rest
            }
        }
    }
}

/// `offset[,width[,base]]}`; returns what follows the brace.
fn modified<'t>(text: &'t [u8], value: u64, line: &mut Vec<u8>) -> Option<&'t [u8]> {
    let end = text.iter().position(|octet| *octet == b'}')?;
    let mut parts = text.get(..end)?.split(|octet| *octet == b',');
    let offset = parts.next()?;
    let width = parts.next().map_or(Some(0), |width| decimal(width, MAX_WIDTH))? as usize;
    let base = parts.next().unwrap_or(b"d");
    if parts.next().is_some() {
        return None;
    }
    let (value, offset) = match offset {
        [b'-', offset @ ..] => {
            (i64::try_from(value).ok()?, -i64::try_from(decimal(offset, MAX_VALUE)?).ok()?)
        }
        [b'+', offset @ ..] | offset => {
            (i64::try_from(value).ok()?, i64::try_from(decimal(offset, MAX_VALUE)?).ok()?)
        }
    };
    let signed = value + offset;
    // As in BIND, negative values have a sign in decimal and are the complement of 32 bits in the other bases.
    let value = u64::try_from(signed).unwrap_or(u64::from(signed as u32));
    match base {
        b"d" => line.extend_from_slice(format!("{signed:0width$}").as_bytes()),
        b"o" => line.extend_from_slice(format!("{value:0width$o}").as_bytes()),
        b"x" => line.extend_from_slice(format!("{value:0width$x}").as_bytes()),
        b"X" => line.extend_from_slice(format!("{value:0width$X}").as_bytes()),
        b"n" => nibbles(value, width, b"0123456789abcdef", line),
        b"N" => nibbles(value, width, b"0123456789ABCDEF", line),
        _ => return None,
    }
    text.get(end + 1..)
}

/// The hexadecimal digits from the lowest to the highest with dots between, as reverse IPv6 names have them; the
/// width counts the dots.
fn nibbles(value: u64, width: usize, digits: &[u8; 16], line: &mut Vec<u8>) {
    let (mut value, mut width) = (value, width);
    loop {
        line.push(digits[(value & 15) as usize]);
        value >>= 4;
        width = width.saturating_sub(1);
        if width == 0 && value == 0 {
            return;
        }
        line.push(b'.');
        width = width.saturating_sub(1);
        if width == 0 && value == 0 {
            return;
        }
    }
}
