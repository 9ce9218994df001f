//! Just enough DNS for a test client, written apart from the server's own: a query out, the facts of a response in.

use std::fmt;

/// Record types that the tests ask for or look at (RFC 1035 section 3.2.2, RFC 3596).
pub const A: u16 = 1;
/// CNAME.
pub const CNAME: u16 = 5;
/// SOA.
pub const SOA: u16 = 6;
/// TXT.
pub const TXT: u16 = 16;
/// AAAA.
pub const AAAA: u16 = 28;
const OPT: u16 = 41;
const NSID: u16 = 3;

/// What a response said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message ID.
    pub id: u16,
    /// The RCODE of the header.
    pub rcode: u8,
    /// Whether AA was set.
    pub authoritative: bool,
    /// Whether TC was set.
    pub truncated: bool,
    /// The NSID option as text: which instance answered.
    pub instance: String,
    /// The first character string of every TXT record, in order.
    pub texts: Vec<String>,
    /// The target of every CNAME record, without the root's dot.
    pub targets: Vec<String>,
    /// The serial of every SOA record.
    pub serials: Vec<u32>,
    /// How many records of any type but OPT.
    pub records: usize,
}

/// A response that is no DNS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub usize);

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the response cannot be read at octet {}", self.0)
    }
}

/// A query for one name and type of class IN with EDNS and an empty NSID option (RFC 5001 section 2.1).
pub fn query(id: u16, name: &str, record_type: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).expect("a label of at most 63 octets"));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&record_type.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message.extend_from_slice(&[0, 0, OPT as u8, 4, 208, 0, 0, 0, 0, 0, 4, 0, NSID as u8, 0, 0]);
    message
}

/// Reads a response.
pub fn parse(message: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader { message, at: 0 };
    let id = reader.u16()?;
    let flags = reader.u16()?;
    let questions = reader.u16()?;
    let records = u32::from(reader.u16()?) + u32::from(reader.u16()?) + u32::from(reader.u16()?);
    let mut answer = Answer {
        id,
        rcode: (flags & 15) as u8,
        authoritative: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        ..Answer::default()
    };
    for _ in 0..questions {
        reader.name()?;
        reader.take(4)?;
    }
    for _ in 0..records {
        record(&mut reader, &mut answer)?;
    }
    Ok(answer)
}

fn record(reader: &mut Reader<'_>, answer: &mut Answer) -> Result<(), Malformed> {
    reader.name()?;
    let record_type = reader.u16()?;
    reader.take(6)?;
    let length = usize::from(reader.u16()?);
    let end = reader.at + length;
    answer.records += usize::from(record_type != OPT);
    match record_type {
        TXT => {
            let octets = usize::from(*reader.take(1)?.first().ok_or(Malformed(reader.at))?);
            answer.texts.push(String::from_utf8_lossy(reader.take(octets)?).into_owned());
        }
        CNAME => answer.targets.push(reader.name()?),
        SOA => {
            reader.name()?;
            reader.name()?;
            let serial = reader.u32()?;
            answer.serials.push(serial);
        }
        OPT => {
            while reader.at < end {
                let code = reader.u16()?;
                let octets = usize::from(reader.u16()?);
                let value = reader.take(octets)?;
                if code == NSID {
                    answer.instance = String::from_utf8_lossy(value).into_owned();
                }
            }
        }
        _ => {}
    }
    if end > reader.message.len() {
        return Err(Malformed(reader.at));
    }
    reader.at = end;
    Ok(())
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let octets = self.message.get(self.at..self.at + count).ok_or(Malformed(self.at))?;
        self.at += count;
        Ok(octets)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        let octets = self.take(2)?;
        octets.try_into().map(u16::from_be_bytes).map_err(|_| Malformed(self.at))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        let octets = self.take(4)?;
        octets.try_into().map(u32::from_be_bytes).map_err(|_| Malformed(self.at))
    }

    /// Reads a name, following pointers backwards only (RFC 1035 section 4.1.4), and goes on behind it.
    fn name(&mut self) -> Result<String, Malformed> {
        let mut labels = Vec::new();
        let mut after = None;
        loop {
            let start = self.at;
            let length = usize::from(*self.take(1)?.first().ok_or(Malformed(start))?);
            match length {
                0 => break,
                1..=63 => labels.push(String::from_utf8_lossy(self.take(length)?).into_owned()),
                _ => {
                    let low = usize::from(*self.take(1)?.first().ok_or(Malformed(start))?);
                    after = after.or(Some(self.at));
                    self.at = (length & 63) << 8 | low;
                    if self.at >= start {
                        return Err(Malformed(start));
                    }
                }
            }
        }
        self.at = after.unwrap_or(self.at);
        Ok(labels.join("."))
    }
}
