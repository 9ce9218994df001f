//! State files, formats 2 to 4. Only read.
//!
//! One file `NAME.state` per zone, NAME being the apex in lower case without its last dot, octets other than
//! `a-z 0-9 - _ .` as `%XX`; `@` is the root, and a name of more than 200 characters is `%` and its SHA-256.
//! Text, lines ended by LF, in this order:
//!
//! ```text
//! ;anyns-state 4
//! ;zone example.org.
//! ;digest 64 hexadecimal digits         content without the SOA serial, or "unknown"
//! ;serial 2024010102                    the serial that is served
//! ;source-digest 64 hexadecimal digits  content of the whole version that the source gave last
//! ;source-serial 2024010101             its serial
//! ;records 12
//! ;signed true
//! ;accepted 1732147200                  seconds since 1970-01-01 UTC
//! ;chain 64 hexadecimal digits          the link of this version
//! ;root "/var/lib/zones"                the configured source, a JSON string
//! ;path "/var/lib/zones/example.org.zone"
//! ;octets 64 hexadecimal digits         SHA-256 of that file, or "unknown" if it includes others
//! ;header 64 hexadecimal digits         SHA-256 of all lines above
//! ... the zone as a master file ...
//! ;body 64 hexadecimal digits           SHA-256 of the master file; the last line
//! ```
//!
//! Version 3 has no `octets`. Version 2 knew no differences: its digest is that of the source, and the hash of its header is its
//! link.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::wire::{Name, Serial};

use crate::publish::accept::{Digest, Provenance, Standing};
use crate::publish::state::version::header::Header;

/// In place of a digest that nobody has needed yet, or that says too little.
const UNKNOWN: &str = "unknown";
/// The longest header: two paths of PATH_MAX (4096), each octet as long in JSON as `\u0000`, and a name.
const MAX_HEADER: u64 = 65_536;
/// Read at once: the header, unless its paths are very long, and all of a small zone.
const FIRST_READ: u64 = 4_096;
/// `;body `, 64 digits, LF.
const TRAILER: u64 = 71;

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
pub(in crate::publish) enum StateFileError {
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

impl Kept {
    /// Reads the header, checks its hash, and looks whether the end is there.
    pub(in crate::publish) fn look(path: &Path) -> Result<Self, StateFileError> {
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

    fn header(start: &[u8]) -> Result<Self, StateFileError> {
        let mut lines = Lines { source: start, hash: Sha256::new(), length: 0 };
        // Version 2 knew no differences, so it has three lines less; 3 not the octets of the file.
        let (has_chain, has_octets, is_transferred) = match &*lines.next("anyns-state")? {
            "2" => (false, false, false),
            "3" => (true, false, false),
            "4" => (true, true, false),
            "5" => (true, false, true),
            _ => return Err(StateFileError::Header("anyns-state")),
        };
        let zone = lines.parse("zone")?;
        let digest = lines.known_digest("digest")?;
        let serial = Serial(lines.parse("serial")?);
        let source_digest = match (has_chain, digest) {
            (true, _) => lines.digest("source-digest")?,
            (false, digest) => digest.ok_or(StateFileError::Header("digest"))?,
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
            return Err(StateFileError::HeaderHash);
        }
        let standing = Standing { serial, source_serial, source_digest, digest, records, signed };
        let accepted_at = UNIX_EPOCH.checked_add(accepted).ok_or(StateFileError::Header("accepted"))?;
        let header = Header { standing, provenance, accepted_at, chain: chain.unwrap_or(hash) };
        Ok(Self { zone, header, body_start: lines.length, body_hash: Digest::default() })
    }

    /// Checks the records against their hash.
    pub(in crate::publish) fn verify(&self, path: &Path) -> Result<(), StateFileError> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len().checked_sub(TRAILER).ok_or(StateFileError::CutShort)?;
        file.seek(SeekFrom::Start(self.body_start))?;
        let mut hash = Sha256::new();
        io::copy(&mut file.take(end.saturating_sub(self.body_start)), &mut hash)?;
        if Digest::from(hash.finalize()) != self.body_hash {
            return Err(StateFileError::BodyHash);
        }
        Ok(())
    }
}

/// The hash in the last line; `start` is what was read of the file already.
fn body_hash(file: &File, length: u64, body_start: u64, start: &[u8]) -> Result<Digest, StateFileError> {
    if length < body_start + TRAILER {
        return Err(StateFileError::CutShort);
    }
    let mut last = [0; TRAILER as usize];
    match start.last_chunk::<{ TRAILER as usize }>().filter(|_| start.len() as u64 == length) {
        Some(found) => last = *found,
        None => file.read_exact_at(&mut last, length - TRAILER).map_err(|_| StateFileError::CutShort)?,
    }
    let text = std::str::from_utf8(&last).map_err(|_| StateFileError::CutShort)?;
    text.strip_prefix(";body ")
        .and_then(|rest| rest.strip_suffix('\n'))
        .and_then(decode)
        .ok_or(StateFileError::CutShort)
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
    fn next(&mut self, key: &'static str) -> Result<String, StateFileError> {
        let mut line = String::new();
        self.source.read_line(&mut line).map_err(|_| StateFileError::Header(key))?;
        self.hash.update(&line);
        self.length += line.len() as u64;
        line.strip_prefix(';')
            .and_then(|rest| rest.strip_prefix(key))
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|rest| rest.strip_suffix('\n'))
            .map(str::to_owned)
            .ok_or(StateFileError::Header(key))
    }

