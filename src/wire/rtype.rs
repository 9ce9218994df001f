//! Record types (IANA "Resource Record (RR) TYPEs").

use std::fmt;

/// Class IN, the Internet (RFC 1035 section 3.2.4).
pub const CLASS_IN: u16 = 1;
/// Class CH, Chaos: a server's own names live there (RFC 4892).
pub const CLASS_CH: u16 = 3;
/// QCLASS `*`, any class (RFC 1035 section 3.2.5).
pub const CLASS_ANY: u16 = 255;

/// The type of a record or of a question, by its IANA number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

macro_rules! record_types {
    ($($constant:ident $mnemonic:literal $number:literal)*) => {
        impl RecordType {
            $(#[doc = concat!("`", $mnemonic, "`, IANA number ", $number, ".")]
            pub const $constant: Self = Self($number);)*

            /// The mnemonic in the IANA registry, if this build knows one.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 { $($number => Some($mnemonic),)* _ => None }
            }

            /// Reads a mnemonic (in any case) or RFC 3597's `TYPE12345`.
            pub fn from_text(text: &str) -> Option<Self> {
                $(if text.eq_ignore_ascii_case($mnemonic) { return Some(Self::$constant); })*
                let digits = text.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("TYPE")).and(text.get(4..))?;
                if !digits.bytes().all(|octet| octet.is_ascii_digit()) { return None; }
                digits.parse().ok().map(Self)
            }
        }
    };
}

record_types! {
    A "A" 1  NS "NS" 2  MD "MD" 3  MF "MF" 4  CNAME "CNAME" 5  SOA "SOA" 6  MB "MB" 7  MG "MG" 8  MR "MR" 9  NULL "NULL" 10
    WKS "WKS" 11  PTR "PTR" 12  HINFO "HINFO" 13  MINFO "MINFO" 14  MX "MX" 15  TXT "TXT" 16  RP "RP" 17
    AFSDB "AFSDB" 18  X25 "X25" 19  ISDN "ISDN" 20  RT "RT" 21  NSAP "NSAP" 22  NSAP_PTR "NSAP-PTR" 23
    SIG "SIG" 24  KEY "KEY" 25  PX "PX" 26  GPOS "GPOS" 27  AAAA "AAAA" 28  LOC "LOC" 29  NXT "NXT" 30
    EID "EID" 31  NIMLOC "NIMLOC" 32  ATMA "ATMA" 34  A6 "A6" 38  SINK "SINK" 40
    SRV "SRV" 33  NAPTR "NAPTR" 35  KX "KX" 36  CERT "CERT" 37  DNAME "DNAME" 39  OPT "OPT" 41  APL "APL" 42
    DS "DS" 43  SSHFP "SSHFP" 44  IPSECKEY "IPSECKEY" 45  RRSIG "RRSIG" 46  NSEC "NSEC" 47  DNSKEY "DNSKEY" 48
    DHCID "DHCID" 49  NSEC3 "NSEC3" 50  NSEC3PARAM "NSEC3PARAM" 51  TLSA "TLSA" 52  SMIMEA "SMIMEA" 53
    HIP "HIP" 55  NINFO "NINFO" 56  RKEY "RKEY" 57  TALINK "TALINK" 58  CDS "CDS" 59  CDNSKEY "CDNSKEY" 60  OPENPGPKEY "OPENPGPKEY" 61  CSYNC "CSYNC" 62
    ZONEMD "ZONEMD" 63  SVCB "SVCB" 64  HTTPS "HTTPS" 65  DSYNC "DSYNC" 66  HHIT "HHIT" 67  BRID "BRID" 68  SPF "SPF" 99  NID "NID" 104
    UINFO "UINFO" 100  UID "UID" 101  GID "GID" 102  UNSPEC "UNSPEC" 103  NXNAME "NXNAME" 128
    L32 "L32" 105  L64 "L64" 106  LP "LP" 107  EUI48 "EUI48" 108  EUI64 "EUI64" 109  TKEY "TKEY" 249
    TSIG "TSIG" 250  IXFR "IXFR" 251  AXFR "AXFR" 252  MAILB "MAILB" 253  MAILA "MAILA" 254  ANY "ANY" 255
    URI "URI" 256  CAA "CAA" 257  AVC "AVC" 258  DOA "DOA" 259  AMTRELAY "AMTRELAY" 260
    RESINFO "RESINFO" 261  WALLET "WALLET" 262  CLA "CLA" 263  IPN "IPN" 264  TA "TA" 32768
    DLV "DLV" 32769
}

impl RecordType {
    /// Whether no record in a zone may have this type: OPT, and the question and meta types 128 to 255
    /// (RFC 6895 section 3.1).
    pub fn is_meta(self) -> bool {
        self == Self::OPT || (128..=255).contains(&self.0) || self.0 == 0
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => formatter.write_str(mnemonic),
            None => write!(formatter, "TYPE{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_goes_both_ways() {
        for number in 0..=u16::MAX {
            assert_eq!(RecordType::from_text(&RecordType(number).to_string()), Some(RecordType(number)));
        }
        assert_eq!(RecordType::from_text("aaaa"), Some(RecordType::AAAA));
        assert_eq!(RecordType::from_text("type28"), Some(RecordType::AAAA));
        assert_eq!(RecordType::from_text("TYPE65536"), None);
        assert_eq!(RecordType::from_text("TYPE+1"), None);
    }
}
