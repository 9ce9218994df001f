//! The header and the checks of a state file; [`crate::publish::state::store`] says the format.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::wire::{Name, Serial};

use crate::publish::accept::{Digest, Provenance, Standing};
use crate::publish::state::journal::Step;

const MAGIC: &str = ";anyns-state 4";
/// Of a zone that came by a transfer: an earlier anyns, which knows no transfers, sets it aside.
const MAGIC_OF_TRANSFER: &str = ";anyns-state 5";
/// In place of a digest that nobody has needed yet, or that says too little.
const UNKNOWN: &str = "unknown";
/// The longest header: two paths of PATH_MAX (4096), each octet as long in JSON as `\u0000`, and a name.
const MAX_HEADER: u64 = 65_536;
/// Read at once: the header, unless its paths are very long, and all of a small zone.
const FIRST_READ: u64 = 4_096;
/// `;body `, 64 digits, LF.
const TRAILER: u64 = 71;

/// What is kept about a version beside its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Header {
    pub(in crate::publish) standing: Standing,
    pub(in crate::publish) provenance: Provenance,
    pub(in crate::publish) accepted_at: SystemTime,
    /// The last link of the chain of differences that led here ([`crate::publish::state::journal`]); of a whole version the first.
    pub(in crate::publish) chain: Digest,
}

/// One kept zone, its records not yet read.
#[derive(Clone, Debug)]
pub(in crate::publish) struct Kept {
    pub(in crate::publish) zone: Name,
    pub(in crate::publish) header: Header,
    body_start: u64,
    body_hash: Digest,
}

/// What is wrong with a state file.
#[derive(Debug, thiserror::Error)]
pub(in crate::publish) enum StateError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the header is cut short or malformed at {0:?}")]
    Header(&'static str),
    #[error("the header does not match its hash")]
    HeaderHash,
    #[error("the end is missing")]
    CutShort,
    #[error("the records do not match their hash")]
    BodyHash,
    #[error("it holds another zone than its name says")]
    OtherZone,
    #[error("its SOA serial is not the one in its header")]
    OtherSerial,
    #[error("{0}")]
    Zone(String),
}

impl Header {
    /// Of a version that came whole, now: its chain begins.
    pub(in crate::publish) fn whole(zone: &Name, standing: Standing, provenance: Provenance) -> Self {
        let accepted_at = SystemTime::now();
        let since = accepted_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        // No other version has it: the moment tells it from an equal one that came before.
        let chain = Sha256::new()
            .chain_update(zone.as_wire())
            .chain_update(standing.serial.0.to_be_bytes())
            .chain_update(standing.source_digest)
            .chain_update(since.as_nanos().to_be_bytes());
        Self { standing, provenance, accepted_at, chain: chain.finalize().into() }
    }

    /// Of the version that a difference led to from this one.
    pub(in crate::publish) fn led_on(&self, step: &Step, chain: Digest) -> Self {
        let Step { to, accepted_at, records, signed, .. } = *step;
        let standing = Standing { serial: to, digest: None, records, signed, ..self.standing.clone() };
        Self { standing, provenance: self.provenance.clone(), accepted_at, chain }
    }

    /// The header's lines, its hash included.
    pub(in crate::publish) fn to_text(&self, zone: &Name) -> String {
        let (magic, origin) = match &self.provenance {
            Provenance::File { root, path, octets } => {
                let (root, path, octets) = (path_text(root), path_text(path), known_text(octets.as_ref()));
                (MAGIC, format!(";root {root}\n;path {path}\n;octets {octets}\n"))
            }
            Provenance::Transfer { primary } => (MAGIC_OF_TRANSFER, format!(";primary {primary}\n")),
        };
        let accepted = self.accepted_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let Standing { serial, source_serial, source_digest, digest, records, signed } = &self.standing;
        let lines = format!(
            "{magic}\n;zone {zone}\n;digest {}\n;serial {serial}\n;source-digest {}\n\
             ;source-serial {source_serial}\n;records {records}\n;signed {signed}\n;accepted {accepted}\n\
             ;chain {}\n{origin}",
            known_text(digest.as_ref()),
            HEXLOWER.encode(source_digest),
            HEXLOWER.encode(&self.chain),
        );
        let hash = hash_line("header", &Sha256::digest(lines.as_bytes()).into());
        lines + &hash
    }
}

/// A line that carries a hash.
pub(in crate::publish) fn hash_line(key: &str, hash: &Digest) -> String {
    format!(";{key} {}\n", HEXLOWER.encode(hash))
}

fn known_text(digest: Option<&Digest>) -> String {
    digest.map_or_else(|| UNKNOWN.to_owned(), |digest| HEXLOWER.encode(digest))
}

