//! Queries and responses as the tests see them: hickory-proto's codec, which is not ours, for everything that is read.

use anyns::wire::Name;
use hickory_proto::op::Message;
use hickory_proto::rr::Record;

/// A query with EDNS and DO; `rd` for a resolver.
pub(crate) fn query(id: u16, name: &str, record_type: u16, rd: bool) -> Vec<u8> {
    let name: Name = name.parse().unwrap();
    let mut octets = id.to_be_bytes().to_vec();
    octets.extend([u8::from(rd), 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    octets.extend(name.as_wire());
    octets.extend(record_type.to_be_bytes());
    octets.extend([0, 1, 0, 0, 41, 0xff, 0xff, 0, 0, 0x80, 0, 0, 0]);
    octets
}

/// What a response says.
pub(crate) struct Response {
    pub(crate) message: Message,
}

impl Response {
    pub(crate) fn read(octets: &[u8]) -> Self {
        let message = Message::from_vec(octets).unwrap_or_else(|error| panic!("{error}: {octets:?}"));
        Self { message }
    }

    pub(crate) fn rcode(&self) -> u16 {
        self.message.metadata.response_code.into()
    }

    /// Whether the resolver says that all of it is secure.
    pub(crate) fn ad(&self) -> bool {
        self.message.metadata.authentic_data
    }

    /// The records of a section: 0 answer, 1 authority, 2 additional.
    pub(crate) fn section(&self, index: usize) -> &[Record] {
        match index {
            0 => &self.message.answers,
            1 => &self.message.authorities,
            _ => &self.message.additionals,
        }
    }

    /// All of it, for a fault.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![format!("rcode {} ad {}", self.rcode(), self.ad())];
        for index in 0..3 {
            lines.extend(self.section(index).iter().map(|record| format!("  {index} {record}")));
        }
        lines.extend(self.message.edns.iter().map(|edns| format!("  {edns:?}")));
        lines.join("\n")
    }
}
