//! A response as the expectations speak of it. hickory-proto reads it, a codec that is not ours.

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record};

use crate::query::{FLAGS, OPTIONS};

pub(crate) struct Response {
    pub(crate) octets: Vec<u8>,
    pub(crate) message: Message,
}

impl Response {
    pub(crate) fn read(octets: &[u8]) -> Result<Self, String> {
        let message = Message::from_vec(octets).map_err(|error| error.to_string())?;
        Ok(Self { octets: octets.to_vec(), message })
    }

    /// Octets 2 and 3 of the header.
    pub(crate) fn flag_word(&self) -> u16 {
        u16::from_be_bytes([self.octets[2], self.octets[3]])
    }

    /// The names of the flags that are set, but for QR.
    pub(crate) fn flags(&self) -> String {
        let set = FLAGS.iter().skip(1).filter(|(_, flag)| self.flag_word() & flag != 0);
        set.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn rcode(&self) -> String {
        match u16::from(self.message.metadata.response_code) {
            0 => "NOERROR".into(),
            1 => "FORMERR".into(),
            2 => "SERVFAIL".into(),
            3 => "NXDOMAIN".into(),
            4 => "NOTIMP".into(),
            5 => "REFUSED".into(),
            6 => "YXDOMAIN".into(),
            9 => "NOTAUTH".into(),
            16 => "BADVERS".into(),
            23 => "BADCOOKIE".into(),
            other => other.to_string(),
        }
    }

    /// Records as `OWNER TTL TYPE RDATA`, sorted.
    pub(crate) fn section(&self, index: usize) -> Vec<String> {
        let records = [&self.message.answers, &self.message.authorities, &self.message.additionals][index];
        let mut lines: Vec<String> = records.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// The code and the octets of each option.
    pub(crate) fn raw_options(&self) -> Vec<(u16, Vec<u8>)> {
        let Some(edns) = &self.message.edns else { return Vec::new() };
        let options = edns.options().as_ref().iter();
        options.map(|(code, option)| (u16::from(*code), Vec::try_from(option).unwrap())).collect()
    }

    /// Options in words, sorted.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut words: Vec<String> =
            self.raw_options().iter().map(|(code, data)| word(*code, data)).collect();
        words.sort();
        words
    }
}

pub(crate) fn line(record: &Record) -> String {
    let data = match &record.data {
        RData::Unknown { code, rdata } if u16::from(*code) == 39 => name(&rdata.anything),
        RData::Unknown { rdata, .. } => {
            format!("\\# {} {}", rdata.anything.len(), hex(&rdata.anything)).trim_end().to_owned()
        }
        data => data.to_string(),
    };
    let record_type = match record.record_type().to_string() {
        text if text.starts_with("Unknown") || text.starts_with("TYPE") => {
            anyns::wire::RecordType(record.record_type().into()).to_string()
        }
        text => text,
    };
    format!("{} {} {record_type} {data}", record.name, record.ttl)
}

fn word(code: u16, data: &[u8]) -> String {
    let label = OPTIONS.iter().find(|(_, known)| *known == code).map(|(name, _)| *name);
    let value = match (label, data) {
        (Some("NSID"), data) => String::from_utf8_lossy(data).into_owned(),
        (Some("EDE" | "KEEPALIVE"), [high, low]) => u16::from_be_bytes([*high, *low]).to_string(),
        (Some("ZONEVERSION"), [labels, kind, serial @ ..]) if serial.len() == 4 => {
            format!("{labels}/{kind}/{}", u32::from_be_bytes(serial.try_into().unwrap()))
        }
        (Some("REPORT-CHANNEL"), data) => name(data),
        (Some("PADDING"), data) if data.iter().all(|octet| *octet == 0) => format!("{} zeros", data.len()),
        (_, data) => hex(data),
    };
    format!("{}={value}", label.map_or(code.to_string(), str::to_owned))
}

fn name(wire: &[u8]) -> String {
    anyns::wire::Name::from_wire(wire).map_or_else(|_| hex(wire), |name| name.to_string())
}

fn hex(octets: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(octets)
}
