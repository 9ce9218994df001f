//! The signatures of a zone followed from version to version: what is verified stays so, what changes is verified again.
//!
//! ```text
//! version --> Following::new: when they expire -- step, step ... --> done: SignatureVerdict
//! next version --> advance: what differs --> verified again first, then on from where it was
//! ```
//!
//! Owners are verified in canonical order. A newer version costs what differs: owners that were verified already come again, the
//! others are met later. Where too much differs, or other keys are there, verification begins again. Keeps nothing of the
//! older version. The time is left out: when the signatures expire is told beside ([`Validity`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::zone::Zone;

use crate::zone::signatures::fault::{Level, SignatureFault};
use crate::zone::signatures::owner::{Findings, Scratch, Verifier};
use crate::zone::signatures::parts::{OwnerId, Part, for_each_change, position};
use crate::zone::signatures::pieces::for_each_affected;
use crate::zone::signatures::span::{Spans, Validity};

/// Owners that are looked up at once.
const BATCH: usize = 16;
/// Owners with faults that are remembered; of more, only the number is known, and a newer version is verified from the start.
const MOST_FAULTY: usize = 10_000;
/// Owners that wait to be verified again; of more, verification begins again.
const MOST_AGAIN: usize = 100_000;

/// How the signatures of a version stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureVerdict {
    /// When they are valid; `None` without any.
    pub validity: Option<Validity>,
    /// How much of the zone is verified, in percent: 100 when all is. `None` if they are not verified.
    pub verified: Option<u8>,
    /// How many are wrong, as far as is known. Expired ones are not counted.
    pub wrong: u64,
    /// The first of them in canonical order.
    pub first: Option<SignatureFault>,
}

/// A zone whose signatures are followed.
#[derive(Debug)]
pub struct Following {
    zone: Arc<Zone>,
    verifier: Verifier,
    verifies: bool,
    spans: Spans,
    /// Up to where owners are verified: the part, and the key of the last of them.
    at: (Part, Option<Box<[u8]>>),
    is_done: bool,
    /// How many owners that are.
    passed: usize,
    again: BTreeSet<OwnerId>,
    faulty: BTreeMap<OwnerId, (u64, SignatureFault)>,
    wrong: u64,
    scratch: Scratch,
}

impl Following {
    /// Begins with a version; `None` if it is not signed. Looks at all signatures, and verifies none of them yet, nor ever without
    /// `verifies`. `now` is in seconds since 1970.
    pub fn new(zone: Arc<Zone>, verifies: bool, now: u64) -> Option<Self> {
        let verifier = Verifier::new(&zone, None)?;
        let mut following = Self {
            verifier,
            verifies,
            spans: spans(&zone, now),
            zone,
            at: (Part::Names, None),
            is_done: !verifies,
            passed: 0,
            again: BTreeSet::new(),
            faulty: BTreeMap::new(),
            wrong: 0,
            scratch: Scratch::new(),
        };
        following.restart();
        Some(following)
    }

    /// The version.
    pub fn zone(&self) -> &Arc<Zone> {
        &self.zone
    }

    /// Goes on with another version of the zone, `now` being as before; `None` if it is not signed.
    pub fn advance(mut self, zone: Arc<Zone>, verifies: bool, now: u64) -> Option<Self> {
        if Arc::ptr_eq(&zone, &self.zone) && verifies == self.verifies {
            return Some(self);
        }
        let verifier = Verifier::new(&zone, None)?;
        let old = std::mem::replace(&mut self.zone, zone.clone());
        for_each_change(&old, &zone, |_, was, is| {
            was.into_iter().for_each(|was| self.spans.remove(was));
            is.into_iter().for_each(|is| self.spans.add(is));
        });
        if self.spans.is_exhausted() {
            self.spans = spans(&zone, now);
        }
        let begins = verifies != self.verifies || !verifier.keys.is_same(&self.verifier.keys);
        (self.verifier, self.verifies) = (verifier, verifies);
        if begins || self.faulty.len() > MOST_FAULTY {
            self.restart();
            return Some(self);
        }
        for_each_change(&old, &zone, |part, was, is| {
            if let (Some(was), None) = (was, is) {
                self.forget(&OwnerId::of(part, was));
            }
        });
        for_each_affected(&old, &zone, |part, node| {
            let id = OwnerId::of(part, node);
            self.forget(&id);
            if self.is_passed(&id) && self.again.len() <= MOST_AGAIN {
                self.again.insert(id);
            }
        });
        if self.again.len() > MOST_AGAIN {
            self.restart();
        }
        Some(self)
    }

