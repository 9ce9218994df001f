//! BIND's `named-compilezone` reads the same file and writes the same records.

use std::collections::BTreeSet;
use std::process::Command;

use crate::zonefile::tests::SOA;
use crate::zonefile::tests::read;
use crate::zonefile::tests::read_in;
use crate::zonefile::tests::written;

/// What both read. Left out are the types that Debian 12's BIND 9.18 does not know.
const ZONE: &str = "$TTL 1h\n@ NS ns.example.\n  MX 10 mail\nmail A 192.0.2.1\n AAAA 2001:db8::1\n\
    txt TXT \"a b\" c\\100 \"q\\\"\" \\; ( x\n y )\n$ORIGIN sub\n$GENERATE 1-20/3 g${2,3,d} A 192.0.2.$\n\
    $GENERATE 0-18 ${0,7,n} PTR h${-0,0,X}.example.\n$GENERATE 1-3 m$ MX \"0 m$.\"\n$ORIGIN example.org.\n\
    loc LOC 42 21 54 N 71 06 18 W -24m 30m\nlod LOC 52 22 23.123 S 4 53 32 E 2.5m\napl APL 1:192.168.32.0/21 !2:ff00::/8\n\
    srv SRV 0 5 5060 sip\nnaptr NAPTR 100 10 \"S\" \"SIP+D2U\" \"\" _sip._udp\nnaptu NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!x!\" .\ncaa CAA 0 issue \"ca.example\"\n\
    uri URI 10 1 \"ftp://a.example/\"\nds DS 60485 8 1 2BB183AF5F22588179A53B0A 98631FAD1A292118\n\
    nsec NSEC host.example.com. A MX RRSIG NSEC TYPE1234\nn3p NSEC3PARAM 1 0 12 aabbccdd\nhip HIP 2 200100107B1A74DF365639CC39F1D578 AwEAAQ== rvs1\n\
    ips IPSECKEY 10 1 2 192.0.2.38 AQID\nsvcb SVCB 16 foo alpn=\"f\\\\\\\\oo\\\\,bar,h2\" port=53 ipv6hint=2001:db8::1\n\
    https HTTPS 1 . mandatory=alpn,port alpn=h2,h3 port=8443 key667=\"a b\"\ncsync CSYNC 66 3 A NS AAAA\n\
    eui EUI48 00-00-5e-00-53-2a\nnid NID 10 0014:4fff:ff20:ee64\nl32 L32 10 10.1.2.0\ncert CERT PGP 0 0 AQID\n\
    tlsa TLSA 3 1 0 AB CD\nzmd ZONEMD 2018031500 1 1 ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEF\n\
    amt AMTRELAY 10 1 3 amt\nx25 X25 311061700956\nisdn ISDN 150862028003217 004\ngpos GPOS -32.6882 116.8652 10.0\n\
    nsap NSAP 0x47.0005.80.005a00\nunk TYPE65280 \\# 3 abcdef\nkx KX 1 a\nrp RP a b\nafs AFSDB 1 a\nhinfo HINFO PDP-11 UNIX\n\
    px PX 10 a b\nwks WKS 10.0.0.1 TCP 0 25\nsshfp SSHFP 2 1 123456789abcdef67890123456789abcdef67890\n\
    rrsig RRSIG A 8 2 3600 20300322173103 20290220173103 2642 @ oJB1\nkey DNSKEY 256 3 8 AQIDBA==\n\
    asix A6 64 ::1234:5678:9abc:def0 a\natme ATMA +358400123\natmb ATMA 39.246f.000e7c\neid EID 4700AB\nnim NIMLOC 1234\nsink SINK 1 0 2 AQID\n\
    smi SMIMEA 3 1 0 ABCD\npgp OPENPGPKEY AQID\ndhcid DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=\n";

#[test]
fn named_compilezone_reads_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let zone = read_in(directory.path(), format!("{SOA}{ZONE}")).unwrap_or_else(|error| panic!("{error}"));
    let compiled = directory.path().join("compiled");
    let outcome = Command::new("named-compilezone")
        .args([
            "-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-S", "ignore", "-s", "full", "-o",
        ])
        .arg(&compiled)
        .arg("example.org")
        .arg(directory.path().join("zone"))
        .output();
    let Ok(output) = outcome else {
        crate::test_support::skip::skip(
            "zones beside BIND",
            "named-compilezone (Debian package bind9-utils) is not installed",
        );
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let theirs = read(std::fs::read(&compiled).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let lines = |zone: &crate::zone::Zone| written(zone).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (ours, theirs) = (lines(&zone.zone), lines(&theirs.zone));
    assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), theirs.difference(&ours).collect::<Vec<_>>());

    // And the other way: BIND takes what we write.
    let path = directory.path().join("ours");
    std::fs::write(&path, written(&zone.zone)).unwrap();
    let output = Command::new("named-compilezone")
        .args(["-i", "none", "-k", "ignore", "-o", "/dev/null", "example.org"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
