//! What is kept about a version beside its records.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::clock::since_1970;
use crate::publish::accept::{Digest, Provenance, Standing};
use crate::publish::state::database::fields::{Fields, push_maybe, push_short, push_time};
use crate::publish::state::version::step::{Step, StepOrigin};
use crate::wire::{Name, Serial};

/// What is kept about a version beside its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Header {
    pub(in crate::publish) standing: Standing,
    pub(in crate::publish) provenance: Provenance,
    pub(in crate::publish) accepted_at: SystemTime,
    /// The link of this version in the chain of steps ([`crate::publish::state::version::step`]); no other version has it.
    pub(in crate::publish) chain: Digest,
}

impl Header {
    /// Of a version that came whole, now.
    pub(in crate::publish) fn whole(zone: &Name, standing: Standing, provenance: Provenance) -> Self {
        let accepted_at = SystemTime::now();
        let since = since_1970(accepted_at);
        // No other version has it: the moment tells it from an equal one that came before.
        let chain = Sha256::new()
            .chain_update(zone.as_wire())
            .chain_update(standing.serial.0.to_be_bytes())
            .chain_update(standing.source_digest)
            .chain_update(since.as_nanos().to_be_bytes());
        Self { standing, provenance, accepted_at, chain: chain.finalize().into() }
    }

    /// Its serial, and how many seconds ago it was accepted.
    pub(in crate::publish) fn serial_and_age(&self) -> (Serial, u64) {
        (self.standing.serial, self.accepted_at.elapsed().map_or(0, |age| age.as_secs()))
    }

    /// Whether it is known to be of a version with the same content, the serial among it.
    pub(in crate::publish) fn has_content_of(&self, other: &Self) -> bool {
        let (one, other) = (&self.standing, &other.standing);
        one.serial == other.serial && one.digest.is_some() && one.digest == other.digest
    }

    /// What led to the version: its source gave it with the serial that it has, unless differences followed or the serial was raised here.
    pub(in crate::publish) fn origin(&self) -> StepOrigin {
        let is_file = matches!(self.provenance, Provenance::File { .. });
        let is_of_source = self.standing.serial == self.standing.source_serial;
        match is_file {
            _ if !is_of_source && self.standing.has_differences() => StepOrigin::Difference,
            false => StepOrigin::Transfer,
            true if is_of_source => StepOrigin::File,
            true => StepOrigin::Bump,
        }
    }

    /// Of the version that a difference led to from this one.
    pub(in crate::publish) fn after_difference(&self, step: &Step, chain: Digest) -> Self {
        let Step { to, accepted_at, records, signed, .. } = *step;
        let standing = Standing { serial: to, digest: None, records, signed, ..self.standing.clone() };
        Self { standing, provenance: self.provenance.clone(), accepted_at, chain }
    }

    /// Its octets in a value of the database.
    pub(in crate::publish) fn write(&self, out: &mut Vec<u8>) {
        let Standing { serial, source_serial, source_digest, digest, records, signed } = &self.standing;
        out.extend(serial.0.to_be_bytes());
        out.extend(source_serial.0.to_be_bytes());
        out.extend(source_digest);
        push_maybe(out, digest.as_ref(), |out, digest| out.extend(digest));
        out.extend((*records as u64).to_be_bytes());
        out.push((*signed).into());
        push_time(out, self.accepted_at);
        out.extend(self.chain);
        match &self.provenance {
            Provenance::File { root, path, octets } => {
                out.push(0);
                push_short(out, root.as_os_str().as_bytes());
                push_short(out, path.as_os_str().as_bytes());
                push_maybe(out, octets.as_ref(), |out, octets| out.extend(octets));
            }
            Provenance::Transfer { primary } => {
                out.push(1);
                push_short(out, primary.to_string().as_bytes());
            }
        }
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(in crate::publish) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let (serial, source_serial) = (Serial(fields.u32()?), Serial(fields.u32()?));
        let (source_digest, digest) = (fields.digest()?, fields.maybe(Fields::digest)?);
        let (records, signed) = (fields.size()?, fields.flag()?);
        let standing = Standing { serial, source_serial, source_digest, digest, records, signed };
        let (accepted_at, chain) = (fields.time()?, fields.digest()?);
        let path = |octets: &[u8]| -> Arc<Path> { Path::new(OsStr::from_bytes(octets)).into() };
        let provenance = match fields.u8()? {
            0 => {
                let (root, of_file) = (path(fields.short()?), path(fields.short()?));
                Provenance::File { root, path: of_file, octets: fields.maybe(Fields::digest)? }
            }
            1 => Provenance::Transfer { primary: std::str::from_utf8(fields.short()?).ok()?.parse().ok()? },
            _ => return None,
        };
        Some(Self { standing, provenance, accepted_at, chain })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    #[test]
    fn the_origin_follows_from_the_source_its_serial_and_the_differences_after_it() {
        let path: Arc<Path> = Path::new("/zones/a.zone").into();
        let file = Provenance::File { root: path.clone(), path, octets: None };
        let primary = Provenance::Transfer { primary: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53) };
        let (zone, given) = ("a.".parse().unwrap(), Some([1; 32]));
        for (provenance, serial, digest, expected) in [
            (&file, 7, given, StepOrigin::File),
            (&file, 8, given, StepOrigin::Bump),
            (&file, 8, None, StepOrigin::Difference),
            (&file, 8, Some([2; 32]), StepOrigin::Difference),
            (&primary, 7, given, StepOrigin::Transfer),
            (&primary, 8, None, StepOrigin::Difference),
            (&primary, 8, Some([2; 32]), StepOrigin::Difference),
        ] {
            let (serial, source_serial, source_digest) = (Serial(serial), Serial(7), [1; 32]);
            let standing =
                Standing { serial, source_serial, source_digest, digest, records: 3, signed: false };
            let header = Header::whole(&zone, standing, provenance.clone());
            assert_eq!(header.origin(), expected, "{header:?}");
        }
    }
}
