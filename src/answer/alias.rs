//! CNAME and DNAME: an alias goes into the answer, the name becomes its target.

use crate::wire::{CLASS_IN, Full, Name, NameError, Owner, RecordType, Section};
use crate::zone::{NodeRef, RrSet};

use super::chain::{Chain, MAX_ALIASES, Step, Stopped};
use super::verdict::rcode;

/// Writes the CNAME and follows it (RFC 1034 section 4.3.2 step 3a).
pub(super) fn cname(chain: &mut Chain<'_, '_>, node: NodeRef<'_>, set: RrSet<'_>) -> Result<Step, Stopped> {
    let start = chain.writer.length();
    chain.write_answer(node, set)?;
    let Some(target) = set.rdata().next() else { return Ok(Step::Done(rcode::NOERROR)) };
    if chain.name.to_mut().replace(target).is_err() {
        return Ok(Step::Done(rcode::NOERROR));
    }
    Ok(follow(chain, start))
}

/// Writes the DNAME and the CNAME that it makes, and follows that (RFC 6672 section 3.2 step 3c).
pub(super) fn dname(chain: &mut Chain<'_, '_>, node: NodeRef<'_>) -> Result<Step, Stopped> {
    let Some(set) = node.set(RecordType::DNAME) else { return Ok(Step::Done(rcode::NOERROR)) };
    write_dname_once(chain, node, set)?;
    let Some(target) = set.rdata().next() else { return Ok(Step::Done(rcode::NOERROR)) };
    let labels_of_owner = node.zone().origin().label_count() + node.labels_below_apex();
    let kept = chain.name.label_count().saturating_sub(labels_of_owner);
    let owner = chain.name.clone();
    match chain.name.to_mut().substitute(kept, target) {
        // RFC 6672 section 2.2: the DNAME is answered, the name it makes cannot be.
        Err(NameError::NameTooLong) => return Ok(Step::Done(rcode::YXDOMAIN)),
        Err(_) => return Ok(Step::Done(rcode::NOERROR)),
        Ok(()) => {}
    }
    let start = chain.writer.length();
    let from = if chain.aliases.count == 0 { Owner::Question } else { Owner::Name(owner.as_wire()) };
    // RFC 6672 section 3.1: the CNAME's TTL is the DNAME's.
    let fixed = (RecordType::CNAME, CLASS_IN, set.ttl);
    let to = chain.name.as_wire();
    chain.writer.whole(|writer| writer.record(Section::Answer, from, fixed, to))?;
    // The CNAME is what was asked for, as it is where one stands (section 3.2 step 3a); BIND 9.18 stops for both
    // types, NSD 4.6 and Knot DNS 3.2 for CNAME.
    if matches!(chain.record_type, RecordType::CNAME | RecordType::ANY) {
        return Ok(Step::Done(rcode::NOERROR));
    }
    Ok(follow(chain, start))
}

/// Writes the DNAME, unless an earlier alias came by it: an RRset stands in an answer once (RFC 2181 section 5), and a
/// DNAME whose target is below its owner is met again and again.
fn write_dname_once(chain: &mut Chain<'_, '_>, node: NodeRef<'_>, set: RrSet<'_>) -> Result<(), Full> {
    let mut buffer = [0; Name::MAX_OCTETS];
    let owner = node.owner_into(&mut buffer);
    if chain.has_dname(owner) {
        return Ok(());
    }
    let start = chain.writer.length();
    chain.write_set(Section::Answer, owner, node, set, set.ttl)?;
    // There are as many places as aliases.
    chain.dnames.push(start);
    Ok(())
}

/// Remembers the alias whose owner stands at `start`; stops at a loop, and where the chain gets too long: then
/// what is there is the answer.
fn follow(chain: &mut Chain<'_, '_>, start: usize) -> Step {
    let room = chain.aliases.push(start);
    let seen = chain.aliases.hold(chain.writer, chain.name.as_wire());
    if !room || seen || chain.aliases.count == MAX_ALIASES {
        return Step::Done(rcode::NOERROR);
    }
    Step::Follow
}
