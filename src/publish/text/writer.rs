//! A zone out as text, as the reader takes it again.

use std::io;

use crate::zone::Zone;

use super::rdata;

/// Writes every record of the zone on a line of its own: absolute owner, TTL, class, type, RDATA; no directives, no
/// parentheses. Reading it again gives the same zone, octet by octet. Fails only as `out` fails; does not flush it.
pub fn write_zone(zone: &Zone, out: &mut impl io::Write) -> io::Result<()> {
    let (mut line, mut octets) = (Vec::new(), Vec::new());
    for record in zone.records() {
        line.clear();
        octets.clear();
        rdata::write_name(record.owner.as_wire(), &mut line);
        line.extend_from_slice(format!("\t{}\tIN\t{}\t", record.ttl, record.record_type).as_bytes());
        rdata::write(record.record_type, &record.rdata, &mut octets);
        line.append(&mut octets);
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}
