//! Host identities (RFC 8005 section 6): algorithm, host identity tag, public key, rendezvous servers.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE, HEXUPPER};

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::rdata::format::{name, some, text};
use crate::zonefile::rdata::layout::Field;
use crate::zonefile::rdata::parse::u8_from;
use crate::zonefile::rdata::wire::Wire;

const TAG: &str = "a host identity tag of 1 to 255 octets in hexadecimal";
const KEY: &str = "a public key of 1 to 65535 octets in base64, in one piece";

/// Reads the whole RDATA.
pub(super) fn read(fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let algorithm = fields.parsed(Field::U8.expectation(), u8_from)?;
    let (tag_length, tag) = fields.parsed(TAG, |text| {
        let tag = HEXLOWER_PERMISSIVE.decode(text).ok().filter(|tag| !tag.is_empty())?;
        Some((u8::try_from(tag.len()).ok()?, tag))
    })?;
    let (key_length, key) = fields.parsed(KEY, |text| {
        let key = BASE64.decode(text).ok().filter(|key| !key.is_empty())?;
        Some((u16::try_from(key.len()).ok()?, key))
    })?;
    out.extend_from_slice(&[tag_length, algorithm]);
    out.extend_from_slice(&key_length.to_be_bytes());
    out.extend_from_slice(&tag);
    out.extend_from_slice(&key);
    while fields.peek().is_some() {
        fields.name("the domain name of a rendezvous server", out)?;
    }
    Ok(())
}

/// Writes the whole RDATA.
pub(super) fn write(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (tag_length, algorithm, key_length) = (wire.u8()?, wire.u8()?, wire.u16()?);
    let tag = some(wire.take(tag_length.into())?)?;
    let key = some(wire.take(key_length.into())?)?;
    text(format_args!("{algorithm} {} {}", HEXUPPER.encode(tag), BASE64.encode(key)), out);
    while !wire.rest.is_empty() {
        out.push(b' ');
        name(wire.name()?, out);
    }
    Some(())
}
