use std::fmt;
use std::path::PathBuf;

use crate::certificate::{FileError, Malformed};
use crate::domain::Timestamp;
use crate::telemetry::with_causes;

/// A certificate, or another file of `[server.tls]`, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate cannot be read.
    #[error("certificate {certificate:?} cannot be understood; ask its authority for another")]
    Malformed {
        /// The certificate file.
        certificate: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Malformed,
    },
    /// Certificate and key do not fit together, or are of a kind that is not supported.
    #[error(
        "certificate {certificate:?} and private key {private_key:?} cannot be used together; \
         `private_key` must be the key that the certificate was made for"
    )]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        private_key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
    /// The certificate's time is over.
    #[error("certificate {certificate:?} has expired on {expired}; renew it")]
    Expired {
        /// The certificate file.
        certificate: PathBuf,
        /// When.
        expired: Timestamp,
    },
    /// The certificate's time has not come.
    #[error("certificate {certificate:?} is not valid before {begins}; wait, or mend the clock")]
    TooEarly {
        /// The certificate file.
        certificate: PathBuf,
        /// When it will be.
        begins: Timestamp,
    },
    /// No client would ever see the certificate.
    #[error(
        "certificate {certificate:?} names no host, so that nobody would get it; only the first may"
    )]
    Nameless {
        /// The certificate file.
        certificate: PathBuf,
    },
    /// Nobody could say which of two certificates a client gets.
    #[error(
        "certificates {other:?} and {certificate:?} are both for {host}, with keys of the same kind; \
         remove one of them"
    )]
    SameHost {
        /// The certificate file.
        certificate: PathBuf,
        /// The one before it.
        other: PathBuf,
        /// The host.
        host: String,
    },
    /// The self-signed certificate could not be made.
    #[error("a self-signed certificate could not be made")]
    SelfSigned(#[source] rcgen::Error),
    /// The provider of cryptography is not complete.
    #[error("tls could not be set up")]
    Setup(#[source] rustls::Error),
}

/// Everything that is wrong with the files of `[server.tls]`; never empty.
#[derive(Debug)]
pub struct TlsErrors(pub(super) Vec<TlsError>);

impl From<TlsError> for TlsErrors {
    fn from(error: TlsError) -> Self {
        Self(vec![error])
    }
}

impl std::error::Error for TlsErrors {}

/// Each with what is beneath it: of several, no chain could tell which is whose.
impl fmt::Display for TlsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(|error| with_causes(error)).collect();
        f.write_str(&lines.join("\n"))
    }
}
