use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::domain::Digest;

/// A PEM file as it was at one moment.
///
/// It is read once: what is compared, checked and used are the same bytes, however often the file is
/// exchanged meanwhile.
pub struct PemFile {
    what: &'static str,
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

/// A PEM file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(
        "{what} {path:?} cannot be read; it must be a PEM file that the gateway's user may read"
    )]
    Unreadable {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no PEM, or holds something else.
    #[error("{what} {path:?} is no PEM file with a {what} in it")]
    Pem {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// There is nothing in it.
    #[error(
        "{what} {path:?} holds no {what}; it must be a PEM file, a certificate with its whole chain"
    )]
    Empty {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate in it cannot be understood.
    #[error("{what} {path:?} holds a certificate that cannot be used")]
    Malformed {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The most bytes of a file: far more than any bundle of authorities has.
const MAX_BYTES: u64 = 16 << 20;

impl PemFile {
    /// Reads the file at `path`, which should hold a `what`.
    ///
    /// # Errors
    ///
    /// [`FileError::Unreadable`]
    pub fn read(what: &'static str, path: &Path) -> Result<Self, FileError> {
        let bytes = read(path).map_err(|source| FileError::Unreadable {
            what,
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            what,
            path: path.to_owned(),
            bytes,
        })
    }

    /// What recognises these bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.bytes])
    }

    /// A certificate, and those that lead from it to its authority.
    ///
    /// # Errors
    ///
    /// [`FileError`]
    pub fn chain(&self) -> Result<Vec<CertificateDer<'static>>, FileError> {
        self.all()
    }

    /// A private key.
    ///
    /// # Errors
    ///
    /// [`FileError`]
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, FileError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|source| match source {
            pem::Error::NoItemsFound => self.empty(),
            source => self.no_pem(source),
        })
    }

    /// The authorities to trust.
    ///
    /// # Errors
    ///
    /// [`FileError`]
    pub fn roots(&self) -> Result<RootCertStore, FileError> {
        let mut roots = RootCertStore::empty();
        for authority in self.all()? {
            let added = roots.add(authority);
            added.map_err(|source| self.malformed(source))?;
        }
        Ok(roots)
    }

    /// Lists of certificates that their authorities have revoked.
    ///
    /// # Errors
    ///
    /// [`FileError`]
    pub fn revocation_lists(
        &self,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
        self.all()
    }

    /// The file cannot be used for `source`.
    pub fn malformed(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> FileError {
        FileError::Malformed {
            what: self.what,
            path: self.path.clone(),
            source: source.into(),
        }
    }

    fn all<T: pem::PemObject>(&self) -> Result<Vec<T>, FileError> {
        let items: Vec<T> = T::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|source| self.no_pem(source))?;
        if items.is_empty() {
            return Err(self.empty());
        }
        Ok(items)
    }

    fn no_pem(&self, source: pem::Error) -> FileError {
        FileError::Pem {
            what: self.what,
            path: self.path.clone(),
            source,
        }
    }

    fn empty(&self) -> FileError {
        FileError::Empty {
            what: self.what,
            path: self.path.clone(),
        }
    }
}

/// Without what is in it, which may be a private key.
impl std::fmt::Debug for PemFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemFile")
            .field("what", &self.what)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A path to something endless must not fill the memory.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    // Room for all of it at once: a buffer that grows leaves copies of a key behind.
    let length = file.metadata()?.len().min(MAX_BYTES);
    let room = usize::try_from(length).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 16 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        let said = |content: &str| {
            std::fs::write(&path, content).unwrap();
            let file = PemFile::read("certificate", &path).unwrap();
            file.chain().unwrap_err().to_string()
        };

        let garbled = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for content in ["", garbled] {
            assert!(said(content).contains("x.pem"), "{}", said(content));
        }
        let missing = PemFile::read("certificate", &folder.path().join("y.pem")).unwrap_err();
        assert!(missing.to_string().contains("y.pem"));
    }

    #[test]
    fn a_file_without_end_is_refused() {
        assert!(PemFile::read("certificate", Path::new("/dev/zero")).is_err());
    }
}
