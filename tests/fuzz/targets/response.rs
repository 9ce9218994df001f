//! A reader of responses that shares no code with the server and forgives nothing: every octet belongs to something,
//! pointers lead backwards, and only RDATA that may be compressed is (RFC 3597 section 4).

/// Octets of a header.
const HEADER: usize = 12;
/// The most octets of a name (RFC 1035 section 2.3.4).
const NAME: usize = 255;

/// One response, taken apart.
pub struct Response {
    /// All of it.
    pub octets: Vec<u8>,
    /// The header's second word.
    pub flags: u16,
    /// The question as it stands there.
    pub question: Option<Vec<u8>>,
    sections: [Vec<Record>; 3],
}

/// One record; names are written out.
#[derive(Debug)]
pub struct Record {
    owner: Vec<u8>,
    pub record_type: u16,
    class: u16,
    rdata: Vec<u8>,
}

impl Record {
    /// What makes it the same record as another: all but the TTL, the owner's case ignored.
    pub fn key(&self) -> (Vec<u8>, u16, u16, &[u8]) {
        (self.owner.to_ascii_lowercase(), self.record_type, self.class, &self.rdata)
    }
}

impl Response {
    /// Reads a whole message; panics at the first thing that is not as it must be.
    pub fn read(octets: &[u8]) -> Self {
        let mut reader = Reader { octets, position: 0 };
        let _id = reader.u16();
        let flags = reader.u16();
        let [questions, answers, authorities, additionals] = [(); 4].map(|()| reader.u16());
        assert_eq!(reader.position, HEADER);
        assert!(questions <= 1, "{questions} questions");
        let question = (questions == 1).then(|| {
            reader.plain_name(octets.len());
            reader.take(4);
            octets[HEADER..reader.position].to_vec()
        });
        let sections = [answers, authorities, additionals]
            .map(|count| (0..count).map(|_| reader.record()).collect::<Vec<_>>());
        assert_eq!(reader.position, octets.len(), "octets are left after the last record");
        Self { octets: octets.to_vec(), flags, question, sections }
    }

    /// Every record with the number of its section.
    pub fn records(&self) -> impl Iterator<Item = (usize, &Record)> {
        self.sections
            .iter()
            .enumerate()
            .flat_map(|(section, records)| records.iter().map(move |record| (section, record)))
    }

    /// Whether there is no record but OPT.
    pub fn is_without_data(&self) -> bool {
        self.records().all(|(_, record)| record.record_type == 41)
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let end = self.position + length;
        assert!(end <= self.octets.len(), "the message ends at {}, {end} is needed", self.octets.len());
        let taken = &self.octets[self.position..end];
        self.position = end;
        taken
    }

    fn u16(&mut self) -> u16 {
        let octets = self.take(2);
        u16::from_be_bytes([octets[0], octets[1]])
    }

    fn record(&mut self) -> Record {
        let owner = self.name();
        let (record_type, class) = (self.u16(), self.u16());
        let _ttl = self.take(4);
        let length = usize::from(self.u16());
        let end = self.position + length;
        let rdata = self.rdata(record_type, end);
        assert_eq!(self.position, end, "RDLENGTH of a record of type {record_type}");
        Record { owner, record_type, class, rdata }
    }

    /// RDATA up to `end`, its names written out.
    fn rdata(&mut self, record_type: u16, end: usize) -> Vec<u8> {
        // How many octets stand before the names, how many names there are, and whether they may be compressed.
        let (before, names, compressed) = match record_type {
            // NS, MD, MF, CNAME, MB, MG, MR, PTR.
            2..=5 | 7..=9 | 12 => (0, 1, true),
            // SOA, MINFO.
            6 | 14 => (0, 2, true),
            // MX.
            15 => (2, 1, true),
            // AFSDB, RT, KX, SVCB, HTTPS.
            18 | 21 | 36 | 64 | 65 => (2, 1, false),
            // SRV, RRSIG, DNAME, NSEC.
            33 => (6, 1, false),
            46 => (18, 1, false),
            39 | 47 => (0, 1, false),
            _ => (0, 0, false),
        };
        let mut rdata = self.take(before).to_vec();
        for _ in 0..names {
            rdata.extend(if compressed { self.name() } else { self.plain_name(end) });
        }
        assert!(self.position <= end, "RDATA of type {record_type} goes past its RDLENGTH");
        rdata.extend(self.take(end - self.position));
        rdata
    }

    /// A name without pointers, which ends before `end`.
    fn plain_name(&mut self, end: usize) -> Vec<u8> {
        let start = self.position;
        let name = self.name();
        assert_eq!(self.octets[start..self.position], name, "a name that may not be compressed");
        assert!(self.position <= end);
        name
    }

    /// A name, written out; its pointers lead to before the labels that they follow.
    fn name(&mut self) -> Vec<u8> {
        let (mut name, mut at, mut start, mut after) = (Vec::new(), self.position, self.position, None);
        loop {
            let length = self.octets[at];
            match length {
                0 => break,
                1..=63 => {
                    name.extend(&self.octets[at..=at + usize::from(length)]);
                    at += 1 + usize::from(length);
                }
                192.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(self.octets[at + 1]);
                    assert!((HEADER..start).contains(&target), "a pointer at {at} to {target}");
                    after.get_or_insert(at + 2);
                    (at, start) = (target, target);
                }
                _ => panic!("a label of kind {length:#x} at {at}"),
            }
        }
        name.push(0);
        assert!(name.len() <= NAME, "a name of {} octets", name.len());
        self.position = after.unwrap_or(at + 1);
        name
    }
}
