//! The certificate: two PEM files in, what every new handshake shows out.
//!
//! Read at the start, when told to, and when a file has changed. A new pair that cannot be used changes nothing: the
//! old one stays in use, and the fault is reported until it is corrected. Connections that exist keep what they have. One that
//! expires is reported early, and still presented to clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::sys::files::{FileError, exposure, read as read_file};
use crate::telemetry::{CertificateValidity, ExpiryStage, locked, with_causes};

/// Octets of the longest file read: a chain of a dozen certificates has some 30,000.
const MAX_FILE: u64 = 1 << 20;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{}", with_causes(.0))]
    File(FileError),
    /// No PEM, or none of the kind wanted.
    #[error("{}: {wanted} in PEM is expected: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// The two do not belong together, or are of a kind that is not known.
    #[error("{} and {}: not a certificate and its key: {source}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

/// The state of a file: when it changes, the content may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    modified: Option<SystemTime>,
    length: u64,
}

/// The certificate in use.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    told: ArcSwap<LoggedState>,
    /// Held while files are read, which may never end: no thread that must answer takes it.
    state: Mutex<State>,
}

/// How the last reading went.
#[derive(Clone, Debug, Default)]
struct LoggedState {
    fault: Option<String>,
    /// When the pair in use is valid; `None` if that cannot be read.
    validity: Option<CertificateValidity>,
}

/// What the next reading is compared with.
#[derive(Debug, Default)]
struct State {
    looks: [Option<FileState>; 2],
    /// The stage of the validity that was logged last.
    stage: ExpiryStage,
}

impl Certificates {
    /// Reads the pair.
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let looks = [file_state(certificate), file_state(key)];
        let pair = read(certificate, key)?;
        let told = LoggedState { fault: None, validity: CertificateValidity::of(&pair.cert) };
        let mut state = State { looks, ..State::default() };
        state.watch_validity(told.validity, certificate);
        warn_of_exposure(key);
        let (current, told) = (ArcSwap::from_pointee(pair), ArcSwap::from_pointee(told));
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Arc::new(Self { certificate, key, current, told, state: Mutex::new(state) }))
    }

    /// Reads the pair again, changed or not; if it cannot be used the old one stays. Blocks for as long as files do.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let mut state = locked(&self.state);
        self.read_again(&mut state)
    }

    /// Reads the pair again if one of its files has changed since the last time, and logs when it comes near its end.
    pub(super) fn reload_if_changed(&self) {
        let mut state = locked(&self.state);
        if state.looks != [file_state(&self.certificate), file_state(&self.key)] {
            // It is logged, and told by `fault`.
            let _ = self.read_again(&mut state);
        }
        state.watch_validity(self.told.load().validity, &self.certificate);
    }

    /// Whether others can read the file of the key, in words. It is used all the same: the encrypted transports do not end for that
    /// when a certificate is renewed.
    pub fn exposure(&self) -> Option<String> {
        exposure(&self.key).map(|fault| fault.to_string())
    }

    /// Why the pair in the files is not the one in use; `None` when it is. Never blocks.
    pub fn fault(&self) -> Option<String> {
        self.told.load().fault.clone()
    }

    /// Whether the certificate in use has expired or soon will, in words; `None` while it is well. Never blocks.
    pub fn expiry(&self) -> Option<String> {
        self.told.load().validity?.warning(SystemTime::now())
    }

    /// When the certificate in use is valid, as far as that can be read. Never blocks.
    #[must_use]
    pub fn validity(&self) -> Option<CertificateValidity> {
        self.told.load().validity
    }

    fn read_again(&self, state: &mut State) -> Result<(), CertificateError> {
        // Looked at before they are read: a change in between is seen the next time.
        state.looks = [file_state(&self.certificate), file_state(&self.key)];
        match read(&self.certificate, &self.key) {
            Ok(pair) => {
                let same = pair.cert == self.current.load().cert;
                let validity = CertificateValidity::of(&pair.cert);
                self.told.store(Arc::new(LoggedState { fault: None, validity }));
                self.current.store(Arc::new(pair));
                tracing::info!(certificate = %self.certificate.display(), same, "the certificate is read");
                warn_of_exposure(&self.key);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used; the old one stays");
                let validity = self.told.load().validity;
                self.told.store(Arc::new(LoggedState { fault: Some(error.to_string()), validity }));
                Err(error)
            }
        }
    }
}

