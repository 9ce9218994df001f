//! A query with a TSIG record: no key counts on the addresses of the service, so each key is an unknown one (RFC 8945 section 5.2.1).
//!
//! The record flows in, RCODE NOTAUTH and a record with the error BADKEY and no MAC flow out. Transfers, updates and NOTIFY have keys
//! of their own ([`crate::transfer`]); they do not come here.

use crate::answer::verdict::{Verdict, rcode};
use crate::wire::octets::RECORD_FIXED;
use crate::wire::rcode::BADKEY;
use crate::wire::{CLASS_ANY, Full, Query, Writer, name_length};

/// Octets of the time signed and the fudge.
const TIME: usize = 8;

/// NOTAUTH, or FORMERR where the record cannot be one.
#[cold]
pub(super) fn verdict(query: &Query<'_>) -> Verdict {
    let is_one = query.tsig.is_some_and(|record| Tsig::read(record).is_some());
    Verdict::plain(if is_one { rcode::NOTAUTH } else { rcode::FORMERR })
}

/// Writes the record that goes back, the last one of the message; not where there is no room for it, as for names of 255 octets in 512.
#[cold]
pub(super) fn refuse(query: &Query<'_>, writer: &mut Writer<'_>) {
    if let Some(tsig) = query.tsig.and_then(Tsig::read) {
        let _: Result<(), Full> = tsig.write(writer);
    }
}

/// The TSIG record of a query, as much of it as the response repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tsig<'a> {
    key: &'a [u8],
    algorithm: &'a [u8],
    /// The time signed and the fudge.
    time: &'a [u8],
    original_id: &'a [u8],
}

impl<'a> Tsig<'a> {
    /// Reads the record, from its owner on. `None` if it cannot be one (RFC 8945 section 4.2).
    fn read(record: &'a [u8]) -> Option<Self> {
        let (key, rest) = split_name(record)?;
        let (fixed, rdata) = rest.split_at_checked(RECORD_FIXED)?;
        let is_any = fixed.get(2..4)? == CLASS_ANY.to_be_bytes();
        if !is_any || fixed.get(4..8)? != [0; 4] {
            return None;
        }
        let (algorithm, rest) = split_name(rdata)?;
        let (time, rest) = rest.split_at_checked(TIME)?;
        let (_mac, rest) = split_counted(rest)?;
        let (original_id, rest) = rest.split_at_checked(2)?;
        let (_error, rest) = rest.split_at_checked(2)?;
        let (_other, rest) = split_counted(rest)?;
        rest.is_empty().then_some(Self { key, algorithm, time, original_id })
    }

    /// Writes the record that goes back: the last one of the message.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let rdata: [&[u8]; 6] =
            [self.algorithm, self.time, &[0; 2], self.original_id, &BADKEY.to_be_bytes(), &[0; 2]];
        writer.tsig(self.key, CLASS_ANY, &rdata)
    }
}

/// An uncompressed name and what stands behind it.
fn split_name(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    octets.split_at_checked(name_length(octets).ok()?)
}

/// Octets that are preceded by their number, and what stands behind them.
fn split_counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECORD: &[u8] =
        b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\x19\x04hmac\0\0\0\x12\x34\x56\x78\x01\x2c\0\x03mac\xab\xcd\0\0\0\0";

    #[test]
    fn a_record_is_repeated_without_its_mac() {
        let tsig = Tsig::read(RECORD).unwrap();
        let mut output = [0; 512];
        let mut writer = Writer::new(&mut output, 512).unwrap();
        tsig.write(&mut writer).unwrap();
        let length = writer.finish(1, 0);
        let expected: &[u8] =
            b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\x16\x04hmac\0\0\0\x12\x34\x56\x78\x01\x2c\0\0\xab\xcd\0\x11\0\0";
        assert_eq!(&output[12..length], expected);
        assert_eq!(output[..12], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_cannot_be_one_is_not_read() {
        for end in 0..RECORD.len() {
            assert_eq!(Tsig::read(&RECORD[..end]), None, "{end} octets");
        }
        for (at, octet) in [(0, 0xc0), (6, 1), (10, 1), (27, 4)] {
            let mut record = RECORD.to_vec();
            record[at] = octet;
            assert_eq!(Tsig::read(&record), None, "octet {at}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Tsig::read(&octets);
        }
    }
}
