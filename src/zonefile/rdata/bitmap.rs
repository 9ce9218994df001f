//! Type bitmaps (RFC 4034 section 4.1.2): windows of 256 types, only those with a type in them, in order.

use std::collections::BTreeSet;

use crate::wire::RecordType;

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::rdata::parse::record_type;
use crate::zonefile::rdata::wire::Wire;

/// Reads types to the end of the entry; none at all is allowed (an empty non-terminal of NSEC3).
pub(super) fn read(
    fields: &mut Fields<'_, '_>,
    expected: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Flaw> {
    let mut types = BTreeSet::new();
    while fields.peek().is_some() {
        let is_kept = fields.is_kept;
        let parse = |text: &[u8]| record_type(text).filter(|taken| is_kept || may_exist(*taken));
        types.insert(fields.parsed(expected, parse)?);
    }
    push(&types, out);
    Ok(())
}

/// Types that a bitmap may claim: no pseudo-type (RFC 4034 section 4.1.2).
fn may_exist(record_type: RecordType) -> bool {
    !record_type.is_meta()
}

fn push(types: &BTreeSet<RecordType>, out: &mut Vec<u8>) {
    let mut types = types.iter().map(|taken| taken.0.to_be_bytes()).peekable();
    while let Some(&[window, _]) = types.peek() {
        let mut bits = [0_u8; 32];
        let mut used = 0;
        while let Some([_, low]) = types.next_if(|[high, _]| *high == window) {
            let octet = usize::from(low / 8);
            used = octet + 1;
            if let Some(bits) = bits.get_mut(octet) {
                *bits |= 0x80 >> (low % 8);
            }
        }
        out.extend_from_slice(&[window, used as u8]);
        out.extend_from_slice(bits.get(..used).unwrap_or_default());
    }
}

/// Writes the mnemonics, each after a blank; `None` for a bitmap that RFC 4034 does not allow.
pub(super) fn write(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    let mut last: Option<u8> = None;
    while !wire.rest.is_empty() {
        let window = wire.u8()?;
        let bits = wire.counted()?;
        let in_order = last.is_none_or(|last| last < window);
        if !in_order || bits.is_empty() || bits.len() > 32 || bits.last() == Some(&0) {
            return None;
        }
        last = Some(window);
        for (index, octet) in bits.iter().enumerate() {
            for bit in (0..8_u16).filter(|bit| octet & (0x80 >> bit) != 0) {
                let taken = RecordType(u16::from(window) << 8 | (index as u16) << 3 | bit);
                if !may_exist(taken) {
                    return None;
                }
                out.push(b' ');
                out.extend_from_slice(taken.to_string().as_bytes());
            }
        }
    }
    Some(())
}
