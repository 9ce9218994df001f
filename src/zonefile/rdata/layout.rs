//! Which fields the RDATA of a type has: one table for the reader and the writer.

use crate::wire::RecordType;

/// One field of RDATA: its wire form and its presentation format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// 8 bits, decimal.
    U8,
    /// 16 bits, decimal.
    U16,
    /// 32 bits, decimal.
    U32,
    /// 64 bits, decimal.
    U64,
    /// 32 bits of seconds, units allowed.
    Period,
    /// 32 bits, `YYYYMMDDHHmmSS` (RFC 4034 section 3.2).
    Time,
    /// Four octets, dotted.
    Ipv4,
    /// Sixteen octets (RFC 5952).
    Ipv6,
    /// A domain name, never compressed here.
    Name,
    /// One character-string (RFC 1035 section 3.3).
    Text,
    /// One character-string that may be missing (ISDN's subaddress).
    OptionalText,
    /// One or more character-strings.
    Texts,
    /// Text to the end of the RDATA, without a length octet (CAA, URI).
    Rest,
    /// Letters and digits with a length octet (CAA's tag, RFC 8659 section 4.1).
    Tag,
    /// Hexadecimal to the end, at least one octet.
    Hex,
    /// Base64 to the end, at least one octet.
    Base64,
    /// Base64 to the end, nothing allowed (KEY without a key).
    OptionalBase64,
    /// Base64 to the end, `-` for nothing (DOA).
    DashBase64,
    /// Hexadecimal with a length octet, `-` for nothing (NSEC3's salt, RFC 5155 section 3.3).
    Salt,
    /// Base32hex with a length octet, without padding (RFC 5155 section 3.3).
    Hash,
    /// A type bitmap (RFC 4034 section 4.1.2).
    Types,
    /// 16 bits, a type's mnemonic.
    Type,
    /// 8 bits, a DNSSEC algorithm's mnemonic or number; written as a number.
    Algorithm,
    /// 16 bits, a certificate type's mnemonic or number (RFC 4398 section 2.1); written as a number.
    Certificate,
    /// 8 bits, `NOTIFY` or a number (RFC 9859 section 2.1).
    Scheme,
    /// 64 bits in four groups of hexadecimal (RFC 6742 section 2.1).
    Node64,
    /// Six or eight octets in hexadecimal with hyphens (RFC 7043).
    Eui(u8),
    /// Service parameters (RFC 9460).
    SvcParams,
    /// Address prefixes (RFC 3123).
    Prefixes,
    /// A position on Earth (RFC 1876).
    Location,
    /// An OSI address (RFC 1706).
    Nsap,
    /// Address, protocol and port bitmap (RFC 1035 section 3.4.2).
    Services,
    /// Gateway type, algorithm, gateway (RFC 4025).
    Gateway,
    /// Discovery flag, relay type, relay (RFC 8777).
    Relay,
    /// Host identity (RFC 8005).
    HostIdentity,
    /// Prefix length, address suffix, prefix name (RFC 2874).
    A6,
    /// An ATM address.
    Atm,
    /// NXT's type bitmap (RFC 2535 section 5.2).
    NxtTypes,
}

