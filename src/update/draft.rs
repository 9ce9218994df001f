//! The update section carried out on a draft of the next version, and what that differs in (RFC 2136 section 3.4.2).
//!
//! The draft holds the names that the update is about, and nothing else of the zone.

use std::collections::{BTreeMap, BTreeSet};

use crate::publish::Difference;
use crate::wire::{CLASS_ANY, CLASS_IN, LookupName, Name, RecordType, Serial, canonical_rdata, soa};
use crate::zone::{Place, RecordBatch, Zone};

use super::fault::UpdateFault;
use super::message::UpdateRecord;

/// Records of all names of one update together: some ten times what a message can change, so that a message of 64 KiB that
/// names large names cannot make the process hold millions of records.
const MOST_RECORDS: usize = 1 << 16;
/// Octets of a WKS record that tell it from another: address and protocol (RFC 2136 section 1.1.5).
const WKS_IDENTITY: usize = 5;

/// What an update makes of a zone: the difference to the version that is served, with the serial raised; `None` if it
/// changes nothing. The records were looked at before ([`prescan`](super::prescan())).
///
/// # Errors
/// The names have too many records, or an RRset becomes too large for a response.
pub fn change(zone: &Zone, changes: &[UpdateRecord]) -> Result<Option<Difference>, UpdateFault> {
    let mut draft = Draft { zone, names: BTreeMap::new(), loaded: 0 };
    for record in changes {
        draft.carry_out(record)?;
    }
    draft.names.values().try_for_each(|name| name.check_sizes(zone.origin()))?;
    draft.raise_serial()?;
    Ok(draft.difference())
}

/// The names that an update is about.
struct Draft<'z> {
    zone: &'z Zone,
    names: BTreeMap<Name, DraftName<'z>>,
    /// Records of all of them, as they are served.
    loaded: usize,
}

/// One name: as it is served, and as it will be.
struct DraftName<'z> {
    /// In the case that the zone has it in, if it has it.
    owner: Name,
    served: Vec<(RecordType, u32, &'z [u8])>,
    sets: BTreeMap<RecordType, DraftSet>,
}

/// One RRset as it will be.
#[derive(Debug, Default)]
struct DraftSet {
    ttl: u32,
    /// By their canonical form, so that a record is known whatever the case of its names.
    records: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

impl<'z> Draft<'z> {
    fn carry_out(&mut self, record: &UpdateRecord) -> Result<(), UpdateFault> {
        let UpdateRecord { owner, class, record_type, ttl, rdata } = record;
        let at_apex = owner == self.zone.origin();
        let name = self.name(owner)?;
        match (*class, *record_type) {
            (CLASS_IN, _) => name.add(*record_type, *ttl, rdata, at_apex),
            (CLASS_ANY, RecordType::ANY) => name.sets.retain(|record_type, _| at_apex && stays(*record_type)),
            (CLASS_ANY, record_type) if at_apex && stays(record_type) => {}
            (CLASS_ANY, record_type) => drop(name.sets.remove(&record_type)),
            // Class NONE: the prescan has refused all others.
            _ => name.delete(*record_type, rdata, at_apex),
        }
        Ok(())
    }

    /// A name, taken from the zone when it is first asked for.
    fn name(&mut self, owner: &Name) -> Result<&mut DraftName<'z>, UpdateFault> {
        if !self.names.contains_key(owner) {
            let name = DraftName::of(self.zone, owner, MOST_RECORDS - self.loaded)?;
            self.loaded += name.served.len();
            self.names.insert(owner.clone(), name);
        }
        self.names.get_mut(owner).ok_or(UpdateFault::TooLarge { most: MOST_RECORDS })
    }

    /// Gives the version a serial after the served one, unless the client gave it one or nothing changes (section 3.6).
    fn raise_serial(&mut self) -> Result<(), UpdateFault> {
        if !self.names.values().any(DraftName::is_changed) {
            return Ok(());
        }
        let (origin, served) = (self.zone.origin().clone(), self.zone.serial());
        let apex = self.name(&origin)?;
        let Some(set) = apex.sets.get_mut(&RecordType::SOA) else { return Ok(()) };
        for rdata in set.records.values_mut().filter(|rdata| soa::serial(rdata) == Some(served)) {
            soa::set_serial(rdata, following(served));
        }
        Ok(())
    }

    fn difference(&self) -> Option<Difference> {
        let origin = self.zone.origin();
        let (mut deleted, mut added) = (RecordBatch::new(origin), RecordBatch::new(origin));
        for name in self.names.values() {
            name.gone().for_each(|(record_type, ttl, rdata)| {
                deleted.push(name.owner.as_wire(), record_type, ttl, rdata, Place::default());
            });
            name.added().for_each(|(record_type, ttl, rdata)| {
                added.push(name.owner.as_wire(), record_type, ttl, rdata, Place::default());
            });
        }
        if deleted.record_count() + added.record_count() == 0 {
            return None;
        }
        let soa = self.names.get(origin)?.sets.get(&RecordType::SOA)?;
        let to = soa.records.values().next().and_then(|rdata| soa::serial(rdata))?;
        Some(Difference { from: self.zone.serial(), to, deleted, added })
    }
}

