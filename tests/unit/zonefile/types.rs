//! Every type from text to wire and back.

use data_encoding::HEXLOWER;

use crate::wire::RecordType;

use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::read;
use crate::zonefile::tests::records;
use crate::zonefile::tests::written;

/// `type rdata`, its wire form in hexadecimal (blanks do not count), and how it is written out where that differs.
/// The wire forms are worked out from the RFC named, not taken from this program's output.
pub(super) const CASES: &[(&str, &str, Option<&str>)] = &[
    ("A 192.0.2.1", "c0000201", None),
    ("AAAA 2001:db8::1", "20010db8 00000000 00000000 00000001", None),
    ("AAAA ::ffff:192.0.2.1", "00000000 00000000 0000ffff c0000201", None),
    ("NS a.b.", "0161 0162 00", None),
    ("NS rel", "0372656c 076578616d706c65 036f7267 00", Some("NS rel.example.org.")),
    ("NS @", "076578616d706c65 036f7267 00", Some("NS example.org.")),
    ("CNAME .", "00", None),
    ("DNAME a\\.b.", "03612e62 00", None),
    ("PTR \\000\\255x.", "0300ff78 00", None),
    ("MB a.", "016100", None),
    ("MD a.", "016100", None),
    ("MF a.", "016100", None),
    ("MG a.", "016100", None),
    ("MR a.", "016100", None),
    ("NSAP-PTR a.", "016100", None),
    ("MINFO a. b.", "016100 016200", None),
    ("RP a. .", "016100 00", None),
    ("TALINK a. b.", "016100 016200", None),
    ("MX 10 a.", "000a 016100", None),
    ("AFSDB 1 a.", "0001 016100", None),
    ("RT 1 a.", "0001 016100", None),
    ("KX 1 a.", "0001 016100", None),
    ("LP 10 a.", "000a 016100", None),
    ("PX 10 a. b.", "000a 016100 016200", None),
    ("SRV 0 5 5060 sip.", "0000 0005 13c4 0373697000", None),
    (
        "NAPTR 100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp.",
        "0064 000a 0153 075349502b443255 00 045f736970045f75647000",
        None,
    ),
    (
        "NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!x!\" .",
        "0064 000a 0175 074532552b736970 08215e2e2a24217821 00",
        None,
    ),
    ("HINFO PDP-11 UNIX", "065044502d3131 04554e4958", Some("HINFO \"PDP-11\" \"UNIX\"")),
    ("TXT a \"b c\" \"\"", "0161 03622063 00", Some("TXT \"a\" \"b c\" \"\"")),
    ("TXT \"\\\"\\\\;()\\200\"", "06 225c3b2829c8", None),
    ("SPF \"v=spf1 -all\"", "0b763d73706631202d616c6c", None),
    ("AVC \"x\"", "0178", None),
    ("RESINFO \"qnamemin\" \"exterr=15-17\"", "08716e616d656d696e 0c6578746572723d31352d3137", None),
    ("WALLET \"BTC\" \"x\"", "03425443 0178", None),
    ("NINFO \"x\"", "0178", None),
    ("CLA \"x\"", "0178", None),
    ("X25 311061700956", "0c333131303631373030393536", Some("X25 \"311061700956\"")),
    ("ISDN \"150862028003217\"", "0f313530383632303238303033323137", None),
    ("ISDN \"1\" \"004\"", "0131 03303034", None),
    ("GPOS \"-32.6882\" \"116.8652\" \"10.0\"", "082d33322e36383832 083131362e38363532 0431302e30", None),
    ("WKS 10.0.0.1 TCP 0 smtp", "0a000001 06 80000040", Some("WKS 10.0.0.1 6 0 25")),
    (
        "NSAP 0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00",
        "470005 80005a00 00000001 e133ffff ff000161 00",
        Some("NSAP 0x47000580005a0000000001e133ffffff00016100"),
    ),
    // RFC 1876 section 4; the wire form by hand.
    (
        "LOC 42 21 54 N 71 06 18 W -24m 30m",
        "00 33 16 13 89172dd0 70be15f0 00988d20",
        Some("LOC 42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"),
    ),
    (
        "LOC 0 N 0 E 0m",
        "00 12 16 13 80000000 80000000 00989680",
        Some("LOC 0 0 0.000 N 0 0 0.000 E 0.00m 1.00m 10000.00m 10.00m"),
    ),
    ("APL 1:192.168.32.0/21 !1:192.168.38.0/28", "0001 15 03 c0a820 0001 1c 83 c0a826", None),
    ("APL 2:ff00::/8 1:0.0.0.0/0", "0002 08 01 ff 0001 00 00", None),
    ("APL", "", None),
    (
        "DS 60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118",
        "ec45 05 01 2bb183af5f22588179a53b0a98631fad1a292118",
        Some("DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ),
    ("CDS 0 0 0 00", "0000 00 00 00", None),
    (
        "DLV 1 RSASHA256 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
        "0001 08 01 2bb183af5f22588179a53b0a98631fad1a292118",
        Some("DLV 1 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ),
    ("TA 1 8 200 AB", "0001 08 c8 ab", None),
    ("DNSKEY 256 3 RSASHA256 AQID BA==", "0100 03 08 01020304", Some("DNSKEY 256 3 8 AQIDBA==")),
    ("CDNSKEY 0 3 0 AA==", "0000 03 00 00", None),
    ("RKEY 0 3 8 AA==", "0000 03 08 00", None),
    ("KEY 49152 3 0", "c000 03 00", None),
    (
        "RRSIG A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1",
        "0001 05 03 00015180 3e7c9dd7 3e5510d7 0a52 \
      076578616d706c6503636f6d00 a09075",
        Some("RRSIG A 5 3 86400 20030322173103 20030220173103 2642 example.com. oJB1"),
    ),
    (
        "SIG NXT 1 3 1h 20030322173103 20030220173103 1 a. oJB1",
        "001e 01 03 00000e10 3e7c9dd7 3e5510d7 0001 016100 a09075",
        Some("SIG NXT 1 3 3600 20030322173103 20030220173103 1 a. oJB1"),
    ),
    // RFC 4034 section 4.3.
    (
        "NSEC host.example.com. TYPE1234 A MX RRSIG NSEC",
        "04686f7374076578616d706c6503636f6d00 0006 400100000003 \
      041b 000000000000000000000000000000000000000000000000000020",
        Some("NSEC host.example.com. A MX RRSIG NSEC TYPE1234"),
    ),
    // RFC 5155 appendix A.
    (
        "NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG",
        "01 01 000c 04 aabbccdd 14 174eb2409fe28bcb4887a1836f957f0a8425e27b 0007 22010000000290",
        Some("NSEC3 1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX RRSIG DNSKEY NSEC3PARAM"),
    ),
    ("NSEC3 2 0 0 - 00", "02 00 0000 00 01 00", None),
    ("NSEC3PARAM 1 0 12 AABBCCDD", "01 00 000c 04 aabbccdd", None),
    ("NSEC3PARAM 1 0 0 -", "01 00 0000 00", None),
    ("CERT PGP 0 0 AQID", "0003 0000 00 010203", Some("CERT 3 0 0 AQID")),
    (
        "SSHFP 2 1 123456789ABCDEF67890123456789ABCDEF67890",
        "02 01 123456789abcdef67890123456789abcdef67890",
        None,
    ),
    ("TLSA 3 1 0 AB CD", "03 01 00 abcd", Some("TLSA 3 1 0 ABCD")),
    ("SMIMEA 0 0 3 AB", "00 00 03 ab", None),
    ("IPSECKEY 10 1 2 192.0.2.38 AQID", "0a 01 02 c0000226 010203", None),
    ("IPSECKEY 10 0 2 . AQID", "0a 00 02 010203", None),
    ("IPSECKEY 10 2 2 2001:db8::1 AQID", "0a 02 02 20010db8000000000000000000000001 010203", None),
    ("IPSECKEY 10 3 0 gw.", "0a 03 00 02677700", None),
    ("AMTRELAY 10 0 3 amt.", "0a 03 03616d7400", None),
    ("AMTRELAY 10 1 1 203.0.113.15", "0a 81 cb00710f", None),
    ("AMTRELAY 10 0 0 .", "0a 00", None),
    (
        "HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAQ== rvs1. rvs2.",
        "10 02 0004 200100107b1a74df365639cc39f1d578 03010001 \
      047276733100 047276733200",
        None,
    ),
    (
        "DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
        "000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40",
        None,
    ),
    ("OPENPGPKEY AQID", "010203", None),
    ("HHIT AQID", "010203", None),
    ("BRID AQID", "010203", None),
    // RFC 7477 section 2.1.
    ("CSYNC 66 3 A NS AAAA", "00000042 0003 0004 60000008", None),
    (
        "ZONEMD 2018031500 1 241 ABABABABABABABABABAB ABCD",
        "7848b78c 01 f1 abababababababababababcd",
        Some("ZONEMD 2018031500 1 241 ABABABABABABABABABABABCD"),
    ),
    // RFC 9460 appendix D.
    ("SVCB 0 foo.example.com.", "0000 03666f6f076578616d706c6503636f6d00", None),
    ("SVCB 1 .", "0001 00", None),
    ("HTTPS 16 foo. port=53", "0010 03666f6f00 0003 0002 0035", None),
    (
        "SVCB 1 foo. key667=hello",
        "0001 03666f6f00 029b 0005 68656c6c6f",
        Some("SVCB 1 foo. key667=\"hello\""),
    ),
    ("SVCB 1 foo. key667=\"hello\\210qoo\"", "0001 03666f6f00 029b 0009 68656c6c6fd2716f6f", None),
    (
        "SVCB 1 foo. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
        "0001 03666f6f00 0006 0020 \
      20010db8000000000000000000000001 20010db8000000000000000000530001",
        Some("SVCB 1 foo. ipv6hint=2001:db8::1,2001:db8::53:1"),
    ),
    (
        "SVCB 16 foo. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
        "0010 03666f6f00 0000 0004 00010004 \
      0001 0009 02683205 68332d3139 0004 0004 c0000201",
        Some("SVCB 16 foo. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"),
    ),
    (
        "SVCB 16 foo. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
        "0010 03666f6f00 0001 000c 08665c6f6f2c626172 026832",
        None,
    ),
    (
        "SVCB 1 . alpn=h2 no-default-alpn ech=AAX+DQABAA== dohpath=/q{?dns} ohttp",
        "0001 00 0001 0003 026832 0002 0000 \
      0005 0007 0005fe0d000100 0007 0008 2f717b3f646e737d 0008 0000",
        Some("SVCB 1 . alpn=\"h2\" no-default-alpn ech=AAX+DQABAA== dohpath=\"/q{?dns}\" ohttp"),
    ),
    ("DSYNC CDS NOTIFY 5359 a.", "003b 01 14ef 016100", None),
    ("NID 10 0014:4fff:ff20:ee64", "000a 00144fffff20ee64", None),
    ("L32 10 10.1.2.0", "000a 0a010200", None),
    ("L64 10 2001:0DB8:1140:1000", "000a 20010db811401000", Some("L64 10 2001:0db8:1140:1000")),
    ("EUI48 00-00-5e-00-53-2a", "00005e00532a", None),
    ("EUI64 00-00-5e-ef-10-00-00-2a", "00005eef1000002a", None),
    (
        "URI 10 1 \"ftp://ftp1.example.com/public\"",
        "000a 0001 6674703a2f2f667470312e6578616d706c652e636f6d2f7075626c6963",
        None,
    ),
    ("CAA 0 issue \"ca1.example.net\"", "00 05 6973737565 6361312e6578616d706c652e6e6574", None),
    ("CAA 128 tbs \"\"", "80 03 746273", None),
    ("DOA 0 1 2 \"\" -", "00000000 00000001 02 00", None),
    ("DOA 0 1 2 \"text/html\" AQID", "00000000 00000001 02 09746578742f68746d6c 010203", None),
    ("IPN 18446744073709551615", "ffffffffffffffff", None),
    // RFC 2874 section 3.1, in the manner of its examples.
    (
        "A6 0 2345:c1:ca11:1:1234:5678:9abc:def0",
        "00 234500c1ca110001123456789abcdef0",
        Some("A6 0 2345:c1:ca11:1:1234:5678:9abc:def0"),
    ),
    ("A6 64 ::1234:5678:9abc:def0 a.b.", "40 123456789abcdef0 01610162 00", None),
    ("A6 48 0:0:0:1:: a.", "30 00010000000000000000 016100", Some("A6 48 0:0:0:1:: a.")),
    ("A6 127 ::1 a.", "7f 01 016100", None),
    ("A6 128 a.", "80 016100", None),
    ("ATMA +358.400.123", "01 333538343030313233", Some("ATMA +358400123")),
    ("ATMA 39.246F.000e7c", "00 39246f000e7c", Some("ATMA 39246f000e7c")),
    ("EID 47 00AB", "4700ab", Some("EID 4700AB")),
    ("NIMLOC 1234", "1234", None),
    ("SINK 1 0 2 AQID", "01 00 02 010203", None),
    // RFC 2535 section 5.2: bit 0 is the first.
    ("NXT a. A NS SIG NXT", "016100 60000082", Some("NXT a. A NS SIG NXT")),
    ("NXT a. TYPE127", "016100 00000000000000000000000000000001", None),
    ("UINFO \\# 1 00", "00", None),
    ("UID \\# 1 00", "00", None),
    ("GID \\# 1 00", "00", None),
    ("UNSPEC \\# 1 00", "00", None),
    ("TYPE65280 \\# 3 ab cdEF", "abcdef", Some("TYPE65280 \\# 3 abcdef")),
    ("TYPE65280 \\# 0", "", None),
    ("NULL \\# 1 00", "00", None),
    ("TYPE1 \\# 4 C0000201", "c0000201", Some("A 192.0.2.1")),
    ("a 192.0.2.1", "c0000201", Some("A 192.0.2.1")),
];

#[test]
fn every_type_goes_to_wire_and_back() {
    let mut wrong = Vec::new();
    for (text, wire, back) in CASES {
        let record = records(&format!("x 60 IN {text}\n")).remove(0);
        let wire: String = wire.split_whitespace().collect();
        if HEXLOWER.encode(&record.rdata) != wire {
            wrong.push(format!("{text}: {} instead of {wire}", HEXLOWER.encode(&record.rdata)));
        }
        let zone = read(format!("{SOA}{NS}x 60 IN {text}\n")).unwrap().zone;
        let expected = back.unwrap_or(text);
        let line = written(&zone).lines().nth(2).unwrap().replace('\t', " ");
        if line.trim_end() != format!("x.example.org. 60 IN {expected}") {
            wrong.push(format!("{line} instead of {expected}"));
        }
        let again = read(written(&zone)).unwrap().zone;
        assert_eq!(again.records().nth(2).unwrap(), record, "{text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_that_the_registry_table_names_is_in_the_cases() {
    let covered: Vec<RecordType> =
        CASES.iter().filter_map(|(text, ..)| RecordType::from_text(text.split(' ').next()?)).collect();
    for number in 0..=u16::MAX {
        let record_type = RecordType(number);
        let no_format = record_type.is_meta() || record_type == RecordType::SOA;
        if record_type.mnemonic().is_some() && !no_format {
            assert!(covered.contains(&record_type), "{record_type}");
        }
    }
}
