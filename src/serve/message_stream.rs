//! DNS messages over a stream, each behind its length in two octets (RFC 1035 section 4.2.2, RFC 7766 section 8): what bounds a
//! connection, whichever loop serves it.

use std::time::Duration;

/// How long a message may take from its first octet to its last, the first one to begin, and a client to begin to take
/// the responses it asked for. A client that sends an octet now and then gains nothing from the idle timeout.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client whose every query is answered and sent may take to close its side after we shut ours: a way around the
/// world and a segment that is lost. Until then what it still sends does not reset the connection, which would destroy the
/// responses on their way. A stop waits for it, so it is short.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// Octets a second that a client must take of a large response, beyond [`PATIENCE`]: slower than any modem, and 64 KiB
/// are let go after 21 s.
pub(super) const SLOWEST: usize = 4096;

/// Octets of output that are written before the next query is looked at.
pub(super) const OUTPUT: usize = 16 << 10;

/// Octets of the length before each message (RFC 1035 section 4.2.2).
pub(super) const LENGTH: usize = 2;

/// The message at the front of the input, if it is whole.
pub(super) fn whole(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk::<LENGTH>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

/// How long a client may take over this many octets.
pub(super) fn time_to_take(octets: usize) -> Duration {
    PATIENCE + Duration::from_secs((octets / SLOWEST) as u64)
}
