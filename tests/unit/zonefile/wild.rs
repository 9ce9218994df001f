//! What zone files out in the world hold, read as BIND's `named-compilezone` reads it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::zonefile::tests::SOA;
use crate::zonefile::tests::read;
use crate::zonefile::tests::read_in;
use crate::zonefile::tests::written;

/// Lines of a zone that both read, to the same records. Left out is what is read otherwise on purpose: of TTLs that differ within an
/// RRset BIND takes the first, and the lowest is right (RFC 2181 section 5.2).
const SAME: &[&[u8]] = &[
    // TTLs and classes.
    b"$TTL 1h30m\na A 192.0.2.1\n$TTL 2W\nb A 192.0.2.1\n",
    b"a IN 1d12h A 192.0.2.1\nb 1d12h IN A 192.0.2.1\nc CLASS1 60 A 192.0.2.1\nd in a 192.0.2.1\n",
    b"a 60 A 192.0.2.1\n$TTL 1h\n$TTL 5m\n TXT x\n",
    b"1 A 192.0.2.1\n1h A 192.0.2.1\n60 60 A 192.0.2.1\nin in A 192.0.2.1\na a 192.0.2.1\nns ns a\n",
    b"$TTL 1H30M\na A 192.0.2.1\n",
    // Owners.
    b"a A 192.0.2.1\n$ORIGIN sub\n TXT \"of a\"\n@ TXT x\n$ORIGIN example.org.\n TXT \"of sub\"\n",
    b"$ORIGIN .\nexample.org A 192.0.2.1\na.example.org A 192.0.2.1\n",
    b"a\\.b A 192.0.2.1\na\\046c A 192.0.2.1\n\\@ A 192.0.2.1\n\\097\\098 A 192.0.2.1\n\\000 A 192.0.2.1\n\\255 A 192.0.2.1\n",
    b"a\\;b A 192.0.2.1\na\\(b A 192.0.2.1\na\\\"b A 192.0.2.1\na\\\\b A 192.0.2.1\na\\ b A 192.0.2.1\n\\$TTL A 192.0.2.1\n",
    b"* A 192.0.2.1\n*.a TXT x\na.*.b TXT x\n_x._tcp SRV 0 0 1 @\n",
    b"m\xc3\xbcnchen A 192.0.2.1\nm\xfcnchen A 192.0.2.1\nxn--mnchen-3ya A 192.0.2.1\n",
    b"A.b A 192.0.2.1\na.B TXT x\n",
    b"a NS @\nb CNAME @\nc MX 10 @\nd PTR a.b\\.c\n",
    // Blanks, line ends, comments.
    b"a\tA\t192.0.2.1\n\tTXT\tx\n \t TXT\ty\n",
    b"a A 192.0.2.1\r\nb TXT \"x\"\r\n\r\nc TXT y\r\n",
    b"a A 192.0.2.1\nb A 192.0.2.1",
    b"a A 192.0.2.1;x\nb TXT \"a;b\" ; c\n;\n   ; \n\t\n   \n\nc TXT a\\;b\n",
    b"a TXT ( x ; ( \"\n y )\nb TXT (x)\nc ( TXT\n x\n )\nd TXT(x)\n( e TXT x )\n",
    b"a TXT ( ( x ) y )\n",
    // Character-strings.
    b"a TXT x y \"z\"\nb TXT \"\"\nc TXT \"a\" \"\" \"b\"\nd TXT \"\\\"\\\\\"\ne TXT \\\"a\\\"\nf TXT \"\\065\\000\\255\"\n",
    b"a TXT \"\xe9\xff\x80\"\nb TXT \xe9\n",
    b"a TXT \"a\"\"b\"\n",
    b"a TXT v=spf1 include:x.example ~all\nb TXT \"tab\there\"\n",
    b"a HINFO x y\nb HINFO \"x y\" \"\"\n",
    b"a CAA 0 issue \"ca.example; x=y\"\nb CAA 128 iodef mailto:x@y\nc CAA 0 issue \\;\n",
    // Types.
    b"a TYPE1 \\# 4 c0000201\nb TYPE65280 \\# 0\nc TYPE16 \\# 2 0161\nd TXT \\# 4 ( 03\n616263 )\ne type65280 \\# 1 FF\n",
    b"a A \\# 4 C0 00 02 01\n",
    b"a DS 1 ECDSAP256SHA256 2 ( 0101010101010101 0101010101010101\n 0101010101010101 0101010101010101 )\na NS b\n",
    b"a AAAA 2001:DB8::1\nb AAAA ::ffff:192.0.2.1\nc AAAA 2001:db8:0:0:0:0:0:1\n",
    b"a LOC 1 2 3.5 N 4 5 6 E 7m\nb LOC 1 N 2 W 3\nc LOC 1 N 2 W 3m 4m 5m 6m\n",
    b"a URI 10 1 \"http://x/ y\"\nb NAPTR 1 2 \"\" \"\" \"\" .\n",
    b"a SSHFP 1 1 ( 0101010101 0101010101\n0101010101 0101010101 )\n",
    b"a SVCB 1 . alpn=h2,h3 port=1\nb HTTPS 1 . alpn=\"h2,h3\" ipv4hint=\"192.0.2.1\"\nc HTTPS 0 @\nd SVCB 1 . key65280=\\000\\255\n",
    // $GENERATE.
    b"$GENERATE 1-3 a$ A 192.0.2.$\n$GENERATE 0-10/5 b$ TXT \"$\"\n$GENERATE 1-2 c${10} A 192.0.2.${10}\n",
    b"$GENERATE 1-3 ${-1}.x A 192.0.2.${-1}\n$GENERATE 1-2 h${0,3} A 192.0.2.$\n$GENERATE 10-11 x${0,4,x} A 192.0.2.$\n",
    b"$GENERATE 10-12 y${0,4,X} A 192.0.2.$\n$GENERATE 8-9 o${0,0,o} A 192.0.2.$\n$GENERATE 1-2 ${0,3,n}.z PTR a\n",
    b"$GENERATE 1-2 ${0,5,N}.z PTR a\n$GENERATE 1-2 a\\$$ A 192.0.2.$\n$GENERATE 1-2 $ 60 A 192.0.2.$\n$GENERATE 1-2 b$ 60 IN CNAME a$\n",
    b"$ORIGIN sub\n$GENERATE 1-2 $ NS ns$\n$GENERATE 1-2 @ MX \"$ a\"\n",
    b"$GENERATE 1-1 a$$ A 192.0.2.$\n$generate 1-1 l$ A 192.0.2.1\n$origin low\n@ A 192.0.2.1\n$ttl 60\nx A 192.0.2.1\n",
    b"$GENERATE 1-2 a${-5} A 192.0.2.1\n$GENERATE 1-2 b${-5,4} A 192.0.2.1\n$GENERATE 1-2 c${-5,0,x} A 192.0.2.1\n",
    b"$GENERATE 1-2 ${-5,3,n} A 192.0.2.1\n$GENERATE 5-6 d${-5} A 192.0.2.$\n$GENERATE 2-3 e${-2,0,o} A 192.0.2.$\n",
    b"$GENERATE 01-02 a$ A 192.0.2.$\n$GENERATE 1-2/3 b$ IN 60 A 192.0.2.$\n$GENERATE 0-1 $.0 CNAME $.0-127\n",
    b"$GENERATE 1-3/2 g$ TXT ${0,2,d}-${1}\n$GENERATE 1-2 a$ AAAA 2001:db8::${0,4,x}\n$GENERATE 1-2 s$ SRV \"0 0 $ b$\"\n",
    b"$GENERATE 2147483646-2147483647 a$ A 192.0.2.1\n$GENERATE 1-2 $$ A 192.0.2.$\n$GENERATE 1-2 t$ TXT \"a b $\"\n",
    // What stands at odd places.
    b"a CLASS01 TYPE016 \\# 02 0161\nb class1 type1 192.0.2.1\nc TXT \"\\#\" 1 00\n",
    b"()\na TXT x;y\nb TXT \"x\";y\nc A 192.0.2.1 ; \xff\xfe\n",
    b" A 192.0.2.1\n\tTXT x\n@ 0 HINFO x y\n$ORIGIN @\n@ MX 1 @\na$b TXT y\n",
    b"$TTL 60 ; one minute\n$ORIGIN sub ; x\na 1D IN A 192.0.2.1 ; y\nb RP host\\.master.example. .\n",
    b"a TXT ( \"a\"\n\"b\" )\nb TXT \"a\\\"b\" c\\\"d \"\\;\" \\;\nc MX 10 mail.example.com.\nc MX 20 @\n",
    b"a CERT PKIX 1 RSASHA256 AQID\nb APL 1:10.0.0.0/8 !2:2001:db8::/32\nc DNSKEY 256 3 RSASHA256 AQ ID BA==\n",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa A 192.0.2.1\n",
];

