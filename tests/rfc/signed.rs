//! Zones that look signed: whole NSEC and NSEC3 chains, signatures that nobody checks here (`tests/dnssec` has
//! validators).

use data_encoding::{BASE32_DNSSEC, HEXLOWER};
use sha1::{Digest, Sha1};

use anyns::wire::Name;

use crate::world::*;

/// What follows a signature's covered type; as long as a true one of ECDSA P-256.
pub(crate) const SIGNATURE: &str = "13 2 60 20370101000000 20260101000000 1 @ \
    CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQ==";

/// The parameters of an NSEC3 chain.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<'a> {
    pub(crate) iterations: u16,
    pub(crate) salt: &'a [u8],
    pub(crate) opt_out: bool,
}

impl Parameters<'_> {
    pub(crate) const RFC9276: Parameters<'static> = Parameters { iterations: 0, salt: &[], opt_out: false };

    /// The hash of a name (RFC 5155 section 5) as a label.
    pub(crate) fn hash(&self, name: &str) -> String {
        let name = name.parse::<Name>().unwrap().to_lowercase();
        let mut digest = Sha1::digest([name.as_wire(), self.salt].concat());
        for _ in 0..self.iterations {
            digest = Sha1::digest([&digest[..], self.salt].concat());
        }
        BASE32_DNSSEC.encode(&digest)
    }

    fn salt(&self) -> String {
        if self.salt.is_empty() { "-".into() } else { HEXLOWER.encode(self.salt) }
    }
}

/// The NSEC3PARAM and NSEC3 records for these names (relative, `@` for the apex) with their types.
pub(crate) fn nsec3_chain(origin: &str, parameters: Parameters<'_>, names: &[(&str, &str)]) -> String {
    let (iterations, salt, flags) = (parameters.iterations, parameters.salt(), u8::from(parameters.opt_out));
    let mut hashes: Vec<(String, &str)> = names
        .iter()
        .map(|(name, types)| {
            let name = if *name == "@" { origin.to_owned() } else { format!("{name}.{origin}") };
            (parameters.hash(&name), *types)
        })
        .collect();
    hashes.sort();
    let labels = origin.parse::<Name>().unwrap().label_count();
    let signature = SIGNATURE.replacen("13 2", &format!("13 {labels}"), 1);
    let mut text = format!("@ NSEC3PARAM 1 0 {iterations} {salt}\n@ RRSIG NSEC3PARAM {signature}\n");
    for (index, (hash, types)) in hashes.iter().enumerate() {
        let (next, _) = &hashes[(index + 1) % hashes.len()];
        text.push_str(&format!("{hash} 300 NSEC3 1 {flags} {iterations} {salt} {next} {types}\n"));
        text.push_str(&format!("{hash} 300 RRSIG NSEC3 {SIGNATURE}\n"));
    }
    text
}

/// NSEC records for these names, which must be in canonical order.
pub(crate) fn nsec_chain(names: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (index, (name, types)) in names.iter().enumerate() {
        let (next, _) = names[(index + 1) % names.len()];
        text.push_str(&format!("{name} 300 NSEC {next} {types}\n{name} 300 RRSIG NSEC {SIGNATURE}\n"));
    }
    text
}

/// Asks with DO in every way: RCODE, AA, how many answers without signatures, and the owners of the NSEC or NSEC3
/// records in the authority section, in any order but each once and signed.
pub(crate) fn denied(
    world: &World,
    name: &str,
    record_type: &str,
    expected: (u16, bool, usize),
    owners: &[&str],
) {
    each(world, &with_do(query(name, record_type)), |response| {
        let what = format!("{name} {record_type} {:?} {:?}", response.way, response.transport);
        assert!(!response.tc(), "{what}");
        let answers = response.section(0).iter().filter(|line| !line.contains(" RRSIG ")).count();
        assert_eq!((response.rcode(), response.aa(), answers), expected, "{what}");
        let authority = response.section(1);
        let of_type = |wanted: &str| -> Vec<String> {
            let owner = |line: &String| line.split(' ').next().unwrap().to_owned();
            authority.iter().filter(|line| line.contains(wanted)).map(owner).collect()
        };
        let mut proofs = of_type(" NSEC");
        for proof in &proofs {
            assert!(of_type(" RRSIG ").contains(proof), "{what}: {proof} has no signature");
        }
        proofs.sort();
        let mut owners: Vec<String> = owners.iter().map(|owner| format!("{owner}.")).collect();
        owners.sort();
        assert_eq!(proofs, owners, "{what}: {authority:?}");
    });
    // Without DO there is nothing of it (RFC 4035 section 3.1).
    each(world, &query(name, record_type), |response| {
        let dnssec = |line: &String| line.contains(" RRSIG ") || line.contains(" NSEC");
        assert!(!response.section(0).iter().chain(&response.section(1)).any(dnssec));
    });
}
