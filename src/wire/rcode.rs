//! RCODEs and TSIG errors (IANA "DNS RCODEs"). Those that fit into the four bits of the header are octets; the others stand in an OPT
//! record (RFC 6891 section 6.1.3) or in a TSIG record (RFC 8945 section 3).

/// No error (RFC 1035).
pub const NOERROR: u8 = 0;
/// The message cannot be read (RFC 1035).
pub const FORMERR: u8 = 1;
/// The server cannot answer now (RFC 1035).
pub const SERVFAIL: u8 = 2;
/// The name does not exist (RFC 1035, RFC 8020).
pub const NXDOMAIN: u8 = 3;
/// This kind of message is not implemented (RFC 1035).
pub const NOTIMP: u8 = 4;
/// The server does not want to do this (RFC 1035).
pub const REFUSED: u8 = 5;
/// A name exists that must not (RFC 2136), or a DNAME makes the name too long (RFC 6672 section 2.2).
pub const YXDOMAIN: u8 = 6;
/// An RRset exists that must not (RFC 2136).
pub const YXRRSET: u8 = 7;
/// An RRset does not exist that must (RFC 2136).
pub const NXRRSET: u8 = 8;
/// The server is not authoritative for the zone (RFC 2136), or the message is not signed as it must be (RFC 8945 section 5.2).
pub const NOTAUTH: u8 = 9;
/// A name is not in the zone (RFC 2136).
pub const NOTZONE: u8 = 10;
/// The EDNS version is not known (RFC 6891 section 9).
pub const BADVERS: u16 = 16;
/// TSIG: the signature is wrong (RFC 8945 section 5.2.2).
pub const BADSIG: u16 = 16;
/// TSIG: the key is not known (RFC 8945 section 5.2.1).
pub const BADKEY: u16 = 17;
/// TSIG: the time signed is not now (RFC 8945 section 5.2.3).
pub const BADTIME: u16 = 18;
/// TSIG: the MAC is cut too short (RFC 8945 section 5.2.2.1).
pub const BADTRUNC: u16 = 22;
/// The server cookie is missing or not valid (RFC 7873 section 8).
pub const BADCOOKIE: u16 = 23;
