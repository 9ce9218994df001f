//! NAPTR: order, preference, flags, services, regular expression, replacement (RFC 3403 section 4.1), and the substitution
//! expression (RFC 3402 section 3.2).

use crate::zonefile::rdata::wire::Wire;
use crate::zonefile::value_fault::{ValueFault, form};

/// Checks what the fields say.
pub(super) fn check(rdata: &[u8]) -> Result<(), ValueFault> {
    let mut wire = Wire { rest: rdata.get(4..).unwrap_or_default() };
    let (Some(flags), Some(_), Some(expression)) = (wire.counted(), wire.counted(), wire.counted()) else {
        return Ok(());
    };
    if !flags.iter().all(u8::is_ascii_alphanumeric) {
        return form("flags with other characters", "letters and digits (RFC 3403 section 4.1)");
    }
    if expression.is_empty() {
        return Ok(());
    }
    if wire.all() != [0] {
        return form(
            "a substitution expression and a replacement",
            "one of them, the other empty (RFC 3403 section 4.1)",
        );
    }
    if is_substitution(expression) {
        return Ok(());
    }
    form(
        "a malformed substitution expression",
        "delimiter, expression, delimiter, replacement with \\N only for groups that the expression has, delimiter, flags (RFC 3402 \
         section 3.2)",
    )
}

/// `!expression!replacement!flags`; the delimiter is no digit from 1 to 9, no `i` and no backslash.
fn is_substitution(text: &[u8]) -> bool {
    let Some((delimiter, rest)) = text.split_first() else { return false };
    if matches!(delimiter, b'1'..=b'9' | b'i' | b'\\') {
        return false;
    }
    let Some((expression, rest)) = part(rest, *delimiter) else { return false };
    let Some((replacement, flags)) = part(rest, *delimiter) else { return false };
    let Some(groups) = groups(expression) else { return false };
    flags.iter().all(|flag| *flag == b'i') && back_references(replacement).all(|number| number <= groups)
}

/// What stands in front of the next delimiter that has no backslash before it, and what follows.
fn part(text: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        match *text.get(at)? {
            octet if octet == delimiter => return Some((text.get(..at)?, text.get(at + 1..)?)),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// How many groups a POSIX extended regular expression has; `None` if it is empty, or parentheses or brackets are not closed.
fn groups(expression: &[u8]) -> Option<u8> {
    let (mut groups, mut open) = (0_u8, 0_u8);
    let mut rest = Some(expression).filter(|text| !text.is_empty())?;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'\\' => rest = after.get(1..)?,
            b'(' => (groups, open) = (groups.checked_add(1)?, open + 1),
            b')' => open = open.checked_sub(1)?,
            b'[' => rest = behind_brackets(after)?,
            _ => {}
        }
    }
    (open == 0).then_some(groups)
}

/// What follows a bracket expression; a bracket that is its first member is no end, nor is one of a class such as `[:digit:]`.
fn behind_brackets(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"^").unwrap_or(text);
    let mut rest = text.strip_prefix(b"]").unwrap_or(text);
    loop {
        match rest {
            [b']', after @ ..] => return Some(after),
            [b'[', kind @ (b':' | b'.' | b'='), after @ ..] => {
                let end = after.windows(2).position(|pair| pair == [*kind, b']'])?;
                rest = after.get(end + 2..)?;
            }
            [_, after @ ..] => rest = after,
            [] => return None,
        }
    }
}

/// The numbers of `\1` to `\9` in a replacement.
fn back_references(replacement: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut octets = replacement.iter();
    std::iter::from_fn(move || {
        loop {
            if *octets.next()? == b'\\'
                && let Some(digit @ b'1'..=b'9') = octets.next()
            {
                return Some(digit - b'0');
            }
        }
    })
}
