//! Wire form in, presentation format out; `None` where the octets do not have the layout.

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXUPPER};

use crate::wire::RecordType;

use crate::zonefile::number::write_time;
use crate::zonefile::rdata::apl;
use crate::zonefile::rdata::bitmap;
use crate::zonefile::rdata::format::{groups, ipv4, ipv6, name, quoted, some, text, texts};
use crate::zonefile::rdata::gateway;
use crate::zonefile::rdata::hip;
use crate::zonefile::rdata::historic;
use crate::zonefile::rdata::layout::Field;
use crate::zonefile::rdata::loc;
use crate::zonefile::rdata::nsap;
use crate::zonefile::rdata::svcb;
use crate::zonefile::rdata::wire::Wire;
use crate::zonefile::rdata::wks;

/// Writes all fields with blanks between them; the RDATA must end with the last field.
pub(super) fn fields(layout: &[Field], rdata: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut wire = Wire { rest: rdata };
    for (index, &field) in layout.iter().enumerate() {
        let before = out.len();
        // Lists write the blank before each of their members.
        let is_list = matches!(
            field,
            Field::Types | Field::NxtTypes | Field::SvcParams | Field::Texts | Field::Prefixes
        );
        if index > 0 && !is_list {
            out.push(b' ');
        }
        let start = out.len();
        write_field(field, &mut wire, out)?;
        if out.len() == start {
            out.truncate(before);
        } else if index == 0 && is_list {
            out.remove(start);
        }
    }
    wire.rest.is_empty().then_some(())
}

/// Whether RDATA has these fields: what [`fields`] finds, but nothing is written where octets alone decide.
pub(super) fn fits(layout: &[Field], rdata: &[u8]) -> bool {
    let (mut wire, mut scratch) = (Wire { rest: rdata }, Vec::new());
    layout.iter().all(|field| pass(*field, &mut wire, &mut scratch).is_some()) && wire.rest.is_empty()
}

/// Goes over one field.
fn pass(field: Field, wire: &mut Wire<'_>, scratch: &mut Vec<u8>) -> Option<()> {
    match field {
        Field::U8 | Field::Algorithm | Field::Scheme => wire.u8().map(drop),
        Field::U16 | Field::Certificate | Field::Type => wire.u16().map(drop),
        Field::U32 | Field::Period | Field::Time | Field::Ipv4 => wire.u32().map(drop),
        Field::Ipv6 => wire.take(16).map(drop),
        Field::Name => wire.name().map(drop),
        Field::Text | Field::Salt => wire.counted().map(drop),
        Field::Hash => some(wire.counted()?).map(drop),
        Field::Hex | Field::Base64 => some(wire.all()).map(drop),
        _ => write_field(field, wire, scratch),
    }
}

fn write_field(field: Field, wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    match field {
        Field::U8 | Field::Algorithm => text(wire.u8()?, out),
        Field::U16 | Field::Certificate => text(wire.u16()?, out),
        Field::U32 | Field::Period => text(wire.u32()?, out),
        Field::U64 => text(wire.u64()?, out),
        Field::Time => write_time(wire.u32()?, out),
        Field::Ipv4 => text(ipv4(wire)?, out),
        Field::Ipv6 => text(ipv6(wire)?, out),
        Field::Name => name(wire.name()?, out),
        Field::Text => quoted(wire.counted()?, out),
        Field::OptionalText => {
            if !wire.rest.is_empty() {
                quoted(wire.counted()?, out);
            }
        }
        Field::Texts => texts(wire, out)?,
        Field::Rest => quoted(wire.all(), out),
        Field::Tag => {
            let tag = wire.counted()?;
            let fits = !tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric);
            out.extend_from_slice(fits.then_some(tag)?);
        }
        Field::Hex => out.extend_from_slice(HEXUPPER.encode(some(wire.all())?).as_bytes()),
        Field::Base64 => out.extend_from_slice(BASE64.encode(some(wire.all())?).as_bytes()),
        Field::OptionalBase64 => out.extend_from_slice(BASE64.encode(wire.all()).as_bytes()),
        Field::DashBase64 => match wire.all() {
            [] => out.push(b'-'),
            octets => out.extend_from_slice(BASE64.encode(octets).as_bytes()),
        },
        Field::Salt => match wire.counted()? {
            [] => out.push(b'-'),
            salt => out.extend_from_slice(HEXUPPER.encode(salt).as_bytes()),
        },
        Field::Hash => out.extend_from_slice(BASE32HEX_NOPAD.encode(some(wire.counted()?)?).as_bytes()),
        Field::Types => bitmap::write(wire, out)?,
        Field::Type => text(RecordType(wire.u16()?), out),
        Field::Scheme => match wire.u8()? {
            1 => out.extend_from_slice(b"NOTIFY"),
            scheme => text(scheme, out),
        },
        Field::Node64 => groups(wire.take(8)?, 2, b':', out),
        Field::Eui(octets) => groups(wire.take(octets.into())?, 1, b'-', out),
        Field::SvcParams => svcb::write(wire, out)?,
        Field::Prefixes => apl::write(wire, out)?,
        Field::Location => loc::write(wire, out)?,
        Field::Nsap => nsap::write(some(wire.all())?, out),
        Field::Services => wks::write(wire, out)?,
        Field::Gateway => gateway::write_ipseckey(wire, out)?,
        Field::Relay => gateway::write_amtrelay(wire, out)?,
        Field::HostIdentity => hip::write(wire, out)?,
        Field::A6 => historic::write_a6(wire, out)?,
        Field::Atm => historic::write_atma(wire, out)?,
        Field::NxtTypes => historic::write_nxt(wire, out)?,
    }
    Some(())
}
