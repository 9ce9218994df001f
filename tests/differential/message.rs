//! A response as it is compared: header, sections as sets in lower case, OPT. Strict: what cannot be read to the last
//! octet is an error.

use super::name::Name;
use super::questions::mnemonic;

/// A record in comparable form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// Wire form in lower case.
    pub owner: Vec<u8>,
    pub record_type: u16,
    pub class: u16,
    pub ttl: u32,
    /// Names in it written out and in lower case, for the types of RFC 1035 and those that RFC 4034 lowers.
    pub rdata: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    /// The header's flags without the RCODE.
    pub flags: u16,
    /// With the upper bits of OPT.
    pub rcode: u16,
    /// The question's octets as they came.
    pub question: Vec<u8>,
    /// Answer, authority, additional without OPT; each sorted, each record once.
    pub sections: [Vec<Record>; 3],
    /// A record that stands twice in one section (RFC 2181 section 5).
    pub repeated: Option<Record>,
    /// EDNS version and DO, if there is an OPT record.
    pub opt: Option<(u8, bool)>,
    /// Octets of the message.
    pub length: usize,
}

/// AA and TC.
pub const AA: u16 = 0x0400;
pub const TC: u16 = 0x0200;
const OPT: u16 = 41;
const NAPTR: u16 = 35;
/// RRSIG.
pub const RRSIG: u16 = 46;
const HTTPS: u16 = 65;

/// Where a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub usize);

/// Reads a response.
pub fn parse(octets: &[u8]) -> Result<Message, Malformed> {
    let mut reader = Reader { octets, at: 0 };
    let (id, flags) = (reader.u16()?, reader.u16()?);
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let mut message =
        Message { id, flags: flags & !15, rcode: flags & 15, length: octets.len(), ..Message::default() };
    let start = reader.at;
    for _ in 0..counts[0] {
        reader.name()?;
        reader.take(4)?;
    }
    message.question = octets.get(start..reader.at).unwrap_or_default().to_vec();
    for (section, count) in counts[1..].iter().enumerate() {
        for _ in 0..*count {
            let record = reader.record()?;
            if record.record_type == OPT && section == 2 {
                if message.opt.is_some() || record.owner != [0] {
                    return Err(Malformed(reader.at));
                }
                message.rcode |= ((record.ttl >> 24) as u16) << 4;
                message.opt = Some(((record.ttl >> 16) as u8, record.ttl & 0x8000 != 0));
            } else {
                message.sections[section].push(record);
            }
        }
        let records = &mut message.sections[section];
        records.sort();
        let twice = records.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
        message.repeated = message.repeated.or(twice);
        records.dedup();
    }
    if reader.at == octets.len() { Ok(message) } else { Err(Malformed(reader.at)) }
}

impl Message {
    /// The header and how many records there are, for a report.
    pub fn head(&self) -> String {
        let bits = [
            (0x400, "aa"),
            (0x200, "tc"),
            (0x100, "rd"),
            (0x80, "ra"),
            (0x40, "z"),
            (0x20, "ad"),
            (0x10, "cd"),
        ];
        let set = bits.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, name)| *name);
        let flags: Vec<&str> = set.collect();
        let opt = self
            .opt
            .map_or("no OPT".to_owned(), |(version, dnssec_ok)| format!("OPT {version} do={dnssec_ok}"));
        let [answer, authority, additional] = [0, 1, 2].map(|index: usize| self.sections[index].len());
        let (rcode, flags, length) = (self.rcode, flags.join(" "), self.length);
        format!("rcode {rcode} {flags} {opt} {answer}/{authority}/{additional} records {length} octets")
    }
}

impl Record {
    /// Its type's mnemonic; of a signature that of the type that it covers.
    pub fn kind(&self) -> String {
        match (self.record_type, self.rdata.get(..2)) {
            (RRSIG, Some(covered)) => mnemonic(u16::from_be_bytes([covered[0], covered[1]])),
            _ => mnemonic(self.record_type),
        }
    }

    /// For a report.
    pub fn text(&self) -> String {
        let rdata = match self.record_type {
            2 | 5 | 12 | 39 => Name::from_wire(&self.rdata).to_string(),
            1 => self.rdata.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
            47 => format!("{} …", Name::from_wire(&self.rdata)),
            RRSIG => format!("covers {} …", self.kind()),
            _ => {
                let hex: String = self.rdata.iter().take(24).map(|octet| format!("{octet:02x}")).collect();
                format!("{hex} ({} octets)", self.rdata.len())
            }
        };
        format!("{} {} {} {rdata}", Name::from_wire(&self.owner), self.ttl, mnemonic(self.record_type))
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.octets.get(self.at..self.at + count).ok_or(Malformed(self.at))?;
        self.at += count;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|octets| octets[0])
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn record(&mut self) -> Result<Record, Malformed> {
        let owner = self.name()?.to_ascii_lowercase();
        let (record_type, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from(self.u16()?) << 16 | u32::from(self.u16()?);
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        let mut rdata = Vec::with_capacity(length);
        let (before, names) = layout(record_type);
        if names > 0 {
            rdata.extend_from_slice(self.take(before)?);
            for _ in 0..names {
                rdata.extend(self.name()?.to_ascii_lowercase());
            }
        }
        let left = end.checked_sub(self.at).ok_or(Malformed(self.at))?;
        rdata.extend_from_slice(self.take(left)?);
        if matches!(record_type, NAPTR | HTTPS) {
            // NSD writes their names in lower case; nothing else in what is generated has capitals that matter.
            rdata.make_ascii_lowercase();
        }
        Ok(Record { owner, record_type, class, ttl, rdata })
    }

    /// A name written out; pointers go backwards only (RFC 1035 section 4.1.4).
    fn name(&mut self) -> Result<Vec<u8>, Malformed> {
        let (mut name, mut after, mut earliest) = (Vec::new(), None, self.at);
        loop {
            let start = self.at;
            let length = usize::from(self.u8()?);
            match length {
                0 => break,
                1..=63 => {
                    name.push(length as u8);
                    name.extend_from_slice(self.take(length)?);
                }
                192.. => {
                    let target = (length & 63) << 8 | usize::from(self.u8()?);
                    after = after.or(Some(self.at));
                    if target >= earliest {
                        return Err(Malformed(start));
                    }
                    (self.at, earliest) = (target, target);
                }
                _ => return Err(Malformed(start)),
            }
        }
        name.push(0);
        self.at = after.unwrap_or(self.at);
        if name.len() > 255 { Err(Malformed(self.at)) } else { Ok(name) }
    }
}

/// Octets before the names in RDATA, and how many names; only where names come first in what is left.
fn layout(record_type: u16) -> (usize, usize) {
    match record_type {
        2 | 5 | 12 | 39 | 47 => (0, 1),
        6 | 17 => (0, 2),
        15 => (2, 1),
        33 => (6, 1),
        46 => (18, 1),
        _ => (0, 0),
    }
}