impl State {
    /// Logs it when the certificate reaches another stage of its validity.
    fn watch_validity(&mut self, validity: Option<CertificateValidity>, certificate: &Path) {
        let now = SystemTime::now();
        let stage = validity.map_or(ExpiryStage::Well, |validity| validity.stage(now));
        if stage != std::mem::replace(&mut self.stage, stage)
            && let Some(warning) = validity.and_then(|validity| validity.warning(now))
        {
            tracing::warn!(certificate = %certificate.display(), "{warning}");
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn file_state(path: &Path) -> Option<FileState> {
    let metadata = fs::metadata(path).ok()?;
    Some(FileState { modified: metadata.modified().ok(), length: metadata.len() })
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let wrong = |path: &Path, wanted| {
        let path = path.to_owned();
        move |source| CertificateError::Pem { path, wanted, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&octets(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(wrong(certificate, "a chain of certificates"))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "a chain of certificates")(pem::Error::NoItemsFound));
    }
    let private = PrivateKeyDer::from_pem_slice(&octets(key)?)
        .map_err(wrong(key, "a private key without a password"))?;
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|source| {
        CertificateError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source }
    })
}

fn octets(path: &Path) -> Result<Vec<u8>, CertificateError> {
    read_file(path, MAX_FILE, false).map_err(CertificateError::File)
}

fn warn_of_exposure(key: &Path) {
    if let Some(fault) = exposure(key) {
        tracing::warn!("the key of the certificate: {fault}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A self-signed pair in two files.
    fn write(directory: &Path) -> (PathBuf, PathBuf) {
        let pair = rcgen::generate_simple_self_signed(vec!["ns.example".to_owned()]).unwrap();
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        fs::write(&certificate, pair.cert.pem()).unwrap();
        fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn a_new_pair_is_taken_and_a_bad_one_keeps_the_old() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = write(directory.path());
        let certificates = Certificates::load(&certificate, &key).unwrap();
        let first = certificates.current.load_full();
        certificates.reload().unwrap();
        assert_eq!(certificates.current.load().cert, first.cert);

        let other = tempfile::tempdir().unwrap();
        let (other_certificate, other_key) = write(other.path());
        fs::copy(&other_certificate, &certificate).unwrap();
        let error = certificates.reload().unwrap_err();
        assert!(matches!(error, CertificateError::Pair { .. }), "{error}");
        assert!(certificates.fault().unwrap().contains("not a certificate and its key"));
        assert_eq!(certificates.current.load().cert, first.cert, "the old one stays");

        fs::copy(&other_key, &key).unwrap();
        certificates.reload().unwrap();
        assert_eq!(certificates.fault(), None);
        assert_ne!(certificates.current.load().cert, first.cert);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = write(directory.path());
        let missing = directory.path().join("missing.pem");
        let empty = directory.path().join("empty.pem");
        fs::write(&empty, "no PEM at all").unwrap();
        for (certificate, key, what) in [
            (&missing, &key, "missing.pem cannot be read: No such file"),
            (&certificate, &missing, "missing.pem cannot be read: No such file"),
            (&empty, &key, "empty.pem: a chain of certificates in PEM is expected"),
            (&certificate, &empty, "empty.pem: a private key without a password in PEM is expected"),
            (&certificate, &certificate, "cert.pem: a private key"),
            (&directory.path().to_owned(), &key, "is a directory, not a regular file"),
        ] {
            let error = Certificates::load(certificate, key).unwrap_err().to_string();
            assert!(error.contains(what), "{error:?} does not say {what:?}");
        }
        // Not cut off where the longest one ends.
        let pair = fs::read_to_string(&certificate).unwrap();
        fs::write(&certificate, format!("{pair}{}", "\n".repeat(MAX_FILE as usize))).unwrap();
        let error = Certificates::load(&certificate, &key).unwrap_err().to_string();
        assert!(error.contains("cert.pem has more than 1048576 octets"), "{error}");
    }

    #[test]
    fn a_key_that_others_can_read_is_used_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = write(directory.path());
        let told = |mode| {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            Certificates::load(&certificate, &key).unwrap().exposure()
        };
        assert_eq!((told(0o600), told(0o640)), (None, None));
        let told = told(0o644).unwrap();
        assert!(told.contains("key.pem has mode 644; its group may read it at most"), "{told}");
    }
}
