use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

use super::{TlsError, TlsErrors, provider};
use crate::certificate::{Certificate, PemFile};
use crate::config::{CertificateFiles, ClientCertificates, Demand, Tls, TlsVersion};
use crate::domain::{Digest, Timestamp};

/// What the files of `[server.tls]` held when they were read.
pub(super) struct Material {
    config: Tls,
    pairs: Vec<Pair>,
    clients: Option<Clients>,
}

/// A certificate with its key.
pub(super) struct Pair {
    pub(super) files: CertificateFiles,
    pub(super) certificate: Certificate,
    pub(super) key: Arc<CertifiedKey>,
    /// Of both files.
    digest: Digest,
}

/// Whose certificates count.
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Of all files.
    digest: Digest,
}

/// What came of looking at the files again.
#[derive(Default)]
pub(super) struct Renewal {
    /// Certificates that are others now.
    pub(super) renewed: Vec<CertificateFiles>,
    /// Whether other clients count now.
    pub(super) has_other_clients: bool,
    /// What could not be used; the old one stays in its place.
    pub(super) refused: Vec<TlsError>,
}

impl Material {
    /// Reads every file.
    pub(super) fn read(tls: &Tls, now: Timestamp) -> Result<Self, TlsErrors> {
        let mut errors = Vec::new();
        let mut pairs = Vec::new();
        for files in &tls.certificates {
            match Pair::read(files, now) {
                Ok(pair) => pairs.push(pair),
                Err(error) => errors.push(error),
            }
        }
        let clients = tls.clients.as_ref().map(Clients::read).transpose();
        let clients = clients.unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        if !errors.is_empty() {
            return Err(TlsErrors(errors));
        }
        Ok(Self {
            config: tls.clone(),
            pairs,
            clients,
        })
    }

    /// Whether connections would be the same with either.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let Tls {
            certificates,
            min_version,
            clients,
            // It is said in answers, and changes nothing here.
            hsts: _,
        } = &self.config;
        let digests = |material: &Self| -> Vec<Digest> {
            let pairs = material.pairs.iter().map(|pair| pair.digest);
            let clients = material.clients.iter().map(|clients| clients.digest);
            pairs.chain(clients).collect()
        };
        *certificates == other.config.certificates
            && *min_version == other.config.min_version
            && *clients == other.config.clients
            && digests(self) == digests(other)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    pub(super) fn clients(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.clients
            .as_ref()
            .map(|clients| Arc::clone(&clients.verifier))
    }

    pub(super) const fn min_version(&self) -> TlsVersion {
        self.config.min_version
    }

    /// What the files hold now, so that a change is seen: by their contents, since a time of change or an
    /// inode tells nothing of a link that was turned.
    pub(super) fn look(&self) -> Vec<Option<Digest>> {
        let clients = self.config.clients.as_ref().map(files);
        let pairs = self
            .config
            .certificates
            .iter()
            .map(|pair| [&*pair.certificate, &*pair.private_key]);
        let digest = |path: &Path| Some(PemFile::read("file", path).ok()?.digest());
        let paths = pairs.flatten().chain(clients.into_iter().flatten());
        paths.map(digest).collect()
    }

    /// The same with what has changed and can be used. What cannot stays as it is, and does not keep
    /// the others back.
    pub(super) fn renewed(&self, now: Timestamp) -> (Self, Renewal) {
        let mut renewal = Renewal::default();
        let pairs = self
            .pairs
            .iter()
            .map(|old| match Pair::read(&old.files, now) {
                Ok(new) if new.digest != old.digest => {
                    renewal.renewed.push(new.files.clone());
                    new
                }
                Ok(_) => old.again(),
                // What expires in its place is told by whoever watches it.
                Err(TlsError::Expired { expired, .. }) if expired == old.certificate.not_after => {
                    old.again()
                }
                Err(error) => {
                    renewal.refused.push(error);
                    old.again()
                }
            });
        let pairs = pairs.collect();
        let clients = self.config.clients.as_ref().map(Clients::read).transpose();
        let old = || self.clients.as_ref().map(Clients::again);
        let clients = match clients {
            Ok(new) => {
                let digest = |clients: &Option<Clients>| clients.as_ref().map(|one| one.digest);
                renewal.has_other_clients = digest(&new) != digest(&self.clients);
                new
            }
            Err(error) => {
                renewal.refused.push(error);
                old()
            }
        };
        let material = Self {
            config: self.config.clone(),
            pairs,
            clients,
        };
        (material, renewal)
    }
}

impl Pair {
    fn read(files: &CertificateFiles, now: Timestamp) -> Result<Self, TlsError> {
        let CertificateFiles {
            certificate: path,
            private_key,
        } = files;
        let certificate_file = PemFile::read("certificate", path)?;
        let key_file = PemFile::read("private key", private_key)?;
        let chain = certificate_file.chain()?;
        let leaf = chain.first().map_or(&[][..], AsRef::as_ref);
        let certificate = Certificate::parse(leaf).map_err(|source| TlsError::Malformed {
            certificate: path.clone(),
            source,
        })?;
        let key = CertifiedKey::from_der(chain, key_file.private_key()?, &provider());
        let key = key.map_err(|source| TlsError::Pair {
            certificate: path.clone(),
            private_key: private_key.clone(),
            source,
        })?;
        if certificate.not_after < now {
            return Err(TlsError::Expired {
                certificate: path.clone(),
                expired: certificate.not_after,
            });
        }
        if certificate.not_before > now {
            return Err(TlsError::TooEarly {
                certificate: path.clone(),
                begins: certificate.not_before,
            });
        }
        Ok(Self {
            files: files.clone(),
            certificate,
            key: Arc::new(key),
            digest: both(certificate_file.digest(), key_file.digest()),
        })
    }

    fn again(&self) -> Self {
        Self {
            files: self.files.clone(),
            certificate: self.certificate.clone(),
            key: Arc::clone(&self.key),
            digest: self.digest,
        }
    }
}

impl Clients {
    fn read(config: &ClientCertificates) -> Result<Self, TlsError> {
        let ca = PemFile::read("authority's certificate", &config.ca)?;
        let roots = Arc::new(ca.roots()?);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
        let mut digest = ca.digest();
        let mut last = ca;
        if let Some(path) = &config.crl {
            let crl = PemFile::read("revocation list", path)?;
            let lists = crl.revocation_lists()?;
            // An old list says nothing of what was revoked since.
            builder = builder.with_crls(lists).enforce_revocation_expiration();
            digest = both(digest, crl.digest());
            last = crl;
        }
        if config.demand == Demand::Optional {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build();
        Ok(Self {
            verifier: verifier.map_err(|source| last.malformed(source))?,
            digest,
        })
    }

    fn again(&self) -> Self {
        Self {
            verifier: Arc::clone(&self.verifier),
            digest: self.digest,
        }
    }
}

fn files(clients: &ClientCertificates) -> impl Iterator<Item = &Path> {
    [Some(clients.ca.as_path()), clients.crl.as_deref()]
        .into_iter()
        .flatten()
}

fn both(one: Digest, other: Digest) -> Digest {
    Digest::of(&[one.as_bytes(), other.as_bytes()])
}
