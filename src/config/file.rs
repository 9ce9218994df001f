//! The text of a configuration file, and files that cannot be one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::ConfigError;

/// The longest configuration, in octets, with the files that it includes: a hundred thousand `[[zone]]` sections are half of it, and more zones than that
/// belong into a zone directory.
const LONGEST: u64 = 16 << 20;

/// Reads the file.
///
/// # Errors
/// It cannot be read, is longer than [`LONGEST`], or is no text in UTF-8.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let octets =
        read_octets(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let unfit = |reason: String| ConfigError::Unfit { path: path.to_owned(), reason };
    check_length(path, octets.len())?;
    text_of(octets).map_err(unfit)
}

/// Whether a configuration that ends with this file is too long.
///
/// # Errors
/// It is longer than [`LONGEST`].
pub(super) fn check_length(path: &Path, octets: usize) -> Result<(), ConfigError> {
    if octets as u64 <= LONGEST {
        return Ok(());
    }
    let reason =
        format!("it is longer than {LONGEST} octets; zones by the thousand belong into zones.directory");
    Err(ConfigError::Unfit { path: path.to_owned(), reason })
}

/// Whether the text may have a key of this name, in letters or in escapes. A text of a hundred thousand zones is not parsed for a key that
/// it does not have.
pub(super) fn may_have(text: &str, key: &str) -> bool {
    let octets = text.as_bytes();
    memchr::memmem::find(octets, key.as_bytes()).is_some() || memchr::memchr(b'\\', octets).is_some()
}

/// The beginning of the file, one octet more than may be.
pub(super) fn read_octets(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

/// What an editor may have made of it: UTF-16, or an 8-bit character set.
fn text_of(octets: Vec<u8>) -> Result<String, String> {
    let is_utf16 = octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]);
    if is_utf16 {
        return Err("it is UTF-16; save it as UTF-8".to_owned());
    }
    let line = |octets: &[u8]| octets.iter().filter(|octet| **octet == b'\n').count() + 1;
    if let Some(nul) = memchr::memchr(0, &octets) {
        let line = line(octets.get(..nul).unwrap_or_default());
        return Err(format!("line {line} has a NUL octet; it must be text in UTF-8"));
    }
    String::from_utf8(octets).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        format!("line {} is not UTF-8; save the file as UTF-8", line(good))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_named() {
        let fault = |octets: &[u8]| text_of(octets.to_vec()).unwrap_err();
        assert_eq!(fault(b"\xff\xfe[\0p\0"), "it is UTF-16; save it as UTF-8");
        assert_eq!(fault(b"[pop]\nname = \"M\xfcnchen\"\n"), "line 2 is not UTF-8; save the file as UTF-8");
        assert_eq!(fault(b"[pop]\n\n\0"), "line 3 has a NUL octet; it must be text in UTF-8");
        assert_eq!(text_of(b"\xef\xbb\xbf[pop]\r\n".to_vec()).unwrap(), "\u{feff}[pop]\r\n");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("long.toml");
        let file = File::create(&path).unwrap();
        file.set_len(LONGEST * 100).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("long.toml: it is longer than 16777216 octets"), "{error}");
    }
}
