//! A zone out as text, as the reader takes it again.

use std::io::{self, Write};

use crate::wire::RecordType;
use crate::zone::Zone;

use crate::zonefile::rdata;

/// One record as a line of a zone file without its end: absolute owner, TTL, class, type, RDATA.
pub fn record_line(owner: &[u8], record_type: RecordType, ttl: u32, octets: &[u8]) -> String {
    let mut line = Vec::new();
    rdata::write_name(owner, &mut line);
    line.extend(format!(" {ttl} IN {record_type} ").as_bytes());
    rdata::write(record_type, octets, &mut line);
    // What is no ASCII was escaped.
    String::from_utf8_lossy(&line).into_owned()
}

/// Writes every record of the zone on a line of its own: absolute owner, TTL, class, type, RDATA; no directives, no
/// parentheses. Reading it again gives the same zone, octet by octet. Fails only as `out` fails; does not flush it.
pub fn write_zone(zone: &Zone, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    let mut outcome = Ok(());
    zone.for_each_record(|owner, record_type, ttl, octets| {
        if outcome.is_err() {
            return;
        }
        line.clear();
        rdata::write_name(owner, &mut line);
        outcome = write!(line, "\t{ttl}\tIN\t{record_type}\t");
        rdata::write(record_type, octets, &mut line);
        line.push(b'\n');
        if outcome.is_ok() {
            outcome = out.write_all(&line);
        }
    });
    outcome
}
