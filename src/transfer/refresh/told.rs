//! What each primary told last.

use crate::wire::Serial;

/// The serials, by primary.
#[derive(Clone, Debug)]
pub(super) struct ToldSerials {
    last: Vec<Option<Serial>>,
    /// Which of them told a newer one before.
    fallen: Vec<bool>,
}

impl ToldSerials {
    pub(super) fn new(primaries: usize) -> Self {
        Self { last: vec![None; primaries], fallen: vec![false; primaries] }
    }

    /// A primary tells this serial.
    pub(super) fn note(&mut self, primary: usize, serial: Serial) {
        let (Some(last), Some(fallen)) = (self.last.get_mut(primary), self.fallen.get_mut(primary)) else {
            return;
        };
        *fallen = match *last {
            Some(before) if before == serial => *fallen,
            Some(before) => !serial.is_after(before),
            None => false,
        };
        *last = Some(serial);
    }

    /// How many primaries there are.
    pub(super) fn count(&self) -> usize {
        self.last.len()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Option<Serial>] {
        &self.last
    }

    /// What this one told last.
    pub(super) fn of(&self, primary: usize) -> Option<Serial> {
        self.last.get(primary).copied().flatten()
    }

    /// Whether this one told a newer serial before.
    pub(super) fn has_fallen(&self, primary: usize) -> bool {
        self.fallen.get(primary).copied().unwrap_or(false)
    }
}
