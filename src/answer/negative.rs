//! NODATA and NXDOMAIN: the SOA that says how long they hold (RFC 2308).

use crate::wire::{Full, RecordType, Section};
use crate::zone::Zone;

use super::chain::Chain;

/// Writes the zone's SOA into the authority section, its TTL the negative one (RFC 2308 section 3).
pub(super) fn write(chain: &mut Chain<'_, '_>, zone: &Zone) -> Result<(), Full> {
    // A signed answer has the SOA's signature behind it, and that of an alias another name to point to.
    if !chain.dnssec_ok
        && chain.aliases.count == 0
        && let Some(soa) = zone.negative_soa()
    {
        return chain.writer.prepared(Section::Authority, soa, zone.origin().as_wire().len());
    }
    let apex = zone.apex();
    let Some(soa) = apex.set(RecordType::SOA) else { return Ok(()) };
    chain.write_set(Section::Authority, zone.origin().as_wire(), apex, soa, zone.negative_ttl())
}
