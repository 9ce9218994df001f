//! DNS cookies (RFC 7873), the server's part made and checked as RFC 9018 section 4 says.
//!
//! The COOKIE option of a query, the client's address and the time in; what it proves and the option of the response
//! out. Keeps no state: any server of the fleet that has the secrets checks what any other has made.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;

use data_encoding::HEXLOWER_PERMISSIVE;
use siphasher::sip::SipHasher24;

use super::client::Client;

/// Octets of a Client Cookie (RFC 7873 section 4).
const CLIENT_COOKIE: usize = 8;
/// Octets of a Server Cookie of ours: version, reserved, timestamp, hash (RFC 9018 section 4).
const SERVER_COOKIE: usize = 16;
/// Octets of its part in front of the hash.
const HEAD: usize = 8;
/// The version that is made and checked (RFC 9018 section 4.1).
const VERSION: u8 = 1;
/// A Server Cookie is valid for an hour, and for five minutes in the future, because clocks differ (RFC 9018 section 4.3).
const VALID: std::ops::RangeInclusive<i32> = -300..=3600;
/// After half an hour it is replaced (RFC 9018 section 4.3).
const FRESH: i32 = 1800;

/// A Server Secret (RFC 9018 section 5): 128 random bits, the same in every POP. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecret([u8; 16]);

impl CookieSecret {
    /// The secret of these octets.
    pub fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Reads 32 hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for CookieSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CookieSecret(…)")
    }
}

/// What the operator chose about cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSettings {
    /// One to [`CookieSettings::MAX_SECRETS`]: the first makes Server Cookies, every one checks them. A new secret
    /// first comes last in every POP, then first, then the old one goes (RFC 9018 section 5).
    pub secrets: Vec<CookieSecret>,
    /// Whether a query over UDP that has a COOKIE without a valid Server Cookie gets BADCOOKIE and no answer
    /// (RFC 7873 section 5.2.3). Queries without COOKIE are answered all the same.
    pub required: bool,
}

impl CookieSettings {
    /// The one before, the one in use, the one to come.
    pub const MAX_SECRETS: usize = 3;
}

/// What the COOKIE option of a query came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// There is none, or cookies are not served: the option is like an unknown one.
    Absent,
    /// A COOKIE cannot have its length (RFC 7873 section 5.2.2).
    Malformed,
    /// It can be read.
    Present {
        /// What its Server Cookie proves.
        proof: Proof,
        /// What goes back.
        reply: [u8; CLIENT_COOKIE + SERVER_COOKIE],
    },
}

/// What a Server Cookie proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// There is none (RFC 7873 section 5.2.3).
    None,
    /// It is not one that this fleet gave to this address lately (RFC 7873 section 5.2.4).
    Invalid,
    /// The client has heard from this fleet at this address (RFC 7873 section 5.2.5).
    Valid,
}

/// Reads and checks the COOKIE option, and makes the one that goes back.
pub(super) fn examine(sent: Option<&[u8]>, client: &Client, settings: Option<&CookieSettings>) -> Cookie {
    let (Some(sent), Some(settings)) = (sent, settings) else { return Cookie::Absent };
    let Some(secret) = settings.secrets.first() else { return Cookie::Absent };
    let Some((client_cookie, server_cookie)) = sent.split_first_chunk::<CLIENT_COOKIE>() else {
        return Cookie::Malformed;
    };
    if !matches!(server_cookie.len(), 0 | 8..=32) {
        return Cookie::Malformed;
    }
    let (proof, kept) = match server_cookie.len() {
        0 => (Proof::None, None),
        _ => match check(client_cookie, server_cookie, client, settings) {
            Some(kept) => (Proof::Valid, kept),
            None => (Proof::Invalid, None),
        },
    };
    let server_cookie = kept.unwrap_or_else(|| make(secret, client_cookie, client));
    let mut reply = [0; CLIENT_COOKIE + SERVER_COOKIE];
    let (front, back) = reply.split_at_mut(CLIENT_COOKIE);
    front.copy_from_slice(client_cookie);
    back.copy_from_slice(&server_cookie);
    Cookie::Present { proof, reply }
}

/// `None` if the Server Cookie is not valid; otherwise the cookie itself if it may be used on.
fn check(
    client_cookie: &[u8; CLIENT_COOKIE],
    server_cookie: &[u8],
    client: &Client,
    settings: &CookieSettings,
) -> Option<Option<[u8; SERVER_COOKIE]>> {
    let server_cookie: [u8; SERVER_COOKIE] = server_cookie.try_into().ok()?;
    let (head, sent_hash) = server_cookie.split_first_chunk::<HEAD>()?;
    let [VERSION, _, _, _, timestamp @ ..] = *head else { return None };
    // Serial number arithmetic (RFC 1982): the timestamp wraps in 2106.
    let age = client.time.wrapping_sub(u32::from_be_bytes(timestamp)) as i32;
    if !VALID.contains(&age) {
        return None;
    }
    let made_by = |secret: &CookieSecret| hash(secret, client_cookie, head, client.address) == *sent_hash;
    let index = settings.secrets.iter().position(made_by)?;
    Some((index == 0 && age < FRESH).then_some(server_cookie))
}

