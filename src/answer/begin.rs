//! The first half of an answer: reads the query, finds the zone of its name, and prefetches the index lines that the second half
//! reads first ([`crate::zone::Ahead`]).
//!
//! A worker begins some queries, [prefetches](PendingAnswer::prefetch) for all of them, and answers them one after the other; a caller
//! with one query does both halves at once ([`answer`](super::answer())). Nothing is done twice.

use crate::wire::{CLASS_IN, LookupName, Query, RecordType, opcode};
use crate::zone::{Ahead, Snapshot, Zone};

/// A query that was read and is not answered yet.
#[derive(Clone, Debug)]
pub struct PendingAnswer<'a> {
    pub(super) query: Query<'a>,
    pub(super) snapshot: &'a Snapshot,
    /// QNAME, if there is one.
    pub(super) name: &'a LookupName,
    /// The zone that is authoritative for QNAME.
    pub(super) zone: Option<&'a Zone>,
    pub(super) ahead: Option<Ahead<'a>>,
}

/// Reads a query, and looks for the zone of its QNAME if that will be asked; `name` becomes QNAME, whatever it was. `None`
/// if nothing may be sent back: the message is shorter than a header, or a response.
pub fn begin<'a>(
    query: &'a [u8],
    snapshot: &'a Snapshot,
    name: &'a mut LookupName,
) -> Option<PendingAnswer<'a>> {
    let query = Query::parse(query)?;
    let is_for_zones = query.fault.is_none() && query.opcode() == opcode::QUERY;
    let question = query.question.as_ref().filter(|question| is_for_zones && question.class == CLASS_IN);
    if let Some(question) = question {
        question.name_into(name);
    }
    let name = &*name;
    let zone = question.and_then(|_| snapshot.closest_zone(name, 0));
    let ahead = zone.and_then(|zone| zone.ahead(name));
    Some(PendingAnswer { query, snapshot, name, zone, ahead })
}

impl PendingAnswer<'_> {
    /// QTYPE, if the question could be read.
    pub fn record_type(&self) -> Option<RecordType> {
        self.query.question.as_ref().map(|question| question.record_type)
    }

    /// Whether the query has a COOKIE option (RFC 7873 section 4), right or wrong.
    pub fn has_cookie(&self) -> bool {
        self.query.edns.as_ref().is_some_and(|edns| edns.cookie.is_some())
    }

    /// What stands for the zone of QNAME in counters ([`Zone::apex_key`]); `None` if no zone here holds it.
    pub fn zone_key(&self) -> Option<u64> {
        self.zone.map(Zone::apex_key)
    }

    /// Prefetches what the lines that [`begin`] prefetched point to. Changes nothing.
    pub fn prefetch(&self) {
        if let Some(ahead) = &self.ahead {
            ahead.follow();
        }
    }
}