/// Lines of a zone that both refuse.
const BOTH_REFUSE: &[&[u8]] = &[
    b"a TXT \"x\ny\"\n",
    b"a TXT \"x\n",
    b"a TXT ( x\n",
    b"a TXT x )\n",
    b"a A 192.0.2.1 192.0.2.2\n",
    b"a IN IN A 192.0.2.1\n",
    b"a 60 60 A 192.0.2.1\n",
    b"a\\256 A 192.0.2.1\n",
    b"a\\25 A 192.0.2.1\n",
    b"a TXT \\256\n",
    b"a..b A 192.0.2.1\n",
    b".a A 192.0.2.1\n",
    b"a FOO x\n",
    b"a\n",
    b"a A\n",
    b"a TYPE65536 \\# 0\n",
    b"a TYPE65280 \\# 2 00\n",
    b"a TYPE65280 \\# 1 0\n",
    b"a TYPE65280 \\# 1 zz\n",
    b"a TYPE65280 x\n",
    b"a 1h 30m A 192.0.2.1\n",
    b"a +60 A 192.0.2.1\n",
    b"a TXT x\\\n",
    b"a A \"192.0.2.1\"\n",
    b"a \"A\" 192.0.2.1\n",
    b"a\xc2\xa0A 192.0.2.1\n",
    b"# comment\n",
    b"$TTL 60 60\n",
    b"$ORIGIN a b\n",
    b"$GENERATE 1 - 2 a$ A 192.0.2.$\n",
    b"$GENERATE 1-2 a$ A 192.0.2.${-5}\n",
    b"$GENERATE 1-300 a$ A 192.0.2.$\n",
    b"$GENERATE 1-2 \"a$\" A 192.0.2.$\n",
    b"$TTL\n",
    b"$TTL x\n",
    b"$ORIGIN\n",
    b"$ORIGIN a..b\n",
    b"$FOO x\n",
    b"$INCLUDE\n",
    b"$INCLUDE nowhere\n",
    b"$GENERATE 1 a A 192.0.2.1\n",
    b"$GENERATE 2-1 a$ A 192.0.2.$\n",
    b"$GENERATE 1-2/0 a$ A 192.0.2.$\n",
    b"$GENERATE 1-2 a${0,3,q} A 192.0.2.$\n",
    b"$GENERATE 1-2 ${0,6,N}.z PTR a\n",
    b"$GENERATE -1-2 a$ A 192.0.2.1\n",
    b"a TXT \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\
      0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\
      01234567890123456789012345678901234567890123456789012345\"\n",
];