impl<'z> DraftName<'z> {
    fn of(zone: &'z Zone, owner: &Name, most: usize) -> Result<Self, UpdateFault> {
        let node = zone.find(&LookupName::from(owner));
        let mut name = Self {
            owner: node.map_or_else(|| owner.clone(), |node| node.owner()),
            served: Vec::new(),
            sets: BTreeMap::new(),
        };
        for set in node.into_iter().flat_map(|node| node.sets()) {
            let draft = name.sets.entry(set.record_type).or_default();
            draft.ttl = set.ttl;
            for rdata in set.rdata() {
                if name.served.len() >= most {
                    return Err(UpdateFault::TooLarge { most: MOST_RECORDS });
                }
                name.served.push((set.record_type, set.ttl, rdata));
                draft.records.insert(canonical(set.record_type, rdata), rdata.into());
            }
        }
        Ok(name)
    }

    /// Adds a record, or replaces the one that it stands for (section 3.4.2.2). Its TTL becomes that of the whole RRset (RFC
    /// 2181 section 5.2).
    fn add(&mut self, record_type: RecordType, ttl: u32, rdata: &[u8], at_apex: bool) {
        match record_type {
            RecordType::SOA if !at_apex || !self.is_newer(rdata) => return,
            RecordType::CNAME if self.sets.keys().any(|other| !goes_with_cname(*other)) => return,
            RecordType::CNAME | RecordType::SOA => {}
            _ if self.sets.contains_key(&RecordType::CNAME) && !goes_with_cname(record_type) => return,
            _ => {}
        }
        let set = self.sets.entry(record_type).or_default();
        match record_type {
            // RFC 6672 section 5.2 for DNAME.
            RecordType::SOA | RecordType::CNAME | RecordType::DNAME => set.records.clear(),
            RecordType::WKS => {
                let identity = rdata.get(..WKS_IDENTITY);
                set.records.retain(|_, other| other.get(..WKS_IDENTITY) != identity);
            }
            _ => {}
        }
        set.ttl = ttl;
        // A record that differs in the case of its names alone stays as it is.
        set.records.entry(canonical(record_type, rdata)).or_insert_with(|| rdata.into());
    }

    /// Deletes a record (section 3.4.2.4); not the SOA record, and not the last NS record of the apex.
    fn delete(&mut self, record_type: RecordType, rdata: &[u8], at_apex: bool) {
        if record_type == RecordType::SOA {
            return;
        }
        let Some(set) = self.sets.get_mut(&record_type) else { return };
        if at_apex && record_type == RecordType::NS && set.records.len() == 1 {
            return;
        }
        set.records.remove(&canonical(record_type, rdata));
        if set.records.is_empty() {
            self.sets.remove(&record_type);
        }
    }

    /// Whether an SOA record comes after the one that is there (RFC 1982 section 3.2).
    fn is_newer(&self, rdata: &[u8]) -> bool {
        let there = self.sets.get(&RecordType::SOA).and_then(|set| set.records.values().next());
        let there = there.and_then(|rdata| soa::serial(rdata));
        soa::serial(rdata).zip(there).is_some_and(|(new, there)| new.is_after(there))
    }

    /// Whether each RRset that gets a record fits into a response. One that is too large already may become smaller.
    fn check_sizes(&self, origin: &Name) -> Result<(), UpdateFault> {
        let types: BTreeSet<RecordType> = self.added().map(|(record_type, ..)| record_type).collect();
        for record_type in types {
            let Some(set) = self.sets.get(&record_type) else { continue };
            let mut all = RecordBatch::new(origin);
            for rdata in set.records.values() {
                all.push(self.owner.as_wire(), record_type, set.ttl, rdata, Place::default());
            }
            if !all.fits_response() {
                return Err(UpdateFault::NoResponse { owner: self.owner.clone(), record_type });
            }
        }
        Ok(())
    }

    fn is_changed(&self) -> bool {
        self.gone().next().is_some() || self.added().next().is_some()
    }

    /// The records that are served and will not be, or not with this TTL.
    fn gone(&self) -> impl Iterator<Item = (RecordType, u32, &[u8])> {
        let stays = |(record_type, ttl, rdata): &(RecordType, u32, &[u8])| {
            let set = self.sets.get(record_type).filter(|set| set.ttl == *ttl);
            let record = set.and_then(|set| set.records.get(&canonical(*record_type, rdata)));
            record.is_some_and(|record| **record == **rdata)
        };
        self.served.iter().filter(move |record| !stays(record)).map(|record| (record.0, record.1, record.2))
    }

    /// The records that will be served and are not, or not with this TTL.
    fn added(&self) -> impl Iterator<Item = (RecordType, u32, &[u8])> {
        let served: BTreeSet<(RecordType, u32, &[u8])> = self.served.iter().copied().collect();
        let all = self.sets.iter().flat_map(|(record_type, set)| {
            set.records.values().map(|rdata| (*record_type, set.ttl, &**rdata))
        });
        all.filter(move |record| !served.contains(record))
    }
}

/// What a deletion leaves at the apex (section 3.4.2.3).
fn stays(record_type: RecordType) -> bool {
    matches!(record_type, RecordType::SOA | RecordType::NS)
}

/// What may stand beside a CNAME record (RFC 4035 section 2.5), CNAME among it.
fn goes_with_cname(record_type: RecordType) -> bool {
    use RecordType as T;
    matches!(record_type, T::CNAME | T::RRSIG | T::NSEC | T::KEY)
}

fn canonical(record_type: RecordType, rdata: &[u8]) -> Box<[u8]> {
    canonical_rdata(record_type, rdata).unwrap_or_else(|| rdata.into())
}

/// The serial after this one; not 0, which other servers take for "none" (RFC 2136 section 7.11).
fn following(serial: Serial) -> Serial {
    match serial.next() {
        Serial(0) => Serial(1),
        next => next,
    }
}
