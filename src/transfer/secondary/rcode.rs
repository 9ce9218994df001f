//! RCODEs (RFC 1035 section 4.1.1, RFC 2136 section 2.2).

pub(super) const NOERROR: u8 = 0;
pub(super) const SERVFAIL: u8 = 2;
pub(super) const NOTIMP: u8 = 4;
pub(super) const REFUSED: u8 = 5;
pub(super) const NOTAUTH: u8 = 9;
