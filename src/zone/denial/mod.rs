//! The chains that deny existence, built and checked: NSEC (RFC 4035) and NSEC3 (RFC 5155).

pub(in crate::zone) mod link;
pub(in crate::zone) mod nsec;
