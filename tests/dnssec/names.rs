//! What the zones hold, and what is asked of them.

use crate::sign::{Denial, Signer};

/// The zones at the parent's server, each signed in another way.
pub(crate) const ZONES: [(&str, Signer, Denial); 8] = [
    ("nsec.ldns.example.", Signer::Ldns, Denial::Nsec),
    ("nsec3.ldns.example.", Signer::Ldns, Denial::Nsec3),
    ("salted.ldns.example.", Signer::Ldns, Denial::Nsec3Salted),
    ("optout.ldns.example.", Signer::Ldns, Denial::OptOut),
    ("nsec.bind.example.", Signer::Bind, Denial::Nsec),
    ("nsec3.bind.example.", Signer::Bind, Denial::Nsec3),
    ("salted.bind.example.", Signer::Bind, Denial::Nsec3Salted),
    ("optout.bind.example.", Signer::Bind, Denial::OptOut),
];

/// Delegations that are signed and that are not, below each of the zones.
pub(crate) const SIGNED: [&str; 2] = ["child", "signed.ent"];
pub(crate) const UNSIGNED: [&str; 3] = ["plain", "only.insecure", "deep.only.other"];

/// Every shape a name can have. DS records of the signed delegations are added.
pub(crate) const TEXT: &str = "\
@ SOA ns hostmaster 1 3600 900 604800 300
@ NS ns
@ MX 10 mail
@ TXT apex
@ CAA 0 issue \"ca.example\"
ns A 192.0.2.53
mail A 192.0.2.1
www A 192.0.2.1
www AAAA 2001:db8::1
Mixed.Case TXT case
www.a.b.c TXT below-empty-non-terminals
\\000\\001.odd TXT octets
\\255.odd TXT octets
- A 192.0.2.1
alias CNAME www
chain CNAME alias
dangling CNAME missing
into-empty CNAME c
into-wild CNAME x.y.wild
into-child CNAME www.child
into-dname CNAME www.old
*.wild TXT wild
*.wild A 192.0.2.1
exists.wild TXT stops-the-wildcard
sub.exists.wild TXT more
below.*.starent TXT asterisk-is-empty
*.wildalias CNAME www
*.wildchain CNAME x.wildalias
*.wildmissing CNAME x.missing
*.*.twice TXT twice
old DNAME new
www.new A 192.0.2.1
*.new TXT new
gone DNAME nowhere
child NS ns.child
ns.child A 192.0.2.54
signed.ent NS ns.child
plain NS ns.plain
ns.plain A 192.0.2.54
only.insecure NS ns.plain
deep.only.other NS ns.plain
";

/// The zone that is served at a delegation.
pub(crate) const CHILD: &str =
    "@ SOA ns hostmaster 1 3600 900 604800 300\n@ NS ns\nns A 192.0.2.54\nwww A 192.0.2.2\n*.w TXT wild\n";

/// The types that are asked for.
pub(crate) const TYPES: [u16; 14] = [1, 2, 5, 6, 15, 16, 28, 39, 43, 48, 51, 59, 99, 65280];

/// Names relative to a zone: each that is in it, and around each of them names that are not.
pub(crate) fn questions(random: &mut fastrand::Rng) -> Vec<String> {
    let mut names: Vec<String> = vec![String::new()];
    for line in TEXT.lines() {
        let owner = line.split(' ').next().unwrap();
        let mut rest = if owner == "@" { "" } else { owner };
        while !rest.is_empty() {
            names.push(rest.into());
            rest = rest.split_once('.').map_or("", |(_, above)| above);
        }
    }
    names.extend(SIGNED.iter().chain(&UNSIGNED).map(|name| (*name).to_owned()));
    names.sort();
    names.dedup();
    let known = names.clone();
    for name in &known {
        for label in ["x", "x.y", "*", "a", "\\000", "zzz"] {
            names.push(below(label, name));
        }
    }
    let letters = ["a", "b", "m", "w", "x", "-", "0", "\\000", "\\255", "z"];
    for _ in 0..60 {
        let label: String = (0..random.usize(1..8)).map(|_| letters[random.usize(..letters.len())]).collect();
        names.push(below(&label, &known[random.usize(..known.len())]));
    }
    names.sort();
    names.dedup();
    names
}

fn below(label: &str, name: &str) -> String {
    if name.is_empty() { label.into() } else { format!("{label}.{name}") }
}

/// Whether a name lies at or below a delegation without DS.
pub(crate) fn is_insecure(relative: &str) -> bool {
    UNSIGNED.iter().any(|cut| relative == *cut || relative.ends_with(&format!(".{cut}")))
}
