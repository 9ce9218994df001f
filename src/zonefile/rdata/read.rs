//! Presentation format in, wire form out: one branch for each kind of field.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::number::{decimal, period, time};
use crate::zonefile::rdata::apl;
use crate::zonefile::rdata::bitmap;
use crate::zonefile::rdata::gateway;
use crate::zonefile::rdata::hip;
use crate::zonefile::rdata::historic;
use crate::zonefile::rdata::layout::Field;
use crate::zonefile::rdata::loc;
use crate::zonefile::rdata::nsap;
use crate::zonefile::rdata::parse::{
    ALGORITHMS, CERTIFICATES, SCHEMES, coded, eui, hash, ipv4, ipv6, joined, node64, push_counted,
    record_type, salt, tag, u8_from, u16_from, u32_from,
};
use crate::zonefile::rdata::svcb;
use crate::zonefile::rdata::wks;

/// Reads one field and appends its wire form.
pub(super) fn field(field: Field, fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let expected = field.expectation();
    match field {
        Field::U8 => out.push(fields.parsed(expected, u8_from)?),
        Field::U16 => out.extend_from_slice(&fields.parsed(expected, u16_from)?.to_be_bytes()),
        Field::U32 => out.extend_from_slice(&fields.parsed(expected, u32_from)?.to_be_bytes()),
        Field::U64 => {
            out.extend_from_slice(&fields.parsed(expected, |text| decimal(text, u64::MAX))?.to_be_bytes())
        }
        Field::Period => out.extend_from_slice(&fields.parsed(expected, period)?.to_be_bytes()),
        Field::Time => out.extend_from_slice(&fields.parsed(expected, time)?.to_be_bytes()),
        Field::Ipv4 => out.extend_from_slice(&fields.parsed(expected, ipv4)?.octets()),
        Field::Ipv6 => out.extend_from_slice(&fields.parsed(expected, ipv6)?.octets()),
        Field::Name => fields.name(expected, out)?,
        Field::Text => fields.short_characters(expected, out)?,
        Field::OptionalText => {
            if fields.peek().is_some() {
                fields.short_characters(expected, out)?;
            }
        }
        Field::Texts => {
            fields.short_characters(expected, out)?;
            while fields.peek().is_some() {
                fields.short_characters(expected, out)?;
            }
        }
        Field::Rest => fields.characters(expected, out)?,
        Field::Tag => push_counted(&fields.parsed(expected, tag)?, out),
        Field::Hex => joined(fields, expected, out, |text| HEXLOWER_PERMISSIVE.decode(text).ok())?,
        Field::Base64 => joined(fields, expected, out, |text| BASE64.decode(text).ok())?,
        Field::OptionalBase64 => {
            if fields.peek().is_some() {
                joined(fields, expected, out, |text| BASE64.decode(text).ok())?;
            }
        }
        Field::DashBase64 => joined(fields, expected, out, |text| match text {
            b"-" => Some(Vec::new()),
            _ => BASE64.decode(text).ok(),
        })?,
        Field::Salt => push_counted(&fields.parsed(expected, salt)?, out),
        Field::Hash => push_counted(&fields.parsed(expected, hash)?, out),
        Field::Types => bitmap::read(fields, expected, out)?,
        Field::Type => out.extend_from_slice(&fields.parsed(expected, record_type)?.0.to_be_bytes()),
        Field::Algorithm => {
            out.push(fields.parsed(expected, |text| coded(text, ALGORITHMS).or_else(|| u8_from(text)))?)
        }
        Field::Certificate => {
            let code =
                fields.parsed(expected, |text| coded(text, CERTIFICATES).or_else(|| u16_from(text)))?;
            out.extend_from_slice(&code.to_be_bytes());
        }
        Field::Scheme => {
            out.push(fields.parsed(expected, |text| coded(text, SCHEMES).or_else(|| u8_from(text)))?)
        }
        Field::Node64 => out.extend_from_slice(&fields.parsed(expected, node64)?),
        Field::Eui(octets) => {
            out.extend_from_slice(&fields.parsed(expected, |text| eui(text, octets.into()))?)
        }
        Field::SvcParams => svcb::read(fields, expected, out)?,
        Field::Prefixes => apl::read(fields, expected, out)?,
        Field::Location => loc::read(fields, out)?,
        Field::Nsap => out.extend_from_slice(&fields.parsed(expected, nsap::parse)?),
        Field::Services => wks::read(fields, out)?,
        Field::Gateway => gateway::read_ipseckey(fields, out)?,
        Field::Relay => gateway::read_amtrelay(fields, out)?,
        Field::HostIdentity => hip::read(fields, out)?,
        Field::A6 => historic::read_a6(fields, out)?,
        Field::Atm => out.extend_from_slice(&fields.parsed(expected, historic::parse_atma)?),
        Field::NxtTypes => historic::read_nxt(fields, expected, out)?,
    }
    Ok(())
}
