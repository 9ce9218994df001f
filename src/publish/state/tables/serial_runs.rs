//! The serials that a zone had before, in runs: by them a secondary is known that may have another content under its serial. Pure.
//!
//! ```text
//! serials published     5 6 7 8 | 6 7 8 9         the serial went back: a run ends, and another begins
//! runs that have ended  5-----8
//! with two contents       6 7 8                   a secondary that says 7 may have either: it gets the whole zone
//! with one                       9 ...            differences, as always
//! ```
//!
//! A run holds every serial between its ends, whether a version had it or not: more serials than needed cost whole transfers,
//! fewer would cost a secondary a mixture of two versions that looks sound.

use crate::publish::state::database::fields::{Fields, push_maybe};
use crate::wire::Serial;

/// Half of all serials: what is less than this ahead comes after (RFC 1982 section 3.2).
const HALF: u32 = 1 << 31;
/// A serial that is so far ahead begins another run: a year of YYYYMMDDnn is 1,000,000. The serials in between stay free for the time after a
/// mistyped one (RFC 1912 section 3.1).
const FAR: u32 = 1 << 20;
/// Runs of one zone that are kept. Of more the two with the fewest serials between them become one.
const MOST: usize = 8;

/// Serials in a row, around the circle (RFC 1982).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SerialRun {
    first: u32,
    /// How many follow the first.
    more: u32,
}

/// The runs of serials that have ended, and where the current one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) struct SerialRuns {
    /// In the order of their first serials; none touches another.
    ended: Vec<SerialRun>,
    /// `None`: it began before anybody kept that.
    first: Option<Serial>,
}

impl SerialRuns {
    /// Whether a version of a run that has ended may have had this serial.
    pub(in crate::publish) fn has(&self, serial: Serial) -> bool {
        self.ended.iter().any(|run| run.has(serial.0))
    }

    /// Every serial: of a zone of which what was kept of them cannot be read.
    pub(in crate::publish) fn all() -> Self {
        Self { ended: vec![SerialRun { first: 0, more: u32::MAX }], first: None }
    }

    /// Whether nothing is known: no run has ended, and that which goes on began nobody knows where.
    pub(in crate::publish) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a run is known that has this serial, or begins with it.
    pub(in crate::publish) fn knows(&self, serial: Serial) -> bool {
        self.first == Some(serial) || self.has(serial)
    }

    /// The first version that was kept here has this serial. Nothing is known from before it: another server may have had the zone, and of that
    /// a year counts. No more, or each zone that goes back once would be without differences for half of the circle.
    pub(in crate::publish) fn begin_first(&mut self, first: Serial) {
        if self.is_empty() {
            self.first = Some(Serial(first.0.wrapping_sub(FAR)));
        }
    }

    /// The run goes on with this serial; one begins there if it comes after none that is known.
    pub(in crate::publish) fn go_on_or_begin(&mut self, next: Serial) {
        self.first = self.first_up_to(next).or(Some(next));
    }

    /// A run ends with `last` and another one begins with `next`, unless that is known: it may be kept before the version is.
    pub(in crate::publish) fn end_and_begin(&mut self, last: Serial, next: Serial) {
        if self.first != Some(next) || !self.has(last) {
            self.end(last);
            self.begin(next);
        }
    }

    /// The run that goes on ends, with the later one of these: what is kept, and what was served and is not kept. Where the zone went back in
    /// between, that which is kept belongs to a run that has ended before.
    pub(in crate::publish) fn end_all(&mut self, lasts: impl IntoIterator<Item = Serial>) {
        let first = self.first;
        for last in lasts {
            self.first = first;
            if self.first_up_to(last).is_some() || !self.has(last) {
                self.end(last);
            }
        }
        self.first = None;
    }

    /// Versions from the serial `began` to `last` were served beside the run that goes on. If `last` does not come after `began`, they went back,
    /// and that run goes on from there.
    pub(in crate::publish) fn add_beside(&mut self, began: Serial, last: Serial) {
        let is_before = |first: &Serial| distance(*first, last) < HALF;
        let first = Some(began).filter(is_before).or(self.first_up_to(last)).unwrap_or(last);
        self.add(SerialRun { first: first.0, more: distance(first, last) });
    }