fn zone_of(lines: &[u8]) -> Vec<u8> {
    [SOA.as_bytes(), b"@ 3600 NS ns.example.\n$TTL 300\n", lines].concat()
}

/// What BIND makes of the file `zone`, or why it does not.
fn compiled(directory: &Path) -> Option<Result<Vec<u8>, String>> {
    let out = directory.join("compiled");
    let checks = ["-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-S", "ignore", "-s", "full"];
    let mut command = Command::new("named-compilezone");
    let output = command.args(checks).arg("-o").arg(&out).arg("example.org").arg("zone");
    let output = output.current_dir(directory).output().ok()?;
    Some(match output.status.success() {
        true => Ok(std::fs::read(&out).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stdout).into_owned()),
    })
}

#[test]
fn what_zone_files_hold_is_read_as_bind_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for lines in SAME {
        let text = zone_of(lines);
        let ours = read_in(directory.path(), &text).map(|read| written(&read.zone));
        let Some(theirs) = compiled(directory.path()) else {
            crate::test_support::skip::skip(
                "zones beside BIND",
                "named-compilezone (Debian package bind9-utils) is not installed",
            );
            return;
        };
        let theirs = theirs.and_then(|text| {
            read(text).map(|read| written(&read.zone)).map_err(|error| format!("what BIND wrote: {error}"))
        });
        let lines = String::from_utf8_lossy(lines);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                let set = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
                let (ours, theirs) = (set(&ours), set(&theirs));
                if ours != theirs {
                    let (left, right): (Vec<_>, Vec<_>) =
                        (ours.difference(&theirs).collect(), theirs.difference(&ours).collect());
                    wrong.push(format!("{lines}\n  ours {left:?}\n  BIND {right:?}"));
                }
            }
            (Err(error), Ok(_)) => wrong.push(format!("{lines}\n  BIND takes it: {error}")),
            (_, Err(error)) => wrong.push(format!("{lines}\n  BIND: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_bind_refuses_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for lines in BOTH_REFUSE {
        if read_in(directory.path(), zone_of(lines)).is_ok() {
            wrong.push(format!("{} is taken", String::from_utf8_lossy(lines)));
        }
        if compiled(directory.path()).is_some_and(|outcome| outcome.is_ok()) {
            wrong.push(format!("BIND takes {}", String::from_utf8_lossy(lines)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