fn path_text(path: &Path) -> String {
    // A path that is no UTF-8 loses its odd octets here: it is then told apart from its source, which only means
    // that the zone counts as vanished.
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

impl Kept {
    /// Reads the header, checks its hash, and looks whether the end is there.
    pub(in crate::publish) fn look(path: &Path) -> Result<Self, StateError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut start = Vec::with_capacity(length.min(FIRST_READ) as usize);
        file.by_ref().take(FIRST_READ).read_to_end(&mut start)?;
        let mut read = Self::header(&start);
        if read.is_err() && length > FIRST_READ {
            file.by_ref().take(MAX_HEADER - FIRST_READ).read_to_end(&mut start)?;
            read = Self::header(&start);
        }
        let mut kept = read?;
        kept.body_hash = body_hash(&file, length, kept.body_start, &start)?;
        Ok(kept)
    }

    fn header(start: &[u8]) -> Result<Self, StateError> {
        let mut lines = Lines { source: start, hash: Sha256::new(), length: 0 };
        // Version 2 knew no differences, so it has three lines less; 3 not the octets of the file.
        let (has_chain, has_octets, is_transferred) = match &*lines.next("anyns-state")? {
            "2" => (false, false, false),
            "3" => (true, false, false),
            "4" => (true, true, false),
            "5" => (true, false, true),
            _ => return Err(StateError::Header("anyns-state")),
        };
        let zone = lines.parse("zone")?;
        let digest = lines.known_digest("digest")?;
        let serial = Serial(lines.parse("serial")?);
        let source_digest = match (has_chain, digest) {
            (true, _) => lines.digest("source-digest")?,
            (false, digest) => digest.ok_or(StateError::Header("digest"))?,
        };
        let source_serial = Serial(lines.parse("source-serial")?);
        let records = lines.parse("records")?;
        let signed = lines.parse("signed")?;
        let accepted = Duration::from_secs(lines.parse("accepted")?);
        let chain = has_chain.then(|| lines.digest("chain")).transpose()?;
        let provenance = match is_transferred {
            true => Provenance::Transfer { primary: lines.parse("primary")? },
            false => {
                let (root, path) = (lines.path("root")?, lines.path("path")?);
                let octets = if has_octets { lines.known_digest("octets")? } else { None };
                Provenance::File { root, path, octets }
            }
        };
        let hash: Digest = lines.hash.clone().finalize().into();
        if lines.digest("header")? != hash {
            return Err(StateError::HeaderHash);
        }
        let standing = Standing { serial, source_serial, source_digest, digest, records, signed };
        let accepted_at = UNIX_EPOCH.checked_add(accepted).ok_or(StateError::Header("accepted"))?;
        let header = Header { standing, provenance, accepted_at, chain: chain.unwrap_or(hash) };
        Ok(Self { zone, header, body_start: lines.length, body_hash: Digest::default() })
    }

    /// Checks the records against their hash.
    pub(in crate::publish) fn verify(&self, path: &Path) -> Result<(), StateError> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len().checked_sub(TRAILER).ok_or(StateError::CutShort)?;
        file.seek(SeekFrom::Start(self.body_start))?;
        let mut hash = Sha256::new();
        io::copy(&mut file.take(end.saturating_sub(self.body_start)), &mut hash)?;
        if Digest::from(hash.finalize()) != self.body_hash {
            return Err(StateError::BodyHash);
        }
        Ok(())
    }
}

/// The hash in the last line; `start` is what was read of the file already.
fn body_hash(file: &File, length: u64, body_start: u64, start: &[u8]) -> Result<Digest, StateError> {
    if length < body_start + TRAILER {
        return Err(StateError::CutShort);
    }
    let mut last = [0; TRAILER as usize];
    match start.last_chunk::<{ TRAILER as usize }>().filter(|_| start.len() as u64 == length) {
        Some(found) => last = *found,
        None => file.read_exact_at(&mut last, length - TRAILER).map_err(|_| StateError::CutShort)?,
    }
    let text = std::str::from_utf8(&last).map_err(|_| StateError::CutShort)?;
    text.strip_prefix(";body ")
        .and_then(|rest| rest.strip_suffix('\n'))
        .and_then(decode)
        .ok_or(StateError::CutShort)
}

fn decode(text: &str) -> Option<Digest> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The lines of a header, hashed as they are read.
struct Lines<R> {
    source: R,
    hash: Sha256,
    length: u64,
}

