//! RDATA between presentation format and uncompressed wire form, for every type.
//!
//! One table (`layout`) says which fields a type has; `read` and `write` know one way in and one way out for each
//! kind of field. The kinds that are a format of their own have a file each. `write` is strict: what it refuses is
//! not RDATA of that type, and so it also checks what comes as RFC 3597 octets. `value` checks the octets of both.

mod apl;
mod bitmap;
mod format;
mod gateway;
mod hip;
mod historic;
mod key_material;
mod layout;
mod loc;
mod naptr;
mod nsap;
mod parse;
mod read;
mod svcb;
mod svcb_key;
mod svcb_value;
mod value;
mod wire;
mod wks;
mod write;

use crate::wire::RecordType;
use crate::zone::Place;

use crate::zonefile::fault::{FileFault, Flaw};
use crate::zonefile::fields::Fields;
use crate::zonefile::lexer::Quoting;
use crate::zonefile::number;

use layout::layout;

pub(super) use format::name as write_name;
pub(super) use parse::record_type;
pub(super) use svcb::is_alias_with_parameters;

/// The most octets of RDATA (RFC 1035 section 3.2.1: RDLENGTH has 16 bits).
const MAX_RDATA: usize = 65_535;

/// Reads the rest of the entry as RDATA of `record_type` and appends its wire form to the (empty) `out`.
pub(super) fn read(
    record_type: RecordType,
    fields: &mut Fields<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    let place = fields.peek().map_or(fields.end(), |token| token.place);
    let last = read_octets(record_type, fields, out)?;
    value::check(record_type, out).map_err(|problem| {
        // What depends on another field is the last one, but for these types.
        let is_last = !matches!(record_type, RecordType::NSEC3 | RecordType::NAPTR);
        Flaw { place: if is_last { last } else { place }, fault: FileFault::Value { record_type, problem } }
    })
}

/// Reads RDATA that was accepted before, maybe by an earlier build: it is not judged again.
pub(super) fn read_kept(
    record_type: RecordType,
    fields: &mut Fields<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    read_octets(record_type, fields, out).map(|_| ())
}

/// Reads the octets, in the form of the type or as RFC 3597 has it; returns where the last field stands.
fn read_octets(
    record_type: RecordType,
    fields: &mut Fields<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<Place, Flaw> {
    let place = fields.peek().map_or(fields.end(), |token| token.place);
    let mut last = place;
    match fields.peek() {
        Some(token) if token.text == b"\\#" && token.quoting == Quoting::Bare => {
            read_generic(record_type, fields, out)?;
        }
        _ => {
            let Some(layout) = layout(record_type) else {
                return Err(Flaw { place, fault: FileFault::NoPresentation { record_type } });
            };
            for &field in layout {
                last = fields.peek().map_or(last, |token| token.place);
                read::field(field, fields, out)?;
            }
            fields.finish()?;
        }
    }
    if out.len() > MAX_RDATA {
        return Err(Flaw { place, fault: FileFault::RdataTooLong { octets: out.len() } });
    }
    Ok(last)
}

/// Whether octets are RDATA of a type, and what they say can be right: the same as `read` finds.
pub fn check(record_type: RecordType, rdata: &[u8]) -> Result<(), FileFault> {
    if !has_layout(record_type, rdata) {
        return Err(FileFault::GenericLayout { record_type });
    }
    value::check(record_type, rdata).map_err(|problem| FileFault::Value { record_type, problem })
}

/// Writes RDATA in the type's presentation format, or as RFC 3597 has it where there is none or the octets are no
/// RDATA of the type.
pub(super) fn write(record_type: RecordType, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let is_right = value::check(record_type, rdata).is_ok();
    if is_right && layout(record_type).is_some_and(|layout| write::fields(layout, rdata, out).is_some()) {
        return;
    }
    out.truncate(start);
    out.extend_from_slice(format!("\\# {}", rdata.len()).as_bytes());
    if !rdata.is_empty() {
        out.push(b' ');
        out.extend_from_slice(data_encoding::HEXLOWER.encode(rdata).as_bytes());
    }
}

/// `\# length hex...` (RFC 3597 section 5); the octets of a known type must have its layout.
fn read_generic(record_type: RecordType, fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    fields.bare("\\#")?;
    let expected = "the number of RDATA octets, 0 to 65535";
    let place = fields.peek().map_or(fields.end(), |token| token.place);
    let said = fields.parsed(expected, |text| u16::try_from(number::decimal(text, 65_535)?).ok())?;
    if fields.peek().is_some() {
        let expected = "octets in hexadecimal, two digits each";
        let (token, digits) = fields.joined(expected)?;
        let octets =
            data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).map_err(|_| token.unexpected(expected))?;
        out.extend_from_slice(&octets);
    }
    if out.len() != usize::from(said) {
        return Err(Flaw { place, fault: FileFault::GenericLength { said, found: out.len() } });
    }
    if fields.is_kept || has_layout(record_type, out) {
        Ok(())
    } else {
        Err(Flaw { place, fault: FileFault::GenericLayout { record_type } })
    }
}

/// Whether the relay of an AMTRELAY has a type that has no format: gateways pass such a record over, so it may be there (RFC 8777
/// section 4.2.3).
fn has_unknown_relay(rdata: &[u8]) -> bool {
    rdata.get(1).is_some_and(|octet| octet & 0x7f > 3)
}

/// Whether octets are laid out as their type wants it. An address family without a text form is no reason to refuse them, nor
/// is another version of LOC, of which nothing may be assumed (RFC 1876 section 2), nor an unknown relay type.
fn has_layout(record_type: RecordType, rdata: &[u8]) -> bool {
    match layout(record_type) {
        Some([layout::Field::Prefixes]) => apl::is_list(rdata),
        Some([_, layout::Field::Relay]) if has_unknown_relay(rdata) => true,
        Some([layout::Field::Location]) if rdata.first().is_some_and(|version| *version != 0) => true,
        Some(layout) => write::fits(layout, rdata),
        None => true,
    }
}