    /// Verifies while `goes_on` says so, which is asked every few owners; whether all is verified.
    pub fn step(&mut self, mut goes_on: impl FnMut() -> bool) -> bool {
        while !self.is_done() && goes_on() {
            match self.again.pop_first() {
                Some(id) => self.verify_again(&id),
                None => self.verify_next(),
            }
        }
        self.is_done()
    }

    /// Whether nothing waits to be verified.
    pub fn is_done(&self) -> bool {
        self.is_done && self.again.is_empty()
    }

    /// What is known.
    pub fn verdict(&self) -> SignatureVerdict {
        let of = (self.owners().max(1)) as u64;
        let percent = (self.passed.saturating_sub(self.again.len()) as u64 * 100 / of).min(99) as u8;
        let verified = if self.is_done() { 100 } else { percent };
        SignatureVerdict {
            validity: self.spans.validity(),
            verified: self.verifies.then_some(verified),
            wrong: self.wrong,
            first: self.faulty.first_key_value().map(|(_, (_, fault))| fault.clone()),
        }
    }

    /// How many owners there are; costs a look at each piece of the order.
    fn owners(&self) -> usize {
        let orders = Part::ALL.into_iter().filter_map(|part| part.order(&self.zone));
        orders.flat_map(|order| order.leaves()).map(|leaf| leaf.len()).sum()
    }

    /// Nothing is verified yet.
    fn restart(&mut self) {
        (self.at, self.passed, self.wrong) = ((Part::Names, None), 0, 0);
        self.is_done = !self.verifies;
        self.again.clear();
        self.faulty.clear();
    }

    fn is_passed(&self, id: &OwnerId) -> bool {
        let (part, key) = &self.at;
        self.is_done || id.0 < *part || (id.0 == *part && key.as_ref().is_some_and(|key| id.1 <= *key))
    }

    fn forget(&mut self, id: &OwnerId) {
        if let Some((count, _)) = self.faulty.remove(id) {
            self.wrong = self.wrong.saturating_sub(count);
        }
        self.again.remove(id);
    }

    fn verify_again(&mut self, id: &OwnerId) {
        let zone = self.zone.clone();
        self.forget(id);
        if let Some(node) = id.find(&zone) {
            let found = self.check(id.0, node);
            self.note(id.clone(), found);
        }
    }

    /// Verifies the next few owners.
    fn verify_next(&mut self) {
        let zone = self.zone.clone();
        let (part, key) = self.at.clone();
        let order = part.order(&zone);
        let start = match (order, &key) {
            (None, _) => None,
            (Some(order), None) => order.first(),
            (Some(order), Some(key)) => match position(&zone, order, key) {
                None => order.first(),
                Some(at) => order.after(at),
            },
        };
        let positions = std::iter::successors(start, |at| order.and_then(|order| order.after(*at)));
        let places = positions.take(BATCH).filter_map(|at| order.and_then(|order| order.get(at)));
        let mut last = None;
        for place in places {
            let node = zone.node(place);
            let (id, found) = (OwnerId::of(part, node), self.check(part, node));
            self.passed += 1;
            last = Some(id.1.clone());
            self.note(id, found);
        }
        match (last, part.next()) {
            (Some(key), _) => self.at = (part, Some(key)),
            (None, Some(next)) => self.at = (next, None),
            (None, None) => self.is_done = true,
        }
    }

    fn check(&mut self, part: Part, node: crate::zone::NodeRef<'_>) -> Findings {
        let mut found = Findings::default();
        self.verifier.check(part, node, &mut self.scratch, &mut found);
        found
    }

    fn note(&mut self, id: OwnerId, found: Findings) {
        let count = found.count(Level::Wrong);
        let Some(first) = found.told(Level::Wrong).first().filter(|_| count > 0) else { return };
        self.wrong += count;
        if self.faulty.len() <= MOST_FAULTY {
            self.faulty.insert(id, (count, first.clone()));
        }
    }
}

/// When all signatures of a version are valid.
fn spans(zone: &Zone, now: u64) -> Spans {
    let mut spans = Spans::new(now);
    zone.nodes().for_each(|node| spans.add(node));
    spans
}

/// When the signatures of a version are valid; `None` if it is not signed. `now` is in seconds since 1970.
pub fn validity(zone: &Zone, now: u64) -> Option<Validity> {
    zone.apex().set(crate::wire::RecordType::RRSIG)?;
    spans(zone, now).validity()
}
