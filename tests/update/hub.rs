//! anyns as a hub with a zone that takes updates.

use std::path::PathBuf;

use crate::support::pop::Alone;

/// Where it takes updates.
pub const HUB: &str = "198.18.1.2";
/// The port of that.
pub const PORT: u16 = 5353;
/// The zone.
pub const ZONE: &str = "update.test";
/// The secret of every key, in base 64.
pub const SECRET: &str = "YSBzZWNyZXQgb2YgdGhlIHVwZGF0ZSB0ZXN0cyBvZiBhbnluczEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";
/// The algorithms; each has a key of its name.
pub const ALGORITHMS: [&str; 4] = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"];

/// The zone as all servers begin with it.
pub const SEED: &str = "\
$ORIGIN update.test.
$TTL 300
@ IN SOA ns1 hostmaster 1 3600 600 86400 60
@ IN NS ns1
@ IN NS ns2
@ IN MX 10 mail
ns1 IN A 192.0.2.1
ns2 IN A 192.0.2.2
www IN A 192.0.2.10
www IN A 192.0.2.11
www IN AAAA 2001:db8::10
www IN TXT \"one\"
alias IN CNAME www
mail IN A 192.0.2.25
below.ent IN TXT \"below an empty non-terminal\"
*.wild IN A 192.0.2.30
sub IN NS ns.sub
ns.sub IN A 192.0.2.40
old IN DNAME elsewhere.test.
";

/// The keys, as `[[key]]`s, and one entry of `update` for each.
pub fn keys() -> (String, String) {
    let key = |name: &str, algorithm: &str| {
        format!("[[key]]\nname = \"{name}.\"\nalgorithm = \"{algorithm}\"\nsecret = \"{SECRET}\"\n")
    };
    let grant = |name: &str| format!("{{ key = \"{name}.\", types = [\"ANY\"] }}");
    let keys: String = ALGORITHMS.iter().map(|algorithm| key(algorithm, algorithm)).collect();
    let grants: Vec<String> = ALGORITHMS.iter().map(|algorithm| grant(algorithm)).collect();
    let few = "{ key = \"few.\", names = [\"_acme-challenge.update.test\", \"*.dyn.update.test\"], types = [\"TXT\"] }";
    (
        keys + &key("few", "hmac-sha256") + &key("none", "hmac-sha256"),
        format!("[{}, {few}]", grants.join(", ")),
    )
}

/// The hub, not started, and the file of the seed.
pub fn hub() -> (Alone, PathBuf) {
    hub_with("")
}

/// The same with more lines of `[transfer]`.
pub fn hub_with(transfer: &str) -> (Alone, PathBuf) {
    let (keys, grants) = keys();
    let alone = Alone::new("");
    let seed = alone.lab.directory().join("seed.zone");
    std::fs::write(&seed, SEED).expect("written");
    let own = std::fs::read_to_string(alone.anyns.config()).expect("the config");
    let own = own.split("\n[control]\n").next().expect("the control socket comes last").to_owned();
    let config = format!(
        "{own}\n[transfer]\nlisten = [\"{HUB}:{PORT}\"]\nallow = [{{ from = \"198.18.0.0/15\" }}]\n{transfer}\n{keys}\n[[zone]]\nname = \"{ZONE}\"\n\
         file = \"{}\"\nupdate = {grants}\n\n[[zone]]\nname = \"empty.test\"\ndatabase = true\n\n[[zone]]\nname = \"pop.test\"\n\
         primaries = [{{ address = \"198.18.9.9:53\", key = \"none.\" }}]\n",
        seed.display()
    );
    alone.anyns.write_config(&config);
    (alone, seed)
}