/// The fields of a type; `None` where there is no presentation format but RFC 3597's: NULL (RFC 1035 section 3.3.10),
/// UINFO, UID, GID and UNSPEC, which the registry reserves without a specification, and unassigned numbers.
pub(super) fn layout(record_type: RecordType) -> Option<&'static [Field]> {
    use Field::*;
    use RecordType as T;
    let fields: &'static [Field] = match record_type {
        T::A => &[Ipv4],
        T::AAAA => &[Ipv6],
        T::NS | T::CNAME | T::PTR | T::DNAME | T::MB | T::MD | T::MF | T::MG | T::MR | T::NSAP_PTR => &[Name],
        T::SOA => &[Name, Name, U32, Period, Period, Period, Period],
        T::MINFO | T::RP | T::TALINK => &[Name, Name],
        T::MX | T::AFSDB | T::RT | T::KX | T::LP => &[U16, Name],
        T::PX => &[U16, Name, Name],
        T::SRV => &[U16, U16, U16, Name],
        T::NAPTR => &[U16, U16, Text, Text, Text, Name],
        T::TXT | T::SPF | T::AVC | T::RESINFO | T::WALLET | T::NINFO | T::CLA => &[Texts],
        T::HINFO => &[Text, Text],
        T::X25 => &[Text],
        T::ISDN => &[Text, OptionalText],
        T::GPOS => &[Text, Text, Text],
        T::WKS => &[Services],
        T::NSAP => &[Nsap],
        T::LOC => &[Location],
        T::APL => &[Prefixes],
        T::SIG | T::RRSIG => &[Type, Algorithm, U8, Period, Time, Time, U16, Name, Base64],
        T::KEY => &[U16, U8, Algorithm, OptionalBase64],
        T::DNSKEY | T::CDNSKEY | T::RKEY => &[U16, U8, Algorithm, Base64],
        T::DS | T::CDS | T::DLV | T::TA => &[U16, Algorithm, U8, Hex],
        T::NSEC => &[Name, Types],
        T::NSEC3 => &[U8, U8, U16, Salt, Hash, Types],
        T::NSEC3PARAM => &[U8, U8, U16, Salt],
        T::CERT => &[Certificate, U16, Algorithm, Base64],
        T::SSHFP => &[U8, U8, Hex],
        T::TLSA | T::SMIMEA => &[U8, U8, U8, Hex],
        T::IPSECKEY => &[U8, Gateway, OptionalBase64],
        T::AMTRELAY => &[U8, Relay],
        T::HIP => &[HostIdentity],
        T::DHCID | T::OPENPGPKEY | T::HHIT | T::BRID => &[Base64],
        T::CSYNC => &[U32, U16, Types],
        T::ZONEMD => &[U32, U8, U8, Hex],
        T::SVCB | T::HTTPS => &[U16, Name, SvcParams],
        T::DSYNC => &[Type, Scheme, U16, Name],
        T::NID | T::L64 => &[U16, Node64],
        T::L32 => &[U16, Ipv4],
        T::EUI48 => &[Eui(6)],
        T::EUI64 => &[Eui(8)],
        T::URI => &[U16, U16, Rest],
        T::CAA => &[U8, Tag, Rest],
        T::DOA => &[U32, U32, U8, Text, DashBase64],
        T::IPN => &[U64],
        // By the drafts that the registry names: hexadecimal; three numbers and base64.
        T::EID | T::NIMLOC => &[Hex],
        T::SINK => &[U8, U8, U8, OptionalBase64],
        T::A6 => &[A6],
        T::ATMA => &[Atm],
        T::NXT => &[Name, NxtTypes],
        _ => return None,
    };
    Some(fields)
}

impl Field {
    /// What the field takes, as a fault says it.
    pub(super) fn expectation(self) -> &'static str {
        match self {
            Self::U8 => "a number from 0 to 255",
            Self::U16 => "a number from 0 to 65535",
            Self::U32 => "a number from 0 to 4294967295",
            Self::U64 => "a number from 0 to 18446744073709551615",
            Self::Period => "a time in seconds up to 4294967295, units allowed as in 1h30m",
            Self::Time => {
                "a time from 1970 to 21060207062815, as YYYYMMDDHHmmSS or in seconds with at most 10 digits"
            }
            Self::Ipv4 => "an IPv4 address such as 192.0.2.1",
            Self::Ipv6 => "an IPv6 address such as 2001:db8::1",
            Self::Name => "a domain name",
            Self::Text | Self::OptionalText | Self::Texts => {
                "a character-string, with quotes if it holds blanks"
            }
            Self::Rest => "a text, with quotes if it holds blanks",
            Self::Tag => "a property tag of letters and digits",
            Self::Hex => "octets in hexadecimal, two digits each",
            Self::Base64 | Self::OptionalBase64 => "base64 data",
            Self::DashBase64 => "base64 data, or - for none",
            Self::Salt => "a salt of 1 to 255 octets in hexadecimal, or - for none",
            Self::Hash => "a hash of 1 to 255 octets in base32hex without padding",
            Self::Types => "record types such as A or TYPE65280, not the meta types 0 and 128 to 255",
            Self::Type => "a record type such as A or TYPE65280",
            Self::Algorithm => "a DNSSEC algorithm such as 13 or ECDSAP256SHA256",
            Self::Certificate => "a certificate type such as PKIX or a number from 0 to 65535",
            Self::Scheme => "NOTIFY or a number from 0 to 255",
            Self::Node64 => "four groups of four hexadecimal digits such as 0014:4fff:ff20:ee64",
            Self::Eui(6) => "six octets such as 00-00-5e-00-53-2a",
            Self::Eui(_) => "eight octets such as 00-00-5e-ef-10-00-00-2a",
            Self::SvcParams => "a service parameter such as port=443",
            Self::Prefixes => "an address prefix such as 1:192.0.2.0/24 or !2:2001:db8::/32",
            Self::Location => "a position such as 52 22 23.000 N 4 53 32.000 E -2.00m",
            Self::Nsap => "an OSI address such as 0x47.0005.80",
            Self::Services => "an IPv4 address, a protocol and ports",
            Self::Gateway => "a gateway type from 0 to 3",
            Self::Relay => "a discovery flag 0 or 1 and a relay type from 0 to 3",
            Self::HostIdentity => "an algorithm, a host identity tag and a public key",
            Self::A6 => "a prefix length, an address suffix and a prefix name",
            Self::Atm => "an ATM address such as +358400123456 or 39.246f.000e7c9c",
            Self::NxtTypes => "record types such as A or TYPE127, numbers 1 to 127",
        }
    }
}
