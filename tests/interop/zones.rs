//! The zones: one for each feature, in two versions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyns::transfer::tsig::{Algorithm, Key, Keys};
use anyns::wire::Name;
use anyns::zone::{Record, Zone};
use anyns::zonefile::{Limits, read_zone};

use super::XOT;
use super::support::process::must;
use super::support::skip::is_full_run;

/// The zones by name, without the last dot, and the algorithm of the key with which each is transferred.
pub const ZONES: [(&str, Option<&str>); 8] = [
    ("plain.test", None),
    ("sha1.test", Some("hmac-sha1")),
    ("sha256.test", Some("hmac-sha256")),
    ("sha384.test", Some("hmac-sha384")),
    ("sha512.test", Some("hmac-sha512")),
    ("signed.test", None),
    ("large.test", Some("hmac-sha256")),
    (XOT, None),
];

/// Records of the large zone: more than a hundred messages, so that NSD and BIND leave some of them unsigned.
fn large() -> u32 {
    if is_full_run() { 1_000_000 } else { 80_000 }
}

/// How long a zone may take to come, on a busy machine.
pub fn bound() -> Duration {
    Duration::from_secs(if is_full_run() { 300 } else { 20 })
}

/// The algorithms, each with one key.
pub const ALGORITHMS: [&str; 4] = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// The secret of all keys, in base 64.
pub const SECRET: &str = "c2VjcmV0LW9mLXRoZS1pbnRlcm9wLXRlc3Q=";

/// The key of a zone.
pub fn key_of(zone: &str) -> Option<String> {
    let algorithm = ZONES.iter().find(|(name, _)| *name == zone).and_then(|(_, algorithm)| *algorithm)?;
    Some(format!("{algorithm}.key"))
}

/// All keys.
pub fn keys() -> Arc<Keys> {
    let key = |algorithm: &str| {
        let name = format!("{algorithm}.key").parse().expect("a name");
        let algorithm = Algorithm::from_text(algorithm).expect("an algorithm");
        Key::from_base64(name, algorithm, SECRET).expect("a key")
    };
    Arc::new(Keys::new(ALGORITHMS.map(key)).expect("different keys"))
}

/// A name.
pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// The file of a version.
fn text(origin: &str, version: u32) -> String {
    // PowerDNS lowers names in NSEC records of presigned zones, which breaks their signatures: no upper case where it is signed.
    let mixed = if origin == "signed.test" { "mixed.case" } else { "mixed.CASE" };
    let mut text = format!(
        "$ORIGIN {origin}.\n$TTL 300\n@ IN SOA ns1 hostmaster {version} 3600 600 864000 300\n\
         @ IN NS ns1\n@ IN NS ns2.else.test.\nns1 IN A 192.0.2.53\nns1 IN AAAA 2001:db8::53\n@ IN MX 10 mail\n\
         mail IN A 192.0.2.25\nwww IN CNAME host1\n_sip._tcp IN SRV 1 2 5060 mail\n*.wild IN TXT \"any\" \"two strings\"\n\
         sub IN NS ns.sub\nns.sub IN A 192.0.2.54\n@ IN CAA 0 issue \"ca.test\"\n{mixed} IN TXT \"Kept\"\n\
         old IN NAPTR 10 20 \"s\" \"SIP+D2U\" \"\" _sip._tcp.{origin}.\nunknown IN TYPE65280 \\# 3 010203\n\
         version IN TXT \"{version}\"\n"
    );
    // Enough for several messages, of which few change.
    let hosts = if origin == "large.test" { large() } else { 1500 };
    for host in 0..hosts {
        let [_, b, c, d] = host.to_be_bytes();
        text.push_str(&format!("host{host} IN A 10.{b}.{c}.{d}\n"));
    }
    if version > 1 {
        text.push_str("new IN A 192.0.2.99\n");
    } else {
        text.push_str("gone IN A 192.0.2.98\n");
    }
    text
}

/// Both versions of all zones in files.
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// Writes and signs them.
    pub fn new(directory: PathBuf) -> Self {
        let files = Self { directory };
        let make = |flags: &[&str]| {
            let mut command = Command::new("dnssec-keygen");
            command.args(["-q", "-K"]).arg(&files.directory).args(["-a", "ED25519"]);
            must(command.args(flags).arg("signed.test"));
        };
        // Signatures of Ed25519 are the same for the same content and times: few of them differ between the versions.
        let until = "20380101000000";
        make(&["-f", "KSK"]);
        make(&[]);
        for (zone, _) in ZONES {
            for version in [1, 2] {
                let path = files.version(zone, version);
                std::fs::write(&path, text(zone, version)).expect("writable");
                if zone == "signed.test" {
                    let directory = files.directory.display().to_string();
                    let mut command = Command::new("dnssec-signzone");
                    command.args(["-S", "-P", "-n", "1", "-O", "full", "-K", &directory, "-d", &directory]);
                    command.args(["-s", "20260101000000", "-e", until]);
                    must(command.args(["-o", zone, "-f"]).arg(&path).arg(&path));
                }
            }
        }
        files
    }

    /// The file of a version.
    pub fn version(&self, zone: &str, version: u32) -> PathBuf {
        self.directory.join(format!("{zone}.{version}"))
    }

    /// A version, compiled.
    pub fn zone(&self, zone: &str, version: u32) -> Zone {
        read(&self.version(zone, version), zone)
    }

    /// Puts a version where a peer reads it.
    pub fn deploy(&self, zone: &str, version: u32, to: &Path) {
        // Into place at once, because the peer may look at any time; one second newer than the version before, for NSD and PowerDNS
        // look at the time of the file.
        let path = to.join(format!("{zone}.zone"));
        let other = to.join(format!("{zone}.zone.new"));
        std::fs::copy(self.version(zone, version), &other).expect("a copy");
        let file = std::fs::File::options().write(true).open(&other).expect("the copy");
        let time = std::time::SystemTime::now() + Duration::from_secs(version.into());
        file.set_modified(time).expect("a time");
        std::fs::rename(other, path).expect("in place");
    }
}

fn read(path: &Path, zone: &str) -> Zone {
    let read = read_zone(path, &name(zone), &Limits::default());
    read.unwrap_or_else(|error| panic!("{}: {error:?}", path.display())).zone
}

/// A record in canonical form, for comparison.
type Canonical = (Name, u16, u32, Vec<u8>);

/// What is in one and not in the other.
pub fn compare(expected: &Zone, found: &[Record]) -> Result<(), String> {
    let canonical = |record: &Record| -> Canonical {
        let rdata = anyns::wire::canonical_rdata(record.record_type, &record.rdata);
        let rdata = rdata.unwrap_or_else(|| record.rdata.clone()).to_vec();
        (record.owner.to_lowercase(), record.record_type.0, record.ttl, rdata)
    };
    let mut count: HashMap<Canonical, i32> = HashMap::new();
    expected.records().for_each(|record| *count.entry(canonical(&record)).or_default() += 1);
    found.iter().for_each(|record| *count.entry(canonical(record)).or_default() -= 1);
    let differ: Vec<_> = count.into_iter().filter(|(_, count)| *count != 0).collect();
    match differ.first() {
        None => Ok(()),
        Some((record, count)) => {
            Err(format!("{} records differ, for instance {record:?} ({count})", differ.len()))
        }
    }
}
