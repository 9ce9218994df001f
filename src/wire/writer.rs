//! The answer writer: records into a caller's buffer, names compressed (RFC 1035 section 4.1.4).
//!
//! Whole records and whole RRsets or nothing: what does not fit is rolled back and said to be [`Full`]. Never
//! allocates, never writes past its limit.

use super::octets::{HEADER, MAX_POINTER};
use super::steps::{self, CountedStep};
use super::{Prepared, RecordType, compressible, name_length};

/// Suffixes that are remembered as targets of pointers. A referral with 13 name servers under 13 names writes some
/// 30; past the bound names are still right, just longer.
const MAX_SUFFIXES: usize = 64;
/// Labels and pointers of one name in our own messages, whose pointers go backwards: at most 127 labels and the root's,
/// each after at most one pointer.
const MAX_NAME_PARTS: usize = 256;
/// A pointer to the name of the question, which follows the header.
const POINTER_TO_QUESTION: u16 = 0xc000 | HEADER as u16;

/// The next thing does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is full")]
pub struct Full;

/// The sections that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// ANCOUNT.
    Answer = 1,
    /// NSCOUNT.
    Authority = 2,
    /// ARCOUNT.
    Additional = 3,
}

/// The owner of a record to write.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The name in the question.
    Question,
    /// This uncompressed wire-form name.
    Name(&'a [u8]),
}

/// A state to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: usize,
    suffixes: usize,
    counts: [u16; 4],
}

/// An OPT record that is still open for options.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Where its options begin; RDLENGTH stands in the two octets before.
    start: usize,
}

/// Writes one message.
#[derive(Debug)]
pub struct Writer<'a> {
    output: &'a mut [u8],
    length: usize,
    limit: usize,
    counts: [u16; 4],
    suffixes: [Suffix; MAX_SUFFIXES],
    suffix_count: usize,
    /// Octets of the question's name; 0 without a question, 1 for the root.
    question: usize,
}

/// A name, or the end of one, that stands in the message: where it begins, at most [`MAX_POINTER`], and in the lowest
/// octet how many octets it has, written out. One number, because a writer is made for each answer and clears them all.
#[derive(Clone, Copy, Debug, Default)]
struct Suffix(u32);

impl Suffix {
    fn new(offset: u16, length: u8) -> Self {
        Self(u32::from(offset) << 8 | u32::from(length))
    }

    fn offset(self) -> u16 {
        (self.0 >> 8) as u16
    }

    fn length(self) -> usize {
        (self.0 & 0xff) as usize
    }
}

impl<'a> Writer<'a> {
    /// A writer of a message of at most `limit` octets (or what `output` holds, if that is less), the header left
    /// open; [`Full`] if not even that fits.
    pub fn new(output: &'a mut [u8], limit: usize) -> Result<Self, Full> {
        let limit = limit.min(output.len());
        if limit < HEADER {
            return Err(Full);
        }
        Ok(Self {
            output,
            length: HEADER,
            limit,
            counts: [0; 4],
            suffixes: [Suffix::default(); MAX_SUFFIXES],
            suffix_count: 0,
            question: 0,
        })
    }

