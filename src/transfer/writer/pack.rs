//! One message, its names compressed lightly: each against the owner before it, or, in RDATA, against its own owner.
//!
//! In canonical order an owner shares most of its labels with the one before it, so looking no further finds nearly all there is
//! to find, in the time of one comparison of names.

use crate::wire::octets::{HEADER, MAX_POINTER, RECORD_FIXED, put_u16};
use crate::wire::{CLASS_IN, Name, RecordType, compressible, name_length};

/// Labels of a name, the root's counted.
const ALL_LABELS: usize = Name::MAX_LABELS + 1;

/// One record to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'i> {
    /// In absolute wire form.
    pub(super) owner: &'i [u8],
    pub(super) record_type: RecordType,
    pub(super) ttl: u32,
    /// Uncompressed.
    pub(super) rdata: &'i [u8],
}

/// Writes one message at a time.
#[derive(Debug, Default)]
pub(super) struct Packer {
    message: Vec<u8>,
    count: u16,
    last: Written,
}

/// A name that stands in the message.
#[derive(Debug)]
struct Written {
    octets: [u8; Name::MAX_OCTETS],
    length: usize,
    /// Where each label begins in the name and where it stands in the message, from the left.
    labels: [(u8, u16); ALL_LABELS],
    count: usize,
}

impl Default for Written {
    fn default() -> Self {
        Self { octets: [0; Name::MAX_OCTETS], length: 0, labels: [(0, 0); ALL_LABELS], count: 0 }
    }
}

impl Packer {
    /// Begins a message with its question.
    pub(super) fn begin(&mut self, name: &[u8], record_type: RecordType) {
        self.message.clear();
        self.count = 0;
        self.message.resize(HEADER, 0);
        put_u16(&mut self.message, 4, 1);
        (self.last.count, self.last.length) = (0, 0);
        self.owner(name);
        self.message.extend_from_slice(&record_type.0.to_be_bytes());
        self.message.extend_from_slice(&CLASS_IN.to_be_bytes());
    }

    /// Adds a record if it fits, however well it compresses.
    pub(super) fn push(&mut self, item: &Item<'_>, limit: usize) -> bool {
        let octets = self.message.len() + item.owner.len() + RECORD_FIXED + item.rdata.len();
        if octets > limit || self.count == u16::MAX {
            return false;
        }
        self.owner(item.owner);
        self.message.extend_from_slice(&item.record_type.0.to_be_bytes());
        self.message.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.message.extend_from_slice(&item.ttl.to_be_bytes());
        self.rdata(item.record_type, item.rdata);
        self.count += 1;
        true
    }

    /// Fills in the header and gives the message.
    pub(super) fn finish(&mut self, id: u16, flags: u16) -> Vec<u8> {
        put_u16(&mut self.message, 0, id);
        put_u16(&mut self.message, 2, flags);
        put_u16(&mut self.message, 6, self.count);
        self.message.clone()
    }

    fn rdata(&mut self, record_type: RecordType, rdata: &[u8]) {
        let length_at = self.message.len();
        self.message.extend_from_slice(&[0; 2]);
        let mut rest = rdata;
        if let Some(names) = compressible(record_type) {
            let (before, after) = rdata.split_at_checked(names.before).unwrap_or((rdata, &[]));
            self.message.extend_from_slice(before);
            rest = after;
            for _ in 0..names.names {
                let Some((name, after)) =
                    name_length(rest).ok().and_then(|length| rest.split_at_checked(length))
                else {
                    break;
                };
                self.name(name);
                rest = after;
            }
        }
        self.message.extend_from_slice(rest);
        // RDATA has at most 65,535 octets, and names do not become longer.
        let length = self.message.len() - length_at - 2;
        put_u16(&mut self.message, length_at, length as u16);
    }

    /// Writes a name of some RDATA, its end as a pointer into the owner.
    fn name(&mut self, name: &[u8]) {
        let shared = self.last.shared(name);
        match self.last.pointer(shared) {
            Some((octets, at)) => {
                let front = name.len().saturating_sub(octets);
                self.message.extend_from_slice(name.get(..front).unwrap_or_default());
                self.message.extend_from_slice(&(0xc000 | at).to_be_bytes());
            }
            None => self.message.extend_from_slice(name),
        }
    }

    /// Writes an owner, its end as a pointer into the owner before it, and remembers it.
    fn owner(&mut self, name: &[u8]) {
        let shared = self.last.shared(name);
        let start = self.message.len();
        let pointed = self.last.pointer(shared);
        let front = name.len().saturating_sub(pointed.map_or(0, |(octets, _)| octets));
        self.message.extend_from_slice(name.get(..front).unwrap_or_default());
        if let Some((_, at)) = pointed {
            self.message.extend_from_slice(&(0xc000 | at).to_be_bytes());
        }
        self.last.become_name(name, start, front);
    }
}

impl Written {
    fn as_wire(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Which label of it begins the longest end that `name` has too, octet by octet; `None` if only the root is shared.
    fn shared(&self, name: &[u8]) -> Option<usize> {
        let mine = self.as_wire();
        let equal = mine.iter().rev().zip(name.iter().rev()).take_while(|(a, b)| a == b).count();
        let labels = self.labels.get(..self.count)?;
        let long = |&(start, _): &(u8, u16)| mine.len() - usize::from(start);
        // Equal octets at the end are equal labels only if the end begins a label of both.
        labels.iter().position(|label| {
            let octets = long(label);
            octets > 1 && octets <= equal && begins_label(name, name.len() - octets)
        })
    }

    /// How many octets a pointer stands for, and where it leads: at this label, or at the first behind it that can be reached.
    fn pointer(&self, label: Option<usize>) -> Option<(usize, u16)> {
        let labels = self.labels.get(label?..self.count)?;
        let reached = labels.iter().find(|(_, at)| usize::from(*at) <= MAX_POINTER);
        reached.map(|(start, at)| (self.length - usize::from(*start), *at))
    }

    /// Becomes `name`, of which `front` octets were written at `start` and the rest stands where it stood.
    fn become_name(&mut self, name: &[u8], start: usize, front: usize) {
        let mut labels = [(0_u8, 0_u16); ALL_LABELS];
        let mut count = 0;
        let mut at = 0;
        while let Some(&length) = name.get(at).filter(|length| **length > 0) {
            let stands = if at < front {
                u16::try_from(start + at).unwrap_or(u16::MAX)
            } else {
                self.at_from_end(name.len() - at)
            };
            if let Some(place) = labels.get_mut(count) {
                *place = (at as u8, stands);
                count += 1;
            }
            at += 1 + usize::from(length);
        }
        if let Some(place) = self.octets.get_mut(..name.len()) {
            place.copy_from_slice(name);
        }
        (self.length, self.labels, self.count) = (name.len(), labels, count);
    }

    /// Where the label stands that begins this many octets before the end.
    fn at_from_end(&self, octets: usize) -> u16 {
        let labels = self.labels.get(..self.count).unwrap_or_default();
        let found = labels.iter().find(|(start, _)| self.length - usize::from(*start) == octets);
        found.map_or(u16::MAX, |(_, at)| *at)
    }
}

fn begins_label(name: &[u8], position: usize) -> bool {
    let mut at = 0;
    while at < position {
        at += 1 + name.get(at).copied().map_or(0, usize::from);
    }
    at == position
}