    fn parse<T: std::str::FromStr>(&mut self, key: &'static str) -> Result<T, StateFileError> {
        self.next(key)?.parse().map_err(|_| StateFileError::Header(key))
    }

    fn digest(&mut self, key: &'static str) -> Result<Digest, StateFileError> {
        decode(&self.next(key)?).ok_or(StateFileError::Header(key))
    }

    fn known_digest(&mut self, key: &'static str) -> Result<Option<Digest>, StateFileError> {
        match &*self.next(key)? {
            UNKNOWN => Ok(None),
            text => decode(text).map(Some).ok_or(StateFileError::Header(key)),
        }
    }

    fn path(&mut self, key: &'static str) -> Result<Arc<Path>, StateFileError> {
        let path: PathBuf =
            serde_json::from_str(&self.next(key)?).map_err(|_| StateFileError::Header(key))?;
        Ok(path.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    /// A line that carries a hash.
    fn hash_line(key: &str, hash: &Digest) -> String {
        format!(";{key} {}\n", HEXLOWER.encode(hash))
    }

    /// The header as builds with format 4 wrote it.
    fn to_text(header: &Header, zone: &Name) -> String {
        let known =
            |digest: Option<&Digest>| digest.map_or_else(|| UNKNOWN.to_owned(), |it| HEXLOWER.encode(it));
        let path = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
        let Provenance::File { root, path: of_file, octets } = &header.provenance else {
            panic!("formats 2 to 4 know files only");
        };
        let accepted = header.accepted_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let Standing { serial, source_serial, source_digest, digest, records, signed } = &header.standing;
        let lines = format!(
            ";anyns-state 4\n;zone {zone}\n;digest {}\n;serial {serial}\n;source-digest {}\n\
             ;source-serial {source_serial}\n;records {records}\n;signed {signed}\n;accepted {accepted}\n\
             ;chain {}\n;root {}\n;path {}\n;octets {}\n",
            known(digest.as_ref()),
            HEXLOWER.encode(source_digest),
            HEXLOWER.encode(&header.chain),
            path(root),
            path(of_file),
            known(octets.as_ref()),
        );
        let hash = hash_line("header", &Sha256::digest(lines.as_bytes()).into());
        lines + &hash
    }

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
        assert_eq!(read(&to_text(&header, &zone)), header);
        let text = to_text(&header, &zone).replace("-state 4", "-state 3").replace(";octets unknown\n", "");
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
    fn a_header_comes_back_and_every_flipped_octet_is_noticed() {
        let (zone, header) = sample();
        let body = "example.org. 60 IN SOA . . 8 1 1 1 1\n";
        let hash = hash_line("body", &Sha256::digest(body).into());
        let whole = format!("{}{body}{hash}", to_text(&header, &zone)).into_bytes();
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