impl<R: BufRead> Lines<R> {
    /// The value of the next line, which must have this key.
    fn next(&mut self, key: &'static str) -> Result<String, StateError> {
        let mut line = String::new();
        self.source.read_line(&mut line).map_err(|_| StateError::Header(key))?;
        self.hash.update(&line);
        self.length += line.len() as u64;
        line.strip_prefix(';')
            .and_then(|rest| rest.strip_prefix(key))
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|rest| rest.strip_suffix('\n'))
            .map(str::to_owned)
            .ok_or(StateError::Header(key))
    }

    fn parse<T: std::str::FromStr>(&mut self, key: &'static str) -> Result<T, StateError> {
        self.next(key)?.parse().map_err(|_| StateError::Header(key))
    }

    fn digest(&mut self, key: &'static str) -> Result<Digest, StateError> {
        decode(&self.next(key)?).ok_or(StateError::Header(key))
    }

    fn known_digest(&mut self, key: &'static str) -> Result<Option<Digest>, StateError> {
        match &*self.next(key)? {
            UNKNOWN => Ok(None),
            text => decode(text).map(Some).ok_or(StateError::Header(key)),
        }
    }

    fn path(&mut self, key: &'static str) -> Result<Arc<Path>, StateError> {
        let path: PathBuf = serde_json::from_str(&self.next(key)?).map_err(|_| StateError::Header(key))?;
        Ok(path.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Name, Header) {
        let standing = Standing {
            serial: Serial(8),
            source_serial: Serial(5),
            source_digest: [7; 32],
            digest: Some([8; 32]),
            records: 3,
            signed: false,
        };
        let provenance = Provenance::File {
            root: Path::new("/zones").into(),
            path: Path::new("/zones/a \"quoted\"\n.zone").into(),
            octets: Some([6; 32]),
        };
        let accepted_at = UNIX_EPOCH + Duration::from_secs(1_732_147_200);
        ("Example.org.".parse().unwrap(), Header { standing, provenance, accepted_at, chain: [9; 32] })
    }

    #[test]
    fn a_header_without_digests_comes_back_and_those_of_versions_2_and_3_are_read() {
        let (zone, mut header) = sample();
        header.standing.digest = None;
        let Provenance::File { octets, .. } = &mut header.provenance else { panic!("a file") };
        *octets = None;
        let read = |text: &str| Kept::header(text.as_bytes()).unwrap().header;
        assert_eq!(read(&header.to_text(&zone)), header);
        let text = header.to_text(&zone).replace("-state 4", "-state 3").replace(";octets unknown\n", "");
        let lines = &text[..text.find(";header").unwrap()];
        assert_eq!(read(&(lines.to_owned() + &hash_line("header", &Sha256::digest(lines).into()))), header);
        let digest = "07".repeat(32);
        let lines = format!(
            ";anyns-state 2\n;zone example.org.\n;digest {digest}\n;serial 8\n;source-serial 5\n;records 3\n\
             ;signed false\n;accepted 1732147200\n;root \"/zones\"\n;path \"/zones/a\"\n"
        );
        let hash: Digest = Sha256::digest(&lines).into();
        let old = read(&(lines + &hash_line("header", &hash)));
        assert_eq!((old.standing.digest, old.standing.source_digest), (Some([7; 32]), [7; 32]));
        assert_eq!((old.standing.serial, old.chain), (Serial(8), hash));
    }

    #[test]
    fn the_header_of_a_transferred_zone_comes_back() {
        let (zone, mut header) = sample();
        for primary in ["192.0.2.1:53", "[2001:db8::1]:853"] {
            header.provenance = Provenance::Transfer { primary: primary.parse().unwrap() };
            let text = header.to_text(&zone);
            assert!(text.starts_with(";anyns-state 5\n"), "{text}");
            assert_eq!(Kept::header(text.as_bytes()).unwrap().header, header);
        }
    }

    #[test]
    fn a_chain_begins_anew_with_every_whole_version() {
        let (zone, header) = sample();
        let whole = || Header::whole(&zone, header.standing.clone(), header.provenance.clone());
        assert_ne!(whole().chain, whole().chain);
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_octet_is_noticed() {
        let (zone, header) = sample();
        let body = "example.org. 60 IN SOA . . 8 1 1 1 1\n";
        let hash = hash_line("body", &Sha256::digest(body).into());
        let whole = format!("{}{body}{hash}", header.to_text(&zone)).into_bytes();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.state");
        std::fs::write(&path, &whole).unwrap();
        let kept = Kept::look(&path).unwrap();
        kept.verify(&path).unwrap();
        assert_eq!((&kept.zone, &kept.header), (&zone, &header));
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            assert!(Kept::look(&path).and_then(|kept| kept.verify(&path)).is_err(), "octet {at}");
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Kept::look(&path).is_err(), "cut at {length}");
        }
    }
}