fn make(secret: &CookieSecret, client_cookie: &[u8; CLIENT_COOKIE], client: &Client) -> [u8; SERVER_COOKIE] {
    let [a, b, c, d] = client.time.to_be_bytes();
    let head = [VERSION, 0, 0, 0, a, b, c, d];
    let mut cookie = [0; SERVER_COOKIE];
    let (front, back) = cookie.split_at_mut(HEAD);
    front.copy_from_slice(&head);
    back.copy_from_slice(&hash(secret, client_cookie, &head, client.address));
    cookie
}

/// SipHash-2-4 of Client Cookie, version, reserved, timestamp and address (RFC 9018 section 4.4).
fn hash(
    secret: &CookieSecret,
    client_cookie: &[u8; CLIENT_COOKIE],
    head: &[u8; HEAD],
    address: IpAddr,
) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(&secret.0);
    hasher.write(client_cookie);
    hasher.write(head);
    // An IPv4 client of a socket of both families is one IPv4 client.
    match address.to_canonical() {
        IpAddr::V4(address) => hasher.write(&address.octets()),
        IpAddr::V6(address) => hasher.write(&address.octets()),
    }
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::TransportKind;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap()
    }

    fn settings(secrets: &[&str]) -> CookieSettings {
        let secrets = secrets.iter().map(|text| CookieSecret::from_hex(text).unwrap()).collect();
        CookieSettings { secrets, required: false }
    }

    fn ask(sent: &str, address: &str, time: u32, secrets: &[&str]) -> (Proof, String) {
        let client = Client { transport: TransportKind::Udp, address: address.parse().unwrap(), time };
        match examine(Some(&hex(sent)), &client, Some(&settings(secrets))) {
            Cookie::Present { proof, reply } => (proof, HEXLOWER_PERMISSIVE.encode(&reply)),
            other => panic!("{sent}: {other:?}"),
        }
    }

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    const FIRST: &str = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";

    #[test]
    fn the_examples_of_rfc9018_appendix_a() {
        let ask_first = |sent, time| ask(sent, "198.51.100.100", time, &[SECRET]);
        assert_eq!(ask_first("2464c4abcf10c957", 1_559_731_985), (Proof::None, FIRST.into()));
        let renewed = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
        assert_eq!(ask_first(FIRST, 1_559_734_385), (Proof::Valid, renewed.into()));
        // A.3: the reserved octets are hashed as they came. The example lets a cookie of nearly two hours pass.
        let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        assert_eq!(ask(reserved, "203.0.113.203", 1_559_728_000, &[SECRET]), (Proof::Valid, reserved.into()));
        let late = ask(reserved, "203.0.113.203", 1_559_734_700, &[SECRET]);
        assert_eq!(late.1, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
        // A.4: a secret that was replaced.
        let secrets = ["445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"];
        let old = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
        let new = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
        let address = "2001:db8:220:1:59de:d0f4:8769:82b8";
        assert_eq!(ask(old, address, 1_559_741_961, &secrets), (Proof::Valid, new.into()));
        assert_eq!(ask(old, address, 1_559_741_961, &secrets[..1]), (Proof::Invalid, new.into()));
    }

    #[test]
    fn a_cookie_is_good_for_its_client_and_its_time() {
        let made = 1_559_731_985;
        for (address, time, proof, same) in [
            ("198.51.100.100", made - 300, Proof::Valid, true),
            ("198.51.100.100", made - 301, Proof::Invalid, false),
            ("198.51.100.100", made + 1799, Proof::Valid, true),
            ("198.51.100.100", made + 1800, Proof::Valid, false),
            ("198.51.100.100", made + 3600, Proof::Valid, false),
            ("198.51.100.100", made + 3601, Proof::Invalid, false),
            ("::ffff:198.51.100.100", made, Proof::Valid, true),
            ("198.51.100.101", made, Proof::Invalid, false),
        ] {
            let (found, reply) = ask(FIRST, address, time, &[SECRET]);
            assert_eq!((found, reply == FIRST), (proof, same), "{address} {time}");
        }
        for forged in [FIRST.replace("9480", "9481"), FIRST.replace("957010", "957020"), FIRST[..46].into()] {
            assert_eq!(ask(&forged, "198.51.100.100", made, &[SECRET]).0, Proof::Invalid, "{forged}");
        }
    }

    #[test]
    fn lengths_of_rfc7873_section_5_2_2() {
        let client = Client { transport: TransportKind::Udp, address: [192, 0, 2, 1].into(), time: 0 };
        for length in 0..60 {
            let malformed =
                examine(Some(&vec![7; length]), &client, Some(&settings(&[SECRET]))) == Cookie::Malformed;
            assert_eq!(malformed, !(length == 8 || (16..=40).contains(&length)), "{length}");
        }
        assert_eq!(examine(Some(&[7]), &client, None), Cookie::Absent);
    }

    #[test]
    fn a_secret_has_32_digits_and_is_not_shown() {
        assert_eq!(format!("{:?}", CookieSecret::from_hex(SECRET).unwrap()), "CookieSecret(…)");
        for text in ["", "e5", "e5e973e5a6b2a43f48e7dc849e37bfcg", "e5e973e5a6b2a43f48e7dc849e37bfcf00"] {
            assert_eq!(CookieSecret::from_hex(text), None, "{text}");
        }
    }
}
