//! A zone out as text, as the reader takes it again.

use std::io::{self, Write};

use crate::zone::Zone;

use crate::zonefile::rdata;

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
