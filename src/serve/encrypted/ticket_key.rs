//! One key of session tickets (RFC 5077, RFC 8446 section 4.6.1): octets of a file in, tickets sealed and opened. Does no I/O but
//! for random octets; `now` is an argument.
//!
//! ```text
//! file     name 16 | secret 64 or 32            as nginx's ssl_session_ticket_key and HAProxy's tls-ticket-keys (there in base 64)
//! ticket   name 16 | nonce 12 | sealed( issued 8 | state of the session ) | tag 16
//! ```
//!
//! The AEAD is AES-256-GCM with a random nonce, and the name as its additional data. Its key is derived from the name and
//! the secret (HKDF with SHA-256, RFC 5869), so all of the secret counts, and the same file in nginx leads to another key. The time of
//! issue is inside, because rustls leaves the lifetime of a ticket to the key; so a ticket expires also where the keys are not rotated.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use ring::{aead, hkdf};

/// Octets of the name of a key, which stands in front of its tickets (RFC 5077 section 4).
const NAME: usize = 16;
/// Octets of a key file: what nginx makes two keys of, for AES-256 and for AES-128.
pub(super) const LENGTHS: [usize; 2] = [80, 48];
/// Separates this use of the secret from every other.
const PURPOSE: &[u8] = b"anyns TLS session ticket 1";
/// Octets of the time of issue: seconds since 1970.
const ISSUED: usize = 8;
/// Octets of the longest ticket that is opened; ours have some 200, with the longest name of a server 400.
const LONGEST: usize = 1024;

/// For how long a ticket is good, in seconds: 12 hours, as long as rustls's own. RFC 9325 section 3.4 advises half of the time for
/// which a key is used.
pub(super) const LIFETIME: u32 = 12 * 3600;

/// A key. Never shows its secret.
pub(super) struct TicketKey {
    name: [u8; NAME],
    aead: aead::LessSafeKey,
}

/// Why a ticket key is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOctetsFault {
    /// Not one of [`LENGTHS`].
    Length(usize),
    /// Every octet is the same: an empty disk block, never random.
    NotRandom,
}

