//! Referrals: the NS records of a delegation, its DS records, and glue (RFC 1034 section 4.3.2 step 3b, RFC 9471).

use crate::wire::{CLASS_IN, Full, LookupName, Name, Owner, RecordType, Section, steps};
use crate::zone::NodeRef;

use super::chain::{Chain, Step, Stopped};
use super::{chain, denial};

/// Writes a referral for the delegation point `node`; at a wildcard (`synthesised`) its owner is the name asked for.
pub(super) fn write<'a>(
    chain: &mut Chain<'a, '_>,
    node: NodeRef<'a>,
    synthesised: bool,
) -> Result<Step, Stopped> {
    let mut buffer = [0; Name::MAX_OCTETS];
    let name;
    let owner = if synthesised {
        name = chain.name.clone();
        name.as_wire()
    } else {
        node.owner_into(&mut buffer)
    };
    let Some(servers) = node.set(RecordType::NS) else { return Ok(Step::Referred) };
    let write = chain
        .writer
        .whole(|writer| chain::records(writer, Section::Authority, Owner::Name(owner), servers, servers.ttl));
    write.map_err(Stopped::Referral)?;
    if synthesised {
        denial::from_wildcard(chain, node)?;
    }
    match node.set(RecordType::DS).filter(|_| chain.dnssec_ok) {
        // RFC 4035 section 3.1.4: DS goes along, or the proof that there is none.
        Some(signers) => {
            let written = chain.write_set(Section::Authority, owner, node, signers, signers.ttl);
            written.map_err(Stopped::Referral)?;
        }
        None if synthesised => denial::no_data_at_wildcard(chain, node)?,
        None => denial::unsigned_delegation(chain, node)?,
    }
    denial::write(chain).map_err(Stopped::Referral)?;
    for rdata in servers.rdata() {
        // RFC 9471 section 3.1: all in-domain glue, or TC.
        glue(chain, node, owner, rdata, Domain::In).map_err(Stopped::Referral)?;
    }
    for rdata in servers.rdata() {
        // RFC 9471 section 3.2: sibling glue where it fits. So it is for other addresses of the parent zone.
        if glue(chain, node, owner, rdata, Domain::Sibling) == Err(Full) {
            break;
        }
    }
    Ok(Step::Referred)
}

/// Whether a name server's name is in the delegated zone or elsewhere in the parent zone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Domain {
    In,
    Sibling,
}

/// Writes the addresses of one name server, if its name belongs to `wanted`.
fn glue(
    chain: &mut Chain<'_, '_>,
    node: NodeRef<'_>,
    owner: &[u8],
    server: &[u8],
    wanted: Domain,
) -> Result<(), Full> {
    let Ok(name) = LookupName::from_wire_prefix(server) else { return Ok(()) };
    let domain = if is_at_or_below(&name, owner) { Domain::In } else { Domain::Sibling };
    let zone = node.zone();
    if domain != wanted || !is_at_or_below(&name, zone.origin().as_wire()) {
        return Ok(());
    }
    steps::count(steps::CountedStep::Glue);
    let Some(addresses) = zone.find(&name) else { return Ok(()) };
    for record_type in [RecordType::A, RecordType::AAAA] {
        let Some(set) = addresses.set(record_type) else { continue };
        let fixed = (record_type, CLASS_IN, set.ttl);
        chain.writer.whole(|writer| {
            let mut records = set.rdata();
            records.try_for_each(|rdata| {
                writer.record(Section::Additional, Owner::Name(name.as_wire()), fixed, rdata)
            })
        })?;
    }
    Ok(())
}

fn is_at_or_below(name: &LookupName, ancestor: &[u8]) -> bool {
    (0..=name.label_count()).any(|removed| name.ancestor(removed).eq_ignore_ascii_case(ancestor))
}