    /// Octets written.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Sets the limit again, for instance to use what was reserved for OPT.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(self.output.len());
    }

    /// Fills in the header; returns the message's length.
    pub fn finish(self, id: u16, flags: u16) -> usize {
        let [questions, answers, authorities, additionals] = self.counts;
        let words = [id, flags, questions, answers, authorities, additionals];
        for (place, word) in self.output.chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        self.length
    }

    /// Repeats a question octet by octet: an uncompressed name of `name` octets, type and class; must come first.
    pub fn question(&mut self, octets: &[u8], name: usize) -> Result<(), Full> {
        self.octets(octets)?;
        self.question = name;
        self.count(0)
    }

    /// Writes one record, its names compressed where they may be; on error something of it may be left: wrap it in
    /// [`Writer::whole`].
    pub fn record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        (record_type, class, ttl): (RecordType, u16, u32),
        rdata: &[u8],
    ) -> Result<(), Full> {
        steps::count(CountedStep::Record);
        self.owner(owner)?;
        let mut fixed = [0; 8];
        fixed[..2].copy_from_slice(&record_type.0.to_be_bytes());
        fixed[2..4].copy_from_slice(&class.to_be_bytes());
        fixed[4..].copy_from_slice(&ttl.to_be_bytes());
        self.octets(&fixed)?;
        self.rdata(record_type, rdata)?;
        self.count(section as usize)
    }

    /// Writes a prepared record, if the apex, which has this many octets, ends the question's name: all of it or nothing.
    pub fn prepared(&mut self, section: Section, record: &Prepared, apex: usize) -> Result<(), Full> {
        steps::count(CountedStep::Record);
        let pointer = 0xc000 | (HEADER + self.question.saturating_sub(apex)) as u16;
        let start = self.length;
        let mark = self.mark();
        self.octets(&record.octets)?;
        for at in &record.pointers {
            let at = start + usize::from(*at);
            if let Some(place) = self.output.get_mut(at..at + 2) {
                place.copy_from_slice(&pointer.to_be_bytes());
            }
        }
        self.count(section as usize).inspect_err(|Full| self.roll_back(mark))
    }

    /// Writes the OPT record (RFC 6891 section 6.1.2), without options yet; `ttl` holds the upper RCODE, the version
    /// and the flags.
    pub fn opt(&mut self, payload: u16, ttl: u32) -> Result<Opt, Full> {
        let fixed = (RecordType::OPT, payload, ttl);
        self.whole(|writer| writer.record(Section::Additional, Owner::Name(&[0]), fixed, &[]))?;
        Ok(Opt { start: self.length })
    }

    /// Writes the TSIG record, the last of a message (RFC 8945 section 5.1): nothing of it is compressed. All of it or nothing.
    pub fn tsig(&mut self, key: &[u8], class: u16, rdata: &[&[u8]]) -> Result<(), Full> {
        let length: usize = rdata.iter().map(|octets| octets.len()).sum();
        let length = u16::try_from(length).map_err(|_| Full)?;
        self.whole(|writer| {
            writer.octets(key)?;
            writer.octets(&RecordType::TSIG.0.to_be_bytes())?;
            writer.octets(&class.to_be_bytes())?;
            writer.octets(&[0; 4])?;
            writer.octets(&length.to_be_bytes())?;
            rdata.iter().try_for_each(|octets| writer.octets(octets))?;
            writer.count(Section::Additional as usize)
        })
    }

    /// Adds an option to the OPT record, which must be the last thing written: all of it or nothing.
    pub fn option(&mut self, opt: Opt, code: u16, data: &[&[u8]]) -> Result<(), Full> {
        let mark = self.mark();
        self.write_option(opt, code, data).inspect_err(|Full| self.roll_back(mark))
    }

    fn write_option(&mut self, opt: Opt, code: u16, data: &[&[u8]]) -> Result<(), Full> {
        let length: usize = data.iter().map(|octets| octets.len()).sum();
        self.octets(&code.to_be_bytes())?;
        self.octets(&u16::try_from(length).map_err(|_| Full)?.to_be_bytes())?;
        for octets in data {
            self.octets(octets)?;
        }
        let total = u16::try_from(self.length - opt.start).map_err(|_| Full)?;
        let place = self.output.get_mut(opt.start - 2..opt.start).ok_or(Full)?;
        place.copy_from_slice(&total.to_be_bytes());
        Ok(())
    }

    /// Writes all that `write` writes, or nothing.
    pub fn whole(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Full>) -> Result<(), Full> {
        let mark = self.mark();
        write(self).inspect_err(|Full| self.roll_back(mark))
    }

    /// The state now.
    pub fn mark(&self) -> Mark {
        Mark { length: self.length, suffixes: self.suffix_count, counts: self.counts }
    }

    /// Back to an earlier state.
    pub fn roll_back(&mut self, mark: Mark) {
        self.length = mark.length;
        self.suffix_count = mark.suffixes;
        self.counts = mark.counts;
    }

    /// Whether the name that stands at `offset` of this message is `name` (in wire form), case ignored.
    pub fn name_at_is(&self, offset: usize, name: &[u8]) -> bool {
        let mut position = offset;
        let mut rest = name;
        for _ in 0..MAX_NAME_PARTS {
            steps::count(CountedStep::Comparison);
            let Some((&length, after)) = rest.split_first() else { return false };
            let Some(&octet) = self.output.get(position) else { return false };
            if octet >= 0xc0 {
                let Some(&low) = self.output.get(position + 1) else { return false };
                position = usize::from(octet & 0x3f) << 8 | usize::from(low);
                continue;
            }
            if octet != length {
                return false;
            }
            if length == 0 {
                return after.is_empty();
            }
            let end = position + 1 + usize::from(length);
            let Some((label, next)) = after.split_at_checked(usize::from(length)) else { return false };
            if !self.output.get(position + 1..end).is_some_and(|written| written.eq_ignore_ascii_case(label))
            {
                return false;
            }
            position = end;
            rest = next;
        }
        false
    }

    fn owner(&mut self, owner: Owner<'_>) -> Result<(), Full> {
        match owner {
            Owner::Question if self.question == 1 => self.octets(&[0]),
            Owner::Question => self.octets(&POINTER_TO_QUESTION.to_be_bytes()),
            Owner::Name([0]) => self.octets(&[0]),
            Owner::Name(name) => self.name(name),
        }
    }

    fn rdata(&mut self, record_type: RecordType, rdata: &[u8]) -> Result<(), Full> {
        let Some(names) = compressible(record_type) else {
            let length = u16::try_from(rdata.len()).map_err(|_| Full)?;
            self.octets(&length.to_be_bytes())?;
            return self.octets(rdata);
        };
        let start = self.length;
        self.octets(&[0; 2])?;
        let (before, mut rest) = rdata.split_at_checked(names.before).ok_or(Full)?;
        self.octets(before)?;
        for _ in 0..names.names {
            let (name, after) = rest.split_at_checked(name_length(rest).map_err(|_| Full)?).ok_or(Full)?;
            self.name(name)?;
            rest = after;
        }
        self.octets(rest)?;
        let length = u16::try_from(self.length - start - 2).map_err(|_| Full)?;
        if let Some(place) = self.output.get_mut(start..start + 2) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Writes a name, its longest known suffix as a pointer.
    fn name(&mut self, name: &[u8]) -> Result<(), Full> {
        if self.suffix_count == 0 {
            self.remember_question();
        }
        let mut rest = name;
        while let Some((&length, after)) = rest.split_first() {
            if length == 0 {
                return self.octets(&[0]);
            }
            if let Some(offset) = self.find(rest) {
                return self.octets(&(0xc000 | offset).to_be_bytes());
            }
            self.remember(self.length, rest.len());
            let label = rest.get(..1 + usize::from(length)).ok_or(Full)?;
            self.octets(label)?;
            rest = after.get(usize::from(length)..).ok_or(Full)?;
        }
        Err(Full)
    }

    fn find(&self, name: &[u8]) -> Option<u16> {
        let known = self.suffixes.get(..self.suffix_count)?;
        let same = |suffix: &&Suffix| {
            steps::count(CountedStep::Comparison);
            suffix.length() == name.len() && self.name_at_is(usize::from(suffix.offset()), name)
        };
        known.iter().find(same).map(|suffix| suffix.offset())
    }

    /// Remembers the question's name: only now, because most answers name nothing else.
    fn remember_question(&mut self) {
        let mut position = 0;
        while position + 1 < self.question {
            self.remember(HEADER + position, self.question - position);
            position += 1 + self.output.get(HEADER + position).copied().map_or(0, usize::from);
        }
    }

    fn remember(&mut self, offset: usize, length: usize) {
        let (true, Ok(length)) = (offset <= MAX_POINTER, u8::try_from(length)) else { return };
        if let Some(place) = self.suffixes.get_mut(self.suffix_count) {
            *place = Suffix::new(offset as u16, length);
            self.suffix_count += 1;
        }
    }

    fn octets(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.length + octets.len();
        if end > self.limit {
            return Err(Full);
        }
        self.output.get_mut(self.length..end).ok_or(Full)?.copy_from_slice(octets);
        self.length = end;
        Ok(())
    }

    fn count(&mut self, section: usize) -> Result<(), Full> {
        let count = self.counts.get_mut(section).ok_or(Full)?;
        *count = count.checked_add(1).ok_or(Full)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{CLASS_IN, Name};
    use proptest::prelude::*;

    fn wire(text: &str) -> Vec<u8> {
        text.parse::<Name>().unwrap().as_wire().to_vec()
    }

    fn question(text: &str) -> Vec<u8> {
        [&wire(text)[..], b"\0\x01\0\x01"].concat()
    }

    fn ask(writer: &mut Writer<'_>, name: &str) {
        writer.question(&question(name), wire(name).len()).unwrap();
    }

    #[test]
    fn rdata_is_compressed_only_where_rfc3597_allows() {
        let mut output = [0; 512];
        let mut writer = Writer::new(&mut output, 512).unwrap();
        ask(&mut writer, "Www.example.org");
        let start = writer.length();
        let target = wire("ns.EXAMPLE.org");
        writer.record(Section::Answer, Owner::Question, (RecordType::NS, CLASS_IN, 5), &target).unwrap();
        // Pointer, 8 fixed octets, RDLENGTH, `ns` and a pointer.
        assert_eq!(writer.length() - start, 2 + 8 + 2 + 5);
        let start = writer.length();
        writer.record(Section::Answer, Owner::Question, (RecordType::DNAME, CLASS_IN, 5), &target).unwrap();
        assert_eq!(writer.length() - start, 2 + 8 + 2 + target.len());
        let start = writer.length();
        writer
            .record(Section::Answer, Owner::Name(&target), (RecordType::A, CLASS_IN, 5), &[1, 2, 3, 4])
            .unwrap();
        assert_eq!(writer.length() - start, 2 + 8 + 2 + 4);
        let length = writer.finish(7, flag_word());
        assert_eq!(output[..12], [0, 7, 0x84, 0, 0, 1, 0, 3, 0, 0, 0, 0]);
        assert_eq!(output[length..], [0; 512][length..]);
    }

    fn flag_word() -> u16 {
        crate::wire::flag::QR | crate::wire::flag::AA
    }

    #[test]
    fn what_does_not_fit_leaves_nothing() {
        let mut output = [0; 512];
        let mut writer = Writer::new(&mut output, 60).unwrap();
        ask(&mut writer, "example.org");
        let before = writer.length();
        let result = writer.whole(|writer| {
            let name = wire("mail.example.org");
            writer.record(
                Section::Answer,
                Owner::Name(&name),
                (RecordType::A, CLASS_IN, 5),
                &[1, 2, 3, 4],
            )?;
            writer.record(Section::Answer, Owner::Name(&name), (RecordType::A, CLASS_IN, 5), &[1, 2, 3, 5])
        });
        assert_eq!(result, Err(Full));
        assert_eq!(writer.length(), before);
        let name = wire("mail.example.org");
        writer
            .record(Section::Answer, Owner::Name(&name), (RecordType::A, CLASS_IN, 5), &[1, 2, 3, 4])
            .unwrap();
        assert_eq!(writer.finish(0, 0), before + 21);
        assert_eq!(output[6..8], [0, 1]);
    }

    #[test]
    fn options_are_whole_or_not_there() {
        let mut output = [0xee; 64];
        let mut writer = Writer::new(&mut output, 34).unwrap();
        let opt = writer.opt(1232, 0x8000).unwrap();
        writer.option(opt, 3, &[b"ab", b"c"]).unwrap();
        assert_eq!(writer.option(opt, 10, &[b"123"]), Err(Full));
        writer.option(opt, 12, &[]).unwrap();
        let length = writer.finish(0, 0);
        assert_eq!(output[12..length], *b"\0\0\x29\x04\xd0\0\0\x80\0\0\x0b\0\x03\0\x03abc\0\x0c\0\0");
    }

    #[test]
    fn pointers_only_go_where_fourteen_bits_reach() {
        let mut output = vec![0; 65_535];
        let mut writer = Writer::new(&mut output, 65_535).unwrap();
        ask(&mut writer, "example.org");
        let filler = (RecordType(65_280), CLASS_IN, 0);
        writer.record(Section::Answer, Owner::Question, filler, &[0; 0x4000]).unwrap();
        let far = wire("far.test");
        for _ in 0..2 {
            let start = writer.length();
            writer.record(Section::Answer, Owner::Name(&far), (RecordType::A, CLASS_IN, 0), &[0; 4]).unwrap();
            assert_eq!(writer.length() - start, far.len() + 8 + 2 + 4);
            assert!(writer.name_at_is(start, &far));
        }
    }

    proptest! {
        #[test]
        fn names_come_back(names in prop::collection::vec("[abC]{1,3}(\\.[abC]{1,3}){0,5}", 1..60)) {
            let mut output = vec![0; 65_535];
            let mut writer = Writer::new(&mut output, 65_535).unwrap();
            ask(&mut writer, "a.b");
            let mut places = Vec::new();
            for name in &names {
                places.push(writer.length());
                writer.record(Section::Answer, Owner::Name(&wire(name)), (RecordType::NS, CLASS_IN, 0), &wire(name)).unwrap();
            }
            for (name, place) in names.iter().zip(places) {
                prop_assert!(writer.name_at_is(place, &wire(name)));
                let longer = format!("x.{name}");
                prop_assert!(!writer.name_at_is(place, &wire(&longer)));
            }
        }
    }
}
