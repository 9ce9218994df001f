//! What can be wrong with a signature, and what the other side says is wrong with ours.

use crate::wire::Name;

use super::algorithm::Algorithm;

/// What the other side said about our signature (RFC 8945 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// BADSIG.
    #[error("BADSIG: the secrets of the key differ")]
    BadSignature,
    /// BADKEY.
    #[error("BADKEY: the peer does not know the key, or has another algorithm for it")]
    BadKey,
    /// BADTIME.
    #[error("BADTIME: the peer's clock says {server_time} s since 1970")]
    BadTime {
        /// The peer's time, in seconds since 1970.
        server_time: u64,
    },
    /// BADTRUNC.
    #[error("BADTRUNC: the peer wants longer MACs")]
    BadTruncation,
    /// Another TSIG error.
    #[error("TSIG error {0}")]
    Other(u16),
}

/// Why a message is not accepted as signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TsigFault {
    /// The message, or its TSIG record, cannot be read; or the record does not stand last.
    #[error("the TSIG record cannot be read, or is not the last record")]
    Malformed,
    /// Longer than the algorithm's, or shorter than RFC 8945 section 5.2.2.1 allows: no TSIG record at all.
    #[error("a MAC of {octets} octets is not possible with {algorithm}")]
    MacLength {
        /// The algorithm.
        algorithm: Algorithm,
        /// The octets.
        octets: usize,
    },
    /// Not signed, and must be. The RCODE is not authenticated, but it may say why.
    #[error("the message is not signed with the key {key}; its RCODE is {rcode}")]
    Missing {
        /// The key that was expected.
        key: Name,
        /// The RCODE of the message.
        rcode: u8,
    },
    /// Signed with a key that nobody knows, or with another algorithm.
    #[error("the key {key} is not known here with this algorithm")]
    UnknownKey {
        /// The name in the record.
        key: Name,
    },
    /// The response is signed with another key than the request.
    #[error("the response is signed with the key {found} or another algorithm, the request with {key}")]
    OtherKey {
        /// The request's key.
        key: Name,
        /// The response's.
        found: Name,
    },
    /// The MAC is not the one of this message.
    #[error("the MAC of the key {key} is wrong: the secrets differ, or the message was changed")]
    BadSignature {
        /// The key.
        key: Name,
    },
    /// Signed too early or too late.
    #[error(
        "signed with {key} at {signed} s since 1970, and it is {now}: more than {fudge} s apart; check both clocks"
    )]
    BadTime {
        /// The key.
        key: Name,
        /// When it was signed, in seconds since 1970.
        signed: u64,
        /// When it was looked at.
        now: u64,
        /// How far that may be apart, in seconds.
        fudge: u16,
    },
    /// A right MAC, but shorter than the key allows.
    #[error("the MAC of the key {key} has {octets} octets, {least} are asked for")]
    BadTruncation {
        /// The key.
        key: Name,
        /// The octets.
        octets: usize,
        /// How many there must be.
        least: usize,
    },
    /// More than 99 messages of a stream in a row are unsigned.
    #[error("more than 99 messages in a row are not signed with {key} (RFC 8945 section 5.3.1)")]
    TooManyUnsigned {
        /// The key.
        key: Name,
    },
    /// The last message of a stream is unsigned.
    #[error("the last message is not signed with {key} (RFC 8945 section 5.3.1)")]
    LastUnsigned {
        /// The key.
        key: Name,
    },
    /// The other side did not accept our signature.
    #[error("the peer refuses the signature of the key {key}: {error}")]
    Peer {
        /// The key.
        key: Name,
        /// What it says.
        error: PeerError,
    },
}