    /// A version with the serial `next` replaces one with other content and the serial `before` after so many seconds; whether a run ends
    /// with that. Serials made of the time are as far ahead as time has passed.
    pub(in crate::publish) fn publish(&mut self, before: Serial, next: Serial, seconds: u64) -> bool {
        let first = self.first_up_to(before);
        let far = u32::try_from(seconds).map_or(HALF, |seconds| seconds.saturating_add(FAR).min(HALF));
        let goes_on = (1..far).contains(&distance(before, next))
            && first.is_none_or(|first| distance(first, next) < HALF);
        if !goes_on {
            self.end(before);
            self.begin(next);
        }
        !goes_on
    }

    /// The run that goes on ends with this serial.
    pub(in crate::publish) fn end(&mut self, last: Serial) {
        // A beginning that nobody knows is as far back as a serial can be that comes before.
        let more = self.first_up_to(last).map_or(HALF - 2, |first| distance(first, last));
        self.first = None;
        self.add(SerialRun { first: last.0.wrapping_sub(more), more });
    }

    /// Where the run begins that goes on to this serial. One after that is the serial of a version that did not come into service.
    fn first_up_to(&self, last: Serial) -> Option<Serial> {
        self.first.filter(|first| distance(*first, last) < HALF)
    }

    /// A run begins with this serial.
    pub(in crate::publish) fn begin(&mut self, first: Serial) {
        self.first = Some(first);
    }

    /// Takes in what `newer` says.
    pub(in crate::publish) fn merge(&mut self, newer: &Self) {
        newer.ended.iter().for_each(|run| self.add(*run));
        self.first = newer.first.or(self.first);
    }

    fn add(&mut self, run: SerialRun) {
        let at = self.ended.partition_point(|it| it.first < run.first);
        self.ended.insert(at, run);
        while let Some((at, _)) = self.nearest().filter(|(_, gap)| *gap == 0 || self.ended.len() > MOST) {
            let next = self.ended.remove((at + 1) % self.ended.len());
            // The next one was the first of all: this one has moved.
            let at = at.min(self.ended.len() - 1);
            if let Some(run) = self.ended.get_mut(at) {
                *run = run.with(next);
            }
        }
    }

    /// Which run has the fewest serials between it and the next one, and how many.
    fn nearest(&self) -> Option<(usize, u32)> {
        let next = self.ended.iter().cycle().skip(1);
        let gaps = self.ended.iter().zip(next).map(|(run, next)| run.gap(*next));
        gaps.enumerate().filter(|_| self.ended.len() > 1).min_by_key(|(_, gap)| *gap)
    }

    /// Appends its octets to a value of the database.
    pub(in crate::publish) fn write(&self, out: &mut Vec<u8>) {
        push_maybe(out, self.first, |out, first| out.extend(first.0.to_be_bytes()));
        for SerialRun { first, more } in &self.ended {
            out.extend(first.to_be_bytes());
            out.extend(more.to_be_bytes());
        }
    }

    /// Reads what [`write`](Self::write) wrote; `None` if it is malformed.
    pub(in crate::publish) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut read = Self { ended: Vec::new(), first: fields.maybe(Fields::u32)?.map(Serial) };
        while !fields.0.is_empty() {
            read.add(SerialRun { first: fields.u32()?, more: fields.u32()? });
        }
        Some(read)
    }
}

impl SerialRun {
    fn has(self, serial: u32) -> bool {
        serial.wrapping_sub(self.first) <= self.more
    }

    /// How many serials lie between this run and one that begins after it; 0 if they touch.
    fn gap(self, next: Self) -> u32 {
        next.first.wrapping_sub(self.first).saturating_sub(self.more).saturating_sub(1)
    }

    /// Both, and what lies between them.
    fn with(self, next: Self) -> Self {
        let ahead = next.first.wrapping_sub(self.first);
        Self { first: self.first, more: self.more.max(ahead.saturating_add(next.more)) }
    }
}

/// How many serials one is ahead of another.
fn distance(from: Serial, to: Serial) -> u32 {
    to.0.wrapping_sub(from.0)
}

#[cfg(test)]
#[path = "../../../../tests/unit/publish/state/serial_runs.rs"]
mod tests;
