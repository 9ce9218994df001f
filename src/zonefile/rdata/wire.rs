//! Taking RDATA apart: each step returns `None` where the octets end early or are malformed.

/// What is left of some RDATA.
pub(super) struct Wire<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Wire<'a> {
    /// The next `count` octets.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// All that is left.
    pub(super) fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The next octets, as many as the octet before them says.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.u8()?;
        self.take(usize::from(count))
    }

    /// An uncompressed name (RFC 1035 section 3.1), its root label included.
    pub(super) fn name(&mut self) -> Option<&'a [u8]> {
        let mut length = 0;
        loop {
            match *self.rest.get(length)? {
                0 => break,
                label @ 1..=63 => length += 1 + usize::from(label),
                _ => return None,
            }
        }
        if length >= crate::wire::Name::MAX_OCTETS { None } else { self.take(length + 1) }
    }
}
