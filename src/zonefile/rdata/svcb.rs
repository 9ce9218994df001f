//! Service parameters of SVCB and HTTPS (RFC 9460 sections 2.1 and 2.2): keys in rising order, each once.

use std::collections::BTreeMap;

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::lexer::{Quoting, Token};
use crate::zonefile::rdata::svcb_key::{named_key, numbered_key, write_key};
use crate::zonefile::rdata::svcb_value;
use crate::zonefile::rdata::wire::Wire;

/// Reads parameters to the end of the entry, in any order, and appends them in order.
pub(super) fn read(
    fields: &mut Fields<'_, '_>,
    expected: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    let mut parameters = BTreeMap::new();
    let mut last = None;
    while let Some(token) = fields.optional() {
        let (key, value) = parameter(token, expected, fields.is_kept)?;
        if parameters.insert(key, value).is_some() {
            return Err(token.unexpected("each key once (RFC 9460 section 2.1)"));
        }
        last = Some(token);
    }
    if let (Some(fault), Some(token), false) = (conflict(&parameters), last, fields.is_kept) {
        return Err(token.unexpected(fault));
    }
    for (key, value) in &parameters {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(value);
    }
    Ok(())
}

fn parameter(token: &Token<'_>, expected: &'static str, is_kept: bool) -> Result<(u16, Vec<u8>), Flaw> {
    if token.quoting == Quoting::Quoted {
        return Err(token.unexpected(expected));
    }
    let equals = token.text.iter().position(|octet| *octet == b'=');
    let (name, value) = match equals {
        Some(at) => (token.text.get(..at).unwrap_or_default(), token.text.get(at + 1..)),
        None => (token.text, None),
    };
    let value = match (value, token.quoting) {
        (Some([b'"', inner @ .., b'"']), Quoting::Pair) => Some(inner),
        (value, _) => value,
    };
    let (key, octets, expected) = match (named_key(name), numbered_key(name)) {
        (Some(key), _) => (key, svcb_value::read(key, value, is_kept), svcb_value::expectation(key)),
        (None, Some(key)) => {
            (key, svcb_value::read_wire(key, value, is_kept), svcb_value::wire_expectation(key))
        }
        (None, None) => return Err(token.unexpected("a key such as alpn or key65280, in lower case")),
    };
    let octets = octets.filter(|octets| octets.len() <= usize::from(u16::MAX));
    Ok((key, octets.ok_or_else(|| token.unexpected(expected))?))
}

/// What RFC 9460 forbids between parameters: a mandatory key that is missing (section 8), `no-default-alpn` without
/// `alpn` (section 7.1.1).
fn conflict(parameters: &BTreeMap<u16, Vec<u8>>) -> Option<&'static str> {
    let mandatory = parameters.get(&0).map(Vec::as_slice).unwrap_or_default();
    let missing =
        |pair: &[u8]| pair.try_into().is_ok_and(|key| !parameters.contains_key(&u16::from_be_bytes(key)));
    if mandatory.chunks_exact(2).any(missing) {
        return Some("every key that `mandatory` lists to be there (RFC 9460 section 8)");
    }
    if parameters.contains_key(&2) && !parameters.contains_key(&1) {
        return Some("`alpn` beside `no-default-alpn` (RFC 9460 section 7.1.1)");
    }
    None
}

/// Whether the RDATA is of AliasMode and has parameters, which every client ignores (RFC 9460 section 2.4.2).
pub(in crate::zonefile) fn is_alias_with_parameters(rdata: &[u8]) -> bool {
    let mut wire = Wire { rest: rdata };
    wire.u16() == Some(0) && wire.name().is_some() && !wire.rest.is_empty()
}

/// Writes each parameter after a blank.
pub(super) fn write(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let mut parameters = BTreeMap::new();
    while !wire.rest.is_empty() {
        let (key, length) = (wire.u16()?, wire.u16()?);
        let value = wire.take(length.into())?;
        if parameters.last_key_value().is_some_and(|(last, _)| *last >= key) || key == u16::MAX {
            return None;
        }
        out.push(b' ');
        write_key(key, out);
        svcb_value::write(key, value, out)?;
        parameters.insert(key, value.to_vec());
    }
    conflict(&parameters).is_none().then_some(())
}
