//! Why the listener cannot work.

use std::path::PathBuf;

use crate::transfer::FileError;
use crate::transfer::tls::TlsError;

/// Why the credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// A token file cannot be used.
    #[error("the token file cannot be used")]
    TokenFile(#[source] FileError),
    /// It holds no token.
    #[error(
        "{} holds no token: one line of {least} to {most} printable ASCII characters without spaces is expected, such as from \
         `openssl rand -hex 32`",
        path.display()
    )]
    Token {
        /// The file.
        path: PathBuf,
        /// The fewest characters.
        least: usize,
        /// The most.
        most: usize,
    },
    /// The file of the authorities of clients cannot be used.
    #[error("the file of the authorities of clients cannot be used")]
    AuthorityFile(#[source] FileError),
    /// The certificate, its key or the authorities of clients cannot be used.
    #[error("the certificate, its key or the authorities of clients cannot be used")]
    Tls(#[source] TlsError),
}
