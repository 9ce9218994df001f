//! BIND's validator, one question a process: a second opinion on some answers, and the only one where Unbound has none.

use std::path::{Path, PathBuf};

use crate::authority::{Family, PARENTS};
use crate::support::lab::Space;

/// Trust anchors in BIND's format.
pub(crate) struct Delv {
    anchors: PathBuf,
}

/// What delv makes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Secure,
    Insecure,
}

impl Delv {
    pub(crate) fn new(directory: &Path, families: &[Family]) -> Self {
        let anchors = families.iter().map(|family| {
            let words: Vec<&str> = family.parent.ds.split_whitespace().collect();
            let [zone, _, _, tag, algorithm, digest, hash] = words[..] else { panic!("{words:?}") };
            format!("\"{zone}\" static-ds {tag} {algorithm} {digest} \"{hash}\";\n")
        });
        let file = directory.join("anchors");
        std::fs::write(&file, format!("trust-anchors {{\n{}}};\n", anchors.collect::<String>())).unwrap();
        Self { anchors: file }
    }

    /// Asks the parents' server; the error is what delv printed.
    pub(crate) fn ask(
        &self,
        space: &Space,
        zone: &str,
        name: &str,
        record_type: u16,
    ) -> Result<Verdict, String> {
        let (address, _) = PARENTS.split_once(':').unwrap();
        let mut command = space.command("delv");
        command.arg(format!("@{address}")).arg("-a").arg(&self.anchors).arg(format!("+root={zone}"));
        let output = command.args(["-q", name, "-t", &format!("TYPE{record_type}")]).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let says = |what: &str| text.contains(what);
        if says("resolution failed") && !says("ncache") {
            return Err(text);
        }
        match (
            says("; fully validated") || says("; negative response, fully validated"),
            says("unsigned answer"),
        ) {
            (true, false) => Ok(Verdict::Secure),
            (false, true) => Ok(Verdict::Insecure),
            _ => Err(text),
        }
    }
}