impl TicketKey {
    /// Makes a key of the octets of a file.
    pub(super) fn new(octets: &[u8]) -> Result<Self, KeyOctetsFault> {
        let wrong = KeyOctetsFault::Length(octets.len());
        let (name, secret) = octets.split_first_chunk::<NAME>().ok_or(wrong)?;
        if !LENGTHS.contains(&octets.len()) {
            return Err(wrong);
        }
        if octets.windows(2).all(|pair| pair.first() == pair.last()) {
            return Err(KeyOctetsFault::NotRandom);
        }
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, name).extract(secret);
        // It fails only for outputs longer than 255 hashes.
        let key = derived.expand(&[PURPOSE], &aead::AES_256_GCM).map_err(|_| wrong)?;
        Ok(Self { name: *name, aead: aead::LessSafeKey::new(key.into()) })
    }

    /// Its name, which every ticket shows in clear.
    pub(super) fn name(&self) -> [u8; NAME] {
        self.name
    }

    /// Whether a ticket says that it is of this key.
    pub(super) fn made(&self, ticket: &[u8]) -> bool {
        ticket.starts_with(&self.name)
    }

    /// A ticket with this state, issued `now` (seconds since 1970). `None` if the system has no random octets.
    pub(super) fn seal(&self, now: u64, state: &[u8]) -> Option<Vec<u8>> {
        // Random, because servers share the key; 2^32 tickets of one key keep a collision less likely than 2^-32 (NIST SP 800-38D).
        let mut nonce = [0; aead::NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = [&now.to_be_bytes(), state].concat();
        let (name, nonce_once) = (aead::Aad::from(self.name), aead::Nonce::assume_unique_for_key(nonce));
        self.aead.seal_in_place_append_tag(nonce_once, name, &mut sealed).ok()?;
        Some([&self.name[..], &nonce, &sealed].concat())
    }

    /// The state in a ticket of this key, if that is not older than [`LIFETIME`] at `now`. Any octets may come.
    pub(super) fn open(&self, now: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > LONGEST {
            return None;
        }
        let (nonce, sealed) = ticket.strip_prefix(&self.name)?.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let mut sealed = sealed.to_vec();
        let (name, nonce) = (aead::Aad::from(self.name), aead::Nonce::assume_unique_for_key(*nonce));
        let opened = self.aead.open_in_place(nonce, name, &mut sealed).ok()?;
        let (issued, state) = opened.split_first_chunk::<ISSUED>()?;
        // A clock that is ahead issues tickets of the future; so far ahead that they would outlive the lifetime they are not good.
        let age = now.abs_diff(u64::from_be_bytes(*issued));
        (age <= u64::from(LIFETIME)).then(|| state.to_vec())
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TicketKey({:02x?}, secret not shown)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn octets(first: u8, length: usize) -> Vec<u8> {
        (0..length).map(|index| first.wrapping_add(index as u8)).collect()
    }

    fn key(first: u8) -> TicketKey {
        TicketKey::new(&octets(first, 80)).unwrap()
    }

    #[test]
    fn a_ticket_opens_with_the_same_file_alone() {
        let ticket = key(1).seal(NOW, b"state").unwrap();
        assert_eq!(key(1).open(NOW, &ticket).as_deref(), Some(&b"state"[..]));
        assert!(key(1).made(&ticket) && !key(2).made(&ticket));
        assert_eq!(key(2).open(NOW, &ticket), None);
        // The same name before another secret, at its last octet, and before the first half of it.
        let mut other = octets(1, 80);
        other[79] ^= 1;
        assert_eq!(TicketKey::new(&other).unwrap().open(NOW, &ticket), None);
        assert_eq!(TicketKey::new(&octets(1, 48)).unwrap().open(NOW, &ticket), None);
        assert_ne!(ticket, key(1).seal(NOW, b"state").unwrap(), "nonces are random");
    }

    #[test]
    fn a_ticket_is_good_for_12_hours_by_a_clock_that_is_behind_or_ahead() {
        let ticket = key(1).seal(NOW, b"state").unwrap();
        let lifetime = u64::from(LIFETIME);
        for (now, good) in [
            (NOW, true),
            (NOW + lifetime, true),
            (NOW + lifetime + 1, false),
            (NOW - 300, true),
            (NOW - lifetime - 1, false),
            (0, false),
            (u64::MAX, false),
        ] {
            assert_eq!(key(1).open(now, &ticket).is_some(), good, "{now}");
        }
    }

    #[test]
    fn octets_that_are_no_key_are_refused() {
        for length in [0, 15, 16, 32, 47, 49, 79, 81, 109, 4096] {
            assert_eq!(TicketKey::new(&octets(1, length)).unwrap_err(), KeyOctetsFault::Length(length));
        }
        assert_eq!(TicketKey::new(&[0; 80]).unwrap_err(), KeyOctetsFault::NotRandom);
        assert!(LENGTHS.iter().all(|length| TicketKey::new(&octets(1, *length)).is_ok()));
        assert!(!format!("{:?}", key(100)).contains("74"), "octet 116 is the first of the secret");
    }

    proptest! {
        #[test]
        fn a_changed_ticket_does_not_open(at in 0..57_usize, bit in 0..8_u8) {
            let mut ticket = key(1).seal(NOW, b"state").unwrap();
            prop_assert_eq!(ticket.len(), 57);
            ticket[at] ^= 1 << bit;
            prop_assert_eq!(key(1).open(NOW, &ticket), None);
        }

        #[test]
        fn any_octets_open_or_do_not(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let named = [&key(1).name[..], &octets].concat();
            prop_assert_eq!(key(1).open(NOW, &octets), None);
            prop_assert_eq!(key(1).open(NOW, &named), None);
        }
    }
}
