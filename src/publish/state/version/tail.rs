//! Where the steps of a zone begin and end, and from when on its history is known.
//!
//! Steps are numbered. Those from `first` to `next` are kept; those from `included` on are not in the zone's record yet: a start
//! applies them. Pure.

use std::time::SystemTime;

use crate::publish::accept::Digest;
use crate::publish::state::database::fields::{Fields, push_time};
use crate::wire::Serial;

/// Of one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Tail {
    /// The link of the last version.
    pub(in crate::publish) chain: Digest,
    /// Its serial.
    pub(in crate::publish) serial: Serial,
    pub(in crate::publish) first: u64,
    pub(in crate::publish) included: u64,
    pub(in crate::publish) next: u64,
    /// Octets of all steps that are kept.
    pub(in crate::publish) octets: u64,
    /// Octets of those that are not in the record.
    pub(in crate::publish) pending: u64,
    /// Octets of the record.
    pub(in crate::publish) record: u64,
    /// With which version the history began, when, and why not earlier.
    pub(in crate::publish) began: Began,
}

/// Where a history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    /// The serial of the version.
    pub serial: Serial,
    /// When it was kept.
    pub at: SystemTime,
    /// Why nothing is known before it. Steps that were dropped for their number or size do not count: the first step tells.
    pub reason: BeganReason,
}

/// Why a history begins with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeganReason {
    /// It was the first.
    First,
    /// The difference to the version before is larger than the whole history of a zone may be.
    Large,
    /// Its serial does not come after the one before (RFC 1982): an operator forced it.
    Back,
    /// What led to it could not be read.
    Lost,
}

impl BeganReason {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::First => "the first version that was kept",
            Self::Large => "replaced more than the history may hold",
            Self::Back => "its serial does not come after the one before",
            Self::Lost => "what led to it could not be read",
        }
    }
}

impl Tail {
    /// Of a zone whose history begins.
    pub(in crate::publish) fn begin(chain: Digest, serial: Serial, next: u64, reason: BeganReason) -> Self {
        let began = Began { serial, at: SystemTime::now(), reason };
        Self { chain, serial, first: next, included: next, next, octets: 0, pending: 0, record: 0, began }
    }

    /// The serial of the first version that was kept of the zone, if that is where its history begins.
    pub(in crate::publish) fn first_serial(&self) -> Option<Serial> {
        (self.began.reason == BeganReason::First).then_some(self.began.serial)
    }

    /// Its value in the database.
    pub(in crate::publish) fn to_octets(self) -> Vec<u8> {
        let mut out = self.chain.to_vec();
        out.extend(self.serial.0.to_be_bytes());
        for number in [self.first, self.included, self.next, self.octets, self.pending, self.record] {
            out.extend(number.to_be_bytes());
        }
        out.extend(self.began.serial.0.to_be_bytes());
        push_time(&mut out, self.began.at);
        out.push(match self.began.reason {
            BeganReason::First => 0,
            BeganReason::Large => 1,
            BeganReason::Back => 2,
            BeganReason::Lost => 3,
        });
        out
    }

    /// Reads a value; `None` if it is malformed.
    pub(in crate::publish) fn read(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields(octets);
        let (chain, serial) = (fields.digest()?, Serial(fields.u32()?));
        let (first, included, next) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (octets, pending, record) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (began, at) = (Serial(fields.u32()?), fields.time()?);
        let reason = match fields.u8()? {
            0 => BeganReason::First,
            1 => BeganReason::Large,
            2 => BeganReason::Back,
            3 => BeganReason::Lost,
            _ => return None,
        };
        let began = Began { serial: began, at, reason };
        let is_right = first <= included && included <= next && fields.0.is_empty();
        is_right.then_some(Self { chain, serial, first, included, next, octets, pending, record, began })
    }
}
